"""The steps and notes in a journal's database, read and held against their hashes; who owns the run is no matter here."""

import sqlite3
from collections.abc import Iterator
from typing import TypeAlias

from maker_graph.core.decision import Decision
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.errors import DamagedRun
from maker_graph.run.chain import link, place_digest, seal
from maker_graph.run.entry import decode

Row: TypeAlias = tuple[int, str, bytes, bytes]
"""A step: its number, its entry, the digest of where the machine stood after it, its hash."""

_KINDS = [int, str, bytes, bytes]


def end_of(db: sqlite3.Connection, origin: bytes) -> tuple[int, bytes]:
    """Return the last step and its hash; step 0 has that of the origin."""
    row = db.execute("SELECT step, hash FROM steps ORDER BY step DESC LIMIT 1").fetchone()
    return (0, origin) if row is None else (row[0], row[1])


def hash_at(db: sqlite3.Connection, origin: bytes, step: int) -> bytes:
    """Return the hash of a step; nothing if it is missing."""
    row = db.execute("SELECT hash FROM steps WHERE step = ?", (step,)).fetchone()
    found = origin if step == 0 else b"" if row is None else row[0]
    return found if type(found) is bytes else b""


def rows(db: sqlite3.Connection, first: int = 1) -> Iterator[Row]:
    """Yield the steps from `first` on, in order.

    Raises:
        DamagedRun: one is unreadable.
    """
    for row in db.execute("SELECT step, entry, mark, hash FROM steps WHERE step >= ? ORDER BY step", (first,)):
        if [type(value) for value in row] != _KINDS:
            raise _broken(row[0], row[0])
        yield row


def decoded(step: int, entry: str) -> Decision:
    """Return the decision in an entry.

    Raises:
        DamagedRun: it is unreadable.
    """
    try:
        return decode(entry)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise DamagedRun(f"The journal is damaged at step {step}: {error}.", step) from error


def read_note(db: sqlite3.Connection, origin: bytes, name: str) -> str | None:
    """Return the note of this name, if there is one.

    Raises:
        DamagedRun: it is not what was written.
    """
    row = db.execute("SELECT value, hash FROM notes WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    value, stored = row
    if not isinstance(value, str) or stored != seal(origin, name, value):
        raise DamagedRun(f"The journal is damaged: its note {name!r} is not what was written.")
    return value


def check_chain(db: sqlite3.Connection, origin: bytes, first: int, last: int) -> None:
    """See that the steps from `first` to `last` are linked to each other, and the first to the one before it.

    Raises:
        DamagedRun: they are not, with the first step that does not hold.
    """
    before, expected = hash_at(db, origin, first - 1), first
    found = db.execute("SELECT step, entry, mark, hash FROM steps WHERE step BETWEEN ? AND ? ORDER BY step", (first, last))
    for step, entry, digest, stored in found:
        if step != expected or type(entry) is not str or type(digest) is not bytes or type(stored) is not bytes:
            raise _broken(expected, step)
        before = link(before, step, entry, digest)
        if before != stored:
            raise _broken(expected, step)
        expected += 1
    if expected != last + 1:
        raise _broken(expected, last + 1)


def replayed(
    db: sqlite3.Connection, origin: bytes, machine: Machine, start: MakerOutput | None
) -> Iterator[tuple[Decision, MakerOutput, MakerOutput]]:
    """Yield (decision, where the task stood before it, where after it) for each step after `start`; check the chain on the way.

    Raises:
        DamagedRun: an entry is not what was written, with its step.
    """
    at = machine.begin() if start is None else start
    expected, before = at["step"] + 1, None
    for step, entry, digest, stored in rows(db, at["step"]):
        if step == at["step"]:
            before = stored
            continue
        if step != expected:
            raise _broken(expected, step)
        decision = decoded(step, entry)
        try:
            after = machine.advance(at, decision)
        except Exception as error:
            raise DamagedRun(f"The journal is damaged at step {step}: its answer cannot be applied ({error}).", step) from error
        before = link(before or origin, step, entry, digest)
        if before != stored or digest != place_digest(after):
            raise _broken(step, step)
        yield decision, at, after
        at, expected = after, expected + 1


def _broken(expected: int, step: int) -> DamagedRun:
    what = f"at step {step}: its hash does not fit" if step == expected else f"step {expected} is missing"
    return DamagedRun(f"The journal is damaged{':' if step != expected else ''} {what}.", expected)
