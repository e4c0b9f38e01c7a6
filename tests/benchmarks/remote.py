"""What it costs that a run is in a database and not in a directory: a record, start and end, and a resume on an empty machine.

    python -m tests.benchmarks.remote --journal postgresql://HOST/DATABASE --out tests/benchmarks/results/remote.json

The database is on this machine and waits for its disk, as the files of the runs in directories do. Runs of both kinds take
turns, and their medians are compared. The model is simulated and replies at once, or after a latency.

- a record: `records`, k = 3, 2 % wrong, 2 % flagged; the wall and processor time of one record, with so many in flight.
  A record takes some fourteen votes.
- an item: the same for prices, with one vote each.
- start and end: runs of one step of Hanoi; from `Run.create` to the closed run.
- a resume: a run of Hanoi of 20 disks that was brought to a step, without votes; then a new process on a machine that has
  nothing of it opens it and goes on, until its next commit.
"""

import argparse
import asyncio
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from maker_graph import Run
from maker_graph.core.decision import Decision, decide
from maker_graph.core.guarding import guarded
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.machine import MakerOutput
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.run.places import Places
from maker_graph.run.remote import JOURNAL
from maker_graph.tasks import Hanoi
from maker_graph.tasks.hanoi import moved
from maker_graph.tasks.loading import load_task
from tests.benchmarks.items import Numbers, Prices

AT_ONCE = 500
DISKS = 20
_NAMES = (f"bench-{os.getpid()}-{number}" for number in count())

RESUMES = """
import time
began = time.perf_counter()
import os, sys
from maker_graph import Run
first = []
with Run.open(sys.argv[1], journal=os.environ["MAKER_GRAPH_JOURNAL"]) as run:
    try:
        for step in run.events(max_steps=int(sys.argv[2])):
            first.append(time.perf_counter() - began)
    except Exception as error:
        print(type(error).__name__, error, file=sys.stderr)
print(first[0])
"""


@contextmanager
def created(folder: Path, journal: str | None, task: Any, model: str, **how: Any) -> Iterator[Run]:
    """Make a run in the database, or in the folder."""
    name = next(_NAMES)
    with Run.create(folder / name if journal is None else name, task, journal=journal, model=model, **how) as run:
        yield run


def solved(folder: Path, journal: str | None, task: Any, *, number: int, lookahead: int, latency: float) -> tuple[float, float]:
    """Solve so many items of a task; return the milliseconds of one: of the wall, and of this process."""
    model = f"sim:perfect,error=0.02,rho=0,flagged=0.02,favourite=0.7,latency={latency}"
    with created(folder, journal, task, model, k=3, seed=1, lookahead=lookahead) as run:
        began, cpu = time.perf_counter(), time.process_time()
        asyncio.run(run.drive())
        assert run.step == number
        return 1000 * (time.perf_counter() - began) / number, 1000 * (time.process_time() - cpu) / number


def start_and_end(folder: Path, journal: str | None) -> tuple[float, float]:
    """Make, solve and close a run of one step; return the milliseconds of the wall and of this process."""
    began, cpu = time.perf_counter(), time.process_time()
    with created(folder, journal, Hanoi(1), "sim:perfect", k=1) as run:
        asyncio.run(run.drive())
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu)


def turns(number: int, **kinds: Any) -> dict[str, Any]:
    """Measure each kind so many times, in turns; return the medians, and how the last kind compares with the first."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(number):
        for name, measure in kinds.items():
            found[name].append(measure())
    walls = {name: statistics.median(wall for wall, _ in each) for name, each in found.items()}
    cpus = {name: statistics.median(cpu for _, cpu in each) for name, each in found.items()}
    first, *_, last = kinds
    return {
        "wall_ms": {name: round(wall, 3) for name, wall in walls.items()},
        "cpu_ms": {name: round(cpu, 3) for name, cpu in cpus.items()},
        "ratio": round(walls[last] / walls[first], 3),
        "more_ms": round(walls[last] - walls[first], 3),
        "turns": number,
        "load": round(os.getloadavg()[0], 2),
    }


def brought_to(journal: str, step: int) -> str:
    """Bring a new run of Hanoi to a step by the right moves, without a vote; return its name."""
    name, task = next(_NAMES), Hanoi(DISKS)
    reading, terms = Reader(guarded(task).parse, None, None, {}), Voting(AheadBy(2))
    with Run.create(name, task, journal=journal, model="sim:perfect", k=2) as run:
        opened = run._opened
        kept, at = opened.journal, opened.machine.begin()
        kept.claim("bench")
        places, steps = Places(0), list[tuple[Decision, MakerOutput]]()
        while at["step"] < step:
            text = f"move = {(move := task.truth(at['state'])['move'])}\nnext_state = {moved(at['state']['pegs'], move)}"
            samples = [Sample(index, text, input_tokens=400, output_tokens=500 + index) for index in range(2)]
            decision = decide(judge_all(samples, reading), terms, rounds=1)
            at = opened.machine.advance(at, decision)
            steps.append((decision, at))
            if len(steps) == AT_ONCE or at["step"] == step:
                kept.append(steps, notes=places.due(at))
                steps = []
    return name


def resumed(journal: str, name: str, step: int) -> float:
    """Go on with a run on an empty machine; return the seconds to its next commit."""
    with tempfile.TemporaryDirectory() as machine:
        env = {**os.environ, JOURNAL: journal, "XDG_STATE_HOME": machine, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", RESUMES, name, str(step + 20)],
            cwd=machine,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)


def main() -> None:
    """Measure, and write or print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", required=True, help="the address of a database of its own")
    parser.add_argument("--records", type=int, default=60)
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--runs", type=int, default=20, help="of one step")
    parser.add_argument("--step", type=int, default=900_000, help="at which a run is resumed; 0 leaves it out")
    parser.add_argument("--only", nargs="+", default=["record", "item", "start", "resume"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with psycopg.connect(options.journal) as db:
        version = db.info.server_version // 10_000
    found: dict[str, Any] = {"processors": os.cpu_count(), "postgres": version}
    with tempfile.TemporaryDirectory() as scratch:
        folder, rows = Path(scratch), Path(scratch) / "rows.csv"
        _write_rows(rows, options.records)
        tasks: dict[str, tuple[Callable[[], Any], int]] = {
            "record": (lambda: load_task("records", {"input": str(rows)}), options.records),
            "item": (lambda: Prices(Numbers(options.items), sure=False), options.items),
        }
        ways = [(each, *way) for each in tasks for way in ((1, 0.0), (64, 0.0), (1, 0.02), (64, 0.02))]
        for what, lookahead, latency in (each for each in ways if each[0] in options.only):
            make, number = tasks[what]
            kinds = {
                kind: partial(solved, folder, journal, make(), number=number, lookahead=lookahead, latency=latency)
                for kind, journal in (("sqlite", None), ("postgres", options.journal))
            }
            found[f"{what}, {lookahead} in flight, latency {latency:g} s"] = turns(options.turns, **kinds)
            print(what, lookahead, latency, file=sys.stderr)
        if "start" in options.only:
            start_and_end(folder, None)
            start_and_end(folder, options.journal)
            found["start and end"] = turns(
                options.runs,
                sqlite=lambda: start_and_end(folder, None),
                postgres=lambda: start_and_end(folder, options.journal),
            )
    if "resume" in options.only and options.step:
        began = time.perf_counter()
        name = brought_to(options.journal, options.step)
        found["resume"] = {
            "step": options.step,
            "made_seconds": round(time.perf_counter() - began, 1),
            "seconds": [round(resumed(options.journal, name, options.step + 20 * turn), 2) for turn in range(3)],
        }
    print(json.dumps(found, indent=2))
    if options.out is not None:
        kept = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
        options.out.write_text(json.dumps(kept | found, indent=2) + "\n", encoding="utf-8")


def _write_rows(path: Path, number: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["address", "date", "amount"])
        for row in range(number):
            writer.writerow([f"{row} Elm St. 10115 Berlin", f"{1 + row % 28}.4.24", f"${row}"])


if __name__ == "__main__":
    main()
