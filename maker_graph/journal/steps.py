"""Checks the rows of a journal against their hashes. It does not depend on the database that keeps them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from maker_graph.core.decision import Decision
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.errors import DamagedRun
from maker_graph.journal.chain import amendment_link, link, place_digest, seal
from maker_graph.journal.entry import decode

LAST = 2**63 - 1
"""The greatest step number that a database can keep."""

Row: TypeAlias = tuple[int, str, bytes, bytes]
"""A step: its number, its entry, the digest of the state of the machine after it, and its hash."""

AmendmentRow: TypeAlias = tuple[int, int, str, bytes]
"""An amendment: its number, the step that it answers, its entry, and its hash."""

_KINDS = [int, str, bytes, bytes]
_AMENDMENT_KINDS = [int, int, str, bytes]


def readable(rows: Iterable[Any]) -> Iterator[Row]:
    """Yield rows whose values have the right types.

    Raises:
        DamagedRun: a row has other values.
    """
    for row in rows:
        if [type(value) for value in row] != _KINDS:
            raise _broken(row[0], row[0])
        yield row


def whole(rows: Iterable[Row], last: int) -> Iterator[Row]:
    """Yield the rows of step 1, 2 and so on, at least to `last`.

    Raises:
        DamagedRun: a step is missing.
    """
    expected = 1
    for row in rows:
        if row[0] != expected:
            raise _broken(expected, row[0])
        yield row
        expected += 1
    if expected <= last:
        raise _broken(expected, last + 1)


def decoded(step: int, entry: str) -> Decision:
    """Return the decision in an entry.

    Raises:
        DamagedRun: the entry cannot be read.
    """
    try:
        return decode(entry)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise DamagedRun(f"The journal is damaged at step {step}: {error}.", step) from error


def applied(machine: Machine, at: MakerOutput, decision: Decision, step: int) -> MakerOutput:
    """Return the state of the machine after a decision. `step` is the number by which an error names the step.

    Raises:
        DamagedRun: the answer cannot be applied.
    """
    try:
        return machine.advance(at, decision)
    except Exception as error:
        raise DamagedRun(f"The journal is damaged at step {step}: its answer cannot be applied ({error}).", step) from error


def see_chain(rows: Iterable[Any], before: bytes, first: int, last: int) -> None:
    """Make sure that `rows` are the steps from `first` to `last`, and that their hashes fit to `before`, the hash before them.

    Raises:
        DamagedRun: a step is missing, or its hash does not fit; the error has the first such step.
    """
    expected = first
    for step, entry, digest, stored in rows:
        if step != expected or type(entry) is not str or type(digest) is not bytes or type(stored) is not bytes:
            raise _broken(expected, step)
        before = link(before, step, entry, digest)
        if before != stored:
            raise _broken(expected, step)
        expected += 1
    if expected != last + 1:
        raise _broken(expected, last + 1)


def replayed(
    rows: Iterable[Any], origin: bytes, machine: Machine, start: MakerOutput | None, last: int
) -> Iterator[tuple[Decision, MakerOutput, MakerOutput]]:
    """Yield (decision, state of the machine before it, state after it) for each step after `start`, and check the hashes.

    Args:
        rows: the rows from the step of `start` on, or from step 1; they go to `last` at least.
        origin: the digest of the origin.
        machine: applies the decisions.
        start: the state after which to begin; None for the beginning.
        last: the last step that must be there.

    Raises:
        DamagedRun: an entry was changed since it was written; the error has its step.
    """
    at = machine.begin() if start is None else start
    expected, before = at["step"] + 1, None
    for step, entry, digest, stored in readable(rows):
        if step == at["step"]:
            before = stored
            continue
        if step != expected:
            raise _broken(expected, step)
        decision = decoded(step, entry)
        after = applied(machine, at, decision, step)
        before = link(before or origin, step, entry, digest)
        if before != stored or digest != place_digest(after):
            raise _broken(step, step)
        yield decision, at, after
        at, expected = after, expected + 1
    if expected <= last:
        raise _broken(expected, last + 1)


def amended(rows: Iterable[Any], origin: bytes, hash_at: Callable[[int], bytes]) -> dict[int, str]:
    """Return amended step -> entry of its final decision, in the order of the amendments.

    `hash_at` returns the hash of a step.

    Raises:
        DamagedRun: an amendment was changed since it was written; the error has the first such step.
    """
    found: dict[int, str] = {}
    before = origin
    for row in rows:
        number, step, entry, stored = row
        if [type(value) for value in row] != _AMENDMENT_KINDS or number != len(found) + 1 or step in found:
            raise broken_amendment(len(found) + 1, None)
        before = amendment_link(before, number, step, hash_at(step), entry)
        if before != stored:
            raise broken_amendment(number, step)
        found[step] = entry
    return found


def note_in(row: Any, origin: bytes, name: str) -> str | None:
    """Return the text of a note from its row, which has its value and its hash; None if there is no row.

    Raises:
        DamagedRun: the note was changed since it was written.
    """
    if row is None:
        return None
    value, stored = row
    if not isinstance(value, str) or stored != seal(origin, name, value):
        raise DamagedRun(f"The journal is damaged: its note {name!r} was changed since it was written.")
    return value


def broken_amendment(number: int, step: int | None) -> DamagedRun:
    """Return the error for an amendment that was changed since it was written."""
    what = f"amendment {number}" if step is None else f"amendment {number}, of step {step},"
    return DamagedRun(f"The journal is damaged: {what} was changed since it was written.", step)


def _broken(expected: int, step: int) -> DamagedRun:
    what = f" at step {step}: its hash does not fit" if step == expected else f": step {expected} is missing"
    return DamagedRun(f"The journal is damaged{what}.", expected)
