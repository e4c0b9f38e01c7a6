"""A second vote on the open items of a run: a task that consists of them, and a log that amends the journal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from maker_graph.core.canonical import JSON
from maker_graph.core.decision import Decision, Vote, after_trying, rung_of, vote_of
from maker_graph.core.guarding import Guarded
from maker_graph.core.items import Items
from maker_graph.core.machine import Climb, Committed, Machine, MakerOutput
from maker_graph.core.task import Located, Prompt
from maker_graph.errors import MakerError, TakenOver, UsageError
from maker_graph.journal.protocol import Journal
from maker_graph.run.account import Ledger
from maker_graph.run.settings import Settings

_BY_STATE = ("check", "verify", "rephrase", "variants", "rehearse")


class OpenOnes(Items):
    """The open items of another task, by their numbers. The task's program is not asked again: it gave no answer."""

    def __init__(self, task: Guarded, numbers: Sequence[int]) -> None:
        """Take the items of `task` that have these numbers, counted from 1."""
        assert isinstance(task, Located)  # noqa: S101  items are
        self.items = numbers
        self._task, self._located = task, task
        if hasattr(task, "key"):
            self.key = task.key
        for name in _BY_STATE:
            if (function := getattr(task, name, None)) is not None:
                setattr(self, name, self._of_number(function))

    def _of_number(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda number, *more: function(self._state(number), *more)

    def _state(self, number: int) -> JSON:
        state: JSON = self._located.state_at(number - 1)
        return state

    def prompt(self, number: int, /) -> Prompt:
        """Return what is asked about an item."""
        return self._task.prompt(self._state(number))

    def parse(self, text: str, number: int, /) -> JSON:  # type: ignore[override]  # it takes the item
        """Return the answer in a reply."""
        return self._task.parse(text, self._state(number))


class Amending:
    """A log that stores decisions as amendments, in any order. An item that is not decided stays open.

    Attributes:
        task: a task that consists of the open items.
        at: where that task stands.
        passed: how many open items are contested. They are not voted on again.
    """

    def __init__(self, journal: Journal, meter: Ledger, task: Guarded, settings: Settings) -> None:
        """Find the open items in the journal, without the contested ones.

        An item that a rung of the cascade passed on begins at the next rung.
        """
        self._journal = journal
        self._meter = meter
        found = dict(journal.left_open())
        self._passed_on = {number: settings.passed_on(_votes(decision)) for number, decision in found.items()}
        ended = 1 + len(settings.cascade)
        self._open = {
            number: decision
            for number, decision in found.items()
            if not settings.passed(decision) and _climbed(self._passed_on[number]) < ended
        }
        self.passed = len(found) - len(self._open)
        self._numbers = list(self._open)
        self.task = OpenOnes(task, self._numbers)
        self.at: MakerOutput = Machine(self.task).begin()

    def position(self) -> MakerOutput:
        """Return where the task of the open items stands."""
        return self.at

    def append(self, steps: Sequence[Committed]) -> None:
        """Store the decisions that a vote reached."""
        self._store((step.after["step"], step.decision) for step in steps)
        self.at = steps[-1].after

    def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
        """Store items that were decided before their turn: amendments may come in any order."""
        later = {place: decision for place, decision in decided.items() if place > self.at["step"]}
        if later:
            self._store(later.items())

    def decided_ahead(self) -> dict[int, Decision]:
        """Return nothing: a decided item is stored at once."""
        return {}

    def climbs(self) -> dict[int, Climb]:
        """Return the earlier votes of the items that rungs of the cascade passed on."""
        votes = {place: self._passed_on[number] for place, number in enumerate(self._numbers, start=1)}
        return {place: Climb(tried) for place, tried in votes.items() if tried}

    def keep_climbs(self, climbs: Mapping[int, Climb], /) -> None:
        """Keep nothing: an item that is not decided stays open, as it was."""

    def _store(self, decided: Iterable[tuple[int, Decision]]) -> None:
        answers = [(self._numbers[place - 1], each) for place, each in decided if each["status"] == "decided"]
        joined = [(number, _joined(self._open[number], decision, len(self._passed_on[number]))) for number, decision in answers]
        spent, held = self._meter.take()
        try:
            if joined:
                self._journal.amend(joined, spent, held)
            else:
                self._journal.spend(spent, held)
        except (TakenOver, UsageError):
            raise  # the journal has booked what was spent, and refused the answers
        except MakerError:
            self._meter.give_back(spent)
            raise


def _joined(before: Decision, now: Decision, again: int) -> Decision:
    """Return the new decision on an item that was open `before`, with all votes on it.

    The first `again` votes in `now` are in `before` too: the item began with them.
    """
    return after_trying([*_votes(before), *now["tried"][again:]], now)


def _votes(decision: Decision) -> list[Vote]:
    return [*decision["tried"], vote_of(decision)]


def _climbed(votes: Sequence[Vote]) -> int:
    """Return how many rungs have voted on an item and passed it on."""
    return 1 + rung_of(votes[-1]["by"]) if votes else 0
