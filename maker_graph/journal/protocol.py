"""The interface of a journal: the append-only record of the decided steps of a run.

LangGraph takes a checkpoint, a snapshot, now and then. The journal has every step, and where the two differ, the journal is
right. Each journal follows `rules.py`, and it promises this:

- Each entry has a hash that covers all entries before it (`chain.py`). So an entry that was changed, moved, deleted or taken
  from another run is noticed, and the error names the step.
- The account says what was spent, and what calls under way may have spent. So no resume resets a budget.
- `append`, `amend`, `spend`, `intend` and `set_note` return only after everything that they were given is stored. If they fail,
  nothing of it is stored, unless the method says otherwise.
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

    Each method may also raise `UnusableRun` (another process has locked the database), `LimitReached` (the database takes no
    writes) and `OutOfReach` (the database cannot be reached).

    Attributes:
        lease: the owner keeps the run only if it calls `beat` again within this time, in seconds; None if it need not.
    """

    lease: float | None = None

    @abstractmethod
    def claim(self, owner: str = "") -> None:
        """Become the owner of the run. From now on the appends of any earlier owner are refused.

        Args:
            owner: the name of the owner. An owner without a name only answers open steps. Other processes do not take it for
                one that goes on with the run.

        Raises:
            OlderJournal: the journal is older than the run: steps or costs are missing. It is also raised if this cannot be
                found out. With `accept_loss` the run goes on all the same.
        """

    def beat(self) -> None:
        """Renew the lease, if the journal has one.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
        """

    @abstractmethod
    def owned(self) -> None:
        """Make sure that this process owns the run, and that the journal can still be written.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: `check` has found damage in older steps since the run was opened.
        """

    @abstractmethod
    def append(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Store decided steps, what was spent, and notes. All of it is stored when this returns.

        What was spent is booked even if the steps are refused.

        Args:
            steps: each decision, with the state of the machine after it.
            spent: what was spent since it was last booked.
            reserved: what calls that are under way may spend at most.
            notes: notes to store with the steps.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            StaleStep: the steps do not follow the last step of the journal.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: `check` has found damage in older steps since the run was opened.
        """

    async def aappend(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Do the same as `append`, without blocking the event loop."""
        self.append(steps, spent, reserved, notes)

    @abstractmethod
    def amend(self, answers: Sequence[tuple[int, Decision]], spent: Spent = NOTHING, reserved: Reserved = NONE) -> None:
        """Store answers to steps that were committed as open. Either all of them are stored, or none.

        What was spent is booked even if no answer is stored.

        Args:
            answers: the number of each step, with its new decision.
            spent: what was spent since it was last booked.
            reserved: what calls that are under way may spend at most.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            UsageError: a step is not committed, was not left open, was answered already, or its new decision is open too.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: `check` has found damage in older steps since the run was opened.
        """

    def provide(self, spent: Spent, wished: Reserved, least: Reserved) -> Reserved:  # noqa: ARG002  where runs share a purse
        """Return how much calls under way may spend. It is less than `wished` if runs share a purse that is nearly empty.

        Args:
            spent: what was spent since it was last booked.
            wished: what the run would like to reserve.
            least: the smallest amount that is of any use.

        Raises:
            LimitReached: the purse holds less than `least`.
        """
        return wished

    @abstractmethod
    def spend(self, spent: Spent, reserved: Reserved = NONE, notes: Notes = NO_NOTES) -> None:
        """Book what was spent on steps that were not committed, and store notes. All of it is stored when this returns.

        What a former owner has spent is booked too. Its notes, and what it reserves, are ignored.

        Raises:
            TakenOver: a former owner has spent nothing, and reserves for further calls. Only a journal in Postgres raises it.
            LostJournal: the journal was deleted, moved or replaced.
        """

    @abstractmethod
    def intend(self, intent: Intent) -> None:
        """Store the intent to act on the world, before the action is performed.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            StaleStep: the intent is not about the step that follows the last step of the journal.
            LostJournal: the journal was deleted, moved or replaced.
        """

    @abstractmethod
    def set_note(self, name: str, value: str) -> None:
        """Store a note. It replaces the note of this name, if there is one.

        Raises:
            LostJournal: the journal was deleted, moved or replaced.
        """
