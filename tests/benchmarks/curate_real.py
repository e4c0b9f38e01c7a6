"""150 prices and a small real model at home, whatever comes out.

    python -m tests.benchmarks.curate_real draw --url http://127.0.0.1:8000/v1 --votes votes.jsonl
    python -m tests.benchmarks.curate_real table --votes votes.jsonl --out tests/benchmarks/results/curate_real.json

`docs/real_model.md` says how the server is set up: Gemma 3 of 270 million weights, a base model, so it is shown ten examples
and goes on with the next one. The rows are 150 of `curate_data.prices`, drawn by a seed, and the examples ten others. `draw`
asks each row 8 times at temperature .7 through maker_graph's own sampler and red flags, with the schema's rule as the check.
It writes a line at once, and another call goes on. `table` says what each rule makes of the votes, and what price-parser makes
of the same rows.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_openai import ChatOpenAI

from maker_graph.calibration.trials import majority_of, tried
from maker_graph.calibration.votes import LabelledVotes, read_votes
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.voting import Voting
from maker_graph.models.sampler import Sampler
from maker_graph.run.cascades import CascadeFile, RungFile
from maker_graph.tasks.curate.schema import load_schema
from tests.benchmarks.curate_data import price_program, prices

SEED, ROWS, SAMPLES, EXAMPLES = 17, 150, 8, 10
TEMPERATURE, CAP = 0.7, 40
SCHEMA = f"{Path(__file__).with_name('curate_data.py')}:Price"


def chosen() -> tuple[list[int], list[int]]:
    """Return the places of the rows, and of the examples: all of them different, and none empty."""
    table, first = prices(), dict[str, int]()
    for place, row in enumerate(table.rows):
        if row["price"].strip():
            first.setdefault(row["price"], place)
    places = list(first.values())
    random.Random(SEED).shuffle(places)
    return places[:ROWS], places[ROWS : ROWS + EXAMPLES]


def line_of(row: Mapping[str, str]) -> str:
    """Return a row as it is asked, on one line."""
    return " ".join(f"Price: {row['price']} | Near it: {row['hint']}".split())


def prompt_of(place: int, examples: Sequence[int]) -> str:
    """Return the examples, and the row that comes next."""
    table = prices()
    solved = "".join(
        f"{line_of(table.rows[each])}\nJSON: {json.dumps(table.truths[each], ensure_ascii=False)}\n\n" for each in examples
    )
    return f"The amount and the currency of each price, as they are written.\n\n{solved}{line_of(table.rows[place])}\nJSON:"


async def draw(url: str, votes: Path, done: int, at_once: int) -> None:
    """Ask what is missing after the first `done` rows."""
    model = ChatOpenAI(model="gemma-3-270m", base_url=url, api_key="none")  # type: ignore[arg-type]  # a string will do
    sampler = Sampler([model], temperature=TEMPERATURE, max_tokens=CAP, seed=SEED, stop=("\n",), calls={"timeout": 600.0})
    schema, table, (places, examples) = load_schema(SCHEMA), prices(), chosen()
    gate, began = asyncio.Semaphore(at_once), time.monotonic()

    async def one(prompt: str, index: int) -> Any:
        async with gate:
            return await sampler.adraw(prompt, index)

    for number, place in enumerate(places[done:], start=done):
        row = dict(table.rows[place])
        prompt = prompt_of(place, examples)
        samples = await asyncio.gather(*(one(prompt, index) for index in range(SAMPLES)))
        reader = Reader(lambda text, row=row: schema.read(text, row), schema.key, None, Voting(max_tokens=CAP).flags)  # type: ignore[misc]
        judged = judge_all(samples, reader, ids_differ=sampler.look(samples))
        kept = [None if each["flag"] else json.loads(each["candidate"]) for each in judged]
        truth = schema.key(schema.read(json.dumps(table.truths[place]), row))
        with votes.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"row": place, "text": line_of(row), "truth": truth, "res": kept}, ensure_ascii=False) + "\n")
        print(f"{number + 1} of {ROWS} rows, {time.monotonic() - began:.0f} s", flush=True)
    await sampler.aclose()


def of_rule(found: LabelledVotes, k: int, within: int | None) -> dict[str, Any]:
    """Return what a rule makes of the rows."""
    (pool,) = found.pools.values()
    tally = tried(CascadeFile(rungs=[RungFile(model=pool.name.model, k=k, within=within)]), found).tally()
    share = None if tally.error is None else round(tally.error, 3)
    return {
        "decided": tally.decided,
        "wrong": tally.wrong,
        "wrong_share": share,
        "samples_a_row": round(tally.samples / tally.rows, 2),
    }


def table_of(votes: Path) -> dict[str, Any]:
    """Return what rules make of the votes, and what price-parser makes of the same rows."""
    table, lines = prices(), [json.loads(line) for line in votes.read_text(encoding="utf-8").splitlines()]
    answers = {line["row"]: price_program(table.rows[line["row"]]) for line in lines}
    sure = {place for place, answer in answers.items() if answer is not None}
    valid = sum(each is not None for line in lines for each in line["res"])
    right = sum(each == line["truth"] for line in lines for each in line["res"])
    result: dict[str, Any] = {
        "model": "Gemma 3, 270 million weights, 4 bits, base",
        "rows": len(lines),
        "samples_a_row": SAMPLES,
        "temperature": TEMPERATURE,
        "valid": round(valid / (SAMPLES * len(lines)), 3),
        "right_of_valid": round(right / valid, 3),
        "price-parser": {
            "decided": len(sure),
            "wrong": sum(answers[place] != dict(table.truths[place]) for place in sure),
            "open": len(lines) - len(sure),
        },
    }
    for name, among in (("all rows", None), ("rows that price-parser leaves", sure)):
        kept = [line for line in lines if among is None or line["row"] not in among]
        part = votes.with_suffix(".part.jsonl")
        part.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept), encoding="utf-8")
        found = read_votes([part])
        part.unlink()
        (pool,) = found.pools.values()
        majority = majority_of(pool, 5)
        result[name] = {
            "rows": len(kept),
            "single sample": of_rule(found, 1, None),
            "majority of 5": {**majority._asdict(), "wrong_share": round(majority.wrong / max(1, majority.decided), 3)},
            "ahead by 3 within 5": of_rule(found, 3, 5),
            "5 of 5": of_rule(found, 5, 5),
        }
    return result


def main() -> None:
    """Draw, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["draw", "table"])
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.what == "draw":
        done = len(given.votes.read_text(encoding="utf-8").splitlines()) if given.votes.exists() else 0
        asyncio.run(draw(given.url, given.votes, done, given.at_once))
        return
    found = table_of(given.votes)
    print(json.dumps(found, indent=1))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
