"""What does a journal in Postgres take and give beside one in SQLite?

    python -m tests.benchmarks.journals --out tests/benchmarks/results/journals.json

Both wait for the disk at every commit, and both are on the disk of the temporary files. Postgres runs on this machine, with its
own defaults, and so shares its cores with the processes that write. The steps are of a Hanoi of twenty disks, three votes each.

- commits: appends of one step, with what was spent and what may be under way, as a run makes them; several processes, each with
  several connections, each of which writes to a run of its own
- batched: appends of a hundred steps
- bytes a step: of tables and indexes after all was written, and of the write-ahead log meanwhile
"""

import argparse
import json
import multiprocessing
import os
import platform
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from maker_graph.core.decision import Decision, decide
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.spending import Reserved, Spent
from maker_graph.core.voting import Voting
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.journal import PostgresJournal, find, make_run
from maker_graph.journal.protocol import Journal
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.tasks import Hanoi
from tests.postgres import Postgres, server

DISKS = 20
BATCH = 100
PROCESSES = 4
SPENT, RESERVED = Spent(cost=0.001, seconds=0.1, calls=3, samples=3, input=1770, output=1614), Reserved(0.001, 3)
Step = tuple[Decision, MakerOutput]


def chain(count: int) -> list[Step]:
    """Return so many steps of the task, each decided by three votes."""
    task = Hanoi(DISKS)
    machine, how = Machine(task), Reader(parse=task.parse, key=None, check=None, red_flags={})
    at, found = machine.begin(), list[Step]()
    for _ in range(count):
        truth = task.truth(at["state"])
        text = f"move = {truth['move']}\nnext_state = {truth['next_state']}"
        made = decide(
            [judge(Sample(i, text, "stop", 590, 0, 538), how) for i in range(3)], Voting(AheadBy(3), max_samples=99), 1
        )
        at = machine.advance(at, made)
        found.append((made, at))
    return found


def appended(journal: Journal, steps: list[Step], at_once: int = 1) -> float:
    """Return the seconds that it takes to append steps, so many at once."""
    began = time.perf_counter()
    for first in range(0, len(steps), at_once):
        journal.append(steps[first : first + at_once], SPENT, RESERVED)
    return time.perf_counter() - began


def in_sqlite(steps: list[Step], folder: Path, at_once: int) -> tuple[float, float]:
    """Return steps a second in SQLite, and bytes a step in its file."""
    path = folder / str(at_once) / "journal.db"
    path.parent.mkdir()
    create_journal(path, "run")
    with closing(SqliteJournal(path, "run")) as journal:
        journal.claim()
        seconds = appended(journal, steps, at_once)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(steps) / seconds, path.stat().st_size / len(steps)


def opened(address: str, name: str) -> PostgresJournal:
    """Make a run in Postgres, and own its journal."""
    connection = Connection(address)
    with connection.transaction():
        make_run(connection, name, "{}", "run")
    journal = PostgresJournal(connection, name, find(connection, name), "run")
    journal.claim("benchmark")
    return journal


def writes(address: str, names: list[str], steps: list[Step], at_once: int, barriers: list[Any]) -> None:
    """Be a process with several connections, each of which appends to a run of its own."""
    journals = [opened(address, name) for name in names]
    threads = [threading.Thread(target=appended, args=(journal, steps, at_once)) for journal in journals]
    ready, go, ended = barriers
    ready.wait()
    go.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.wait()
    for journal in journals:
        journal.close()


def in_postgres(address: str, connections: int, steps: list[Step], at_once: int) -> float:
    """Return steps a second over so many connections together."""
    fork, label = multiprocessing.get_context("fork"), f"{connections}-{at_once}"
    count = min(PROCESSES, connections)
    barriers = [fork.Barrier(count + 1) for _ in range(3)]
    names = [[f"r-{label}-{number}" for number in range(first, connections, count)] for first in range(count)]
    processes = [fork.Process(target=writes, args=(address, each, steps, at_once, barriers)) for each in names]
    for process in processes:
        process.start()
    barriers[0].wait()
    began = time.perf_counter()
    barriers[1].wait()
    barriers[2].wait()
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return connections * len(steps) / seconds


def sizes(postgres: Postgres, address: str) -> dict[str, float]:
    """Return what a step takes on the disk."""
    ((steps, total, rows),) = postgres.execute(
        "SELECT (SELECT count(*) FROM maker_graph.steps), pg_total_relation_size('maker_graph.steps'), "
        "pg_relation_size('maker_graph.steps')",
        address,
    )
    return {"steps": steps, "bytes_a_step": round(total / steps, 1), "of_these_in_the_index": round((total - rows) / steps, 1)}


def measure(count: int) -> dict[str, Any]:
    """Measure both in turn, on a chain of so many steps."""
    steps, load = chain(count), os.getloadavg()
    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_before": [round(each, 1) for each in load],
        "python": platform.python_version(),
    }
    with tempfile.TemporaryDirectory() as folder:
        one, size = in_sqlite(steps[: count // 4], Path(folder), 1)
        many, _ = in_sqlite(steps, Path(folder), BATCH)
        found["sqlite"] = {
            "commits_a_second": round(one),
            "batched_steps_a_second": round(many),
            "bytes_a_step": round(size, 1),
        }
    with server(fsync="on", full_page_writes="on", shared_buffers="128MB") as postgres, postgres.database() as address:
        with closing(Connection(address)) as connection:
            connection.prepare()
        ((version,),) = postgres.execute("SHOW server_version")
        commits, batched = dict[str, int](), dict[str, int]()
        for connections in (1, 8, 32):
            share = steps[: max(100, count // 2 // connections)]
            commits[str(connections)] = round(in_postgres(address, connections, share, 1))
        before = postgres.execute("SELECT pg_current_wal_lsn() - '0/0'")[0][0]
        for connections in (1, 8):
            batched[str(connections)] = round(in_postgres(address, connections, steps, BATCH))
        written = postgres.execute("SELECT pg_current_wal_lsn() - '0/0'")[0][0] - before
        found["postgres"] = {
            "version": version,
            "commits_a_second_by_connections": commits,
            "batched_steps_a_second_by_connections": batched,
            **sizes(postgres, address),
            "bytes_of_log_a_batched_step": round(float(written) / (9 * count), 1),
        }
    return found


def main() -> None:
    """Measure, and say it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found = json.dumps(measure(args.steps), indent=1)
    print(found)
    if args.out:
        args.out.write_text(found + "\n")


if __name__ == "__main__":
    main()
