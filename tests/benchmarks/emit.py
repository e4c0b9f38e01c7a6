"""Form apart from answer: samples of one call against samples of two, on a real small model and in a simulation.

    python -m tests.benchmarks.emit draw --url http://127.0.0.1:8011/v1 --votes emit_votes.jsonl --samples 3
    python -m tests.benchmarks.emit table --votes emit_votes.jsonl --out tests/benchmarks/results/emit.json

The questions are the first 100 of the prices of `curate_real.py`, with its ten examples, for the same base model of 270 million
weights. In one call (`plain`, the prompt of `curate_real.py`) the examples show the JSON of each price. In two calls (`emit`)
they also show a sentence that says what the price is: the first call goes on with the sentence, the second one with the JSON.
`draw` asks in both ways through maker_graph's own samplers and red flags, with the rule of the schema in the reader, a block of
questions in one way and then in the other. It writes a line for each sample, and another call goes on. `table` says of each way
how many samples are malformed, how many of the others are wrong, how alike samples of one question err, what a vote makes of
them, and what they cost.

The simulation is of a model that errs in form and in substance, and more often in substance where it errs in form: `World` has
its figures. Confusion is a property of the question, drawn once for each, so that samples of one question err alike. A second
call writes down what the first one said, right or wrong: it mends the form and no answer.
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

from maker_graph import AheadBy, Decided, Draw, Emit, Voting
from maker_graph.core.judging import Reader, judge_all
from maker_graph.models.emitting import sampler_for
from maker_graph.tasks.curate.schema import load_schema
from tests.benchmarks.curate_data import prices
from tests.benchmarks.curate_real import SCHEMA, chosen, line_of, prompt_of

SEED, SAMPLES, ROWS, BLOCK = 17, 5, 100, 20
TEMPERATURE, CAP = 0.7, 40
WAYS = {"plain": None, "emit": Emit(reason="In words:", prompt="JSON:", max_tokens=CAP, stop=("\n",))}


def asked(way: str, place: int, examples: Sequence[int]) -> str:
    """Return what is asked about the row at `place`."""
    if way == "plain":
        return prompt_of(place, examples)
    table = prices()
    solved = "".join(
        f"{line_of(table.rows[each])}\n\nIn words: {in_words(**table.truths[each])}\n\n"
        f"JSON: {json.dumps(table.truths[each], ensure_ascii=False)}\n\n"
        for each in examples
    )
    return f"The amount and the currency of each price, as they are written.\n\n{solved}{line_of(table.rows[place])}"


def in_words(amount: str | None, currency: str | None) -> str:
    """Return a price as a sentence.

    >>> in_words("22", "EUR"), in_words("36.24", None)
    ('The amount is 22, and the currency is EUR.', 'The amount is 36.24, and no currency is written.')
    """
    first = "No amount is written" if amount is None else f"The amount is {amount}"
    return f"{first}, and {'no currency is written' if currency is None else f'the currency is {currency}'}."


def voting_of(way: str) -> Voting:
    """Return how samples are drawn in a way."""
    return Voting(temperature=TEMPERATURE, max_tokens=CAP, seed=SEED, stop=("\n",), emit=WAYS[way])


async def draw(given: argparse.Namespace) -> None:
    """Draw what is missing, until the time is over."""
    model = ChatOpenAI(model=given.model, base_url=given.url, api_key="none")  # type: ignore[arg-type]  # a string will do
    samplers = {way: sampler_for([model], voting_of(way), calls={"timeout": 120.0}) for way in WAYS}
    done = {(line["row"], line["way"], line["index"]) for line in lines(given.votes)}
    schema, table, (places, examples) = load_schema(SCHEMA), prices(), chosen()
    ends, rows = time.monotonic() + 60 * given.minutes, places[: given.number]
    order = [(way, place) for first in range(0, len(rows), BLOCK) for way in samplers for place in rows[first : first + BLOCK]]
    for way, place in order:
        row = dict(table.rows[place])
        reader = Reader(lambda text, row=row: schema.read(text, row), schema.key, None, voting_of(way).flags)  # type: ignore[misc]
        truth = schema.key(schema.read(json.dumps(table.truths[place]), row))
        for index in range(given.samples):  # one after the other: the server has read the question by then
            if (place, way, index) in done:
                continue
            if time.monotonic() > ends:
                return
            sample = await samplers[way].adraw(asked(way, place, examples), index)
            (judged,) = judge_all([sample], reader)
            line = {
                "row": place,
                "way": way,
                "index": index,
                "truth": truth,
                "answer": None if judged["flag"] else json.loads(judged["candidate"]),
                "flag": judged["flag"],
                "why": judged["why"],
                "input": judged["usage"]["input"],
                "output": judged["usage"]["output"],
                "calls": 2 if sample.call == "second" else 1,
                "texts": [*([sample.reasoned["text"]] if sample.reasoned else []), sample.text],
            }
            with given.votes.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line, ensure_ascii=False) + "\n")


def lines(votes: Path) -> list[dict[str, Any]]:
    """Return what was drawn so far."""
    return [json.loads(line) for line in votes.read_text(encoding="utf-8").splitlines()] if votes.exists() else []


def raced(answers: Sequence[Any], truth: Any, rule: AheadBy) -> str:
    """Return how a vote over samples in their order ends: right, wrong or passed."""
    ballot: Counter[str] = Counter()
    for each in answers:
        if each is None:
            continue
        ballot[json.dumps(each, sort_keys=True)] += 1
        verdict = rule(ballot)
        if isinstance(verdict, Decided):
            return "right" if json.loads(verdict.candidate) == truth else "wrong"
        if not isinstance(verdict, Draw):
            return "passed"
    return "passed"


def real(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of each way, of the questions and samples that both have."""
    drawn: dict[tuple[int, int], dict[str, dict[str, Any]]] = {}
    for each in found:
        drawn.setdefault((each["row"], each["index"]), {})[each["way"]] = each
    both = {key: had for key, had in drawn.items() if len(had) == len(WAYS)}
    return {way: summed([had[way] for had in both.values()]) for way in WAYS} if both else {}


def summed(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of one way."""
    of_row: dict[int, list[dict[str, Any]]] = {}
    for each in sorted(found, key=lambda line: line["index"]):
        of_row.setdefault(each["row"], []).append(each)
    pairs = [
        (sum(each["answer"] == each["truth"] for each in row), sum(each["answer"] is not None for each in row))
        for row in of_row.values()
    ]
    right, valid = sum(r for r, _ in pairs), sum(n for _, n in pairs)
    most = max(map(len, of_row.values()))
    votes = {}
    for rule in (AheadBy(k, within=most) for k in (2, 3) if k <= most):
        ends = Counter(raced([each["answer"] for each in row], row[0]["truth"], rule) for row in of_row.values())
        votes[f"ahead by {rule.k} within {most}"] = {name: ends[name] for name in ("right", "wrong", "passed")}
    return {
        "questions": len(of_row),
        "samples": len(found),
        "malformed": round(sum(each["flag"] == "malformed" for each in found) / len(found), 3),
        "of_the_first_call": sum(each["flag"] is not None and each["why"].startswith("in the first") for each in found),
        "flags": dict(Counter(each["flag"] for each in found if each["flag"])),
        "valid": valid,
        **correlated(pairs),
        "right_of_all": round(right / len(found), 3),
        "voted": votes,
        **{
            f"{name}_a_sample": round(sum(each[name] for each in found) / len(found), 2)
            for name in ("calls", "input", "output")
        },
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["draw", "table"])
    parser.add_argument("--url", default="http://127.0.0.1:8011/v1")
    parser.add_argument("--model", default="gemma-3-270m")
    parser.add_argument("--votes", type=Path, default=Path("emit_votes.jsonl"))
    parser.add_argument("--number", type=int, default=ROWS)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--minutes", type=float, default=11.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.what == "draw":
        asyncio.run(draw(given))
        return
    simulated = {name: {way: imagined(world, way) for way in WAYS} for name, world in WORLDS.items()}
    result = {
        "model": "Gemma 3, 270 million weights, 4 bits, base",
        "temperature": TEMPERATURE,
        "real": real(lines(given.votes)),
        "simulated": simulated,
    }
    print(json.dumps(result, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
