"""Lines of a calibration's file as the tests make them."""

from typing import Any

from maker_graph.calibration.lines import CalibrationRequest, Interval, Result, StepSamples


def request_of(**changes: Any) -> CalibrationRequest:
    given: dict[str, Any] = {
        "task": "hanoi", "options": {"disks": 3}, "total": 7, "models": ["scripted"], "max_tokens": {"scripted": 99},
        "steps": 7, "samples": 3, "temperature": (0.0, 0.1), "check": True, "truth": True, "seed": None,
    }  # fmt: skip
    return CalibrationRequest(**{**given, **changes})


def step_of(number: int, *sequence: int | str, right: int | None = 0) -> StepSamples:
    return StepSamples(
        model="scripted", step=number, sequence=list(sequence), right=right, candidates=["a", "b", "c"], input=3, cached=0,
        lengths=[5] * len(sequence), seconds=[0.5] * len(sequence), cost=0.01,
    )  # fmt: skip


def at(value: float, low: float | None = None, high: float | None = None) -> Interval:
    return Interval(value=value, low=value if low is None else low, high=value if high is None else high)


def result_of(**changes: Any) -> Result:
    given: dict[str, Any] = {
        "model": "m", "truth": True, "steps": 1000, "samples": 2000, "valid": at(0.97), "flags": {}, "p": at(0.99, 0.98, 0.995),
        "error": at(0.01, 0.005, 0.02), "rho": at(0.01, 0.0, 0.05), "rival": 0.8, "both_wrong": (9, 5), "input": 400.0,
        "output": 500.0, "seconds": (1.5, 3.0), "price": (0.4, 1.6), "cost_usd": 1.0, "hard": [],
    }  # fmt: skip
    return Result(**{**given, **changes})
