"""What a run asks of its journal: the append-only record of decided steps, and the truth about a run.

A checkpoint is a snapshot that LangGraph takes now and then; the journal has every step. Every journal promises what
`rules.py` says, and this:

- each entry carries a hash over all before it (`chain.py`), so that damage, reordering, deletion and transplants show, with the
  step;
- the account: what was spent, and what may have been spent by calls that were under way, so that no resume resets a budget;
- what `append`, `amend`, `spend`, `intend` and `set_note` were given is kept for good before they return, all of it or nothing.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput
from maker_graph.core.spending import NONE, NOTHING, Reserved, Spent
from maker_graph.journal.intent import Intent
from maker_graph.journal.reading import ReadableJournal

Notes = Mapping[str, str]
"""Notes by their names."""

NO_NOTES: Notes = MappingProxyType({})


class Journal(ReadableJournal):
    """The journal of one run, wherever it is kept.

    Attributes:
        lease: seconds within which the owner must beat (`beat`) to keep the run; None if it need not.
    """

    lease: float | None = None

    @abstractmethod
    def claim(self, owner: str = "") -> None:
        """Become the owner of the run, by this name: from now on the appends of any earlier one are refused.

        Who has no name does not go on with the run, and only answers: others are not told that somebody is at work.

        Raises:
            OlderJournal: what was committed or paid for since is missing, or nobody can tell; see `accept_loss`.
        """

    def beat(self) -> None:
        """Say that this owner is alive, if the journal has a lease.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
        """

    @abstractmethod
    def owned(self) -> None:
        """See that this process is the owner of the run, and that its journal can still be written.

        Raises:
            TakenOver: it is not the owner, or no longer.
            LostJournal: the journal was deleted, moved or replaced.
        """

    @abstractmethod
    def append(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Store decisions with the state that each led to, what was spent, what may be under way, and notes.

        `spent` is since the last append. On return everything is kept. What was spent is booked even if the steps are refused.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            StaleStep: the steps do not follow the journal's last one.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: older steps were found damaged since; see `check`.
        """

    async def aappend(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Do what `append` does, without blocking the event loop."""
        self.append(steps, spent, reserved, notes)

    @abstractmethod
    def amend(self, answers: Sequence[tuple[int, Decision]], spent: Spent = NOTHING, reserved: Reserved = NONE) -> None:
        """Store later answers to steps that were committed as open, each with its step; on return they are kept.

        All of them are stored, or none. What was spent is booked as well, also if none is stored.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            UsageError: a step is not committed, was not left open, was answered already, or its new decision is open too.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: older steps were found damaged since; see `check`.
        """

    def provide(self, spent: Spent, wished: Reserved, least: Reserved) -> Reserved:  # noqa: ARG002  where runs share a purse
        """Return how much may be under way, at most `wished`. It is less if runs share a purse that is nearly empty.

        Args:
            spent: what was spent since the last time it was booked.
            wished: what is to be reserved.
            least: less is of no use.

        Raises:
            LimitReached: the purse does not have the least.
        """
        return wished

    @abstractmethod
    def spend(self, spent: Spent, reserved: Reserved = NONE, notes: Notes = NO_NOTES) -> None:
        """Add what was spent on steps that were not committed; on return it, notes, and what may be under way are kept.

        What a former owner spent is added too; what it says may be under way, and its notes, are not taken.
        """

    @abstractmethod
    def intend(self, intent: Intent) -> None:
        """Keep what is about to be done outside.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            StaleStep: it is not about the step that follows the journal's last one.
        """

    @abstractmethod
    def set_note(self, name: str, value: str) -> None:
        """Keep a note."""
