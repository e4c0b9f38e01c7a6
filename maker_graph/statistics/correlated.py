"""The formulas of `independent.py` for correlated errors: some steps are harder than others.

Each step has its own error rate, theta, and its samples err independently at that rate. Over the steps, theta is drawn
from a Beta distribution with mean 1 - p and the within-step correlation rho: w = 1/rho - 1, alpha = (1 - p) w, beta = p w.
Then two samples of one step are both wrong with probability (1-p)^2 + rho p (1-p). With rho = 0 this is the paper's case. The
paper's own million-step run fits p = 1 - 2.26e-4 with rho from .004 to .007 (derived from Fig. 8 of arXiv 2511.09030).

The race of one step with a given theta is in `race.py`. Here it is averaged over theta. The result differs from that for
independent errors in kind. A larger k makes it only more certain that a step with theta > 1/2 is decided wrongly. So `p_wrong`
never falls below the share of these steps (`floor`).

How it is computed. In x = ln(theta / (1 - theta)) the density is proportional to e^(alpha x) / (1 + e^x)^(alpha + beta). It is
analytic around the real axis, so the trapezoid rule over the whole line converges exponentially. Its error is about
e^(-2 pi d/h), where d is the distance from the axis up to which the integrand stays bounded, pi/k in a race to k. Far out the
density is a pure exponential, e^(alpha x) or e^(-beta x), so the terms of the rule are a geometric series, and alpha = 1e-6
costs no more than alpha = 1. Each integral is divided by the integral of the density, computed by the same rule. So no Beta
function is needed, which would lose digits at large parameters.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from maker_graph.core.checks import whole
from maker_graph.statistics import independent
from maker_graph.statistics.race import (
    all_right,
    check_rho,
    check_steps,
    check_target,
    extra_votes,
    least,
    log_odds_of_wrong,
    log_share,
    log_wrong,
    softplus,
)

MOST_K = 1_000
"""With correlated errors no larger k is looked for, because nobody draws a thousand samples a step."""

_SMALL = 1e-17  # a sum ends at a term that is smaller than this share of the sum so far
_FLAT = 34.0  # e^-34 is negligible compared with 1
_POINT = 1e12  # with larger alpha and beta all steps are alike: p_wrong would change by a share of k^2 / 1e12


def p_wrong(p: float, k: int, *, rho: float, rival: float = 1.0) -> float:
    """Return the probability that one step is decided wrongly, if errors are correlated within steps, to 8 digits or more.

    It is E[1 / (1 + ((1-theta)/theta)^k)], the paper's Eq. 9 (arXiv 2511.09030) averaged over the steps. `p_sub` explains the
    arguments.

    >>> f"{p_wrong(1 - 2.26e-4, 3, rho=0.0):.3g}, {p_wrong(1 - 2.26e-4, 3, rho=0.005):.3g}"
    '1.16e-11, 1.26e-08'

    Raises:
        UsageError: p, k, rho or rival is out of range.
    """
    whole("k", k)
    f, steps = log_share(rival, "rival"), _steps(p, rho)
    if steps is None:
        return independent.p_wrong(p, k, rival=rival)
    log_density = steps.log_density()

    def slope(x: float) -> float:
        return steps.slope(x) + k * math.exp(-softplus(k * (x + f) - f))

    peak = _peak(slope, steps.centre)
    top = log_density(peak) + log_wrong(peak, k, f)

    def term(x: float) -> float:
        return math.exp(log_density(x) + log_wrong(x, k, f) - top)

    h = min(0.25 / math.sqrt(1 + min(steps.alpha + k, steps.beta)), 0.7 / k)
    integral = _integral(term, peak, h, (steps.left, steps.alpha + k), (steps.right - f, steps.beta))
    return min(1.0, math.exp(top + math.log(integral / _mass(steps))))


def p_sub(p: float, k: int, *, rho: float, rival: float = 1.0) -> float:
    """Return the probability that one step is decided rightly, if errors are correlated within steps.

    This is the paper's Eq. 9 (arXiv 2511.09030), averaged over the steps. Some steps are harder than others: each has its own
    error rate, and these rates follow a Beta distribution (Skellam, J. R. Stat. Soc. B 10, 1948). With rho = 0 it equals
    `p_sub`, the formula for independent errors.

    >>> from maker_graph import p_sub, p_sub_correlated
    >>> round(p_sub(0.9, 3), 5), round(p_sub_correlated(0.9, 3, rho=0.0), 5), round(p_sub_correlated(0.9, 3, rho=0.1), 5)
    (0.99863, 0.99863, 0.98591)

    Args:
        p: the chance that a sample without a red flag is right, over all steps; above 0 and at most 1.
        k: the lead that decides, at least 1.
        rho: the correlation of the errors of two samples of one step, at least 0 and below 1.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: p, k, rho or rival is out of range.
    """
    return 1.0 - p_wrong(p, k, rho=rho, rival=rival)


def p_full(p: float, k: int, steps: float, *, rho: float, rival: float = 1.0) -> float:
    """Return the probability that all `steps` are decided rightly, if errors are correlated within steps: p_sub^steps.

    This is the paper's Eq. 13 (arXiv 2511.09030) with the p_sub of correlated errors (`p_sub_correlated`). With rho = 0 it
    equals `p_full`, the formula for independent errors.

    >>> from maker_graph import p_full, p_full_correlated
    >>> round(p_full(1 - 0.0022, 3, 2**20 - 1), 3), round(p_full_correlated(1 - 0.0022, 3, 2**20 - 1, rho=0.005), 3)
    (0.989, 0.809)

    Args:
        p: the chance that a sample without a red flag is right, over all steps; above 0 and at most 1.
        k: the lead that decides, at least 1.
        steps: the number of steps of the task, at least 1.
        rho: the correlation of the errors of two samples of one step, at least 0 and below 1.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: p, k, steps, rho or rival is out of range.
    """
    return all_right(p_wrong(p, k, rho=rho, rival=rival), check_steps(steps))


def expected_votes(p: float, k: int, *, rho: float, rival: float = 1.0) -> float:
    """Return the expected votes until one step is decided, if errors are correlated within steps.

    This is the paper's Eq. 16 (arXiv 2511.09030), averaged over the steps. Each step has its own error rate theta, and these
    rates follow a Beta distribution: E[k tanh(kx/2) / tanh(x/2)], x = ln(theta / (1 - theta)). It is exact for a `rival` of 1,
    and an estimate below. Samples with a red flag are no votes and come on top. With rho = 0 it equals `expected_votes`.

    >>> from maker_graph import expected_votes, expected_votes_correlated
    >>> round(expected_votes(0.9, 3), 3), round(expected_votes_correlated(0.9, 3, rho=0.1), 3)
    (3.74, 3.899)

    Args:
        p: the chance that a sample without a red flag is right, over all steps; above 0 and at most 1.
        k: the lead that decides, at least 1.
        rho: the correlation of the errors of two samples of one step, at least 0 and below 1.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: p, k, rho or rival is out of range.
    """
    whole("k", k)
    f, steps = log_share(rival, "rival"), _steps(p, rho)
    if steps is None or k == 1:
        return independent.expected_votes(p, k, rival=rival)
    log_density = steps.log_density()

    def term(x: float) -> float:
        return math.exp(log_density(x)) * extra_votes(x, k, f)

    h = min(0.25 / math.sqrt(1 + min(steps.alpha + 1, steps.beta)), 0.7 / k)
    integral = _integral(term, steps.centre, h, (steps.left, steps.alpha + 1), (steps.right - f, steps.beta))
    return k * (1.0 + integral / _mass(steps))


def floor(p: float, *, rho: float, rival: float = 1.0) -> float:
    """Return the share of steps that no k decides rightly: P(theta > 1/2), or P(f theta > 1 - theta) with a `rival` f below 1.

    `p_wrong` falls towards this share as k grows. A step on which the right answer and its rivals are equally likely is decided
    by chance, and counts with the chance that it is decided wrongly: one half at theta = 1/2.

    >>> f"{floor(0.9, rho=0.1):.3g}"
    '0.00292'
    >>> floor(0.5, rho=0.0), floor(0.6, rho=0.0)
    (0.5, 0.0)

    Raises:
        UsageError: p, rho or rival is out of range.
    """
    f, steps = log_share(rival, "rival"), _steps(p, rho)
    if steps is None:
        behind = log_odds_of_wrong(p) + f
        return math.exp(-softplus(f)) if behind == 0 else float(behind > 0)
    beyond = steps.centre < -f
    tail = _tail(steps, -f, 1 if beyond else -1)
    return tail if beyond else 1.0 - tail


def k_min(p: float, steps: float, target: float, *, rho: float, rival: float = 1.0) -> int | None:
    """Return the least k that reaches `target`, if errors are correlated within steps; None if no k will do.

    This is the paper's Eq. 14 (arXiv 2511.09030) with the chance of `p_full_correlated`. At steps on which samples are wrong
    more often than right, a larger k does not help. If there are too many such steps, no k reaches the target. No k above 1,000
    is tried. With rho = 0 it equals `k_min`, the formula for independent errors.

    >>> from maker_graph import k_min, k_min_correlated
    >>> k_min(1 - 0.0022, 1_000_000, 0.95), k_min_correlated(1 - 0.0022, 1_000_000, 0.95, rho=0.005)
    (3, 4)
    >>> print(k_min_correlated(0.9, 1_000_000, 0.95, rho=0.1))
    None

    Args:
        p: the chance that a sample without a red flag is right, over all steps; above 0 and at most 1.
        steps: the number of steps of the task, at least 1.
        target: the least chance that no step is wrong, between 0 and 1.
        rho: the correlation of the errors of two samples of one step, at least 0 and below 1.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: p, steps, rho or rival is out of range, or target is not between 0 and 1.
    """
    # If p > 1/2, p_wrong falls with each k, because the density at x > 0 is below the density at -x. It falls towards `floor`.
    check_target(target)

    def reaches(k: int) -> bool:
        return p_full(p, k, steps, rho=rho, rival=rival) >= target

    if reaches(1):
        return 1
    if all_right(floor(p, rho=rho, rival=rival), check_steps(steps)) < target:
        return None
    if _steps(p, rho) is None:
        return independent.k_min(p, steps, target, rival=rival)
    k = least(lambda k: k > MOST_K or reaches(k), 2)
    return k if k <= MOST_K else None


class _Steps(NamedTuple):
    """The distribution of theta over the steps, as a density of x; beyond `left` and `right` its tails are exponentials."""

    p: float
    weight: float
    alpha: float
    beta: float
    centre: float
    left: float
    right: float

    def log_density(self) -> Callable[[float], float]:
        """Return the logarithm of the density, as a function of x, relative to that at the centre, where it is largest."""
        weight, centre = self.weight, self.centre
        side, share = (1.0, 1.0 - self.p) if self.p >= 0.5 else (-1.0, self.p)

        def log_density(x: float) -> float:
            apart = side * (x - centre)
            fall = math.log1p(share * math.expm1(apart)) if apart < 100 else apart + math.log(share)
            return weight * (share * apart - fall)

        return log_density

    def slope(self, x: float) -> float:
        """Return the derivative of `log_density` at `x`."""
        return self.alpha - self.weight * math.exp(-softplus(-x))


def _steps(p: float, rho: float) -> _Steps | None:
    """Return the distribution of the steps' error rates, or None if all steps are alike."""
    check_rho(rho)
    centre = log_odds_of_wrong(p)
    if rho == 0 or p == 1:
        return None
    weight = 1 / rho - 1
    alpha, beta = (1.0 - p) * weight, p * weight
    if min(alpha, beta) > _POINT:
        return None
    edge = _FLAT + math.log1p(weight)
    return _Steps(p, weight, alpha, beta, centre, -edge, edge)


def _mass(steps: _Steps) -> float:
    """Return the integral of the density."""
    log_density = steps.log_density()
    h = 0.25 / math.sqrt(1 + min(steps.alpha, steps.beta))
    return _integral(lambda x: math.exp(log_density(x)), steps.centre, h, (steps.left, steps.alpha), (steps.right, steps.beta))


def _tail(steps: _Steps, x: float, side: int) -> float:
    """Return the probability beyond `x` on this `side`, +1 or -1, on which the density falls.

    It is integrated over y = ln(distance from x), which runs over the whole line, so that the trapezoid rule converges again.
    """
    log_density = steps.log_density()
    top = log_density(x)

    def term(y: float) -> float:
        return math.exp(log_density(x + side * math.exp(y)) - top + y)

    fall, bend = abs(steps.slope(x)), steps.weight * math.exp(-softplus(x) - softplus(-x))
    start = math.log(2 / (fall + math.sqrt(fall * fall + 4 * bend)))
    integral = _integral(term, start, 0.1, (start - _FLAT, 1.0), (start + _FLAT, 1.0))
    return math.exp(top) * integral / _mass(steps)


def _peak(slope: Callable[[float], float], low: float) -> float:
    """Return about where the falling function `slope` is 0; at `low` it is not below 0."""
    width = 1.0
    while slope(low + width) > 0:
        low, width = low + width, 2 * width
    for _ in range(30):
        width /= 2
        low += width if slope(low + width) > 0 else 0.0
    return low


def _integral(
    term: Callable[[float], float], start: float, h: float, left: tuple[float, float], right: tuple[float, float]
) -> float:
    """Return the integral of `term` over the whole line, by the trapezoid rule with step `h`.

    The sum goes outwards from `start`, near the peak. It ends where a term is negligible, or at a limit beyond which the
    integrand falls exponentially at a known rate. `left` and `right` are (limit, rate).
    """
    total = term(start)
    for side, (limit, rate) in ((-1, left), (1, right)):
        n = max(0, int(side * (limit - start) / h))
        for i in range(1, n + 1):
            value = term(start + side * i * h)
            total += value
            if value < _SMALL * total:
                break
        else:
            total += term(start + side * (n + 1) * h) / -math.expm1(-rate * h)
    return total * h
