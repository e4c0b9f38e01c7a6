"""What can be read from a journal, whichever database keeps it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from maker_graph.core.decision import Decision
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.core.spending import Account
from maker_graph.journal.chain import place_digest
from maker_graph.journal.intent import INTENT, Intent
from maker_graph.journal.steps import (
    LAST,
    Row,
    amended,
    broken_amendment,
    decoded,
    note_in,
    readable,
    replayed,
    see_chain,
    whole,
)

CHECKED_AT_ONCE = 100_000
"""How many steps, from the last one back, are checked before a run goes on. Older ones are checked while it runs."""


class ReadableJournal(ABC):
    """The steps, amendments, notes and account of one run, to be read. An amendment is a later answer to an open step.

    Attributes:
        step: the number of the last step.
        epoch: which owner of the run this is, counted from 1; None if it only reads.
        accept_loss: whether a run goes on with a journal from which steps are missing.
    """

    step: int
    epoch: int | None
    accept_loss: bool
    _origin: bytes
    _hash: bytes
    _final: dict[int, str]

    @property
    @abstractmethod
    def writable(self) -> bool:
        """Whether the journal can be written, and not only read."""

    @property
    @abstractmethod
    def claimed_here(self) -> bool:
        """Whether the run was claimed before, with these settings, in this place and on this machine."""

    @abstractmethod
    def owners(self) -> int:
        """Return how many owners the run has had."""

    @abstractmethod
    def account(self) -> Account:
        """Return what the run has spent in all its sessions.

        Raises:
            DamagedRun: the account is missing, or was changed since it was written.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the journal."""

    @abstractmethod
    def _rows(self, first: int = 1, last: int = LAST) -> Iterator[Any]:
        """Yield the rows of the steps from `first` to `last`, in order, as they are stored."""

    @abstractmethod
    def _maybe_open(self) -> Iterator[tuple[int, str]]:
        """Yield number and entry of the steps that may be open (see `MAY_BE_OPEN`), in order."""

    @abstractmethod
    def _amendment_rows(self) -> Iterator[Any]:
        """Yield the rows of the amendments, in order, as they are stored."""

    @abstractmethod
    def _amendments(self) -> int:
        """Return how many amendments there are now."""

    @abstractmethod
    def _note_row(self, name: str) -> Any:
        """Return the value and the hash of a note; None if there is no such note."""

    def _reading(self) -> AbstractContextManager[None]:
        """Return a block in which errors of the database become errors about the run."""
        return nullcontext()

    def _one_moment(self) -> AbstractContextManager[None]:
        """Return a block in which all reads see the same state of the journal, even if another process writes meanwhile."""
        return nullcontext()

    @property
    def head(self) -> str:
        """The hash of the last step. If two journals have the same one, they have the same steps.

        Unlike `head` in `chain.py`, it does not cover amendments.
        """
        return self._hash.hex()

    def check(self, at_once: int = CHECKED_AT_ONCE) -> None:  # noqa: ARG002  used by journals that check older steps later
        """Check the hashes of all steps and amendments.

        Raises:
            DamagedRun: one does not fit; the error has the first such step.
        """
        with self._reading():
            see_chain(self._rows(1, self.step), self._origin, 1, self.step)
            self._final = self._read_amendments()

    def decisions(self) -> Iterator[Decision]:
        """Yield the final decisions in order. Hashes are not checked: `check` and `replay` do that.

        Raises:
            DamagedRun: an entry is unreadable.
        """
        for step, entry in self.entries():
            yield decoded(step, entry)

    def entries(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each step with the text of its final entry. Neither hashes nor entries are checked.

        Raises:
            DamagedRun: a row cannot be read, or a step is missing.
        """
        final = self._final_entries()
        with self._reading():
            for step, entry, _, _ in whole(readable(self._rows()), self.step):
                yield step, final.get(step, entry)

    def following(self, step: int, head: str | None, most: int) -> tuple[list[tuple[int, str]], str] | None:
        """Return the next steps after `step`, as `entries` yields them, and the hash of the last of them.

        They are read in one short transaction, so that a process at work on the run does not have to wait. Their hashes are
        checked.

        Args:
            step: the step after which to read.
            head: the hash of that step, as an earlier call returned it; None if it is not known.
            most: the most steps to return.

        Returns:
            The steps and the hash; None if `head` does not fit any more, because the journal was replaced.

        Raises:
            DamagedRun: a step was changed since it was written.
        """
        with self._reading(), self._one_moment():
            before = self._hash_at(step)
            if step > self.step or (head is not None and before.hex() != head):
                return None
            last = min(self.step, step + most)
            found = list(self._rows(step + 1, last))
        see_chain(found, before, step + 1, last)
        final = self._final_entries()
        after = found[-1][3] if found else before
        return [(number, final.get(number, entry)) for number, entry, _, _ in found], after.hex()

    def amendments(self) -> dict[int, Decision]:
        """Return the final decision of each step that was committed as open and answered later.

        Raises:
            DamagedRun: an amendment was changed since it was written.
        """
        return {step: decoded(step, entry) for step, entry in self._final_entries().items()}

    def decision(self, step: int) -> Decision | None:
        """Return the final decision of a step; None if it is not committed.

        Raises:
            DamagedRun: its entry is unreadable.
        """
        final, row = self._final_entries(), self._row(step)
        return None if row is None else decoded(step, final.get(step, row[1]))

    def left_open(self) -> Iterator[tuple[int, Decision]]:
        """Yield the number and the decision of each step that is open now, in order.

        Raises:
            DamagedRun: an entry is unreadable.
        """
        final = self._final_entries()
        with self._reading():
            for step, entry in self._maybe_open():
                if step not in final and (decision := decoded(step, entry))["status"] != "decided":
                    yield step, decision

    def agrees(self, at: MakerOutput) -> bool:
        """Say whether `at` is the state of the machine that the journal recorded for that step."""
        if not 1 <= at["step"] <= self.step:
            return False
        row = self._row(at["step"])
        return row is not None and row[2] == place_digest(at)

    def replay(self, machine: Machine, start: MakerOutput | None = None) -> Iterator[tuple[Decision, MakerOutput, MakerOutput]]:
        """Yield (decision, state of the machine before it, state after it) for each step, and check the hashes on the way.

        Args:
            machine: applies the decisions.
            start: a state that agrees with the journal, to begin after it; None for the beginning.

        Raises:
            DamagedRun: an entry was changed since it was written; the error has its step.
        """
        with self._reading():
            yield from replayed(self._rows(0 if start is None else start["step"]), self._origin, machine, start, self.step)

    def note(self, name: str) -> str | None:
        """Return the note of this name; None if there is none. Notes are texts that a run keeps beside its steps.

        Raises:
            DamagedRun: it was changed since it was written.
        """
        with self._reading():
            return note_in(self._note_row(name), self._origin, name)

    def intent(self) -> Intent | None:
        """Return the last intent to act on the world; None if there was none.

        Raises:
            DamagedRun: it was changed since it was written.
        """
        note = self.note(INTENT)
        return None if note is None else Intent.of(note)

    def _row(self, step: int) -> Row | None:
        if not 1 <= step <= LAST:
            return None
        with self._reading():
            return next(iter(self._rows(step, step)), None)

    def _hash_at(self, step: int) -> bytes:
        """Return the hash of a step, or the digest of the origin for step 0; empty if the step is missing."""
        found = self._origin if step == 0 else row[3] if (row := self._row(step)) is not None else b""
        return found if type(found) is bytes else b""

    def _entry_at(self, step: int) -> str | None:
        """Return the entry with which a step was committed; None if it was not committed."""
        row = self._row(step)
        return None if row is None else row[1]

    def _final_entries(self) -> dict[int, str]:
        """Return step -> entry of its amendment. Amendments are read again only if there are more of them."""
        if len(self._final) != self._amendments():
            with self._reading(), self._one_moment():
                self._final = self._read_amendments()
        return self._final

    def _read_amendments(self) -> dict[int, str]:
        least = self._amendments()  # counted before they are read, because more may come meanwhile
        found = amended(self._amendment_rows(), self._origin, self._hash_at)
        if len(found) < least:
            raise broken_amendment(len(found) + 1, None)
        return found
