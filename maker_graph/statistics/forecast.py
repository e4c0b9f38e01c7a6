"""What a task is expected to take with a lead of k. If no k reaches the target, a sentence that says why."""

import math
from dataclasses import dataclass

from maker_graph.errors import UsageError
from maker_graph.statistics import correlated
from maker_graph.statistics.independent import sample_cost
from maker_graph.statistics.race import all_right, check_steps, log_share
from maker_graph.statistics.rounds import expected_rounds

_SCALES = ((1e-2, "hundred"), (1e-3, "thousand"), (1e-6, "million"), (1e-9, "billion"), (1e-12, "trillion"))

TARGET = 0.99
"""The target of a plan by default: the chance that no step of the task is wrong."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect of a task whose steps are decided by a lead of k.

    Attributes:
        k: the lead that decides.
        p_sub: probability that a step is decided rightly.
        p_wrong: 1 - p_sub, exact also if it is tiny.
        p_full: probability that all steps are decided rightly.
        votes_per_step: expected votes until a step is decided.
        samples_per_step: expected samples of a step: its votes and its discarded samples.
        samples: expected samples of all steps.
        tokens: input and output tokens of all samples.
        cost_usd: cost of all samples, in USD.
    """

    k: int
    p_sub: float
    p_wrong: float
    p_full: float
    votes_per_step: float
    samples_per_step: float
    samples: float
    tokens: float
    cost_usd: float


def forecast(
    p: float,
    k: int,
    steps: float,
    *,
    rho: float = 0.0,
    rival: float = 1.0,
    valid: float = 1.0,
    input_tokens: float = 0.0,
    output_tokens: float = 0.0,
    input_price: float = 0.0,
    output_price: float = 0.0,
) -> Forecast:
    """Return what to expect with a lead of `k`: for the paper's independent errors if rho = 0, else for correlated errors.

    `p`, `rho` and `rival` are as in `correlated.py`. `valid` is the share of samples without a red flag (Eq. 19). Tokens are
    those of one sample. Prices are in USD per million tokens.

    >>> model = dict(input_tokens=590, output_tokens=538, input_price=0.4, output_price=1.6)  # gpt-4.1-mini
    >>> paper = forecast(1 - 0.0022, 3, 2**20 - 1, **model)
    >>> round(paper.p_full, 3), round(paper.samples_per_step, 3), round(paper.cost_usd)
    (0.989, 3.013, 3465)
    >>> with_rho = forecast(1 - 0.0022, 3, 2**20 - 1, rho=0.005, **model)
    >>> round(with_rho.p_full, 3), round(with_rho.samples_per_step, 3), round(with_rho.cost_usd)
    (0.809, 3.013, 3466)

    Raises:
        UsageError: a number is out of range.
    """
    wrong = correlated.p_wrong(p, k, rho=rho, rival=rival)
    votes = correlated.expected_votes(p, k, rho=rho, rival=rival)
    per_step = votes * math.exp(-log_share(valid, "valid"))
    samples = check_steps(steps) * per_step
    return Forecast(
        k=k,
        p_sub=1.0 - wrong,
        p_wrong=wrong,
        p_full=all_right(wrong, steps),
        votes_per_step=votes,
        samples_per_step=per_step,
        samples=samples,
        tokens=samples * (input_tokens + output_tokens),
        cost_usd=samples * sample_cost(input_tokens, output_tokens, input_price, output_price),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes to reach a target under one model of errors.

    Attributes:
        k: the least k that reaches the target; None if none does.
        reason: the sentence that says why no k reaches it; None if one does.
        near: what to expect with k - 1, k and k + 1. If no k reaches the target, these are around the k given as `otherwise`.
    """

    k: int | None
    reason: str | None
    near: list[Forecast]

    def chosen(self) -> Forecast | None:
        """Return what to expect with `k`."""
        return next((each for each in self.near if each.k == self.k), None)


def plan(
    p: float, steps: float, target: float, *, rho: float = 0.0, rival: float = 1.0, otherwise: int = 3, **sample: float
) -> Plan:
    """Return the least k for `target`, and what to expect with it and its neighbours; `sample` is as in `forecast`.

    >>> paper = plan(1 - 0.0022, 2**20 - 1, 0.95)
    >>> paper.k, [round(each.p_full, 3) for each in paper.near]
    (3, [0.006, 0.989, 1.0])

    Raises:
        UsageError: a number is out of range.
    """
    k = correlated.k_min(p, steps, target, rho=rho, rival=rival)
    middle = otherwise if k is None else k
    near = [forecast(p, each, steps, rho=rho, rival=rival, **sample) for each in range(max(1, middle - 1), middle + 2)]
    return Plan(k, None if k is not None else no_k(p, steps, target, rho=rho, rival=rival), near)


def planned_k(p: float, steps: float, target: float, *, rho: float = 0.0, rival: float = 1.0) -> int:
    """Return the least k that reaches `target`.

    >>> planned_k(0.9, 1023, 0.99), planned_k(0.9, 1023, 0.99, rho=0.02)
    (6, 7)

    Raises:
        UsageError: no k reaches it, and the text says why; or a number is out of range.
    """
    k = correlated.k_min(p, steps, target, rho=rho, rival=rival)
    if k is None:
        raise UsageError(f"{no_k(p, steps, target, rho=rho, rival=rival)} To run all the same, give k (--k).")
    return k


def hours(
    steps: float, k: int, samples: float, *, p: float, valid: float, latency: float, lookahead: float, rpm: float
) -> float:
    """Return the hours that `samples` take: those of the rate limit or those of the latency, whichever are more.

    A round takes one `latency` (seconds). `lookahead` steps are in flight at once, and all their drafts are assumed to be
    right. `rpm` is the number of requests a minute. The result is a lower bound: the slowest sample of a round and wrong drafts
    take more time.

    >>> round(hours(2**20 - 1, 3, 3.16e6, p=0.9978, valid=1.0, latency=1.5, lookahead=1, rpm=math.inf))
    440
    """
    waiting = steps * expected_rounds(p, k, valid=valid) * latency / lookahead
    return max(waiting, 60 * samples / rpm) / 3600


def no_k(p: float, steps: float, target: float, *, rho: float = 0.0, rival: float = 1.0) -> str | None:
    """Return the sentence that says why no k reaches `target`, or None if some k does.

    >>> print(no_k(1 - 2.26e-4, 2**20 - 1, 0.95, rho=0.1235).partition(":")[0])
    At 3 steps in a million, samples are wrong more often than right. So no k reaches .95
    >>> no_k(1 - 2.26e-4, 2**20 - 1, 0.95, rho=0.005)

    Raises:
        UsageError: a number is out of range.
    """
    if correlated.k_min(p, steps, target, rho=rho, rival=rival) is not None:
        return None
    share = correlated.floor(p, rho=rho, rival=rival)
    goal = f"{target:.15g}".removeprefix("0")
    if all_right(share, steps) >= target:
        return f"No k up to {correlated.MOST_K:,} reaches {goal}: use a check, another prompt or another model."
    where, how = _of_all(share), "wrong more often than right" if rival == 1 else "wrong in one way more often than right"
    if rho == 0 and 0 < share < 1:
        where, how = "all steps", how.replace("more often than", "as often as")
    return f"At {where}, samples are {how}. So no k reaches {goal}: use a check, another prompt or another model."


def _of_all(share: float) -> str:
    """Return `share` of all steps in words.

    >>> [_of_all(share) for share in (3e-6, 0.9e-6, 0.25, 1.04e-3)]
    ['3 steps in a million', '900 steps in a billion', '25 steps in a hundred', '1 step in a thousand']
    """
    if share > 0.995:
        return "all steps" if share == 1 else "almost all steps"
    unit, name = next((scale for scale in _SCALES if share >= scale[0]), _SCALES[-1])
    number = float(f"{share / unit:.2g}")
    return f"{number:g} {'step' if number == 1 else 'steps'} in a {name}"
