"""The numbers of samples and votes after which steps were decided, and which sampler decided them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from maker_graph.journal.entry import GIVEN
from maker_graph.report.counting.steps import CountedStep


@dataclass(frozen=True, slots=True)
class Endings:
    """The numbers of samples and votes after which steps were decided, and after which first-to-k would have decided them.

    Each is number -> steps. `left` steps were decided by no vote: they were left open, or the answer was given or proved.
    """

    samples: Mapping[int, int]
    votes: Mapping[int, int]
    first_to_samples: Mapping[int, int]
    first_to_votes: Mapping[int, int]
    left: int


def undecided(endings: Mapping[int, int], steps: int) -> list[int]:
    """Return how many of `steps` are undecided after 1, 2, 3, ... samples or votes, up to the last that decided one.

    >>> undecided({3: 90, 4: 9, 6: 1}, 101)
    [101, 101, 11, 2, 2, 1]
    """
    left, result = steps, []
    for number in range(1, max(endings, default=0) + 1):
        left -= endings.get(number, 0)
        result.append(left)
    return result


class _Ending(NamedTuple):
    """How a step ended, as far as it is counted; a million steps have about a hundred different endings."""

    samples: int
    votes: int
    first_to: tuple[int, int] | None
    by: str | None
    rounds: int
    proved: bool


class EndingCounter:
    """Counts how steps ended, and how often the first sample was the decided answer."""

    def __init__(self) -> None:
        self._endings: Counter[_Ending] = Counter()
        self.lost = 0
        self.single_differs = 0
        self.first_differs_at: int | None = None

    def add(self, step: CountedStep) -> None:
        """Count how a step ended."""
        seen = step.seen
        if not seen.first_agrees:
            self.single_differs += 1
            self.first_differs_at = self.first_differs_at or step.number
        self.lost += sum(vote.lost for vote in seen.votes)
        by = None if seen.winner is None else seen.votes[-1].by
        self._endings[_Ending(step.samples, step.votes, step.first_to, by, step.rounds, seen.proved)] += 1

    def endings(self) -> Endings:
        """Return when the steps ended."""
        samples, votes, first_samples, first_votes = (Counter[int]() for _ in range(4))
        left = 0
        for ending, steps in self._endings.items():
            if ending.proved or ending.by in {None, "person", *GIVEN}:
                left += steps
            else:
                samples[ending.samples] += steps
                votes[ending.votes] += steps
            if ending.first_to is not None:
                first_samples[ending.first_to[0]] += steps
                first_votes[ending.first_to[1]] += steps
        return Endings(dict(samples), dict(votes), dict(first_samples), dict(first_votes), left)

    def by(self) -> dict[str, int]:
        """Return how many steps each sampler, or a person, decided."""
        by: Counter[str] = Counter()
        for ending, steps in self._endings.items():
            if ending.by is not None:
                by[ending.by] += steps
        return dict(by)

    def total(self, name: Literal["votes", "rounds"]) -> int:
        """Return the votes or rounds of all steps."""
        return sum(int(getattr(ending, name)) * steps for ending, steps in self._endings.items())
