"""Amendments: later answers to steps that were committed as open, by a later rung or by a person.

A step stays as it was committed, so what follows from it stays too. Its final decision is that of its amendment, if it has one.
There is at most one for a step, and it decides. Entries are as those of steps. The chain of their hashes is checked whenever
they are read, all of it: they are few beside the steps.
"""

import sqlite3

from maker_graph.errors import DamagedRun
from maker_graph.run.chain import amendment_link
from maker_graph.run.database import FORM, form_of
from maker_graph.run.steps import hash_at

_KINDS = [int, int, str, bytes]


def read_amendments(db: sqlite3.Connection, origin: bytes) -> dict[int, str]:
    """Return the entry of the final decision of each amended step, in the order of the amendments.

    Raises:
        DamagedRun: they are not what was written, with the first step that does not hold.
    """
    found: dict[int, str] = {}
    if form_of(db) != FORM:
        return found
    before = origin
    for row in db.execute("SELECT number, step, entry, hash FROM amendments ORDER BY number"):
        number, step, entry, stored = row
        if [type(value) for value in row] != _KINDS or number != len(found) + 1 or step in found:
            raise _damaged(len(found) + 1, None)
        before = amendment_link(before, number, step, hash_at(db, origin, step), entry)
        if before != stored:
            raise _damaged(number, step)
        found[step] = entry
    return found


def end_of_amendments(db: sqlite3.Connection) -> tuple[int, bytes | None]:
    """Return the number and the hash of the last amendment; 0 and None if there is none.

    Raises:
        DamagedRun: it is unreadable.
    """
    if form_of(db) != FORM:
        return 0, None
    row = db.execute("SELECT number, hash FROM amendments ORDER BY number DESC LIMIT 1").fetchone()
    if row is not None and type(row[1]) is not bytes:
        raise _damaged(row[0], None)
    return (0, None) if row is None else (row[0], row[1])


def amendment_hash_at(db: sqlite3.Connection, number: int) -> bytes | None:
    """Return the hash of an amendment; None for number 0, nothing if it is missing."""
    if number == 0:
        return None
    row = db.execute("SELECT hash FROM amendments WHERE number = ?", (number,)).fetchone() if form_of(db) == FORM else None
    found = b"" if row is None else row[0]
    return found if type(found) is bytes else b""


def _damaged(number: int, step: int | None) -> DamagedRun:
    what = f"amendment {number}" if step is None else f"amendment {number}, of step {step},"
    return DamagedRun(f"The journal is damaged: {what} is not what was written.", step)
