"""The steps and notes in a journal's database: read as they were written, or the damage is named with its step."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.errors import DamagedRun
from maker_graph.journal.chain import origin_digest
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.journal.sqlite.steps import check_chain, end_of, hash_at, read_note, step_rows
from tests.journal.kept import filled

ORIGIN = origin_digest("run")
LAST = 4


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return the database of a journal with four steps and a note."""
    create_journal(tmp_path / "journal.db", "run")
    with closing(SqliteJournal(tmp_path / "journal.db", "run")) as journal:
        journal.claim()
        filled(journal)
        journal.set_note("price", "0.05,0.2")
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        yield connection


def test_steps_are_read_in_order_from_any_one_on(db: sqlite3.Connection) -> None:
    assert [row[0] for row in step_rows(db)] == [1, 2, 3, 4]
    assert [row[0] for row in step_rows(db, 3)] == [3, 4]
    assert end_of(db, ORIGIN) == (LAST, hash_at(db, ORIGIN, LAST))
    assert (hash_at(db, ORIGIN, 0), hash_at(db, ORIGIN, 9)) == (ORIGIN, b"")
    check_chain(db, ORIGIN, 1, LAST)
    check_chain(db, ORIGIN, 3, LAST)


@pytest.mark.parametrize(
    ("damage", "step"),
    [
        ("UPDATE steps SET entry = entry || ' ' WHERE step = 3", 3),
        ("UPDATE steps SET mark = x'00' WHERE step = 2", 2),
        ("UPDATE steps SET hash = x'00' WHERE step = 4", 4),
        ("UPDATE steps SET hash = 7 WHERE step = 4", 4),
        ("DELETE FROM steps WHERE step = 2", 2),
        ("DELETE FROM steps WHERE step = 4", 4),
    ],
)
def test_a_chain_that_does_not_hold_is_named_with_its_first_step(db: sqlite3.Connection, damage: str, step: int) -> None:
    db.execute(damage)
    with pytest.raises(DamagedRun) as caught:
        check_chain(db, ORIGIN, 1, LAST)
    assert caught.value.step == step


def test_a_note_is_as_it_was_written_missing_or_damaged(db: sqlite3.Connection) -> None:
    assert read_note(db, ORIGIN, "price") == "0.05,0.2"
    assert read_note(db, ORIGIN, "none") is None
    db.execute("UPDATE notes SET value = '0.05,0.3' WHERE name = 'price'")
    with pytest.raises(DamagedRun, match="'price'"):
        read_note(db, ORIGIN, "price")
