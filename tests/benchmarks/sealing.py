"""A million items in a hundred shards, sealed: how long it takes, and how much memory.

    python -m tests.benchmarks.sealing --rows 1000000 --shards 100 --out tests/benchmarks/results/sealing.json

The shards are made without a model: of one row in 500 a vote is in the journal, of the others the answer of a program.
`python -m tests.benchmarks.sealing --one` seals what is there in this process.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import JSON
from maker_graph.core.decision import Decision, decide, given
from maker_graph.core.judging import Reader, judge
from maker_graph.core.red_flags import Sample
from maker_graph.core.voting import Voting
from maker_graph.fleet.sealing import Shard, seal
from maker_graph.journal.protocol import Journal
from maker_graph.run import directory as directories
from maker_graph.run.settings import new_settings
from maker_graph.tasks.loading import cut_task, load_task
from tests.benchmarks.curate_million import UNSURE, write
from tests.benchmarks.slices import SCHEMA, memory

AT_ONCE = 2_000
"""Steps that are committed together."""

READER = Reader(parse=json.loads, key=None, check=None, red_flags={})
VOTING = Voting(2)


def decided(number: int) -> Decision:
    """Return how a row ended."""
    answer: dict[str, JSON] = {"amount": number}
    if number % UNSURE != UNSURE - 1:
        return given(answer, "program")
    return decide([judge(Sample(place, json.dumps(answer)), READER) for place in range(2)], VOTING, 1)


def make(folder: Path, rows: int, shards: int) -> None:
    """Write the table, and a finished run for each slice of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(folder / "rows.csv", rows)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    loaded = load_task(
        "curate", {"input": str((folder / "rows.csv").absolute()), "schema": str((folder / "schema.json").absolute())}
    )
    for place, each in enumerate(cut_task(loaded, shards)):
        settings = new_settings(each, "sim:perfect", VOTING)
        with directories.created(folder / f"shard-{place:05}", settings, each, fsync="normal") as run:
            run.journal.claim()
            at, batch = run.machine.begin(), []
            while not at["done"]:
                assert each.slice is not None
                found = decided(each.slice.first + at["step"])
                at = run.machine.advance(at, found)
                batch.append((found, at))
                if len(batch) == AT_ONCE or at["done"]:
                    run.journal.append(batch)
                    batch = []


def shards_in(folder: Path) -> Iterator[Shard]:
    """Yield the shards that were made."""
    for directory in sorted(folder.glob("shard-*")):

        @contextmanager
        def opened(directory: Path = directory) -> Iterator[Journal]:
            with directories.opened(directory) as run:
                yield run.journal

        yield Shard(directory.name, directories.settings_of(directory), opened)


def sealed(folder: Path) -> dict[str, Any]:
    """Seal them in this process; return how long that took, and how much more memory the process had at most than before."""
    shards = [*shards_in(folder)]
    Path("/proc/self/clear_refs").write_text("5")  # the most memory is counted from now on
    before, begin, at_work = memory(), time.monotonic(), time.process_time()
    first = seal(shards, folder / "sealed", out=folder / "all.csv", report=False)
    results, cpu = time.monotonic() - begin, time.process_time() - at_work
    seal(shards, folder / "sealed", out=folder / "all.csv", report=True)
    both, cpu_both = time.monotonic() - begin, time.process_time() - at_work
    with (folder / "all.csv").open() as file:
        wrong = sum(f",{place},decided by " not in line for place, line in enumerate(file, start=-1) if place >= 0)
    return {
        "seconds_results": round(results, 1),
        "cpu_seconds_results": round(cpu, 1),
        "seconds_again_with_report": round(both - results, 1),
        "cpu_seconds_again_with_report": round(cpu_both - cpu, 1),
        "memory_mb": round(memory() - before, 1),
        "steps": first.summary["steps"],
        "verdict": first.summary["verdict"],
        "wrong_missing_or_displaced_rows": wrong,
    }


def main() -> None:
    """Make the shards, seal them, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--directory", type=Path, default=Path("runs/sealing"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", action="store_true", help="seal what is there, in this process")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(sealed(asked.directory)))
        return
    begin = time.monotonic()
    make(asked.directory, asked.rows, asked.shards)
    made = round(time.monotonic() - begin, 1)
    command = [sys.executable, "-m", "tests.benchmarks.sealing", "--one", "--directory", str(asked.directory)]
    found = json.loads(subprocess.check_output(command, text=True))
    found = {"rows": asked.rows, "shards": asked.shards, "seconds_to_make_the_shards": made, **found}
    print(json.dumps(found, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
