"""What a journal in Postgres takes on the disk, in the write-ahead log and in a backup, for each step.

    python tests/benchmarks/capacity.py postgresql://HOST/DATABASE --out tests/benchmarks/results/capacity.json

The decisions are those of a run of the Towers of Hanoi with 10 disks (`sim:gpt-oss-20b`, k = 3): ballot, red flags and tokens
are as long as in earnest. They are committed one at a time, and 100 and 1,000 in a statement, as items are. Give an empty
database, and one whose server does nothing else: the log is that of the whole server. `pg_dump` must be in the path.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from maker_graph import Decision, JournalLog, create_maker
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.journal import PostgresJournal, find, make_run
from maker_graph.tasks import Hanoi

AT_ONCE = {1: 20_000, 100: 200_000, 1000: 200_000}
"""Steps that are committed together -> steps of that run."""

SETTLED = 3.0
"""Seconds after which the server's statistics have all that was done."""


def decisions() -> list[Decision]:
    """Return the decisions of a run, in order."""
    with tempfile.TemporaryDirectory() as folder, JournalLog(Hanoi(10), "tower", folder) as log:
        create_maker(Hanoi(10), model="sim:gpt-oss-20b", k=3, seed=1, log=log).compile().invoke({})
        return list(log.journal.decisions())


def steps(of: list[Decision], number: int) -> Iterator[tuple[Decision, MakerOutput]]:
    """Yield so many decisions, each with a place after it."""
    at = Machine(Hanoi(10)).begin()
    for step, decision in enumerate(islice(cycle(of), number), start=1):
        yield decision, {**at, "step": step}


def journal(connection: Connection) -> PostgresJournal:
    """Make a run, and return its journal."""
    name = f"capacity-{uuid4().hex[:12]}"
    connection.prepare()
    with connection.transaction():
        make_run(connection, name, "{}", name)
    return PostgresJournal(connection, name, find(connection, name), name)


def one(connection: Connection, query: str) -> Any:
    """Return the one value of a query."""
    row = connection.row(query)
    assert row is not None
    return row[0]


def sizes(connection: Connection) -> tuple[int, int]:
    """Return the bytes of the table of steps, and of its index."""
    connection.once("SELECT 1")
    of = "maker_graph.steps"
    return int(one(connection, f"SELECT pg_table_size('{of}')")), int(one(connection, f"SELECT pg_indexes_size('{of}')"))


def filled(address: str, at_once: int, number: int, of: list[Decision]) -> dict[str, float]:
    """Commit so many steps, so many at once; return what each took."""
    with closing(Connection(address)) as look, closing(journal(Connection(address))) as kept:
        kept.claim("capacity")
        before, log = sizes(look), one(look, "SELECT pg_current_wal_insert_lsn()::text")
        began, given = time.monotonic(), steps(of, number)
        while some := list(islice(given, at_once)):
            kept.append(some)
        seconds = time.monotonic() - began
        after = sizes(look)
        written = one(look, f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{log}'::pg_lsn)")
        began = time.monotonic()
        kept.check(number)
        checked = time.monotonic() - began
    return {
        "steps": number,
        "table_bytes_a_step": round((after[0] - before[0]) / number, 1),
        "index_bytes_a_step": round((after[1] - before[1]) / number, 1),
        "log_bytes_a_step": round(float(written) / number, 1),
        "steps_per_second": round(number / seconds, 1),
        "steps_checked_per_second": round(number / checked, 1),
    }


def dumped(address: str, number: int) -> dict[str, float]:
    """Return what a backup takes for each step."""
    with tempfile.NamedTemporaryFile() as file:
        began = time.monotonic()
        subprocess.run([shutil.which("pg_dump") or "pg_dump", "--format=custom", f"--file={file.name}", address], check=True)
        seconds = time.monotonic() - began
        return {
            "bytes_a_step": round(Path(file.name).stat().st_size / number, 1),
            "steps_per_second": round(number / seconds, 1),
        }


def main() -> None:
    """Fill a database, and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="of an empty database")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    of = decisions()
    load = round(os.getloadavg()[0], 2)
    found = {f"{at_once} at once": filled(args.address, at_once, number, of) for at_once, number in AT_ONCE.items()}
    whole: dict[str, Any] = {"load_before": load, **found, "backup": dumped(args.address, sum(AT_ONCE.values()))}
    with closing(Connection(args.address)) as look:
        time.sleep(SETTLED)
        counted = "SELECT {} FROM pg_stat_user_tables WHERE schemaname = 'maker_graph' AND relname = 'runs'"
        whole["run_rows_changed"] = one(look, counted.format("n_tup_upd"))
        whole["of_these_in_place"] = one(look, counted.format("n_tup_hot_upd"))
        whole["entry_characters"] = round(float(one(look, "SELECT avg(length(entry)) FROM maker_graph.steps")))
        whole["server"] = one(look, "SHOW server_version").split()[0]
    print(json.dumps(whole, indent=2))
    if args.out:
        args.out.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
