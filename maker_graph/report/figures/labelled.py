"""What labelled rows show of cascades: the share of wrong decisions against the share that is passed on, and the cost."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from maker_graph.report.figures.style import BLUE, GREEN, INK, LINE, MUTED, ORANGE, panel


class Point(NamedTuple):
    """One cascade.

    Attributes:
        passed: share of the rows that it does not decide.
        wrong: share of the decided rows that is wrong.
        bound: the bound on that share.
        samples: samples for each row.
        proved: whether it is proved to keep the target.
        chosen: whether it is the chosen one.
    """

    passed: float
    wrong: float
    bound: float
    samples: float
    proved: bool
    chosen: bool


def labelled_figures(points: Sequence[Point], limit: float, max_review: float) -> dict[str, Figure]:
    """Return two drawings, name -> figure: wrong against passed, with bounds and what is allowed; samples against passed."""
    return {
        "labelled-error": panel(_error, points, limit, max_review),
        "labelled-cost": panel(_cost, points, max_review),
    }


def _error(axes: Axes, points: Sequence[Point], limit: float, max_review: float) -> None:
    axes.set_title("Wrong among the decided, and its bound")
    for point in points:
        axes.plot([point.passed] * 2, [point.wrong, point.bound], color=LINE, zorder=1)
        axes.plot([point.passed], [point.bound], color=MUTED, marker="_", linestyle="", zorder=2)
        _mark(axes, point, point.wrong)
    axes.axhline(limit, color=ORANGE, linestyle="--", linewidth=1.2)
    axes.set_ylim(0, max([limit, *(point.wrong for point in points)]) * 1.6)
    _passed_axis(axes, max_review)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None, symbol=" %"))
    axes.set_ylabel("wrong")


def _cost(axes: Axes, points: Sequence[Point], max_review: float) -> None:
    axes.set_title("What it costs")
    for point in points:
        _mark(axes, point, point.samples)
    axes.set_ylim(0, 1.1 * max((point.samples for point in points), default=1.0))
    _passed_axis(axes, max_review)
    axes.set_ylabel("samples a row")


def _mark(axes: Axes, point: Point, height: float) -> None:
    colour = GREEN if point.proved else BLUE
    axes.plot([point.passed], [height], color=colour, marker="o", markersize=5, linestyle="", zorder=3)
    if point.chosen:
        axes.plot(
            [point.passed], [height], color=INK, marker="o", markersize=10, markerfacecolor="none", linestyle="", zorder=4
        )


def _passed_axis(axes: Axes, max_review: float) -> None:
    if max_review < 1:
        axes.axvline(max_review, color=ORANGE, linestyle="--", linewidth=1.2)
    axes.set_xlim(-0.03, 1.03)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("passed on")
