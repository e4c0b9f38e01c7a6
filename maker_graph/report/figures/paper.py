"""The paper's figures 3, 4 and 5, computed by its formulas."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from maker_graph.errors import UsageError
from maker_graph.report.figures.style import SERIES, panel
from maker_graph.statistics.independent import expected_cost, k_min, p_full, sample_cost

_MILLION = 1e6
_STEPS = [10.0 ** (exponent / 4) for exponent in range(4, 57)]
_SAMPLE = sample_cost(590, 538, 0.4, 1.6)
_TARGET = 0.9


def planning_figures() -> dict[str, Figure]:
    """Return the paper's figures 3, 4 and 5, name -> figure, computed by `statistics/independent.py` (Eqs. 13 to 20).

    A sample has 590 input and 538 output tokens, at 0.4 and 1.6 USD per million. In figure 5 a sample costs this much for each
    step that it answers.
    """
    return {
        "figure-3a": panel(_figure_3a),
        "figure-3b": panel(_figure_3b),
        "figure-4a": panel(_figure_4a),
        "figure-4b": panel(_figure_4b),
        "figure-5a": panel(_figure_5a),
        "figure-5b": panel(_figure_5b),
    }


def _figure_3a(axes: Axes) -> None:
    axes.set_title("A million steps without an error")
    ks = range(1, 11)
    for p, colour in zip((0.999, 0.9975, 0.995, 0.99, 0.975, 0.95, 0.9), SERIES, strict=True):
        axes.plot(ks, [p_full(p, k, _MILLION) for k in ks], color=colour, marker="o", markersize=3.5, label=f"{p:g}")
    axes.set_xlabel("k")
    axes.set_ylabel("chance")
    axes.set_xlim(1, 10)
    axes.set_ylim(-0.02, 1.03)
    _legend(axes, "p")


def _figure_3b(axes: Axes) -> None:
    axes.set_title("No error, with k = 3")
    for p, colour in zip((0.999, 0.9975, 0.995), SERIES, strict=False):
        axes.plot(_STEPS, [p_full(p, 3, steps) for steps in _STEPS], color=colour, label=f"{p:g}")
    axes.set_ylabel("chance")
    axes.set_ylim(-0.02, 1.03)
    _steps_axis(axes)
    _legend(axes, "p")


def _figure_4a(axes: Axes) -> None:
    axes.set_title("The least k for a chance of .9")
    for p, colour in zip((0.9, 0.95, 0.975, 0.99, 0.995, 0.999), SERIES, strict=False):
        axes.step(_STEPS, [k_min(p, steps, _TARGET) for steps in _STEPS], where="post", color=colour, label=f"{p:g}")
    axes.set_ylabel("k")
    axes.set_ylim(0, None)
    _steps_axis(axes)
    _legend(axes, "p")


def _figure_4b(axes: Axes) -> None:
    axes.set_title("What it costs")
    for p, colour in zip((0.9, 0.95, 0.975, 0.99, 0.995, 0.999), SERIES, strict=False):
        axes.plot(_STEPS, [_cost(p, steps, 1) for steps in _STEPS], color=colour, label=f"{p:g}")
    axes.set_yscale("log")
    axes.set_ylabel("USD")
    _powers(axes, "y")
    _steps_axis(axes)
    _legend(axes, "p")


def _figure_5a(axes: Axes) -> None:
    axes.set_title("A million steps, m to a sample")
    ms = [10.0 ** (exponent / 10) for exponent in range(61)]
    for p, colour in zip((0.9, 0.95, 0.975, 0.99, 0.995, 0.999), SERIES, strict=False):
        axes.plot(ms, [_cost(p, _MILLION, m) for m in ms], color=colour, label=f"{p:g}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, _MILLION)
    axes.set_ylim(1e3, 1e24)
    axes.set_xlabel("steps a sample answers, m")
    axes.set_ylabel("USD")
    _powers(axes, "x")
    _powers(axes, "y")
    _legend(axes, "p")


def _figure_5b(axes: Axes) -> None:
    axes.set_title("m steps to a sample, p = .99")
    for m, colour in zip((1, 100, 250, 500, 1000, 2500, 5000), SERIES, strict=True):
        steps = [number for number in _STEPS if number >= m]
        axes.plot(steps, [_cost(0.99, number, m) for number in steps], color=colour, label=f"{m:,}")
    axes.set_yscale("log")
    axes.set_ylabel("USD")
    _powers(axes, "y")
    _steps_axis(axes)
    _legend(axes, "m")


def _cost(p: float, steps: float, m: float) -> float:
    """Return USD with the least k that reaches the target; nan if no k does, or if the cost is too large for a float."""
    try:
        cost = expected_cost(p, k_min(p, steps, _TARGET, m=m), steps, _SAMPLE, m=m)
    except (UsageError, OverflowError):
        return math.nan
    return cost if math.isfinite(cost) else math.nan


def _steps_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlim(_STEPS[0], _STEPS[-1])
    axes.set_xlabel("steps")
    _powers(axes, "x")


def _powers(axes: Axes, which: str) -> None:
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(LogLocator(10, numticks=7))
    axis.set_major_formatter(FuncFormatter(_power))
    axis.set_minor_locator(NullLocator())


def _power(number: float, _: object = None) -> str:
    """Return a power of ten with its exponent raised.

    >>> _power(1e12)
    '10¹²'
    """
    exponent = round(math.log10(number))
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _legend(axes: Axes, title: str) -> None:
    axes.figure.legend(title=title, loc="outside right upper", handlelength=1.1)
