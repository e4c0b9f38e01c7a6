"""One step's race between the right answer and the wrong ones, in log-odds. All planning is built on it.

A valid sample of the step is right with probability p and wrong with theta = 1 - p. Everything is written in
x = ln(theta / (1 - theta)), the log-odds of a wrong sample, because powers of p would lose digits.

Wrong answers may scatter. `rival` = f is the share of the wrong samples that give the most frequent wrong answer, so that its
probability is r = f theta; f = 1 is the paper's worst case, a single rival that every wrong sample votes for.

Wrong decisions. Let r_j be the probabilities of the wrong answers. Take a sequence of votes that j wins, d >= k ahead of the
right answer. If the right answer and j are swapped in it, the right answer wins, and the sequence is (p/r_j)^d times as likely.
So for r <= p, P(wrong) / P(right) <= sum (r_j/p)^k. As sum r_j = theta and no r_j is above r, this is at most (r/p)^k / f:

    P(wrong) <= 1 / (1 + f (p/r)^k) = 1 / (1 + e^(ln f - k (x + ln f))).

This is exact for f = 1, where it is the paper's Eq. 9, and for k = 1, where it is theta. Otherwise it is a bound that holds for
any way in which the other wrong answers scatter. Voting works below p = 1/2 too, as long as r < p. If r > p, the formula is an
estimate: simulated races are up to 4 points worse with rivals of equal strength, and better with a single one.

Votes. For f = 1 they are exactly k tanh(kx/2) / tanh(x/2) (Eq. 16), and for k = 1 exactly 1. Otherwise they are estimated from
the race of the right answer and the rival, u = x + ln f, in which a share o = theta - r of the votes is for neither:

    votes ~ k tanh(ku/2) / tanh(u/2) * (1 + o) / (1 - o).

The factor 1 / (1 - o) stands for the votes for neither. The factor 1 + o stands for races in which another wrong answer is the
last to be left behind, and is right to first order in theta. Simulated races up to k = 8 need as many votes or up to 9 % fewer
for p >= .6, and between 5 % more and 20 % fewer for p from .2 on. `tests/statistics/test_race.py` computes some races vote by
vote.
"""

import math
from collections.abc import Callable

from maker_graph.errors import UsageError


def log_wrong(x: float, k: int, log_rival: float = 0.0) -> float:
    """Return ln P(wrong) of one step whose samples have the log-odds `x` to be wrong; `log_rival` is ln f.

    >>> round(math.exp(log_wrong(math.log(0.1 / 0.9), 3)), 6)
    0.00137
    """
    return -softplus(log_rival - k * (x + log_rival))


def extra_votes(x: float, k: int, log_rival: float = 0.0) -> float:
    """Return votes / k - 1: the votes that a step needs beyond the k votes of an uncontested race, as a share of k.

    >>> round(3 * (1 + extra_votes(math.log(0.1 / 0.9), 3)), 3)
    3.74
    """
    if k == 1:
        return 0.0
    apart = abs(x + log_rival)
    doubt = k - 1.0  # tanh(ku/2) / tanh(u/2) - 1, without the difference
    if apart > 0:
        doubt = 2 * math.exp(-apart) * math.expm1((1 - k) * apart) / (math.expm1(-apart) * (1 + math.exp(-k * apart)))
    theta = math.exp(-softplus(-x))
    others = -math.expm1(log_rival) * theta
    racing = math.exp(-softplus(x)) + math.exp(log_rival) * theta  # 1 - others, without the difference
    return (doubt * (1 + others) + 2 * others) / racing


def log_odds_of_wrong(p: float) -> float:
    """Return ln((1 - p) / p).

    Raises:
        UsageError: p is not above 0 and at most 1.
    """
    if not 0.0 < p <= 1.0:
        raise UsageError(f"p must be above 0 and at most 1, not {p!r}.")
    return -math.inf if p == 1.0 else math.log1p(-p) - math.log(p)


def softplus(x: float) -> float:
    """Return ln(1 + e^x), also where e^x overflows."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def all_right(wrong: float, steps: float) -> float:
    """Return (1 - wrong)^steps, computed so that a small `wrong` keeps its digits.

    >>> all_right(1e-20, 1e18)
    0.9900498337491681
    """
    return 0.0 if wrong >= 1 else math.exp(steps * math.log1p(-wrong))


def least(reaches: Callable[[int], bool], guess: int) -> int:
    """Return the least k of at least 1 for which `reaches` is true. There must be one, and all larger k must reach too.

    The search moves away from the guess in doubling strides, and then halves the range that is left.

    >>> least(lambda k: k >= 1000, guess=7)
    1000
    """
    low, high, stride = guess - 1, guess, 1
    while not reaches(high):
        low, high, stride = high, high + stride, 2 * stride
    while low > 0 and reaches(low):
        low, high, stride = max(0, low - stride), low, 2 * stride
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def check_rho(rho: float) -> float:
    """Return `rho`, a correlation of errors.

    Raises:
        UsageError: it is not at least 0 and below 1.
    """
    if not 0.0 <= rho < 1.0:
        raise UsageError(f"rho must be at least 0 and below 1, not {rho!r}.")
    return rho


def check_steps(steps: float) -> float:
    """Return `steps` as a float.

    Raises:
        UsageError: it is below 1, or more than a float holds.
    """
    if not steps >= 1:
        raise UsageError(f"steps must be at least 1, not {steps!r}.")
    try:
        return float(steps)
    except OverflowError:
        raise UsageError("steps is too large to be planned for: give a number that a float can hold.") from None


def check_target(target: float) -> float:
    """Return `target`, a probability to be reached.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0.0 < target < 1.0:
        raise UsageError(f"The target must lie between 0 and 1, not {target!r}.")
    return target


def log_share(share: float, name: str) -> float:
    """Return ln `share`.

    Raises:
        UsageError: the share is not above 0 and at most 1.
    """
    if not 0.0 < share <= 1.0:
        raise UsageError(f"{name} must be above 0 and at most 1, not {share!r}.")
    return math.log(share)
