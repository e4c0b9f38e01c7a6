"""What labelled steps prove about any model: bounds on the share of decided steps that are wrong.

The labelled steps are drawn at random from the source, and each gets one fresh ballot. Given how many of them were decided, the
number of wrong ones among them is binomial. Nothing is assumed about the model, the correlation of its errors, or its samples.

Bound. The bound is the upper end of Clopper and Pearson's interval (Biometrika 26, 1934). It is the largest risk under which
the chance of so few wrong steps is above 1 - confidence. It is for one rule that was fixed before the labels were seen.

Choosing. Several rules may be tested on the same labels, in an order that was fixed before and begins with the most cautious.
Each is tested at the full level, until one fails (fixed-sequence testing; Learn then Test, arXiv 2110.01052). A promise is
false only if the first rule in this order whose risk is above the limit passes its own test. That has a probability of at most
1 - confidence. So all rules before the first failure keep the limit together. Tests may also begin at a second place, if the
places share 1 - confidence between them (the fallback procedure, Wiens, Pharm. Stat. 2, 2003). Then later rules have a chance
even if the first ones decide too little to prove anything. For the chosen rule, only the limit is proved. The bound from its
own counts is lower, but it is no proof, because the rule was chosen by these counts.

Adding labels. If you look at the bound, add labels and look again, a false promise gets many chances. An e-value allows it
(Ville's inequality; Waudby-Smith and Ramdas, arXiv 2010.09686). It is the wealth of a gambler who bets against the claim "the
risk is at least `limit`". If the claim is true, the wealth does not grow on average, so it ever exceeds 1 / (1 - confidence) in
at most 1 - confidence of the cases. The gambler shares the stake among guesses of the true risk, each a multiple of the limit
(`GUESSES`). A guess q gains q / limit at each wrong step and (1 - q) / (1 - limit) at each right one. So the wealth depends on
the counts alone, and not on their order.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from maker_graph.errors import UsageError
from maker_graph.statistics.race import least

CONFIDENCE = 0.95
"""The confidence of a bound by default."""

GUESSES: tuple[tuple[float, float], ...] = (
    (0.0, 0.5),
    *((multiple, 0.1) for multiple in (0.125, 0.25, 0.375, 0.5, 0.625)),
)
"""The guesses of an e-value: the true risk as a multiple of the limit, and its share of the stake."""

MOST_WRONG = 10_000
"""If a proof may need more wrong labels than this, the target is too near to the risk to be proved."""


class Counts(NamedTuple):
    """How many decided steps were wrong according to their labels, and how many decided steps were labelled."""

    wrong: int
    decided: int


def upper_bound(wrong: int, decided: int, confidence: float = CONFIDENCE) -> float:
    """Return an exact upper bound on the share of wrong decisions, if `wrong` of `decided` labelled ones were wrong.

    >>> round(upper_bound(9, 980), 4), round(upper_bound(0, 59), 4), upper_bound(3, 3)
    (0.016, 0.0495, 1.0)

    Raises:
        UsageError: a number is out of range.
    """
    _check(wrong, decided, confidence)
    if wrong == decided:
        return 1.0
    if wrong == 0:
        return -math.expm1(math.log1p(-confidence) / decided)
    return _root(lambda risk: at_most(wrong, decided, risk) > 1 - confidence, wrong / decided)


def at_most(wrong: int, decided: int, risk: float) -> float:
    """Return the chance that at most `wrong` of `decided` steps are wrong, if each is wrong with the probability `risk`.

    >>> round(at_most(1, 3, 0.5), 3)
    0.5
    """
    if risk <= 0 or wrong >= decided:
        return 1.0
    if risk >= 1:
        return 0.0
    largest = min(wrong, math.floor((decided + 1) * risk))
    term = math.exp(
        math.lgamma(decided + 1)
        - math.lgamma(largest + 1)
        - math.lgamma(decided - largest + 1)
        + largest * math.log(risk)
        + (decided - largest) * math.log1p(-risk)
    )
    odds = risk / (1 - risk)
    below = _falling(term, lambda i: (largest - i) / ((decided - largest + i + 1) * odds), largest)
    above = _falling(term, lambda i: (decided - largest - i) * odds / (largest + i + 1), wrong - largest)
    return min(1.0, term + below + above)


def anytime_bound(wrong: int, decided: int, confidence: float = CONFIDENCE) -> float:
    """Return a bound like `upper_bound` that stays valid if it is looked at any number of times while labels are added.

    >>> round(anytime_bound(9, 980), 4), round(anytime_bound(0, 59), 4)
    (0.0212, 0.056)

    Raises:
        UsageError: a number is out of range.
    """
    _check(wrong, decided, confidence)
    if wrong == decided:
        return 1.0
    enough = -math.log1p(-confidence)
    return _root(lambda risk: log_e_value(wrong, decided, risk) < enough, 0.0)


def log_e_value(wrong: int, decided: int, limit: float) -> float:
    """Return the logarithm of the e-value against the claim that at least a share `limit` of the decisions is wrong.

    >>> round(math.exp(log_e_value(0, 100, 0.05)))
    103
    """
    if decided == 0:
        return 0.0
    if limit >= 1:
        return math.inf if wrong < decided else 0.0
    logs = []
    for multiple, stake in GUESSES:
        if multiple or not wrong:
            won = math.log1p(-multiple * limit) - math.log1p(-limit)
            logs.append(math.log(stake) + (decided - wrong) * won + (wrong * math.log(multiple) if wrong else 0.0))
    most = max(logs)
    return most + math.log(math.fsum(math.exp(log - most) for log in logs))


def bound_of(counts: Counts, confidence: float = CONFIDENCE, *, anytime: bool = False) -> float:
    """Return `anytime_bound` or `upper_bound` of these counts; 1 if nothing was decided.

    Raises:
        UsageError: a number is out of range.
    """
    if counts.decided == 0:
        return 1.0
    return (anytime_bound if anytime else upper_bound)(*counts, confidence)


def labels_needed(limit: float, *, wrong: int = 0, confidence: float = CONFIDENCE, anytime: bool = False) -> int:
    """Return the fewest decided labels, `wrong` of them wrong, for which the bound is at most `limit`.

    >>> [labels_needed(limit) for limit in (0.05, 0.02, 0.01)], labels_needed(0.02, wrong=2)
    ([59, 149, 299], 313)
    >>> [labels_needed(limit, anytime=True) for limit in (0.05, 0.02, 0.01)]
    [67, 169, 339]

    Raises:
        UsageError: a number is out of range.
    """
    check_limit(limit)
    _check(wrong, wrong + 1, confidence)

    def enough(decided: int) -> bool:
        if anytime:
            return log_e_value(wrong, decided, limit) >= -math.log1p(-confidence)
        return at_most(wrong, decided, limit) <= (1 - confidence) * (1 + 1e-12)

    return least(enough, wrong + 1)


def labels_at(counts: Counts, limit: float, *, confidence: float = CONFIDENCE, anytime: bool = False) -> int | None:
    """Return the fewest decided labels that prove `limit`, if the share of wrong ones is that of `counts`; None if none do.

    >>> labels_at(Counts(0, 20), 0.05), labels_at(Counts(2, 100), 0.05), labels_at(Counts(5, 100), 0.05)
    (59, 181, None)

    Raises:
        UsageError: a number is out of range.
    """
    if counts.wrong >= check_limit(limit) * counts.decided:
        return None

    def needed(wrong: int) -> int:
        return labels_needed(limit, wrong=wrong, confidence=confidence, anytime=anytime)

    def enough(wrong: int) -> bool:
        return counts.wrong * needed(wrong) <= wrong * counts.decided

    low, high = -1, 0
    while not enough(high):
        low, high = high, 2 * high + 1
        if high > MOST_WRONG:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return needed(high)


def proved_in_order(
    counts: Sequence[Counts],
    limit: float,
    *,
    shares: Sequence[float] | None = None,
    confidence: float = CONFIDENCE,
    anytime: bool = False,
) -> list[bool]:
    """Return for each rule whether it is proved that at most a share `limit` of its decisions is wrong.

    All of this is proved together, so that any proved rule may be chosen, also by what the labels show.

    >>> few, many = Counts(0, 20), Counts(0, 80)
    >>> proved_in_order([many, many, Counts(9, 120), many], 0.05)
    [True, True, False, False]
    >>> proved_in_order([few, many, many], 0.05, shares=[0.5, 0.5, 0])
    [False, True, True]

    Args:
        counts: the counts of each rule, in an order that was fixed before the labels were seen, the most cautious rule first.
        limit: the share of decisions that may be wrong.
        shares: for each rule, the share of 1 - confidence with which tests begin there. They add up to at most 1. None puts all
            of it at the first rule.
        confidence: the confidence with which all of this holds together.
        anytime: whether labels are added and the rules are tested again.

    Raises:
        UsageError: a number is out of range.
    """
    check_limit(limit)
    doubt = 1 - check_confidence(confidence)
    begins = [1.0, *[0.0] * len(counts)] if shares is None else shares
    proved, level = [], 0.0
    for each, share in zip(counts, begins, strict=shares is not None):
        level += share * doubt
        proved.append(level > 0 and bound_of(each, 1 - level, anytime=anytime) <= limit)
        level = level if proved[-1] else 0.0
    return proved


def chain_bound(risk: float, steps: int) -> float:
    """Return a bound on the chance that any of the `steps` of a chain is wrong, if the chance of each is at most `risk`.

    It is the sum (union bound), so nothing is assumed about how the steps depend on each other. The labelled steps must be
    drawn at random from chains without an error, because steps after a wrong one are different.

    >>> chain_bound(0.001, 50)
    0.05

    Raises:
        UsageError: a number is out of range.
    """
    if steps < 1:
        raise UsageError(f"A chain has at least one step, not {steps!r}.")
    return min(1.0, steps * risk)


def chain_labels(target: float, steps: int, *, confidence: float = CONFIDENCE, anytime: bool = False) -> int:
    """Return how many decided labels, all right, prove `target` for a chain: about 3 steps / (1 - target) at .95.

    >>> chain_labels(0.95, 1), chain_labels(0.95, 31), chain_labels(0.95, 1023)
    (59, 1856, 61292)

    Raises:
        UsageError: a number is out of range.
    """
    if steps < 1:
        raise UsageError(f"A chain has at least one step, not {steps!r}.")
    return labels_needed(limit_of(target) / steps, confidence=confidence, anytime=anytime)


def limit_of(target: float) -> float:
    """Return the share of decisions that may be wrong, 1 - `target`, without the rounding error of floats.

    >>> limit_of(0.98), limit_of(0.9)
    (0.02, 0.1)

    Raises:
        UsageError: the target is not between 0 and 1.
    """
    if not 0.0 < target < 1.0:
        raise UsageError(f"The target must lie between 0 and 1, not {target!r}: labels can prove nothing else.")
    return max(round(1 - target, 15), 5e-16)


def check_limit(limit: float) -> float:
    """Return `limit`, a share of wrong decisions.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0.0 < limit < 1.0:
        raise UsageError(f"The share that may be wrong must lie between 0 and 1, not {limit!r}.")
    return limit


def check_confidence(confidence: float) -> float:
    """Return `confidence`.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"The confidence must lie between 0 and 1, not {confidence!r}.")
    return confidence


def _check(wrong: int, decided: int, confidence: float) -> None:
    check_confidence(confidence)
    if decided < 1 or not 0 <= wrong <= decided:
        raise UsageError(
            f"{wrong!r} wrong of {decided!r} decided is not a count: decided must be at least 1, and wrong from 0 to decided."
        )


def _root(below: Callable[[float], bool], low: float) -> float:
    """Return where `below` turns from true to false, between `low` and 1: never below that point, at most a little above it."""
    high = 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high


def _falling(term: float, ratio: Callable[[int], float], most: int) -> float:
    """Return the sum of at most `most` terms after `term`, each `ratio(i)` times the one before; tiny terms end it."""
    terms = []
    for i in range(most):
        term *= ratio(i)
        terms.append(term)
        if term < 1e-18 * terms[0]:
            break
    return math.fsum(terms)
