"""An upper bound on how many of N decided steps are wrong, from labels of some that were drawn at random without replacement.

The bound holds at all times together: it may be looked at after each label, and labelling may stop for any reason. It assumes
only that the steps were drawn at random, and nothing about models, errors or steps.

It is a likelihood-ratio martingale for sampling without replacement (Waudby-Smith and Ramdas, arXiv 2006.04347; Waudby-Smith,
Stark and Ramdas, arXiv 2107.11323). After t labels, x of them wrong, the labels had the likelihood

    L(w) = [w]_x [N - w]_(t-x) / [N]_t        with [a]_n = a (a - 1) ... (a - n + 1)

if w of the N steps are wrong. For each w the ratio M(w) = sum over r of weight(r) L(r w) / L(w), with shares r below 1, is a
bet that fewer are wrong. If w is the truth, M(w) begins at 1 at most and does not grow on average. So the chance that it ever
reaches 1 / (1 - confidence) is at most 1 - confidence (Ville's inequality). A w is rejected if its M(w) was ever that large.
The bound is the largest w that was never rejected.

r w need not be a whole number. L(r w) counts as 0 once x is above r w. Up to there it is the likelihood of draws of which the
next one is wrong with chance (r w - x) / (N - t). For given labels M(w) grows with w, so the bound is found by bisection. M(w)
grows with each right label and shrinks with each wrong one, so it is computed only before each wrong label and at the end. Both
shortcuts are exact: they give the same number as computing each M(w) after each label.
"""

import math
from collections.abc import Iterable

from maker_graph.core.checks import whole
from maker_graph.errors import UsageError

CONFIDENCE = 0.95
"""The confidence of a bound by default."""

_NONE_WRONG = 0.6
"""The weight of the bet that no step is wrong. If all labels are right, 330 of them prove at most 1 % at 95 %. A single look,
after a number of labels that is fixed beforehand, needs 299. More weight here would save labels if all are right, and cost more
if one is wrong."""

_KEPT_BACK = 0.1
"""The weight that is not bet. It leaves a margin, so that neither rounding nor the chance in a simulation of the bound can show
it broken. It costs six labels if all labels are right."""

_PLACES = 16
_SHARES = [(place + 0.5) / _PLACES for place in range(_PLACES)]
_SPREAD = sum(1 - share for share in _SHARES)
_BETS = [(0.0, math.log(_NONE_WRONG))] + [
    (share, math.log((1 - _NONE_WRONG - _KEPT_BACK) * (1 - share) / _SPREAD)) for share in _SHARES
]
"""The shares r and the logarithms of their weights: the rest is spread from 0 to 1, with more on smaller shares."""

_SMALL = 1_000
"""From this number on, a series gives the logarithm of a falling product with more digits than `lgamma` does."""


class Bound:
    """A bound on how many of a population are wrong, which takes labels one after the other in the order of the draw.

    >>> bound = Bound(50_000)
    >>> for _ in range(300):
    ...     bound.see(wrong=False)
    >>> bound.most
    547

    Attributes:
        population: the size of the population.
        confidence: the chance that `most` is at no time below the truth, between 0 and 1.
        drawn: labels so far.
        wrong: wrong labels so far.
    """

    def __init__(self, population: int, confidence: float = CONFIDENCE) -> None:
        """Begin without labels.

        Raises:
            UsageError: the population is not a number of steps, or the confidence is not between 0 and 1.
        """
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence < 1:
            raise UsageError(f"The confidence must be a number between 0 and 1, such as 0.95, not {confidence!r}.")
        self.population = whole("population", population)
        self.confidence = float(confidence)
        self.drawn = 0
        self.wrong = 0
        self._most = population
        self._enough = -math.log1p(-self.confidence)

    def see(self, *, wrong: bool) -> None:
        """Take the label of the next step that was drawn.

        Raises:
            UsageError: all steps have been drawn.
        """
        if self.drawn == self.population:
            raise UsageError(f"All {self.population:,} steps have been drawn: there is no further label to take.")
        if wrong:
            self._settle()
        self.drawn += 1
        self.wrong += wrong

    @property
    def most(self) -> int:
        """The upper bound on how many of the population are wrong, including the wrong ones that were seen."""
        self._settle()
        return max(self._most, self.wrong)

    def _settle(self) -> None:
        """Reject each number of wrong steps that the labels so far reject."""
        self._most = min(self._most, self.population - (self.drawn - self.wrong))
        if self._most <= self.wrong or self._log_ratio(self._most) < self._enough:
            return
        kept, rejected = self.wrong, self._most
        while rejected - kept > 1:
            middle = (kept + rejected) // 2
            if self._log_ratio(middle) < self._enough:
                kept = middle
            else:
                rejected = middle
        self._most = kept

    def _log_ratio(self, w: int) -> float:
        """Return the logarithm of M(w)."""
        x, right, others = self.wrong, self.drawn - self.wrong, self.population - w
        against = _log_falling(w, x) + _log_falling(others, right)
        bets = [
            weight + _log_falling(share * w, x) + _log_falling(self.population - share * w, right)
            for share, weight in _BETS
            if share * w >= x
        ]
        if not bets:
            return -math.inf
        most = max(bets)
        return most + math.log(math.fsum(math.exp(each - most) for each in bets)) - against


def most_wrong(population: int, wrong: Iterable[bool], confidence: float = CONFIDENCE) -> int:
    """Return the upper bound on how many of a population are wrong, from labels in the order of the draw (True: wrong).

    >>> most_wrong(10, [False] * 7)
    2

    Raises:
        UsageError: the population or the confidence is out of range, or there are more labels than members.
    """
    bound = Bound(population, confidence)
    for each in wrong:
        bound.see(wrong=each)
    return bound.most


def _log_falling(a: float, n: int) -> float:
    """Return the logarithm of a (a - 1) ... (a - n + 1), whose factors are all above 0."""
    low = a - n + 1
    if low < _SMALL:
        return math.lgamma(a + 1) - math.lgamma(low)
    high = a + 1  # Stirling's series of both, subtracted before the large terms are made
    return (low - 0.5) * math.log1p(n / low) + n * math.log(high) - n + (1 / high - 1 / low) / 12
