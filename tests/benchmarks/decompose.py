"""Problems asked at once, and split by `decompose`, with simulated models that err the more, the more they are given.

    python tests/benchmarks/decompose.py --out tests/benchmarks/results/decompose.json

Each row has 100 problems (`--problems`). The models are simulated: how often they err is assumed, and written in
`Multiplication` and `Sorting`, so the figures are no evidence about any real model. They show what voting and splitting are
worth to a model that errs in this way. Every part is voted on, the splits too. In rows that say so, code refuses splits whose
products do not sum up.
"""

import argparse
import asyncio
import json
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from maker_graph import Undecided, create_maker
from maker_graph.simulation import Replies
from maker_graph.tasks import Decompose
from maker_graph.tasks.decompose import DecomposeState

MODEL = "sim:perfect,error=0.5,flagged=0.03,rho=0.005,favourite=0.7"
"""The errors are those of the tasks; three samples in a hundred show a red flag, and seven of ten wrong ones are alike."""

SPLIT_ERROR = 0.03
"""How often a model proposes a wrong split."""


class Multiplication(Decompose):
    """The product of two numbers. A product goes wrong with each pair of digits, a sum with each digit."""

    def __init__(self, a: int, b: int, max_depth: int = 8, *, checks: bool = False) -> None:
        super().__init__(f"{a} * {b}", max_depth)
        self._checks = checks

    def right(self) -> str:
        """Return the answer."""
        return str(_product(self.problem))

    def check_split(self, problem: str, problems: Sequence[str], combine: str, /) -> bool:  # noqa: ARG002  always a sum
        """Say whether the products sum up, if code is to look."""
        try:
            return not self._checks or sum(map(_product, problems)) == _product(problem)
        except ValueError:
            return False

    def rehearse(self, state: DecomposeState) -> Replies:
        """Return the right reply and wrong ones, and how hard the step is."""
        frame = state["stack"][-1]
        a, b = _factors(frame["problem"])
        match self.part(state):
            case "split":
                return _split(*_split_product(a, b))
            case "solve":
                return _answers(a * b, 0.97 ** (_digits(a) * _digits(b)))
            case _:
                total = sum(int(answer) for answer in frame["answers"])
                return _answers(total, 0.998 ** len(str(total)))


class Sorting(Decompose):
    """A list of numbers, to be sorted. Sorting goes wrong with each comparison, merging with each number."""

    def __init__(self, numbers: Sequence[int], max_depth: int = 8) -> None:
        super().__init__(f"Sort in ascending order: {_listed(numbers)}", max_depth)

    def right(self) -> str:
        """Return the answer."""
        return _listed(sorted(_numbers(self.problem)))

    def rehearse(self, state: DecomposeState) -> Replies:
        """Return the right reply and wrong ones, and how hard the step is."""
        frame = state["stack"][-1]
        numbers = _numbers(frame["problem"])
        half = len(numbers) // 2
        match self.part(state):
            case "split":
                halves = [f"Sort in ascending order: {_listed(each)}" for each in (numbers[:half], numbers[half:])]
                lost = [halves[0], f"Sort in ascending order: {_listed(numbers[half + 1 :])}"]
                small = len(numbers) <= 4
                return _split([] if small else halves, halves if small else lost, "Merge the two sorted lists.")
            case "solve":
                return _lists(sorted(numbers), 0.99 ** (len(numbers) * math.log2(len(numbers))))
            case _:
                merged = sorted(each for answer in frame["answers"] for each in _numbers(answer))
                return _lists(merged, 0.998 ** len(merged))


def _factors(problem: str) -> tuple[int, int]:
    a, b = problem.split(" * ")
    return int(a), int(b)


def _product(problem: str) -> int:
    return math.prod(_factors(problem))


def _digits(number: int) -> int:
    """Return how many digits have to be multiplied: zeros at the end do not count."""
    return len(str(number).rstrip("0")) or 1


def _split_product(a: int, b: int) -> tuple[list[str], list[str], str]:
    """Return the right split of a product, a wrong one, and how it is combined; up to four pairs of digits are small."""
    combine = "Add the answers."
    long, other = (a, b) if _digits(a) >= _digits(b) else (b, a)
    cut = 10 ** (len(str(long)) - _digits(long) + _digits(long) // 2)
    head, rest = long // cut * cut, long % cut
    halves = [f"{head} * {other}", f"{rest} * {other}"]
    if _digits(a) * _digits(b) <= 4:
        return [], halves, combine
    return halves, [halves[0], f"{rest + 1} * {other}"], combine


def _split(right: Sequence[str], wrong: Sequence[str], combine: str) -> Replies:
    replies = [json.dumps({"problems": [*each], "combine": combine if each else ""}) for each in (right, wrong)]
    return Replies(replies[0], replies[1:], SPLIT_ERROR)


def _answers(right: int, chance: float) -> Replies:
    replies = [json.dumps({"answer": str(each)}) for each in (right, right + 10, right + 1, right - 1, right + 100, right + 9)]
    return Replies(replies[0], replies[1:], 1 - chance)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.rpartition(": ")[2].split(", ")]


def _lists(right: list[int], chance: float) -> Replies:
    wrong = [[*right[:place], *right[place + 1 :]] for place in range(len(right) - 1, -1, -1)]  # one is lost
    replies = [json.dumps({"answer": _listed(each)}) for each in (right, *wrong)]
    return Replies(replies[0], replies[1:], 1 - chance)


Make = Callable[[random.Random, int], Any]


def product_of(digits: int, *, checks: bool = False) -> Make:
    """Return what makes a product of two numbers of so many digits, by chance and a depth."""

    def make(rng: random.Random, max_depth: int) -> Multiplication:
        a, b = (rng.randrange(10 ** (digits - 1), 10**digits) for _ in range(2))
        return Multiplication(a, b, max_depth, checks=checks)

    return make


def list_of(numbers: int) -> Make:
    """Return what makes a list of so many numbers to be sorted, by chance and a depth."""
    return lambda rng, max_depth: Sorting(rng.sample(range(1000), numbers), max_depth)


async def measured(make: Make, k: int, problems: int, *, split: bool) -> dict[str, Any]:
    """Return how many problems were answered rightly, and what that took, a problem."""
    right = undecided = steps = samples = 0
    rng = random.Random(7)
    for number in range(problems):
        task = make(rng, 8 if split else 0)
        maker = create_maker(task, model=MODEL, k=k, seed=number, max_tokens=2048).compile()
        try:
            result = await maker.ainvoke({})
        except Undecided:
            undecided += 1
            continue
        right += result["state"]["answer"] == task.right()
        steps += result["step"]
        samples += result["totals"]["samples"]
    ended = max(problems - undecided, 1)
    return {
        "problems": problems,
        "right": right,
        "undecided": undecided,
        "steps": round(steps / ended, 1),
        "samples": round(samples / ended, 1),
    }


KINDS: dict[str, Make] = {
    "5x5 digits": product_of(5),
    "6x6 digits": product_of(6),
    "6x6 digits, splits checked": product_of(6, checks=True),
    "sort 16 numbers": list_of(16),
    "sort 32 numbers": list_of(32),
}


def main() -> None:
    """Measure each row, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for kind, make in KINDS.items():
        for split, k in ((False, 1), (False, 3), (True, 1), (True, 3)):
            if not split and "checked" in kind:
                continue
            began = time.monotonic()
            found = asyncio.run(measured(make, k, args.problems, split=split))
            row = {"kind": kind, "asked": "split" if split else "at once", "k": k, **found}
            rows.append(row)
            print(json.dumps(row), f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    text = json.dumps({"model": MODEL, "rows": rows}, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
