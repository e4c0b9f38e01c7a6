"""A chain that goes wrong in silence, and the same chain with a vote that passes: Hanoi with 9 disks by the tiny model.

    python tests/benchmarks/chain.py --runs 100 --steps 31

At the first step of 9 disks the tiny model moves the smallest disk to the wrong peg in half of its samples, by a legal move. A
vote without an end decides for one of the two all the same, and the run goes on along the wrong way: no rule is broken, so
nothing is said. The same steps are decided by four methods, each run with a seed of its own. A run is followed for `--steps`
steps; it is wrong in silence if it has decided a step wrongly, and it says where if it stopped at a step that it passed on.
"""

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from maker_graph import AheadBy, LimitReached, Run, Rung, Undecided, Voting
from maker_graph.tasks import Hanoi

DISKS = 9
STRONGER = "sim:gpt-oss-20b"


RULES: dict[str, int | AheadBy] = {
    "ahead by 3": 3,
    "8 of 8, else stop": AheadBy(8, within=8),
    "5 of 5, then the stronger model ahead by 3 within 6": AheadBy(5, within=5),
    "8 of 8, then the stronger model ahead by 3 within 6": AheadBy(8, within=8),
}
"""Method -> the rule of its first rung."""


def rungs(method: str, seed: int) -> list[Rung]:
    """Return the cascade of a method."""
    first = RULES[method]
    found = [Rung("tiny", Voting(k=first, seed=seed))]
    if "stronger" in method:
        found.append(Rung(STRONGER, Voting(k=AheadBy(3, within=6), seed=seed)))
    return found


def one(steps: int, method: str, seed: int) -> dict[str, Any]:
    """Return how one run went."""
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"max_steps": steps, "fsync": "normal"}
        with Run.create(Path(folder) / "run", Hanoi(DISKS), cascade=rungs(method, seed), **options) as run:
            passed_at = stuck_at = None
            try:
                run.solve()
            except LimitReached:
                pass
            except Undecided as stopped:
                if stopped.passed:
                    passed_at = run.step + 1
                else:
                    stuck_at = run.step + 1
            result = run.verify()
            return {
                "wrong": bool(result["wrong"]),
                "passed_at": passed_at,
                "stuck_at": stuck_at,
                "steps": result["steps"],
                "samples": result["samples"],
                "of_the_stronger": sum(rung["steps"] for rung in result["rungs"][1:]),
            }


def main() -> None:
    """Measure, and write results/chain.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=31)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "chain.json")
    given = parser.parse_args()
    table = []
    with ProcessPoolExecutor(2) as pool:
        for method in RULES:
            found = list(pool.map(partial(one, given.steps, method), range(1, given.runs + 1)))
            passed = [each["passed_at"] for each in found if each["passed_at"] is not None and not each["wrong"]]
            table.append(
                {
                    "method": method,
                    "runs": given.runs,
                    "wrong in silence": sum(each["wrong"] for each in found),
                    "stopped and said where": len(passed),
                    "first of these steps": min(passed, default=None),
                    f"right for {given.steps} steps": sum(each["steps"] == given.steps and not each["wrong"] for each in found),
                    "samples a run": round(sum(each["samples"] for each in found) / given.runs, 1),
                    "steps of the stronger model a run": round(sum(each["of_the_stronger"] for each in found) / given.runs, 2),
                }
            )
            print(json.dumps(table[-1]), flush=True)
    given.out.write_text(json.dumps({"disks": DISKS, "steps": given.steps, "table": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
