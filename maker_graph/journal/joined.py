"""The journals of all shards of a task, read as one journal of the whole task.

The steps of the second shard follow those of the first, and so on. The entries are exactly those of the shards. Each shard has
its own chain of hashes, which is checked. The whole has no chain.

Each journal is open only while it is read, so there may be thousands of shards. The steps, the account and the amendments of
the whole are those that the shards had when they were joined.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, TypeAlias

from maker_graph.core.decision import Decision
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.core.spending import Account
from maker_graph.errors import DamagedRun, UsageError
from maker_graph.journal.protocol import Journal
from maker_graph.journal.reading import CHECKED_AT_ONCE, ReadableJournal
from maker_graph.journal.steps import LAST, applied, decoded, readable

Opened: TypeAlias = Callable[[], AbstractContextManager[Journal]]
"""Opens the journal of a shard, and closes it at the end of the block."""

Join: TypeAlias = Callable[[Sequence[tuple[int, str]]], str]
"""A function from the notes of one name, each with the number of steps before its shard, to the note of the whole."""

OWN = "joined "
"""The prefix of the name under which the first shard keeps a note of the whole."""


class _Part(NamedTuple):
    """A shard, and where its steps are in the whole."""

    name: str
    opened: Opened
    before: int
    steps: int


class JoinedJournal(ReadableJournal):
    """The journals of several shards, read as one. Only notes can be written into it; the first shard keeps them.

    Attributes:
        step: the last step of the whole.
        epoch: None, because the whole is only read.
        steps: name of a shard -> how many steps it has, in order.
    """

    def __init__(self, shards: Sequence[tuple[str, Opened]], joins: Mapping[str, Join]) -> None:
        """Join the journals of shards.

        Args:
            shards: the name of each shard, and how its journal is opened, in order.
            joins: name of a note -> the function that makes the note of the whole from those of the shards. Other notes of the
                shards cannot be read through the whole.

        Raises:
            DamagedRun: the journal of a shard was changed since it was written; the text names the shard.
        """
        self.epoch, self.accept_loss, self.step = None, False, 0
        self._parts = list[_Part]()
        self._account, self._owners = Account(), 0
        self._final = dict[int, str]()
        self._writable = True
        notes: dict[str, list[tuple[int, str]]] = {name: [] for name in joins}
        heads = hashlib.sha256()
        for name, opened in shards:
            part = _Part(name, opened, self.step, 0)
            with _read(part) as journal:
                part = part._replace(steps=journal.step)
                final = journal._final_entries()  # noqa: SLF001  this journal is made of journals
                self._final |= {part.before + step: entry for step, entry in final.items()}
                for each, found in notes.items():
                    if (text := journal.note(each)) is not None:
                        found.append((part.before, text))
                self._account, self._owners = _sum(self._account, journal.account()), self._owners + journal.owners()
                self._writable = self._writable and journal.writable
                heads.update(journal.head.encode())
            self._parts.append(part)
            self.step += part.steps
        self._origin = self._hash = heads.digest()[:16]
        self._notes = {name: joins[name](found) for name, found in notes.items() if found}

    @property
    def steps(self) -> dict[str, int]:
        """How many steps each shard has."""
        return {part.name: part.steps for part in self._parts}

    @property
    def writable(self) -> bool:
        """Whether the journals of all shards can be written."""
        return self._writable

    @property
    def claimed_here(self) -> bool:
        """False, because the whole is never claimed."""
        return False

    def owners(self) -> int:
        """Return how many owners all shards together have had."""
        return self._owners

    def account(self) -> Account:
        """Return what all shards together have spent. Their seconds are added up too, even if they worked at the same time."""
        return self._account

    def close(self) -> None:
        """Do nothing: each journal was closed after it had been read."""

    def check(self, at_once: int = CHECKED_AT_ONCE) -> None:  # noqa: ARG002  all is checked at once
        """Check the hashes of all steps and amendments of all shards.

        Raises:
            DamagedRun: one does not fit; the text names the shard and the first such step.
        """
        for part in self._parts:
            with _read(part) as journal:
                journal.check(journal.step)

    def shard_of(self, step: int) -> tuple[str, int]:
        """Return the name of the shard that has a step, and the number that the step has there.

        Raises:
            UsageError: there is no such step.
        """
        if not 1 <= step <= self.step:
            raise UsageError(f"There is no step {step}: all shards together have {self.step}.")
        part = self._part_after(step - 1)
        return part.name, step - part.before

    def _part_after(self, step: int) -> _Part:
        """Return the shard that has the step after this one."""
        return self._parts[bisect_right(self._parts, step, key=lambda part: part.before + part.steps)]

    def following(self, step: int, head: str | None, most: int) -> tuple[list[tuple[int, str]], str] | None:
        """Return some of the steps that follow `step`; see `ReadableJournal`. At most those of one shard are returned."""
        if not 0 <= step < self.step:
            return ([], head or "") if step == self.step else None
        part = self._part_after(step)
        local = step - part.before
        with _read(part) as journal:  # the first step of a shard does not follow a hash of the shard before
            found = journal.following(local, head if local else None, min(most, part.steps - local))
        return None if found is None else ([(number + part.before, entry) for number, entry in found[0]], found[1])

    def replay(self, machine: Machine, start: MakerOutput | None = None) -> Iterator[tuple[Decision, MakerOutput, MakerOutput]]:
        """Yield (decision, state of the machine before it, state after it) for each step after `start`, and check all chains.

        Raises:
            DamagedRun: an entry was changed since it was written; the text names the shard and the step.
        """
        at = machine.begin() if start is None else start
        for part in self._parts:
            if part.before + part.steps <= at["step"]:
                continue
            with _read(part) as journal:
                journal.check(journal.step)
                for step, entry, _, _ in _rows_of(journal, at["step"] - part.before + 1, part.steps):
                    decision = decoded(step, entry)
                    after = applied(machine, at, decision, step)
                    yield decision, at, after
                    at = after

    def note(self, name: str) -> str | None:
        """Return the note that was written into the whole; else the one that is made from those of the shards."""
        with _read(self._parts[0]) as journal:
            own = journal.note(f"{OWN}{name}")
        return self._notes.get(name) if own is None else own

    def set_note(self, name: str, value: str) -> None:
        """Store a note of the whole, in the journal of the first shard."""
        with _read(self._parts[0]) as journal:
            journal.set_note(f"{OWN}{name}", value)

    def _rows(self, first: int = 1, last: int = LAST) -> Iterator[Any]:
        for part in self._parts:
            begin, end = max(1, first - part.before), min(part.steps, last - part.before)
            if begin <= end:
                with _read(part) as journal:
                    for step, *more in _rows_of(journal, begin, end):
                        yield (part.before + step, *more)

    def _maybe_open(self) -> Iterator[tuple[int, str]]:
        for part in self._parts:
            with _read(part) as journal:
                for step, entry in journal._maybe_open():  # noqa: SLF001  as above
                    yield part.before + step, entry

    def _final_entries(self) -> dict[int, str]:
        return self._final

    def _amendments(self) -> int:
        return len(self._final)

    def _amendment_rows(self) -> Iterator[Any]:
        return iter(())  # each shard checks its own

    def _note_row(self, name: str) -> Any:  # noqa: ARG002  as above
        return None


@contextmanager
def _read(part: _Part) -> Iterator[Journal]:
    """Open the journal of a shard. An error about damage names the shard."""
    try:
        with part.opened() as journal:
            yield journal
    except DamagedRun as error:
        raise type(error)(f"{part.name}: {error}", error.step) from error


def _rows_of(journal: Journal, first: int, last: int) -> Iterator[Any]:
    yield from readable(journal._rows(first, last))  # noqa: SLF001  as above


def _sum(one: Account, other: Account) -> Account:
    return Account(
        one.steps + other.steps,
        one.spent.plus(other.spent),
        one.reserved.plus(other.reserved),
        one.unsettled.plus(other.unsettled),
        one.serial + other.serial,
        one.amended + other.amended,
    )
