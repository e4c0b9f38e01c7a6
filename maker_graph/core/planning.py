"""The paper's formulas: what k buys, and what it costs (arXiv 2511.09030, Eqs. 9 to 19).

They assume that the samples of a step err independently, and the worst case of one rival: every wrong sample gives the
same wrong answer. All are written in the log-odds of a sample, L = ln(p / (1 - p)), which keeps them exact where powers of
p lose their digits: p_sub = 1 / (1 + e^(-kL)), and expected votes = k tanh(kL/2) / tanh(L/2).
"""

import math

from maker_graph.errors import UsageError


def p_sub(p: float, k: int) -> float:
    """Return the probability that one step is decided rightly (Eq. 9): 1 / (1 + ((1-p)/p)^k).

    `p` is the probability that a valid sample is right, `k` the lead that decides.

    >>> round(p_sub(0.9, 3), 6)
    0.99863

    Raises:
        UsageError: p is not above 0 and at most 1, or k is below 1.
    """
    return math.exp(-_softplus(-_check_k(k) * _log_odds(p)))


def p_full(p: float, k: int, steps: float) -> float:
    """Return the probability that all `steps` are decided rightly (Eq. 13): p_sub^steps.

    >>> round(p_full(0.99, 4, 1_000_000), 4)
    0.9896

    Raises:
        UsageError: p, k or steps is out of range.
    """
    return math.exp(-_check_steps(steps) * _softplus(-_check_k(k) * _log_odds(p)))


def k_min(p: float, steps: float, target: float) -> int:
    """Return the least k with `p_full(p, k, steps) >= target` (Eq. 14, then checked at k and k - 1).

    >>> k_min(1 - 0.0022, 2**20 - 1, 0.95)
    3
    >>> k_min(1.0, 2**20 - 1, 0.95)
    1

    Raises:
        UsageError: p is at most 1/2 (no k helps against a single rival), or target is not between 0 and 1.
    """
    if not 0.0 < target < 1.0:
        raise UsageError(f"The target must lie between 0 and 1, not {target!r}.")
    if 0.0 <= p <= 0.5:
        raise UsageError(f"At p = {p!r} a rival is at least as likely as the right answer: no k reaches the target.")
    odds = _log_odds(p)
    if math.isinf(odds):
        return 1
    loss = -math.log(target) / _check_steps(steps)  # what a step may lose, in nats
    k = 1 if loss > 1 else max(1, math.ceil(-math.log(math.expm1(loss)) / odds))
    while p_full(p, k, steps) < target:
        k += 1
    while k > 1 and p_full(p, k - 1, steps) >= target:
        k -= 1
    return k


def expected_votes(p: float, k: int) -> float:
    """Return the expected votes until one step is decided (Eq. 16, exact): (2 k p_sub - k) / (2p - 1).

    >>> [round(expected_votes(0.9, k), 3) for k in (1, 2, 3, 4, 5)]
    [1.0, 2.439, 3.74, 4.998, 6.25]

    Raises:
        UsageError: p or k is out of range.
    """
    odds, k = _log_odds(p), _check_k(k)
    if odds == 0:
        return float(k * k)
    return k * math.tanh(k * odds / 2) / math.tanh(odds / 2)


def _log_odds(p: float) -> float:
    if not 0.0 < p <= 1.0:
        raise UsageError(f"p must be above 0 and at most 1, not {p!r}.")
    return math.inf if p == 1.0 else math.log(p) - math.log1p(-p)


def _softplus(x: float) -> float:
    """Return ln(1 + e^x), also where e^x overflows."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _check_k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UsageError(f"k must be a whole number of at least 1, not {k!r}.")
    return k


def _check_steps(steps: float) -> float:
    if not steps >= 1:
        raise UsageError(f"steps must be at least 1, not {steps!r}.")
    try:
        return float(steps)
    except OverflowError:
        raise UsageError("So many steps cannot be planned for, nor taken.") from None
