"""Amendments: later answers to steps that were committed as open. They come from a later rung or from a person.

The row of a step never changes, so the hashes of the steps after it still fit. If a step has an amendment, its final decision
is that of the amendment. A step has at most one, and an amendment always decides. Its entry has the form of that of a step.
There are few amendments, so all their hashes are checked whenever they are read.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from maker_graph.journal.sqlite.database import FORM, form_of
from maker_graph.journal.sqlite.steps import hash_at
from maker_graph.journal.steps import amended, broken_amendment


def read_amendments(db: sqlite3.Connection, origin: bytes) -> dict[int, str]:
    """Return amended step -> entry of its final decision, in the order of the amendments.

    Raises:
        DamagedRun: an amendment was changed since it was written; the error has the first such step.
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
        DamagedRun: the last amendment cannot be read.
    """
    if form_of(db) != FORM:
        return 0, None
    row = db.execute("SELECT number, hash FROM amendments ORDER BY number DESC LIMIT 1").fetchone()
    if row is not None and type(row[1]) is not bytes:
        raise broken_amendment(row[0], None)
    return (0, None) if row is None else (row[0], row[1])


def amendment_hash_at(db: sqlite3.Connection, number: int) -> bytes | None:
    """Return the hash of an amendment; None for number 0, empty if it is missing."""
    if number == 0:
        return None
    row = db.execute("SELECT hash FROM amendments WHERE number = ?", (number,)).fetchone() if form_of(db) == FORM else None
    found = b"" if row is None else row[0]
    return found if type(found) is bytes else b""
