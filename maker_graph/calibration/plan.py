"""From what is known of a model to a plan: k, chance, samples, cost and time, under both models of errors, side by side.

What is known comes from a calibration or from the user. A calibration gives intervals: the plan is made at the lower end of p's
unless told otherwise, and at the estimate of the correlation, whose interval is wide: each chance comes with the one at the
worst ends of both (p low, rho high) and at the best.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from maker_graph.calibration.lines import Interval, Result
from maker_graph.statistics import correlated
from maker_graph.statistics.forecast import Forecast, Plan, forecast, hours, plan

if TYPE_CHECKING:
    from maker_graph.models.simulation.profiles import Profile

WIDE = 0.02
"""A chance that the correlation's interval may lower by more than this is warned of."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known of a model on a task.

    Attributes:
        p: probability that a valid sample is right, with which it is planned.
        between: the interval of p, if it was measured.
        valid: share of the samples without a red flag.
        rho: correlation of the errors of two samples of one step, and its interval; None if not known.
        rival: the largest share of the wrong samples that give the most frequent wrong answer.
        tokens: of a sample, input and output; None if not known.
        price: USD per million tokens of input and output; None if not known.
        latency: seconds that a reply takes; None if not known.
        remarks: what whoever reads the plan should know of these numbers.
    """

    p: float
    between: tuple[float, float] | None = None
    valid: float = 1.0
    rho: Interval | None = None
    rival: float = 1.0
    tokens: tuple[float, float] | None = None
    price: tuple[float, float] | None = None
    latency: float | None = None
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast samples can be drawn: microsteps in flight at once, requests a minute."""

    lookahead: int = 1
    rpm: float = math.inf


def basis_of(result: Result, *, point: bool = False) -> Basis:
    """Return what a calibration knows; `point` plans with the estimate of p, not with the lower end of its interval."""
    remarks = []
    if not point:
        remarks.append(
            f"p is the lower end of its interval, {result.p.low:.6g}; measured was {result.p.value:.6g} (--point takes that)."
        )
    if not result.truth:
        remarks.append("Without known truth: an error that all samples of a step share was not seen, and p may be lower.")
    return Basis(
        p=max(result.p.value if point else result.p.low, 1e-9),  # that of a model that was never right
        between=(result.p.low, result.p.high),
        valid=result.valid.value,
        rho=result.rho,
        rival=result.rival,
        tokens=(result.input, result.output),
        price=result.price,
        latency=result.seconds[0] or None,
        remarks=remarks,
    )


def outlook(basis: Basis, steps: int, target: float, speed: Speed = Speed()) -> dict[str, Any]:
    """Return the plan under independent and under correlated errors, as plain JSON, with warnings.

    Each has the least `k` that reaches the target (None if none does, with the reason), what to expect with it, and `near`: the
    same for k - 1, k and k + 1.

    Raises:
        UsageError: a number is out of range.
    """
    sample = _sample(basis)
    independent = plan(basis.p, steps, target, rival=basis.rival, **sample)
    plans = {"independent": (independent, (0.0, 0.0))}
    if basis.rho is not None:
        sample |= {"rho": basis.rho.value, "otherwise": independent.k or 3}
        plans["correlated"] = plan(basis.p, steps, target, rival=basis.rival, **sample), (basis.rho.high, basis.rho.low)
    columns = {name: _column(made, basis, steps, speed, ends) for name, (made, ends) in plans.items()}
    return {
        "steps": steps,
        "target": target,
        "p": basis.p,
        "p_interval": basis.between,
        "valid": basis.valid,
        "rho": None if basis.rho is None else basis.rho.value,
        "rho_interval": None if basis.rho is None else (basis.rho.low, basis.rho.high),
        "rival": basis.rival,
        **columns,
        "warnings": basis.remarks + list(_warnings(basis, steps, target, columns)),
    }


def basis_of_profile(profile: "Profile", input_tokens: int) -> Basis:
    """Return what is known of a simulated model: all of it. `input_tokens` are those of a prompt."""
    rho = profile.rho
    return Basis(
        p=max(1 - profile.error, 1e-9),  # as in `basis_of`
        valid=max(1 - profile.flagged, 1e-9),
        rho=Interval(value=rho, low=rho, high=rho),
        rival=profile.favourite,
        tokens=(input_tokens, profile.output_tokens),
        price=(profile.input_price, profile.output_price),
        latency=profile.latency or None,
    )


def expected(basis: Basis, k: int, steps: int) -> dict[str, Any]:
    """Return what is expected of a run with a lead of `k`, as it is kept with the run, to be held against what came."""
    rho = None if basis.rho is None else basis.rho.value
    each = forecast(basis.p, k, steps, rho=rho or 0.0, rival=basis.rival, **_sample(basis))
    low, _ = _between(basis, k, steps, (0.0, 0.0) if basis.rho is None else (basis.rho.high, basis.rho.low))
    return {
        "k": k,
        "p": basis.p,
        "rho": rho,
        "rival": basis.rival,
        "model_of_errors": "independent" if rho is None else "correlated",
        "p_full": each.p_full,
        "p_full_low": low,
        "p_full_independent": correlated.p_full(basis.p, k, steps, rho=0.0, rival=basis.rival),
        "samples": each.samples,
        "cost_usd": None if basis.tokens is None or basis.price is None else each.cost_usd,
    }


def _sample(basis: Basis) -> dict[str, Any]:
    """Return what a forecast takes of one sample."""
    sample: dict[str, Any] = {"valid": basis.valid}
    if basis.tokens is not None:
        sample |= {"input_tokens": basis.tokens[0], "output_tokens": basis.tokens[1]}
        if basis.price is not None:
            sample |= {"input_price": basis.price[0], "output_price": basis.price[1]}
    return sample


def _column(made: Plan, basis: Basis, steps: int, speed: Speed, ends: tuple[float, float]) -> dict[str, Any]:
    rows = [_row(each, basis, steps, speed, ends) for each in made.near]
    chosen = next((row for row in rows if row["k"] == made.k), dict.fromkeys(rows[0]))
    return {**chosen, "reason": made.reason, "near": rows}


def _row(each: Forecast, basis: Basis, steps: int, speed: Speed, ends: tuple[float, float]) -> dict[str, Any]:
    low, high = _between(basis, each.k, steps, ends)
    row = {**asdict(each), "p_full_low": low, "p_full_high": high, "hours": None}
    if basis.tokens is None:
        row |= {"tokens": None, "cost_usd": None}
    elif basis.price is None:
        row["cost_usd"] = None
    if basis.latency is not None or speed.rpm < math.inf:
        row["hours"] = hours(
            steps,
            each.k,
            each.samples,
            p=basis.p,
            valid=basis.valid,
            latency=basis.latency or 0.0,
            lookahead=speed.lookahead,
            rpm=speed.rpm,
        )
    return row


def _between(basis: Basis, k: int, steps: int, ends: tuple[float, float]) -> tuple[float | None, float | None]:
    """Return the chance at the worst ends of the intervals, p low and rho high, and at the best; None if none was measured."""
    if basis.between is None:
        return None, None
    low, high = (
        correlated.p_full(min(max(p, 1e-9), 1.0), k, steps, rho=min(each, 0.999), rival=basis.rival)
        for p, each in zip(basis.between, ends, strict=True)
    )
    return low, high


def _warnings(basis: Basis, steps: int, target: float, columns: dict[str, dict[str, Any]]) -> list[str]:
    found = []
    plain, honest = columns["independent"], columns.get("correlated")
    if honest is None:
        found.append("The correlation of errors is not known (--rho): if some steps are hard, the chance is lower than this.")
        return [*found, *([plain["reason"]] if plain["reason"] else [])]
    if honest["reason"]:
        found.append(honest["reason"])
        best = None if basis.rho is None else correlated.k_min(basis.p, steps, target, rho=basis.rho.low, rival=basis.rival)
        if best is not None and basis.between is not None and basis.rho is not None:
            found.append(
                f"At the lower end of the correlation's interval, {basis.rho.low:.3g}, k = {best} would do: more steps in the "
                "calibration narrow it."
            )
    elif plain["k"] is not None and plain["k"] < honest["k"]:
        short = correlated.p_full(basis.p, plain["k"], steps, rho=basis.rho.value if basis.rho else 0.0, rival=basis.rival)
        found.append(
            f"k = {plain['k']} would do if errors were independent; as they are correlated its chance is {short:.4g}: "
            f"it takes k = {honest['k']}."
        )
    low = honest["p_full_low"]
    if low is not None and low < target - WIDE and basis.rho is not None:
        found.append(
            f"The correlation is only known to lie between {basis.rho.low:.3g} and {basis.rho.high:.3g}: at the worst end the "
            f"chance is {low:.3g}. More steps in the calibration narrow it."
        )
    return found
