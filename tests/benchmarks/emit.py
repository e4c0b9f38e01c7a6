"""Form apart from answer: samples of one call against samples of two, on a real small model and in a simulation.

    python tests/benchmarks/emit.py draw --url http://127.0.0.1:8011/v1 --votes emit_votes.jsonl
    python tests/benchmarks/emit.py table --votes emit_votes.jsonl --out tests/benchmarks/results/emit.json

The questions are orders in a sentence, which a seeded generator makes; the answer is a JSON object of the item, how many of it
in three digits, and the price of one in dollars and cents. `draw` asks each of them five times in each of two ways, `plain`
(one call) and `emit` (two), through maker_graph's own samplers and red flags, one question after the other, so that both saw
the same ones whenever it ends. Another call goes on. `table` says of each way how many samples are malformed, how many of the
others are wrong, how alike samples of one question err, what a vote makes of them, and the tokens.

The simulation is of a model that errs in form and in substance, and more often in substance where it errs in form: `World` has
its figures. Confusion is a property of the question, drawn once for each, so that samples of one question err alike. A second
call writes down what the first one said, right or wrong: it mends the form and no answer.
"""

import argparse
import asyncio
import json
import random
import re
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
SHOWN = ((3, "pens", 2), (5, "forks", 4), (2, "tables", 9), (6, "bottles", 3))
PROMPT = (
    "Each order is written down as JSON: the item, the quantity in three digits, the price of one in dollars and cents.\n\n"
    + "".join(
        f"Order: {SENTENCES[i % 4].format(n=n, item=item, price=price)}\n"
        f'JSON: {{"item": "{item}", "quantity": "{n:03}", "price": "{price:.2f}"}}\n\n'
        for i, (n, item, price) in enumerate(SHOWN)
    )
    + "Order: "
)
REASON = "In words, the orders are: " + " ".join(f'"{n} {item}, ${price} each"' for n, item, price in SHOWN) + ' and "'
WRITE = "The last order:\nJSON:"
WAYS = {"plain": None, "emit": Emit(reason=REASON, prompt=WRITE, max_tokens=FORM_CAP, stop=("\n", '"'))}


class Order(TypedDict):
    """The answer."""

    item: str
    quantity: str
    price: str


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
        found.append(Question(text, Order(item=item, quantity=f"{n:03}", price=f"{price:.2f}")))
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
            reader = Reader(order_in, None, None, voting_of(way).flags)
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


def order_in(text: str) -> Order:
    """Return the order that a reply is.

    Raises:
        ValueError: it is none, or not in its form.
    """
    found: Order = reader_of(Order).parse(text)
    if not re.fullmatch(r"\d{3}", found["quantity"]) or not re.fullmatch(r"\d+\.\d\d", found["price"]):
        raise ValueError("the quantity has three digits, and the price dollars and cents")
    return found


def judged_right(answer: Any, truth: Any) -> bool:
    """Say whether an answer is right; the item may be written with a capital or with a unit before it."""
    if not isinstance(answer, dict):
        return bool(answer == truth)
    said = (answer["item"].lower().strip(), answer["quantity"], answer["price"])
    return bool(said == (truth["item"], truth["quantity"], truth["price"]))


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
    ends = Counter(raced(each["answers"], each["truth"], AheadBy(2, within=4)) for each in found)
    flags = Counter(str(flag).split()[0] for each in found for flag in each["flags"] if flag)
    return {
        "questions": len(found),
        "samples": samples,
        "flagged": round(1 - valid / samples, 3),
        "flags": dict(flags),
        **correlated(pairs),
        "right_of_all": round(right / samples, 3),
        "voted": {name: round(ends[name] / len(found), 3) for name in ("right", "wrong", "passed")},
        "calls_a_sample": round(sum(each["calls"] for each in found) / samples, 2),
        "input_a_sample": round(sum(each["input"] for each in found) / samples, 1),
        "output_a_sample": round(sum(each["output"] for each in found) / samples, 1),
    }


@dataclass(frozen=True, slots=True)
class World:
    """A simulated model.

    Attributes:
        confused: the mean share of confused samples; a question's own is drawn from Beta(confused, 1 - confused).
        wrong: how often a clear sample is wrong, and a confused one.
        malformed: how often the reply of one call breaks the form, of a clear sample and of a confused one.
        reasoned: what free reasoning leaves of the errors of clear samples.
        written: how often a second call breaks the form, whoever reasoned.
    """

    confused: float = 0.2
    wrong: tuple[float, float] = (0.05, 0.6)
    malformed: tuple[float, float] = (0.1, 0.6)
    reasoned: float = 1.0
    written: float = 0.02


WORLDS = {
    "malformed is a sign, reasoning helps nothing": World(),
    "malformed is a sign, reasoning halves clear errors": World(reasoned=0.5),
    "the form leaves no room to reason": World(wrong=(0.3, 0.6), reasoned=0.2),
    "the form is hard, and no sign of anything": World(malformed=(0.5, 0.5), reasoned=0.5),
}
RULES = (2, 3, 4)
QUESTIONS = 20_000
MOST = 40


def imagined(world: World, way: str) -> dict[str, Any]:
    """Return the figures of a simulated model in a way."""
    rng, calls = random.Random(SEED), 1 if way == "plain" else 2
    tally = {k: Counter[str]() for k in RULES}
    drawn = dict.fromkeys(RULES, 0)
    pairs, malformed, samples = [], 0, 0
    for _ in range(QUESTIONS):
        share = rng.betavariate(world.confused, 1 - world.confused)
        answers = []
        for _ in range(MOST):
            confused = rng.random() < share
            error = world.wrong[confused] * (world.reasoned if way == "emit" and not confused else 1)
            answer = rng.choices(["wrong", "other"], [3, 1])[0] if rng.random() < error else "right"
            broken = rng.random() < (world.malformed[confused] if way == "plain" else world.written)
            answers.append(None if broken else answer)
        five = answers[:SAMPLES]
        samples, malformed = samples + len(five), malformed + five.count(None)
        pairs.append((five.count("right"), len(five) - five.count(None)))
        for k in RULES:
            ballot: Counter[str] = Counter()
            for number, given in enumerate(answers, start=1):
                if given is not None:
                    ballot[given] += 1
                verdict = AheadBy(k)(ballot)
                if isinstance(verdict, Decided) or number == MOST:
                    ending = verdict.candidate if isinstance(verdict, Decided) else "open"
                    tally[k]["wrong" if ending == "other" else ending] += 1
                    drawn[k] += number
                    break
    return {
        "malformed": round(malformed / samples, 3),
        **correlated(pairs),
        "voted": {
            f"ahead by {k}": {
                "wrong": round(tally[k]["wrong"] / QUESTIONS, 4),
                "open": round(tally[k]["open"] / QUESTIONS, 4),
                "calls": round(calls * drawn[k] / QUESTIONS, 2),
            }
            for k in RULES
        },
    }


def correlated(pairs: Sequence[tuple[int, int]]) -> dict[str, float | None]:
    """Return how many of the valid samples are wrong, and the correlation of being right within a question."""
    right, valid = sum(r for r, _ in pairs), sum(n for _, n in pairs)
    p, two = right / max(1, valid), sum(n * (n - 1) for _, n in pairs)
    both = sum(r * (r - 1) for r, _ in pairs) / two if two else 0.0
    return {"wrong_of_valid": round(1 - p, 3), "rho": round((both - p * p) / (p * (1 - p)), 2) if 0 < p < 1 else None}


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
    ways: dict[int, set[str]] = {}
    for each in found:
        ways.setdefault(each["row"], set()).add(each["way"])
    both = {row for row, had in ways.items() if had == set(WAYS)}
    real = {way: summed([each for each in found if each["way"] == way and each["row"] in both]) for way in WAYS} if both else {}
    simulated = {name: {way: imagined(world, way) for way in WAYS} for name, world in WORLDS.items()}
    result = {"real": real, "simulated": simulated}
    print(json.dumps(result, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
