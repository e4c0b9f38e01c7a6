"""Plans from what is known of a model: k, chance, samples, cost and time, under both models of errors, side by side.

A plan is made at the estimate of the correlation, whose interval is wide. So each chance comes with two others: the chance at
the worst ends of the intervals (p low, rho high), and the chance at the best ends.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from maker_graph.calibration.estimates import ModelEstimates
from maker_graph.statistics import correlated
from maker_graph.statistics.forecast import Forecast, Plan, forecast, hours, plan

WIDE = 0.02
"""If the interval of the correlation may lower a chance by more than this, the plan warns of it."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast samples can be drawn: microsteps in flight at once, requests a minute."""

    lookahead: int = 1
    rpm: float = math.inf


def make_plans(model: ModelEstimates, steps: int, target: float, speed: Speed = Speed()) -> dict[str, Any]:
    """Return the plan under independent and under correlated errors, as plain JSON, with warnings.

    `lost` is the share of replies that are assumed to be lost, whatever they say.

    Each of the two has the least `k` that reaches the target (None if none does, with the reason), what to expect with it, and
    `near`: the same for k - 1, k and k + 1.

    Raises:
        UsageError: a number is out of range.
    """
    sample = _sample(model)
    independent = plan(model.p, steps, target, rival=model.rival, **sample)
    plans = {"independent": (independent, (0.0, 0.0))}
    if model.rho is not None:
        sample |= {"rho": model.rho.value, "otherwise": independent.k or 3}
        plans["correlated"] = plan(model.p, steps, target, rival=model.rival, **sample), (model.rho.high, model.rho.low)
    columns = {name: _column(made, model, steps, speed, ends) for name, (made, ends) in plans.items()}
    return {
        "steps": steps,
        "target": target,
        "p": model.p,
        "p_interval": model.p_interval,
        "valid": model.valid,
        "rho": None if model.rho is None else model.rho.value,
        "rho_interval": None if model.rho is None else (model.rho.low, model.rho.high),
        "rival": model.rival,
        "lost": model.lost,
        **columns,
        "warnings": model.remarks + list(_warnings(model, steps, target, columns)),
    }


def expected(model: ModelEstimates, k: int, steps: int) -> dict[str, Any]:
    """Return what is expected of a run with a lead of `k`; the run keeps it, and the report compares it with what happened."""
    rho = None if model.rho is None else model.rho.value
    each = forecast(model.p, k, steps, rho=rho or 0.0, rival=model.rival, **_sample(model))
    low, _ = _chance_ends(model, k, steps, (0.0, 0.0) if model.rho is None else (model.rho.high, model.rho.low))
    return {
        "k": k,
        "p": model.p,
        "rho": rho,
        "rival": model.rival,
        "model_of_errors": "independent" if rho is None else "correlated",
        "p_full": each.p_full,
        "p_full_low": low,
        "p_full_independent": correlated.p_full(model.p, k, steps, rho=0.0, rival=model.rival),
        "samples": each.samples,
        "cost_usd": None if model.tokens is None or model.price is None else each.cost_usd,
    }


def _sample(model: ModelEstimates) -> dict[str, Any]:
    """Return the numbers of one sample that a forecast needs."""
    sample: dict[str, Any] = {"valid": model.valid}
    if model.tokens is not None:
        sample |= {"input_tokens": model.tokens[0], "output_tokens": model.tokens[1]}
        if model.price is not None:
            sample |= {"input_price": model.price[0], "output_price": model.price[1]}
    return sample


def _column(made: Plan, model: ModelEstimates, steps: int, speed: Speed, ends: tuple[float, float]) -> dict[str, Any]:
    rows = [_forecast_row(each, model, steps, speed, ends) for each in made.near]
    chosen = next((row for row in rows if row["k"] == made.k), dict.fromkeys(rows[0]))
    return {**chosen, "reason": made.reason, "near": rows}


def _forecast_row(each: Forecast, model: ModelEstimates, steps: int, speed: Speed, ends: tuple[float, float]) -> dict[str, Any]:
    low, high = _chance_ends(model, each.k, steps, ends)
    row = {**asdict(each), "p_full_low": low, "p_full_high": high, "hours": None}
    if model.tokens is None:
        row |= {"tokens": None, "cost_usd": None}
    elif model.price is None:
        row["cost_usd"] = None
    if model.latency is not None or speed.rpm < math.inf:
        row["hours"] = hours(
            steps,
            each.k,
            each.samples,
            p=model.p,
            valid=model.valid,
            latency=model.latency or 0.0,
            lookahead=speed.lookahead,
            rpm=speed.rpm,
        )
    return row


def _chance_ends(model: ModelEstimates, k: int, steps: int, ends: tuple[float, float]) -> tuple[float | None, float | None]:
    """Return the chance at the worst ends of the intervals, p low and rho high, and at the best; None if none was measured."""
    if model.p_interval is None:
        return None, None
    low, high = (
        correlated.p_full(min(max(p, 1e-9), 1.0), k, steps, rho=min(each, 0.999), rival=model.rival)
        for p, each in zip(model.p_interval, ends, strict=True)
    )
    return low, high


def _warnings(model: ModelEstimates, steps: int, target: float, columns: dict[str, dict[str, Any]]) -> list[str]:
    found = []
    if model.lost:
        found.append(
            f"{model.lost:.2%} of the replies were lost to time-outs and the like. The plan assumes that right replies are "
            "lost as often as wrong ones; if they are lost more often, the chance is lower. A longer time-out loses fewer."
        )
    plain, honest = columns["independent"], columns.get("correlated")
    if honest is None:
        found.append("The correlation of errors is not known (--rho): if some steps are hard, the chance is lower than this.")
        return [*found, *([plain["reason"]] if plain["reason"] else [])]
    if honest["reason"]:
        found.append(honest["reason"])
        best = None if model.rho is None else correlated.k_min(model.p, steps, target, rho=model.rho.low, rival=model.rival)
        if best is not None and model.p_interval is not None and model.rho is not None:
            found.append(
                f"At the lower end of the correlation's interval, {model.rho.low:.3g}, k = {best} would be enough. More steps "
                "in the calibration narrow the interval."
            )
    elif plain["k"] is not None and plain["k"] < honest["k"]:
        short = correlated.p_full(model.p, plain["k"], steps, rho=model.rho.value if model.rho else 0.0, rival=model.rival)
        found.append(
            f"k = {plain['k']} would be enough if errors were independent. They are correlated, so its chance is {short:.4g}, "
            f"and k = {honest['k']} is needed."
        )
    low = honest["p_full_low"]
    if low is not None and low < target - WIDE and model.rho is not None:
        found.append(
            f"The correlation is only known to lie between {model.rho.low:.3g} and {model.rho.high:.3g}: at the worst end the "
            f"chance is {low:.3g}. More steps in the calibration narrow it."
        )
    return found
