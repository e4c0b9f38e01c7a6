"""The formulas for first to k and for a majority of n votes, for comparison with ahead by k (`independent.py`).

The rules are in `core/rules.py`. The formulas are for a single rival, the paper's worst case, and for independent samples. If
wrong answers scatter, the right one wins at least as often. A fixed majority then needs the same n votes, and first to k needs
a few more.
"""

import math
from typing import NamedTuple

from maker_graph.core.checks import whole
from maker_graph.statistics.race import log_odds_of_wrong, softplus


class Outcome(NamedTuple):
    """How a vote ends: the probabilities that it decides rightly and wrongly (the rest is hung), and the expected votes."""

    right: float
    wrong: float
    votes: float


def first_to(p: float, k: int) -> Outcome:
    """Return the outcome of first-to-k (paper, section 4.4), which sums over the votes j that the loser has by then.

    right = sum over j < k of C(k-1+j, j) p^k (1-p)^j.

    >>> [round(number, 4) for number in first_to(0.9, 3)]
    [0.9914, 0.0086, 3.3186]

    Raises:
        UsageError: p is not above 0 and at most 1, or k is below 1.
    """
    log_p, log_q = _logs(p)
    whole("k", k)
    right, wrong = ([_term(k - 1 + j, j, k, win, lose) for j in range(k)] for win, lose in ((log_p, log_q), (log_q, log_p)))
    votes = math.fsum((k + j) * (yes + no) for j, (yes, no) in enumerate(zip(right, wrong, strict=True)))
    return Outcome(math.fsum(right), math.fsum(wrong), votes)


def majority(p: float, n: int) -> Outcome:
    """Return the outcome of a majority of exactly n votes, hung at n/2 each; right = P(Bin(n, p) > n/2).

    >>> [round(number, 4) for number in majority(0.9, 5)]
    [0.9914, 0.0086, 5.0]

    Raises:
        UsageError: p is not above 0 and at most 1, or n is below 1.
    """
    log_p, log_q = _logs(p)
    losers = range((whole("n", n) + 1) // 2)
    right, wrong = (math.fsum(_term(n, j, n - j, win, lose) for j in losers) for win, lose in ((log_p, log_q), (log_q, log_p)))
    return Outcome(right, wrong, float(n))


def _logs(p: float) -> tuple[float, float]:
    x = log_odds_of_wrong(p)
    return -softplus(x), -softplus(-x)


def _term(of: int, losing: int, winning: int, win: float, lose: float) -> float:
    """Return C(of, losing) e^(winning win + losing lose)."""
    ways = math.lgamma(of + 1) - math.lgamma(losing + 1) - math.lgamma(of - losing + 1)
    return math.exp(ways + winning * win + (losing * lose if losing else 0.0))
