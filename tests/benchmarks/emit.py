"""Form apart from answer: samples of one call against samples of two, on a real small model and in a simulation.

    python tests/benchmarks/emit.py draw --url http://127.0.0.1:8011/v1 --votes emit_votes.jsonl
    python tests/benchmarks/emit.py table --votes emit_votes.jsonl --out tests/benchmarks/results/emit.json

The questions are orders in a sentence, which a seeded generator makes; the answer is a JSON object of the item, how many of it
and what all of it costs. `draw` asks each of them five times in each of two ways, `plain` (one call) and `emit` (two), through
maker_graph's own samplers and red flags, one question after the other, so that both have seen the same ones whenever it ends.
Another call goes on. `table` says of each way how many samples are malformed, how many of the others are wrong, how alike
samples of one question err, what a vote makes of them, and the tokens.

The simulation is of a model that errs in form and in substance, and more often in substance where it errs in form. What it is
told is in `WORLD`: the share of confused samples, how often these err and break the form, and the same of all others.
"""

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_openai import ChatOpenAI
from typing_extensions import TypedDict

from maker_graph import AheadBy, Decided, Draw, Emit, Voting
from maker_graph.core.answers import reader_of
from maker_graph.core.judging import Reader, judge_all
from maker_graph.models.emitting import sampler_for

SEED = 20
SAMPLES = 5
TEMPERATURE = 0.7
CAP = 60
FORM_CAP = 60
ITEMS = ("pencils", "lamps", "chairs", "notebooks", "mugs", "batteries", "towels", "candles", "plates", "baskets")
SENTENCES = (
    "Please send me {n} {item}; I have seen them for ${price} each.",
    "We need {item} for the office, {n} of them, at ${price} a piece.",
    "Hello, my order is {n} {item} at {price} dollars each. Thank you!",
    "Could I get {n} of the {item} that cost ${price} each?",
)
SHOWN = ((3, "pens", 2), (5, "forks", 4), (2, "tables", 9), (6, "bottles", 3), (4, "hats", 7), (7, "spoons", 2), (8, "bags", 5))
PROMPT = (
    "Each order is written down as JSON: the item, how many of it, and what all of it costs in dollars.\n\n"
    + "".join(
        f"Order: {SENTENCES[i % 4].format(n=n, item=item, price=price)}\n"
        f'JSON: {{"item": "{item}", "quantity": {n}, "total": {n * price}}}\n\n'
        for i, (n, item, price) in enumerate(SHOWN)
    )
    + "Order: "
)
REASON = (
    "The same orders in words:\n"
    + "".join(f"{item}: {n} at ${price} each. {n} times {price} is {n * price}.\n" for n, item, price in SHOWN)
    + "The last order, in words:"
)
WRITE = "The last order, with the total of these notes.\nJSON:"
WAYS = {"plain": None, "emit": Emit(reason=REASON, prompt=WRITE, max_tokens=FORM_CAP, stop=("\n",))}


class Order(TypedDict):
    """The answer."""

    item: str
    quantity: int
    total: int


@dataclass(frozen=True, slots=True)
class Question:
    """An order, with what is right."""

    text: str
    truth: Order


def questions(number: int) -> list[Question]:
    """Return so many orders."""
    rng, found = random.Random(SEED), []
    for i in range(number):
        n, price, item = rng.randrange(2, 10), rng.randrange(2, 10), rng.choice(ITEMS)
        text = SENTENCES[i % len(SENTENCES)].format(n=n, price=price, item=item)
        found.append(Question(text, Order(item=item, quantity=n, total=n * price)))
    return found


def voting_of(way: str) -> Voting:
    """Return how samples are drawn in a way."""
    return Voting(temperature=TEMPERATURE, max_tokens=CAP, seed=SEED, stop=("\n",), emit=WAYS[way])


async def draw(given: argparse.Namespace) -> None:
    """Draw what is missing, until the time is over."""
    model = ChatOpenAI(model=given.model, base_url=given.url, api_key="none")  # type: ignore[arg-type]  # a string will do
    samplers = {way: sampler_for([model], voting_of(way), calls={"timeout": 120.0}) for way in WAYS}
    done = {(line["row"], line["way"]) for line in lines(given.votes)}
    ends = time.monotonic() + 60 * given.minutes
    for row, question in enumerate(questions(given.number)):
        for way, sampler in samplers.items():
            if (row, way) in done:
                continue
            if time.monotonic() > ends:
                return
            prompt = PROMPT + question.text + ("\nJSON:" if way == "plain" else "")
            samples = await asyncio.gather(*(sampler.adraw(prompt, index) for index in range(SAMPLES)))
            reader = Reader(reader_of(Order).parse, None, None, voting_of(way).flags)
            judged = judge_all(samples, reader)
            line = {
                "row": row,
                "way": way,
                "truth": question.truth,
                "answers": [None if each["flag"] else each["answer"] for each in judged],
                "flags": [each["flag"] and f"{each['flag']} {each['why'][:24]}".strip() for each in judged],
                "input": sum(each["usage"]["input"] for each in judged),
                "output": sum(each["usage"]["output"] for each in judged),
                "calls": sum(2 if each.call == "second" else 1 for each in samples),
                "texts": [[each.reasoned and each.reasoned["text"], each.text] for each in samples] if given.texts else [],
            }
            with given.votes.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")


def lines(votes: Path) -> list[dict[str, Any]]:
    """Return what was drawn so far."""
    return [json.loads(line) for line in votes.read_text(encoding="utf-8").splitlines()] if votes.exists() else []


def judged_right(answer: Any, truth: Any) -> bool:
    """Say whether an answer is right; the item may be written with a capital or with a unit before it."""
    if not isinstance(answer, dict):
        return bool(answer == truth)
    said = (answer["item"].lower().strip(), answer["quantity"], answer["total"])
    return bool(said == (truth["item"], truth["quantity"], truth["total"]))


def raced(answers: Sequence[Any], truth: Any, rule: AheadBy) -> str:
    """Return how a vote over samples in their order ends: right, wrong or passed."""
    ballot: Counter[str] = Counter()
    values = {json.dumps(each, sort_keys=True): each for each in answers if each is not None}
    for each in answers:
        if each is None:
            continue
        ballot[json.dumps(each, sort_keys=True)] += 1
        verdict = rule(ballot)
        if isinstance(verdict, Decided):
            return "right" if judged_right(values[verdict.candidate], truth) else "wrong"
        if not isinstance(verdict, Draw):
            return "passed"
    return "passed"


def summed(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of one way."""
    samples = sum(len(each["answers"]) for each in found)
    pairs = [
        (sum(judged_right(answer, each["truth"]) for answer in read), len(read))
        for each in found
        for read in [[answer for answer in each["answers"] if answer is not None]]
    ]
    right, valid = sum(r for r, _ in pairs), sum(n for _, n in pairs)
    p = right / valid if valid else float("nan")
    two = sum(n * (n - 1) for _, n in pairs)
    both = sum(r * (r - 1) for r, _ in pairs) / two if two else float("nan")
    ends = Counter(raced(each["answers"], each["truth"], AheadBy(2, within=4)) for each in found)
    flags = Counter(str(flag).split()[0] for each in found for flag in each["flags"] if flag)
    return {
        "questions": len(found),
        "samples": samples,
        "flagged": round(1 - valid / samples, 3),
        "flags": dict(flags),
        "wrong_of_valid": round(1 - p, 3),
        "right_of_all": round(right / samples, 3),
        "rho": round((both - p * p) / (p * (1 - p)), 2) if 0 < p < 1 else None,
        "voted": {name: round(ends[name] / len(found), 3) for name in ("right", "wrong", "passed")},
        "calls_a_sample": round(sum(each["calls"] for each in found) / samples, 2),
        "input_a_sample": round(sum(each["input"] for each in found) / samples, 1),
        "output_a_sample": round(sum(each["output"] for each in found) / samples, 1),
    }


def main() -> None:
    """Draw, or print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["draw", "table"])
    parser.add_argument("--url", default="http://127.0.0.1:8011/v1")
    parser.add_argument("--model", default="gemma-3-270m")
    parser.add_argument("--votes", type=Path, default=Path("emit_votes.jsonl"))
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--texts", action="store_true", help="keep what was said")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.what == "draw":
        asyncio.run(draw(given))
        return
    found = lines(given.votes)
    both = {row for row in {each["row"] for each in found} if {e["way"] for e in found if e["row"] == row} == set(WAYS)}
    real = {way: summed([each for each in found if each["way"] == way and each["row"] in both]) for way in WAYS}
    result = {"real": real}
    print(json.dumps(result, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
