"""Votes of a real language model, drawn from any OpenAI-compatible server; and what catches an error in unison.

    python tests/benchmarks/real_model.py draw --url http://127.0.0.1:8000/v1
    python tests/benchmarks/real_model.py draw --url http://127.0.0.1:8001/v1 --only second
    python tests/benchmarks/real_model.py table --out tests/benchmarks/results/real_model.json

`docs/real_model.md` says how such a server is set up at home. The questions are 150 dates in five forms, which a seeded
generator makes; the answer is the date as YYYY-MM-DD. `draw` asks each of them through maker_graph's own sampler and red flags,
and writes a file for each of these sets. A question is on the disk before the next one is asked, and another call goes on.

- `base`: 16 samples at temperature .7. `cold` and `hot`: 8 at .1 and 8 at 1.
- `variant2`, `variant3`: the same questions, asked in other words with the examples in another order, 8 samples at .7.
- `second`: another model, asked as `base` is, 8 samples at .7.
- `json`, `structured`: the answer as a JSON object, 4 samples at .7, without and with the schema sent along. The server of
  llama-cpp-python takes a schema in another form than OpenAI's, so `structured` goes through `translate`, which listens on
  port 8002 and passes requests on to `--url` in that form.

A line holds `row`, `text` (the question), `truth` and `res`: the answers in the order of the samples, null for a red flag.
`table` compares the sets: how often answers in a row agree, how often they are wrong then, and which of these are caught.
"""

import argparse
import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import comb
from pathlib import Path
from typing import Any

import uvicorn
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import TypedDict

from maker_graph.core.answers import reader_of
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.schema import schema_of
from maker_graph.core.voting import Voting
from maker_graph.models.sampler import Sampler

VOTES = Path(__file__).parents[1] / "data" / "real_votes"
SEED = 17
AGREE = 5
"""So many answers in a row that are the same decide a question in the table."""

MONTHS = [f"{date(2000, month, 1):%B}" for month in range(1, 13)]
EXAMPLES = ("1976-07-04", "2012-09-23", "1989-03-17", "2005-11-30", "1967-08-02")
MORE_EXAMPLES = ("2018-12-22", "1994-01-08", "1953-02-06", "2009-10-21", "1981-04-13")


class Row(TypedDict):
    """A line of a file: a question, its right answer, and the answers of the samples in their order; None is a red flag."""

    row: int
    text: str
    truth: str
    res: list[str | None]


class Day(TypedDict):
    """The answer as a JSON object."""

    date: date


def written(day: date, form: int) -> str:
    """Return a date in one of five forms, from 0."""
    ending = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    month, nth = MONTHS[day.month - 1], f"{day.day}{ending}"
    return (
        f"{month} {nth}, {day.year}",
        f"{day.year}/{day.month}/{day.day}",
        f"{nth} of {month} {day.year}",
        f"{month[:3]}. {day.day}, {day.year}",
        f"{day.day} {month[:3]} {day.year}",
    )[form]


def questions(number: int, seed: int = SEED) -> list[Row]:
    """Return so many dates from 1950 on, the five forms in turn."""
    rng = random.Random(seed)
    days = [date(1950, 1, 1) + timedelta(rng.randrange(75 * 365)) for _ in range(number)]
    return [Row(row=i, text=written(day, i % 5), truth=day.isoformat(), res=[]) for i, day in enumerate(days)]


def shown(form: str, days: Sequence[str]) -> str:
    """Return the examples, the five forms in turn."""
    return "".join(form.format(written(date.fromisoformat(day), i % 5), day) for i, day in enumerate(days))


TEN = (*EXAMPLES, *MORE_EXAMPLES)
ONE = "Rewrite each date as YYYY-MM-DD.\n\n" + shown("Date: {}\nYYYY-MM-DD: {}\n\n", TEN) + "Date: {}\nYYYY-MM-DD:"
TWO = "Dates in ISO 8601 are year-month-day.\n\n" + shown("{} is {}\n", TEN[::-1]) + "{} is"
THREE = shown("{} -> {}\n", TEN) + "{} ->"
OBJECT = "Rewrite each date.\n\n" + shown('Date: {}\nJSON: {{"date": "{}"}}\n\n', TEN) + "Date: {}\nJSON:"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A set of votes: how the questions are asked, and where the answers are."""

    file: str
    prompt: str = ONE
    samples: int = 8
    temperature: float = 0.7
    max_tokens: int = 16
    form: Any = None


SETS = {
    "base": Drawn("dates150", samples=16),
    "cold": Drawn("dates150_t0.1", temperature=0.1),
    "variant2": Drawn("dates150_variant2", TWO),
    "variant3": Drawn("dates150_variant3", THREE),
    "hot": Drawn("dates150_t1.0", temperature=1.0),
    "second": Drawn("dates150_second"),
    "json": Drawn("dates150_json", OBJECT, samples=4, max_tokens=40, form=Day),
    "structured": Drawn("dates150_structured", OBJECT, samples=4, max_tokens=40, form=Day),
}
ELSEWHERE = ("second", "structured")
"""Sets that are drawn from another address, and only if they are named."""


def day_in(text: str) -> str:
    """Return the date that a reply is.

    Raises:
        ValueError: it is none, or written in another way.
    """
    text = text.strip()
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise ValueError("not YYYY-MM-DD")
    return date.fromisoformat(text).isoformat()


def day_in_object(text: str) -> str:
    """Return the date in a reply that is a JSON object of type `Day`."""
    found: date = reader_of(Day).parse(text)["date"]
    return found.isoformat()


def sampler_of(model: ChatOpenAI, drawn: Drawn, *, structured: bool) -> Sampler:
    """Return what draws the samples of a set; a JSON object ends where the line ends, too."""
    return Sampler(
        [model],
        temperature=drawn.temperature,
        max_tokens=drawn.max_tokens,
        seed=SEED,
        stop=("\n",),
        schema=schema_of(Day) if structured else None,
        calls={"timeout": 120.0},
    )


async def answers(sampler: Sampler, drawn: Drawn, question: str, at_once: asyncio.Semaphore) -> list[str | None]:
    """Return the answers of all samples of a question."""
    prompt = (
        drawn.prompt.replace("{}", question) if drawn.form is None else drawn.prompt.replace("Date: {}", f"Date: {question}")
    )

    async def one(index: int) -> Any:
        async with at_once:
            return await sampler.adraw(prompt, index)

    samples = await asyncio.gather(*(one(index) for index in range(drawn.samples)))
    flags = Voting(max_tokens=drawn.max_tokens).flags
    reader = Reader(day_in if drawn.form is None else day_in_object, None, None, flags)
    judged = judge_all(samples, reader, ids_differ=sampler.look(samples))
    return [None if each["flag"] else str(each["answer"]) for each in judged]


async def draw(url: str, name: str, given: argparse.Namespace) -> None:
    """Draw what is missing of a set, and say how fast that went."""
    drawn = SETS[name]
    file = given.votes / f"{drawn.file}.jsonl"
    model = ChatOpenAI(model=given.model, base_url=url, api_key="none")  # type: ignore[arg-type]  # a string will do
    sampler = sampler_of(model, drawn, structured=name == "structured")
    done = len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0
    at_once, began = asyncio.Semaphore(given.at_once), time.monotonic()
    todo = asked(given)[done:]
    for row in todo:
        res = await answers(sampler, drawn, row["text"], at_once)
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({**row, "res": res}) + "\n")
        if row["row"] % 10 == 9:
            rate = (row["row"] + 1 - done) * drawn.samples / (time.monotonic() - began)
            print(f"{name}: {row['row'] + 1} of {done + len(todo)} questions, {rate:.1f} requests a second", flush=True)
    await sampler.aclose()


def translating(url: str) -> Starlette:
    """Return an app that passes chat completions on to `url`, with a schema in the form of llama-cpp-python's server."""

    async def completions(request: Request) -> Response:
        body = await request.json()
        told = body.get("response_format") or {}
        if told.get("type") == "json_schema":
            body["response_format"] = {"type": "json_object", "schema": told["json_schema"]["schema"]}
        async with AsyncOpenAI(base_url=url, api_key="none") as client:
            reply = await client.post("/chat/completions", body=body, cast_to=object)
        return JSONResponse(reply)

    return Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])])


def asked(given: argparse.Namespace) -> list[Row]:
    """Return the questions: those of a file with `text` and `truth` in each line, or those of the generator."""
    if given.questions is None:
        return questions(given.number)
    lines = [json.loads(line) for line in given.questions.read_text(encoding="utf-8").splitlines()]
    return [Row(row=i, text=line["text"], truth=line["truth"], res=[]) for i, line in enumerate(lines)]


def rows(votes: Path, name: str) -> list[Row]:
    """Return a set as far as it was drawn."""
    file = votes / f"{SETS[name].file}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def unison(row: Row, agree: int = AGREE) -> dict[str, float]:
    """Return for each answer the chance that `agree` valid samples of a question, drawn without replacement, all give it."""
    valid = Counter(each for each in row["res"] if each is not None)
    total = sum(valid.values())
    return {answer: comb(votes, agree) / comb(total, agree) for answer, votes in valid.items()} if total >= agree else {}


def single(drawn: Sequence[Row]) -> dict[str, float]:
    """Return how often a sample can be read, how often it is right then, and the correlation of being right in a question."""
    pairs = [(sum(each == row["truth"] for each in row["res"]), sum(each is not None for each in row["res"])) for row in drawn]
    right, valid = sum(r for r, _ in pairs), sum(n for _, n in pairs)
    p = right / valid
    both = sum(r * (r - 1) for r, n in pairs) / sum(n * (n - 1) for _, n in pairs)
    rho = (both - p * p) / (p * (1 - p)) if 0 < p < 1 else float("nan")
    readable = valid / sum(len(row["res"]) for row in drawn)
    return {"readable": round(readable, 3), "right": round(p, 3), "correlation": round(rho, 2)}


def agreed(drawn: Sequence[Row], agree: int = AGREE) -> dict[str, Any]:
    """Return the share of questions on which `agree` answers agree, and of these the share that is wrong, with its interval."""
    pairs = [(sum(found.values()), found.get(row["truth"], 0.0)) for row in drawn for found in [unison(row, agree)]]
    decided = sum(each for each, _ in pairs)
    wrong, interval = ratio([(each - right, each) for each, right in pairs])
    return {"decided": round(decided / len(drawn), 3), "wrong": wrong, "interval": interval}


def ratio(parts: Sequence[tuple[float, float]]) -> tuple[float | None, list[float]]:
    """Return the sum of the first over that of the second, and a 95 % interval of it: a bootstrap over the questions.

    Where there is nothing, or all, to be drawn, a bootstrap knows no interval: then it is that of a binomial.
    """
    rng, found = random.Random(1), []
    for _ in range(2000):
        above, below = map(sum, zip(*rng.choices(parts, k=len(parts)), strict=True))
        found.append(above / below if below else 0.0)
    found.sort()
    above, below = map(sum, zip(*parts, strict=True))
    if not below:
        return None, [0.0, 1.0]
    low, high = found[50], found[1949]
    if above < 1e-9:
        high = 1 - 0.025 ** (1 / below)
    if below - above < 1e-9:
        low = 0.025 ** (1 / below)
    return round(above / below, 4), [round(low, 4), round(high, 4)]


def checked(question: str, answer: str) -> bool:
    """Say whether the year and the day of an answer are numbers in the question."""
    numbers = {int(each) for each in re.findall(r"\d+", question)}
    year, _, day = map(int, answer.split("-"))
    return {year, day} <= numbers


def most_common(row: Row) -> str | None:
    """Return the answer that most samples give; None if none can be read."""
    valid = Counter(each for each in row["res"] if each is not None)
    return valid.most_common(1)[0][0] if valid else None


def catchers(votes: Path) -> Iterator[tuple[str, Callable[[Row, str], bool]]]:
    """Yield what may catch an answer that all five give: a name, and whether it lets an answer to a question pass."""
    yield "check: year and day stand in the text", lambda row, answer: checked(row["text"], answer)
    others: Mapping[str, list[Row]] = {name: rows(votes, name) for name in ("variant2", "variant3", "second", "hot", "cold")}

    def same(*names: str) -> Callable[[Row, str], bool]:
        return lambda row, answer: all(most_common(others[name][row["row"]]) == answer for name in names)

    named = {
        "asked in other words, most of 8 agree": ("variant2",),
        "asked in other words twice, most of 8 agree both times": ("variant2", "variant3"),
        "another model, most of 8 agree": ("second",),
        "the same question again at temperature 1, most of 8 agree": ("hot",),
        "the same question again at temperature .1, most of 8 agree": ("cold",),
    }
    for title, names in named.items():
        if all(len(others[name]) == len(rows(votes, "base")) for name in names):
            yield title, same(*names)
    if len(others["second"]) == len(rows(votes, "base")):
        yield "another model, at least one of 8 agrees", lambda row, answer: answer in others["second"][row["row"]]["res"]
    if len(others["variant2"]) == len(rows(votes, "base")):
        both = same("variant2")
        yield "check, and asked in other words", lambda row, answer: checked(row["text"], answer) and both(row, answer)


def breaking_unison(votes: Path) -> list[dict[str, Any]]:
    """Return how much of what is unanimous is caught, of the wrong and of the right answers, and what is left."""
    base = rows(votes, "base")
    table = []
    for title, passes in catchers(votes):
        of_wrong: list[tuple[float, float]] = []
        of_right: list[tuple[float, float]] = []
        left: list[tuple[float, float]] = []
        for row in base:
            found = unison(row)
            caught = {answer: weight for answer, weight in found.items() if weight and not passes(row, answer)}
            right, right_too = found.get(row["truth"], 0.0), caught.get(row["truth"], 0.0)
            wrong, wrong_too = sum(found.values()) - right, sum(caught.values()) - right_too
            of_wrong.append((wrong_too, wrong))
            of_right.append((right_too, right))
            left.append((wrong - wrong_too, sum(found.values()) - sum(caught.values())))
        wrong_caught, interval = ratio(of_wrong)
        wrong_left, interval_left = ratio(left)
        table.append(
            {
                "what": title,
                "wrong_caught": wrong_caught,
                "interval": interval,
                "right_passed_on": ratio(of_right)[0],
                "decided": round(sum(each for _, each in left) / len(base), 3),
                "wrong_left": wrong_left,
                "interval_left": interval_left,
            }
        )
    return table


def table(votes: Path) -> dict[str, Any]:
    """Return all figures."""
    sets = {name: each for name in SETS if (each := rows(votes, name))}
    figures = {
        name: {"questions": len(each), "samples": SETS[name].samples, "temperature": SETS[name].temperature, **single(each)}
        | {f"{n}_of_{n}": agreed(each, n) for n in (2, 3, 5) if n <= SETS[name].samples}
        for name, each in sets.items()
    }
    base = sets["base"]
    in_unison = {row["row"] for row in base for answer, weight in unison(row).items() if weight and answer != row["truth"]}
    weight = sum(weight for row in base for answer, weight in unison(row).items() if answer != row["truth"])
    return {
        "command": "python tests/benchmarks/real_model.py table",
        "model": "Gemma 3, 270 million weights, base, 4 bits, on llama.cpp; second: SmolLM2, 135 million, instructed",
        "sets": figures,
        "unison": {"questions_that_may_be_wrong": len(in_unison), "expected_wrong": round(weight, 2)},
        "caught": breaking_unison(votes),
    }


def as_text(figures: dict[str, Any]) -> str:
    """Return the figures as JSON with a set, and a way to catch, on each line."""
    parts = [", ".join(f"{json.dumps(name)}: {json.dumps(figures[name])}" for name in ("command", "model", "unison"))]
    parts.append('"sets": {\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in figures["sets"].items()) + "\n}")
    parts.append('"caught": [\n' + ",\n".join(f"  {json.dumps(each)}" for each in figures["caught"]) + "\n]")
    return "{" + ", ".join(parts) + "}\n"


def main() -> None:
    """Draw, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["draw", "table", "translate"])
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1", help="of an OpenAI-compatible server")
    parser.add_argument("--model", default="default", help="its name there; some servers have only one, and take any")
    parser.add_argument("--only", nargs="+", choices=list(SETS), help="these sets, and no others")
    parser.add_argument("--votes", type=Path, default=VOTES, help="the folder of the files")
    parser.add_argument("--questions", type=Path, help="dates of your own: JSON Lines with `text` and `truth`")
    parser.add_argument("--number", type=int, default=150, help="of questions that are made")
    parser.add_argument("--at-once", type=int, default=2, help="requests at once")
    parser.add_argument("--out", type=Path, help="where the table goes")
    given = parser.parse_args()
    if given.what == "draw":
        given.votes.mkdir(parents=True, exist_ok=True)
        for name in given.only or [each for each in SETS if each not in ELSEWHERE]:
            asyncio.run(draw(given.url, name, given))
        return
    if given.what == "translate":
        uvicorn.run(translating(given.url), port=8002, log_level="warning")
        return
    text = as_text(table(given.votes))
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
