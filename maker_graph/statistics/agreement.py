"""What labelled steps show of a model: how often it is right, how alike its samples are, and how often agreement is wrong.

A step's votes are counts: how many were right, and how many were for each wrong answer. All figures are means over all orders
in which the samples might have come, so that every sample counts. If c of n votes are for an answer, then k votes drawn from
them are all for it with probability C(c, k) / C(n, k).
"""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from maker_graph.errors import UsageError


class StepVotes(NamedTuple):
    """The valid samples of one labelled step.

    Attributes:
        right: votes for the right answer.
        wrong: votes for each wrong answer.
    """

    right: int
    wrong: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """The number of valid samples."""
        return self.right + sum(self.wrong)


class Agreement(NamedTuple):
    """How often k samples agree, and how often they are wrong if they agree.

    Attributes:
        k: how many samples agree.
        wrong: the share of decided steps that are wrong; None if none is decided.
        decided: the share of the steps whose first k valid samples agree. A step with fewer valid samples is not decided.
    """

    k: int
    wrong: float | None
    decided: float


def agreement(steps: Sequence[StepVotes], k: int) -> Agreement:
    """Return how often the first `k` valid samples of a step agree, and how often they are wrong if they agree.

    It is what `AheadBy(k, within=k)` would decide.

    >>> agreement([StepVotes(3), StepVotes(2, (2,)), StepVotes(0, (1, 3))], 2)
    Agreement(k=2, wrong=0.3636363636363636, decided=0.6111111111111112)

    Raises:
        UsageError: there is no step, or k is below 1.
    """
    if not steps or k < 1:
        raise UsageError("Agreement needs at least one sample (k of at least 1) on at least one step.")
    right = wrong = 0.0
    for step in steps:
        if step.total >= k:
            all_of = math.comb(step.total, k)
            right += math.comb(step.right, k) / all_of
            wrong += sum(math.comb(votes, k) for votes in step.wrong) / all_of
    decided = right + wrong
    return Agreement(k, wrong / decided if decided else None, decided / len(steps))


def share_right(steps: Iterable[StepVotes]) -> float | None:
    """Return the share of valid samples that are right; None if there are no valid samples.

    >>> share_right([StepVotes(3, (1,)), StepVotes(0, (2,))])
    0.5
    """
    steps = [*steps]
    total = sum(step.total for step in steps)
    return sum(step.right for step in steps) / total if total else None


def correlation(steps: Iterable[StepVotes]) -> float | None:
    """Return the correlation of the errors of two samples of one step; None if no pair shows it.

    Two samples are both wrong with probability e^2 + rho e (1 - e), as in `correlated.py`. The pairs and e are from steps with
    two or more valid samples. Each pair is counted once.

    >>> correlation([StepVotes(4), StepVotes(0, (4,))]), correlation([StepVotes(1, (1,))] * 3)
    (1.0, -1.0)
    """
    pairs = both = samples = wrong = 0.0
    for step in steps:
        if step.total >= 2:
            pairs += math.comb(step.total, 2)
            both += math.comb(step.total - step.right, 2)
            samples += step.total
            wrong += step.total - step.right
    if not pairs or wrong in {0, samples}:
        return None
    error = wrong / samples
    return (both / pairs - error**2) / (error * (1 - error))


class PairCorrelation(NamedTuple):
    """The correlation of the errors of two samples of one step, None if the pairs do not show it, and the number of pairs."""

    rho: float | None
    pairs: int


def correlations(steps: Iterable[Sequence[tuple[int, bool]]]) -> tuple[PairCorrelation, PairCorrelation]:
    """Return the correlation of the errors of samples of one variant, and that of samples of different variants.

    Each step is given as (variant, whether wrong) for each valid sample. The figures are computed as in `correlation`, with
    the error rate over all samples of steps that have two or more.

    >>> within, between = correlations([[(0, True), (0, True), (1, False), (1, False)]])
    >>> within.rho, between.rho
    (1.0, -1.0)
    """
    both, pairs, samples, wrong = [0, 0], [0, 0], 0, 0
    for step in steps:
        if len(step) < 2:
            continue
        samples += len(step)
        wrong += sum(is_wrong for _, is_wrong in step)
        for (variant, one), (other_variant, other) in combinations(step, 2):
            place = variant != other_variant
            pairs[place] += 1
            both[place] += one and other
    if wrong in {0, samples}:
        return PairCorrelation(None, pairs[0]), PairCorrelation(None, pairs[1])
    error = wrong / samples
    within, between = (
        PairCorrelation((hits / number - error**2) / (error * (1 - error)) if number else None, number)
        for hits, number in zip(both, pairs, strict=True)
    )
    return within, between


def alike(steps: Iterable[StepVotes]) -> float | None:
    """Return the share of the pairs of samples of one step that give the same answer; None if there is no pair.

    >>> alike([StepVotes(2, (2,)), StepVotes(4)])
    0.6666666666666666
    """
    pairs = same = 0
    for step in steps:
        pairs += math.comb(step.total, 2)
        same += sum(math.comb(votes, 2) for votes in (step.right, *step.wrong))
    return same / pairs if pairs else None
