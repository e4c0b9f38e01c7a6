"""Reads steps and notes from the file of a journal."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from maker_graph.journal.steps import LAST, note_in, see_chain


def end_of(db: sqlite3.Connection, origin: bytes) -> tuple[int, bytes]:
    """Return the number and the hash of the last step; 0 and `origin` if there is no step."""
    row = db.execute("SELECT step, hash FROM steps ORDER BY step DESC LIMIT 1").fetchone()
    return (0, origin) if row is None else (row[0], row[1])


def hash_at(db: sqlite3.Connection, origin: bytes, step: int) -> bytes:
    """Return the hash of a step, or `origin` for step 0; empty if the step is missing."""
    row = db.execute("SELECT hash FROM steps WHERE step = ?", (step,)).fetchone()
    found = origin if step == 0 else b"" if row is None else row[0]
    return found if type(found) is bytes else b""


def step_rows(db: sqlite3.Connection, first: int = 1, last: int = LAST) -> Iterator[Any]:
    """Yield the rows of the steps from `first` to `last`, in order, as they are stored."""
    return db.execute("SELECT step, entry, mark, hash FROM steps WHERE step BETWEEN ? AND ? ORDER BY step", (first, last))


def note_row(db: sqlite3.Connection, name: str) -> Any:
    """Return the value and the hash of a note; None if there is no such note."""
    return db.execute("SELECT value, hash FROM notes WHERE name = ?", (name,)).fetchone()


def read_note(db: sqlite3.Connection, origin: bytes, name: str) -> str | None:
    """Return the note of this name; None if there is none.

    Raises:
        DamagedRun: the note was changed since it was written.
    """
    return note_in(note_row(db, name), origin, name)


def check_chain(db: sqlite3.Connection, origin: bytes, first: int, last: int) -> None:
    """Make sure that the steps from `first` to `last` are there, and that their hashes fit.

    Raises:
        DamagedRun: a step is missing, or its hash does not fit; the error has the first such step.
    """
    see_chain(step_rows(db, first, last), hash_at(db, origin, first - 1), first, last)
