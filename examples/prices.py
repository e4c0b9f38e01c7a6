"""Prices as shops write them: a program reads the plain ones, models vote on the rest, and a person answers what is left.

    python examples/prices.py
    maker-graph run examples.prices:Prices --model sim:gpt-oss-20b --out prices.jsonl

No price depends on another one, so they are items, and many are asked at once. Each goes first to `given`, a program: where it
is sure, its answer stands and costs nothing. Where it returns None, models vote. `check` refuses what has not the form of a
price. A text in which the model finds no price stays open, and waits for a person.
"""

import re
import tempfile
from pathlib import Path

from maker_graph import Items, Run
from maker_graph.simulation import Replies

SHOPS = {
    "12.50": "12.50",
    "$5": "5.00",
    "EUR 19.99": "19.99",
    "1,299.00": "1299.00",
    "\u20ac 7": "7.00",
    "three for 9.60": "3.20",
    "was 20.00, now 15.00": "15.00",
    "2.40 a pair": "1.20",
    "19,99": "19.99",
    "ten and a half": "10.50",
    "850.00": "850.00",
    "from 7 to 9": "7.00",
    "on request": None,
}
"""What stands in the shops, and the price of one piece: what is to be found out."""

PLAIN = re.compile(r"(?:[$\u20ac] ?|EUR |USD )?([0-9]{1,3}(?:,[0-9]{3})*|[0-9]+)(\.[0-9]{2})?")
PRICE = re.compile(r"[0-9]+\.[0-9]{2}")


class Prices(Items):
    """The price of one piece, with two decimals, for each text."""

    def __init__(self) -> None:
        self.items = list(SHOPS)

    def given(self, item: str) -> str | None:
        """Return the price if nothing but one price stands there, else None."""
        plain = PLAIN.fullmatch(item)
        return plain[1].replace(",", "") + (plain[2] or ".00") if plain else None

    def prompt(self, item: str) -> str:
        """Ask for one price; the other items are of no use."""
        return f"A shop writes: {item}\nWhat does one piece cost now? Reply with digits, a point and two decimals: 1234.50"

    def check(self, item: str, answer: str) -> bool:  # noqa: ARG002  the form is the same for all
        """Say whether the answer has the form of a price."""
        return PRICE.fullmatch(answer) is not None

    def rehearse(self, item: str) -> Replies:
        """Return the right reply, and wrong ones: for simulated models only. Several figures are harder than one."""
        figures = [f"{float(each.replace(',', '.')):.2f}" for each in re.findall(r"[0-9]+(?:[.,][0-9]{2})?", item)]
        right = SHOPS[item]
        if right is None:
            return Replies("There is no price.", ["0.99"], error=0.0)
        slips = [each for each in figures if each != right]
        return Replies(right, [*slips, "0.99"], error=0.1 * (1 + len(figures)))


def main() -> None:
    """Read the prices with a model that errs, then answer in the place of a person."""
    prices = Prices()
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.create(Path(folder) / "run", prices, model="sim:gpt-oss-20b", seed=2) as run,
    ):
        run.solve()
        for step in run.steps():
            read = step.answer or "open"
            print(f"{prices.items[step.step - 1]:21} {read:8} {step.decision['by']:8} {dict(step.ballot) or ''}")
        (waiting,) = run.open_items()
        run.answer({waiting.number: "49.00"})
        print(f"{waiting.number}: a person says 49.00. {run.open_count()} are open.")


if __name__ == "__main__":
    main()
