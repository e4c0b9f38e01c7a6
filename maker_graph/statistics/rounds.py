"""How many parallel rounds a vote takes. Its time depends on them, because the samples of a round are drawn at once.

A round draws the n = k - |lead| samples that the leader still lacks (`core/rules.py`), so it ends a vote only if all of them
give the same answer. Between the right answer and a single rival the lead is a Markov chain on -k < d < k. The expected rounds
E solve E(d) = 1 + sum over net votes of P(net) E(d + net), which is done by iteration.
"""

from maker_graph.core.checks import whole
from maker_graph.statistics.race import log_odds_of_wrong, log_share

MOST_K = 64
"""For a larger k, the rounds of this k are returned. They are nearly as many, and a longer chain would take more time."""

_EXACT = 1e-9


def expected_rounds(p: float, k: int, *, valid: float = 1.0) -> float:
    """Return the expected rounds until a step is decided by a lead of `k`; `valid` is the share of samples without a red flag.

    >>> round(expected_rounds(0.9, 3), 2), expected_rounds(1.0, 3), round(expected_rounds(0.9642, 4, valid=0.97), 2)
    (1.37, 1.0, 1.26)

    Raises:
        UsageError: p, k or valid is out of range.
    """
    log_odds_of_wrong(p)
    log_share(valid, "valid")
    k = min(whole("k", k), MOST_K)
    nets = {n: _net(n, valid * p, valid * (1 - p)) for n in range(1, k + 1)}
    rounds = [1.0] * (2 * k - 1)  # of the leads from -(k - 1) to k - 1
    change = 1.0
    while change > _EXACT:
        change = 0.0
        for d in range(1 - k, k):
            net = nets[k - abs(d)]
            reach = len(net) // 2
            stay = net[reach]
            moved = sum(
                net[step + reach] * rounds[d + step + k - 1] for step in range(-reach, reach + 1) if step and abs(d + step) < k
            )
            new = (1 + moved) / (1 - stay)
            change = max(change, abs(new - rounds[d + k - 1]))
            rounds[d + k - 1] = new
    return rounds[k - 1]


def _net(n: int, right: float, wrong: float) -> list[float]:
    """Return the distribution of right minus wrong votes among n samples, from -n to n."""
    law = [1.0]
    for _ in range(n):
        longer = [0.0] * (len(law) + 2)
        for place, chance in enumerate(law):
            longer[place] += chance * wrong
            longer[place + 1] += chance * max(0.0, 1 - right - wrong)
            longer[place + 2] += chance * right
        law = longer
    return law
