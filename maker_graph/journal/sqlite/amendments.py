"""Amendments: later answers to steps that were committed as open, by a later rung or by a person.

A step stays as it was committed, so what follows from it stays too. Its final decision is that of its amendment, if it has one.
There is at most one for a step, and it decides. Entries are as those of steps. The chain of their hashes is checked whenever
they are read, all of it: they are few beside the steps.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from maker_graph.journal.sqlite.database import FORM, form_of
from maker_graph.journal.sqlite.steps import hash_at
from maker_graph.journal.steps import amended, broken_amendment


def read_amendments(db: sqlite3.Connection, origin: bytes) -> dict[int, str]:
    """Return the entry of the final decision of each amended step, in the order of the amendments.

    Raises:
        DamagedRun: they are not what was written, with the first step that does not hold.
    """
    return amended(amendment_rows(db), origin, lambda step: hash_at(db, origin, step))


def amendment_rows(db: sqlite3.Connection) -> Iterator[Any]:
    """Yield the rows of the amendments, in order, as they are stored."""
    if form_of(db) != FORM:
        return iter(())
    return db.execute("SELECT number, step, entry, hash FROM amendments ORDER BY number")


def end_of_amendments(db: sqlite3.Connection) -> tuple[int, bytes | None]:
    """Return the number and the hash of the last amendment; 0 and None if there is no amendment.

    Raises:
        DamagedRun: it is unreadable.
    """
    if form_of(db) != FORM:
        return 0, None
    row = db.execute("SELECT number, hash FROM amendments ORDER BY number DESC LIMIT 1").fetchone()
    if row is not None and type(row[1]) is not bytes:
        raise broken_amendment(row[0], None)
    return (0, None) if row is None else (row[0], row[1])


def amendment_hash_at(db: sqlite3.Connection, number: int) -> bytes | None:
    """Return the hash of an amendment; None for number 0, nothing if it is missing."""
    if number == 0:
        return None
    row = db.execute("SELECT hash FROM amendments WHERE number = ?", (number,)).fetchone() if form_of(db) == FORM else None
    found = b"" if row is None else row[0]
    return found if type(found) is bytes else b""
