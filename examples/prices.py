"""Independent items: prices as shops write them. A program reads the plain ones, and models vote on the rest.

    python examples/prices.py

Many items are answered at once, and the results are written in their order. For one of them no reply can be read, so it stays
open. Here it is answered in Python; `maker-graph review RUN` asks for the answer in a terminal.
"""

import json
import re
import tempfile
from pathlib import Path

from maker_graph import Items, Run
from maker_graph.simulation import Replies

SHOPS = {
    "12.50": "12.50",
    "$5": "5.00",
    "1.299,00 EUR": "1299.00",
    "from 7 to 9": "7.00",
    "two for 3.40": "1.70",
    "ask us": "0.00",
    "19.99": "19.99",
}
PRICE = re.compile(r"[0-9]+\.[0-9]{2}")


class Prices(Items):
    """Each item is a text; its answer is the price with two decimals."""

    def __init__(self) -> None:
        self.items = list(SHOPS)

    def given(self, item: str) -> str | None:
        """Return the price if a program can be sure of it: digits, a point and two digits."""
        return item if PRICE.fullmatch(item) else None

    def prompt(self, item: str) -> str:
        """Ask for the price."""
        return f"Which price for one piece is this, with two decimals and nothing else? {item}"

    def check(self, item: str, answer: str) -> bool:  # noqa: ARG002  the form is the same for all
        """Say whether the answer has the form of a price."""
        return PRICE.fullmatch(answer) is not None

    def rehearse(self, item: str) -> Replies:
        """Return what a simulated model may reply."""
        return Replies("no price", ["none", "-"]) if item == "ask us" else Replies(SHOPS[item], ["1.00", "9.00"], error=0.2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "prices.jsonl"
        with Run.create(Path(folder) / "run", Prices(), model="sim:gpt-oss-20b", k=4, out=out) as run:
            print(f"The run is {run.solve()['verdict']}.")
            for item in run.open_items():
                print(f"Open: {item.question[-1][1]}")
            run.answer({6: "0.00"})
            print(f"Then it is {run.verify()['verdict']}.")
        for line in out.read_text().splitlines():
            print(json.loads(line)["answer"])
