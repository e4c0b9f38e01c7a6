"""Votes held against the truth or, if that is not known, against the decision; and how long replies were."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from maker_graph.journal.entry import SkimmedVote
from maker_graph.report.counting.steps import CountedStep, candidates_of

LENGTH_BINS = 30
"""The number of bins up to the output cap; longer replies have as many again."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long replies were: bin -> samples, in bins of `width` output tokens; `judged` are votes, `wrong` the wrong ones."""

    width: int
    all: Mapping[int, int]
    flagged: Mapping[int, int]
    judged: Mapping[int, int]
    wrong: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Truth:
    """How many decisions and votes were wrong.

    Attributes:
        known: whether the task said what is right; else the decided answer was taken as right.
        steps: decisions that the task could judge. If each step has one right way, there are none after the first wrong one.
        wrong_steps: wrong decisions.
        first_wrong: the first step with a wrong decision.
        votes: votes that were judged.
        wrong_votes: wrong votes.
    """

    known: bool
    steps: int
    wrong_steps: int
    first_wrong: int | None
    votes: int
    wrong_votes: int


class VoteJudge:
    """Holds votes against the truth or, if that is not known, against the decision; and counts how long replies were."""

    def __init__(self, max_tokens: int, *, known: bool) -> None:
        self._known = known
        self._width = max(1, math.ceil(max_tokens / LENGTH_BINS))
        self._all, self._flagged, self._judged, self._wrong = (Counter[int]() for _ in range(4))
        self._steps = self._wrong_steps = self._votes = self._wrong_votes = 0
        self._first_wrong: int | None = None

    def add(self, step: CountedStep) -> None:
        """Hold the votes of a step against the truth, and count the lengths of its replies."""
        if not step.outvoted and not self._known and step.seen.winner is not None and not step.seen.votes[0].lengths:
            self._votes += step.votes  # most steps of a long run
            return
        rights = None if self._known and step.truth is None else _rights(step)  # off the right path, nobody knows
        if rights is not None:
            for count, right in zip(step.counts, rights, strict=True):
                self._votes += count.votes
                self._wrong_votes += count.votes - (count.places[right] if 0 <= right < len(count.places) else 0)
            if step.truth is not None and step.seen.winner is not None:
                self._steps += 1
                if step.seen.winner != rights[-1]:
                    self._wrong_steps += 1
                    self._first_wrong = self._first_wrong or step.number
        for at, vote in enumerate(step.seen.votes):
            if vote.lengths:
                self._measure(vote, None if rights is None else rights[at])

    def lengths(self) -> Lengths | None:
        """Return how long replies were; None if no length was kept."""
        if not self._all:
            return None
        return Lengths(self._width, dict(self._all), dict(self._flagged), dict(self._judged), dict(self._wrong))

    def truth(self) -> Truth:
        """Return how many decisions and votes were wrong."""
        return Truth(self._known, self._steps, self._wrong_steps, self._first_wrong, self._votes, self._wrong_votes)

    def _measure(self, vote: SkimmedVote, right: int | None) -> None:
        for sample, length in zip(vote.sequence, vote.lengths, strict=True):
            at = min(length // self._width, 2 * LENGTH_BINS)
            self._all[at] += 1
            if isinstance(sample, str):
                self._flagged[at] += 1
            elif right is not None:
                self._judged[at] += 1
                if sample != right:
                    self._wrong[at] += 1


def _rights(step: CountedStep) -> list[int] | None:
    """Return the place of the right candidate in each vote, or -1 if nobody voted for it; None if it is not known."""
    seen = step.seen
    if step.truth is None and seen.winner is None:
        return None
    if step.truth is None and len(seen.votes) == 1 and seen.winner is not None:
        return [seen.winner]
    candidates = [candidates_of(seen, vote) for vote in seen.votes]
    right = step.truth if step.truth is not None or seen.winner is None else candidates[-1][seen.winner]
    return [each.index(right) if right in each else -1 for each in candidates]
