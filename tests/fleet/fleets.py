"""What the tests of fleets share: small fleets in a real Postgres, and what their journals hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from maker_graph.core.voting import Voting
from maker_graph.fleet.submitting import NewRun, Submitted, shards_of, submit
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import Fleet, Limits
from maker_graph.journal.postgres.journal import PostgresJournal, find
from maker_graph.run.options import RunOptions
from maker_graph.run.settings import Settings, new_settings, read_settings
from maker_graph.tasks.loading import load_task

RECORDS = Path(__file__).parents[2] / "examples" / "records" / "records.csv"

MODEL = "sim:perfect,error=0.02,flagged=0.02,rho=0"

NAME = "rows"

NO_LIMITS = Limits()

MOST = 60
"""Rows of a small table."""


def table(folder: Path, rows: int = MOST) -> Path:
    """Write the first rows of the records."""
    path = folder / "rows.csv"
    path.write_text("".join(RECORDS.read_text(encoding="utf-8").splitlines(keepends=True)[: rows + 1]), encoding="utf-8")
    return path


def runs(path: Path, shards: int, *, k: int = 2, model: str = MODEL, **options: Any) -> tuple[list[NewRun], Settings]:
    """Return the runs of a table that is cut, and what one run of all of it would be asked for."""
    loaded = load_task("records", {"input": str(path)})
    whole = new_settings(loaded, model, Voting(k, seed=1))
    return list(shards_of(whole, RunOptions.of(**options), loaded, shards, {})), whole


def hanoi(seeds: Sequence[int], *, disks: int = 3, model: str = MODEL, **options: Any) -> list[NewRun]:
    """Return runs of a tower, one for each seed."""
    loaded = load_task("hanoi", {"disks": disks})
    settings = [new_settings(loaded, model, Voting(2, seed=seed)) for seed in seeds]
    return [NewRun.of(each, RunOptions.of(**options), loaded, {}) for each in settings]


def submitted(
    address: str, path: Path, shards: int = 3, limits: Limits = NO_LIMITS, *, fleet: str = NAME, **how: Any
) -> Submitted:
    """Submit a table that is cut."""
    found, whole = runs(path, shards, **how)
    return submit(address, fleet, found, limits, whole=whole)


def fleet_at(address: str, name: str = NAME) -> Fleet:
    """Return a fleet; its connection ends with the test's database."""
    return Fleet(Connection(address), name)


def journal_at(address: str, run: str, lease: float = 15.0) -> PostgresJournal:
    """Return the journal of a run, open."""
    connection = Connection(address)
    found = find(connection, run)
    return PostgresJournal(connection, run, found, read_settings(found.settings, run).origin(), lease=lease)


def query(address: str, statement: str) -> list[tuple[Any, ...]]:
    """Return what a statement gives."""
    with psycopg.connect(address, autocommit=True) as db:
        done = db.execute(statement.encode())
        return done.fetchall() if done.description else []


def states(address: str) -> list[str]:
    """Return how each run stands, in order."""
    return [state for (state,) in query(address, "SELECT state FROM maker_graph.runs ORDER BY name")]


def entries(address: str) -> list[tuple[str, int, str]]:
    """Return what the journals hold, with every vote: equal for equal runs, whatever happened to them."""
    return query(
        address,
        "SELECT r.name, s.step, s.entry FROM maker_graph.steps s JOIN maker_graph.runs r ON r.number = s.run ORDER BY 1, 2",
    )
