"""The open items of a run, voted on once more: a task of their own for the same graph, and a log that amends the journal."""

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
    """Items of another task, by their numbers. Its program is not asked again: it was not sure."""

    def __init__(self, task: Guarded, numbers: Sequence[int]) -> None:
        """Take the items of `task` with these numbers, from 1."""
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
    """A log that stores decisions as amendments, in whatever order they come; what stays undecided stays open.

    Attributes:
        task: the open items as a task of their own.
        at: which of them is next.
        passed: how many open items are contested; they are not voted on again.
    """

    def __init__(self, journal: Journal, meter: Ledger, task: Guarded, settings: Settings) -> None:
        """Find the open items in the journal, but those that are contested; others go on after the rung that passed them on."""
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
        """Return which of the open items is next."""
        return self.at

    def append(self, steps: Sequence[Committed]) -> None:
        """Store the decisions that are some."""
        self._store((step.after["step"], step.decision) for step in steps)
        self.at = steps[-1].after

    def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
        """Store items that were decided before their turn: an amendment needs none."""
        later = {place: decision for place, decision in decided.items() if place > self.at["step"]}
        if later:
            self._store(later.items())

    def decided_ahead(self) -> dict[int, Decision]:
        """Return nothing: what is decided is stored, and not open any more."""
        return {}

    def climbs(self) -> dict[int, Climb]:
        """Return the votes of items that rungs of the cascade passed on before."""
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
            raise  # what was spent is booked
        except MakerError:
            self._meter.give_back(spent)
            raise


def _joined(before: Decision, now: Decision, again: int) -> Decision:
    """Return the decision on an item that was open `before`, with the votes of all rungs.

    The first votes that it tried `now`, so many, are those of `before` with which it began.
    """
    return after_trying([*_votes(before), *now["tried"][again:]], now)


def _votes(decision: Decision) -> list[Vote]:
    return [*decision["tried"], vote_of(decision)]


def _climbed(votes: Sequence[Vote]) -> int:
    """Return how many rungs an item has behind it."""
    return 1 + rung_of(votes[-1]["by"]) if votes else 0
