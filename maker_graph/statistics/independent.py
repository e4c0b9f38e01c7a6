"""The paper's formulas, for independent errors: what a lead of k achieves and costs (arXiv 2511.09030, Eqs. 9 to 20).

They assume that the samples of a step err independently, and the worst case of one rival: every wrong sample gives the
same wrong answer. All are written in the log-odds of a sample, L = ln(p / (1 - p)), because powers of p would lose digits:
p_sub = 1 / (1 + e^(-kL)), and expected votes = k tanh(kL/2) / tanh(L/2).

There are two further settings. `rival` is the share of the wrong samples that give the most frequent wrong answer. With 1 it is
the paper's worst case; below 1, the top of `race.py` says what is exact and what is a bound. `m` is the number of steps that
one sample answers. The cost grows exponentially with it, so maker_graph asks for one step at a time.

The errors of one real step are correlated. `correlated.py` has the same formulas for correlated errors.
"""

import math

from maker_graph.core.checks import whole
from maker_graph.errors import UsageError
from maker_graph.statistics.race import (
    all_right,
    check_steps,
    check_target,
    extra_votes,
    least,
    log_odds_of_wrong,
    log_share,
    log_wrong,
    softplus,
)


def p_sub(p: float, k: int, *, rival: float = 1.0) -> float:
    """Return the probability that one step is decided rightly, if errors are independent: 1 / (1 + ((1-p)/p)^k).

    This is the paper's Eq. 9 (arXiv 2511.09030). If some steps are harder than others, it promises too much: see
    `p_sub_correlated`. With a `rival` below 1, the result is the lower bound 1 / (1 + (r/p)^k / rival), where r = rival (1 - p)
    is the probability of the most frequent wrong answer.

    >>> round(p_sub(0.9, 3), 6)
    0.99863
    >>> round(p_sub(0.45, 3, rival=0.4), 3)  # however the other wrong answers scatter
    0.774

    Args:
        p: the chance that a sample without a red flag is right, above 0 and at most 1.
        k: the lead that decides, at least 1.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: p, k or rival is out of range.
    """
    f = log_share(rival, "rival")
    return math.exp(-softplus(whole("k", k) * (log_odds_of_wrong(p) + f) - f))


def p_wrong(p: float, k: int, *, rival: float = 1.0) -> float:
    """Return the probability that one step is decided wrongly, if errors are independent: 1 - `p_sub`, exact also if tiny.

    >>> f"{p_wrong(1 - 1e-6, 3):.9g}"
    '1.000003e-18'

    Raises:
        UsageError: p, k or rival is out of range.
    """
    f = log_share(rival, "rival")
    return math.exp(log_wrong(log_odds_of_wrong(p), whole("k", k), f))


def p_full(p: float, k: int, steps: float, *, m: float = 1, rival: float = 1.0) -> float:
    """Return the probability that all `steps` are decided rightly, if errors are independent: p_sub^(steps/m).

    This is the paper's Eq. 13 (arXiv 2511.09030). If some steps are harder than others, it promises too much: see
    `p_full_correlated`.

    >>> round(p_full(0.99, 4, 1_000_000), 4)
    0.9896

    Args:
        p: the chance that a sample without a red flag is right, above 0 and at most 1.
        k: the lead that decides, at least 1.
        steps: the number of steps of the task, at least 1.
        m: how many steps one sample answers, at least 1 and at most `steps`. maker_graph itself asks for one at a time.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: p, k, steps, m or rival is out of range.
    """
    return all_right(p_wrong(p, k, rival=rival), _subtasks(steps, m))


def k_real(p: float, steps: float, target: float, *, m: float = 1, rival: float = 1.0) -> float:
    """Return the unrounded k at which `p_full` equals `target` (Eq. 14): ln(target^(-m/steps) - 1) / ln((1-p)/p).

    It grows with ln steps, at a rate of 1 / ln(p/(1-p)) (the paper's appendix B). With a `rival` below 1 it is
    ln((target^(-m/steps) - 1) rival) / ln(r/p), r = rival (1 - p).

    >>> round(k_real(1 - 0.3571, 2**20 - 1, 0.95), 2)
    28.63

    Raises:
        UsageError: p is at most 1/2 (then no k helps against a single rival), or is at most r if `rival` is below 1; target is
            not between 0 and 1; or steps, m or rival is out of range.
    """
    f = log_share(rival, "rival")
    loss = -math.log(check_target(target)) / _subtasks(steps, m)  # -ln of the probability that each subtask must reach
    behind = log_odds_of_wrong(p) + f if p != 0 else math.inf
    if behind >= 0:
        raise UsageError(f"At p = {p!r} a rival is at least as likely as the right answer: no k reaches the target.")
    # ln(e^loss - 1), for a loss that may be tiny or huge
    odds = math.log(math.expm1(loss)) if loss < 1 else loss + math.log1p(-math.exp(-loss))
    return (odds + f) / behind


def k_min(p: float, steps: float, target: float, *, m: float = 1, rival: float = 1.0) -> int:
    """Return the least k that reaches `target`, the chance that no step is wrong, if errors are independent.

    This is the paper's Eq. 14 (arXiv 2511.09030) with the chance of `p_full`. If some steps are harder than others, a larger k
    is needed, or no k will do: see `k_min_correlated`.

    For a million steps, a chance of .95, and samples of which 22 in 10,000 are wrong:

    >>> k_min(1 - 0.0022, 1_000_000, 0.95)
    3

    Args:
        p: the chance that a sample without a red flag is right, above 0 and at most 1.
        steps: the number of steps of the task, at least 1.
        target: the least chance that no step is wrong, between 0 and 1.
        m: how many steps one sample answers, at least 1 and at most `steps`. maker_graph itself asks for one at a time.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: a number is out of range. Or no k reaches the target, because the right answer is not more likely than the
            most frequent wrong one. With a `rival` of 1, that is at p of at most 1/2.
    """
    about = max(1, math.ceil(k_real(p, steps, target, m=m, rival=rival)))
    return least(lambda k: p_full(p, k, steps, m=m, rival=rival) >= target, about)


def expected_votes(p: float, k: int, *, rival: float = 1.0) -> float:
    """Return the expected votes until one step is decided, if errors are independent: (2 k p_sub - k) / (2p - 1).

    This is the paper's Eq. 16 (arXiv 2511.09030). It is exact for a `rival` of 1, and an estimate below. If some steps are
    harder than others, see `expected_votes_correlated`. Samples with a red flag are no votes, so they come on top.

    >>> [round(expected_votes(0.9, k), 3) for k in (1, 2, 3, 4, 5)]
    [1.0, 2.439, 3.74, 4.998, 6.25]

    Args:
        p: the chance that a sample without a red flag is right, above 0 and at most 1.
        k: the lead that decides, at least 1.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. 1 is the worst
            case.

    Raises:
        UsageError: p, k or rival is out of range.
    """
    return whole("k", k) * (1.0 + extra_votes(log_odds_of_wrong(p), k, log_share(rival, "rival")))


def sample_cost(input_tokens: float, output_tokens: float, input_price: float, output_price: float) -> float:
    """Return what one sample costs in USD (Eq. 20): c_in n_in + c_out n_out, with the prices in USD per million tokens.

    >>> round(sample_cost(590, 538, 0.4, 1.6), 6)  # gpt-4.1-mini
    0.001097

    Raises:
        UsageError: a number is below 0.
    """
    if not all(number >= 0 for number in (input_tokens, output_tokens, input_price, output_price)):
        raise UsageError("Tokens and prices must be at least 0.")
    return (input_price * input_tokens + output_price * output_tokens) / 1e6


def expected_samples(p: float, k: int, steps: float, *, m: float = 1, valid: float = 1.0, rival: float = 1.0) -> float:
    """Return the samples that the whole task is expected to draw (Eqs. 15, 17 and 19): steps/m * votes / (valid p^(m-1)).

    A sample is a vote if it has no red flag, which has probability `valid`, and if all of its `m` steps before the last are
    right, which is the paper's worst case. The result is inf if it is too large for a float.

    >>> round(expected_samples(0.9, 3, 1000))
    3740
    >>> round(expected_samples(0.9, 3, 1000, m=10, valid=0.968))
    997

    Raises:
        UsageError: p, k, steps, m, valid or rival is out of range.
    """
    votes = expected_votes(p, k, rival=rival)
    useful = log_share(valid, "valid") + (m - 1) * log_share(p, "p")
    try:
        return _subtasks(steps, m) * votes * math.exp(-useful)
    except OverflowError:
        return math.inf


def expected_cost(
    p: float, k: int, steps: float, per_step: float, *, m: float = 1, valid: float = 1.0, rival: float = 1.0
) -> float:
    """Return what the whole task is expected to cost (Eqs. 17 and 19): c steps votes / (valid p^(m-1)).

    `per_step` is c, the cost to generate the answer to one step once, so that a sample costs m c. The result has the unit of
    `per_step`: USD, as from `sample_cost`, or tokens.

    >>> per_sample = sample_cost(590, 538, 0.4, 1.6)
    >>> round(expected_cost(1 - 0.0022, 3, 2**20 - 1, per_sample))
    3465

    Raises:
        UsageError: p, k, steps, m, valid or rival is out of range.
    """
    return expected_samples(p, k, steps, m=m, valid=valid, rival=rival) * m * per_step


def _subtasks(steps: float, m: float) -> float:
    steps = check_steps(steps)
    if not 1 <= m <= steps:
        raise UsageError(f"m must be at least 1 and at most the number of steps, not {m!r}.")
    return steps / m
