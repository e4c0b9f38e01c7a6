"""Two owners and a wrong clock: what LangGraph leaves open, the journal decides."""

import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.run.directory import opened
from tests.made import created
from tests.survival.harness import (
    Child,
    Children,
    Event,
    Whole,
    assert_nothing_lost_or_doubled,
    entries,
    events,
    settings_of,
    wait_until,
)


def told_by(directory: Path, child: Child, *kinds: str) -> list[Event]:
    return [event for event in events(directory) if event.pid == child.pid and event.kind in kinds]


def stop_between_transactions(directory: Path, child: Child) -> None:
    """Stop a process, but not while it holds a lock of SQLite: nobody could take over before it lets go."""
    while True:
        child.send(signal.SIGSTOP)
        if not any(locked(path) for path in directory.glob("*.db")):
            return
        child.send(signal.SIGCONT)
        time.sleep(0.002)


def locked(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        return False


def take_over(directory: Path, old: Child, new_segment: int, *, stop: bool, pause: float) -> tuple[Child, int]:
    """Let a second process take over; return it, and how the first one ended."""
    wait_until(lambda: bool(told_by(directory, old, "step", "end")))
    time.sleep(pause)
    if stop:
        stop_between_transactions(directory, old)
    with opened(directory) as run:
        before = run.journal.step
    new = old.server.start(directory, steps_per_segment=new_segment)
    wait_until(lambda: bool(told_by(directory, new, "step", "end")))
    if stop:
        old.send(signal.SIGCONT)
    ended = old.wait()
    if stop:
        assert all(event.step <= before for event in told_by(directory, old, "step")), "the old owner has committed"
    return new, ended


def taken_over(children: Children, folder: Path, expected: Whole, *, takeovers: int, seed: int) -> None:
    """Let processes take over from each other so many times, every second of them from one that sleeps."""
    chance, number = random.Random(seed), 0
    while takeovers > 0:
        number += 1
        directory = folder / f"run-{number}"
        with created(directory, settings_of()):
            pass
        owner = children.start(directory, steps_per_segment=1000)
        ended = 130
        while takeovers > 0 and ended == 130:
            old, segment, pause = owner, chance.choice([1, 3, 1000]), chance.uniform(0, 0.02)
            owner, ended = take_over(directory, old, segment, stop=chance.random() < 0.5, pause=pause)
            refused = [event.kind for event in told_by(directory, old, "TakenOver", "end", "uncaught")]
            assert (ended, refused) in ((130, ["TakenOver"]), (0, ["end"])), (seed, number, events(directory)[-3:])
            takeovers -= ended == 130
        assert owner.wait() == 0, (seed, number, events(directory)[-1])
        with opened(directory) as run:
            assert entries(run) == expected.entries
        committed = Counter(event.step for event in events(directory) if event.kind == "step")
        assert committed == Counter(range(1, len(expected.entries) + 1)), "each step is committed by exactly one of them"


def test_of_30_takeovers_the_old_owner_is_refused_every_time(children: Children, tmp_path: Path, unharmed: Whole) -> None:
    taken_over(children, tmp_path, unharmed, takeovers=30, seed=17)


@pytest.mark.campaign
def test_of_100_takeovers_the_old_owner_is_refused_every_time(children: Children, tmp_path: Path, unharmed: Whole) -> None:
    taken_over(children, tmp_path, unharmed, takeovers=100, seed=18)


def test_a_run_at_work_can_be_looked_at_at_any_moment(children: Children, tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of(model="sim:perfect")):
        pass
    child, looks = children.start(tmp_path / "r"), 0
    while not told_by(tmp_path / "r", child, "end"):
        with opened(tmp_path / "r") as run:
            assert isinstance(run.journal, SqliteJournal)
            assert isinstance(run.journal, SqliteJournal)
            for _ in range(50):
                run.journal._known = None  # what was read is read again, whether anybody wrote or not
                assert run.journal.account().steps > 0 or run.journal.step == 0
                looks += 1
    assert child.wait() == 0
    assert looks > 200


HOUR = 36_000_000_000
"""In the unit of a UUID's time: 100 nanoseconds."""


def later(checkpoint_id: str) -> str:
    """Return the id that LangGraph would have given an hour later: a UUID of version 6, whose time comes first."""
    value = UUID(checkpoint_id).int
    moment = (value >> 80 << 12 | value >> 64 & 0xFFF) + HOUR
    moved = UUID(int=moment >> 12 << 80 | 6 << 76 | (moment & 0xFFF) << 64 | value & (1 << 64) - 1)
    assert str(moved) > checkpoint_id
    return str(moved)


def set_the_clock_back(directory: Path) -> int:
    """Make all checkpoints an hour younger than now, as if the clock had been set back since; return how many there are.

    Now is earlier than the latest checkpoint then, and LangGraph takes the latest.
    """
    serde = JsonPlusSerializer()
    with closing(sqlite3.connect(directory / "checkpoints.db")) as db:
        rows = db.execute("SELECT checkpoint_id, parent_checkpoint_id, type, checkpoint FROM checkpoints").fetchall()
        for own, parent, kind, blob in rows:
            checkpoint = serde.loads_typed((kind, blob))
            new_kind, moved = serde.dumps_typed({**checkpoint, "id": later(checkpoint["id"])})
            db.execute(
                "UPDATE checkpoints SET checkpoint_id = ?, parent_checkpoint_id = ?, type = ?, checkpoint = ? "
                "WHERE checkpoint_id = ?",
                (later(own), parent and later(parent), new_kind, moved, own),
            )
        for (own,) in db.execute("SELECT DISTINCT checkpoint_id FROM writes").fetchall():
            db.execute("UPDATE writes SET checkpoint_id = ? WHERE checkpoint_id = ?", (later(own), own))
        db.commit()
    return len(rows)


@pytest.mark.parametrize("segment", [1, 3, 1000])
def test_a_clock_set_back_an_hour_between_resumes_loses_nothing_and_runs_nothing_twice(
    children: Children, tmp_path: Path, unharmed: Whole, segment: int
) -> None:
    directory = tmp_path / "r"
    with created(directory, settings_of()):
        pass
    for calls in (13, 30, 47):
        assert children.run(directory, limits={"calls": calls}, steps_per_segment=segment) == 4, events(directory)[-1]
        assert set_the_clock_back(directory) > 0
    child = children.start(directory, steps_per_segment=segment)
    wait_until(lambda: len(told_by(directory, child, "step")) > 3)
    child.kill()
    set_the_clock_back(directory)
    assert children.run(directory, steps_per_segment=segment) == 0, events(directory)[-1]
    assert_nothing_lost_or_doubled(directory, unharmed)
    assert not [event.text for event in events(directory) if event.kind == "warning"]
