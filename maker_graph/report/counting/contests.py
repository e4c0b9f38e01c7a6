"""The most contested steps of a run, with their votes in order."""

import heapq
from typing import NamedTuple

from maker_graph.report.counting.steps import CountedStep, candidates_of

CONTESTS = 6
"""The number of the most contested votes that are kept."""


class Contest(NamedTuple):
    """A contested vote, the one that ended its step.

    Attributes:
        step: its number, from 1.
        by: the sampler that voted.
        candidates: canonical JSON of each candidate.
        order: the votes in the order of launch, as places among the candidates.
        flagged: how many samples were discarded.
        winner: the place of the winner among the candidates; None if no vote decided the step.
        right: the place of the right answer; None if the truth is not known, or nobody voted for it.
        proved: whether the winner won because it was proved, and not by its votes.
    """

    step: int
    by: str
    candidates: tuple[str, ...]
    order: tuple[int, ...]
    flagged: int
    winner: int | None
    right: int | None
    proved: bool = False


class ContestFinder:
    """The steps on which a vote lost or nobody won, and the most contested of them."""

    def __init__(self) -> None:
        self.number = 0
        self._most: list[tuple[tuple[int, int, int, int], Contest]] = []

    def add(self, step: CountedStep) -> None:
        """Count a step if it was contested, and keep its vote if that is one of the most contested."""
        count, seen = step.counts[-1], step.seen
        if not step.outvoted and (seen.winner is not None or not count.votes):
            return
        self.number += 1
        rank = (len(count.places) > 1, count.votes, step.samples, -step.number)
        if len(self._most) < CONTESTS:
            heapq.heappush(self._most, (rank, _contest(step)))
        elif rank > self._most[0][0]:
            heapq.heapreplace(self._most, (rank, _contest(step)))

    def found(self) -> list[Contest]:
        """Return the most contested votes, the longest first."""
        return [contest for _, contest in sorted(self._most, key=lambda found: found[0], reverse=True)]


def _contest(step: CountedStep) -> Contest:
    vote = step.seen.votes[-1]
    candidates = candidates_of(step.seen, vote)
    return Contest(
        step=step.number,
        by=vote.by,
        candidates=tuple(candidates),
        order=tuple(place for place in vote.sequence if isinstance(place, int)),
        flagged=len(vote.sequence) - step.counts[-1].votes,
        winner=step.seen.winner,
        right=candidates.index(step.truth) if step.truth in candidates else None,
        proved=step.seen.proved,
    )
