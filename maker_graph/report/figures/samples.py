"""Drawings of samples and red flags: how many, of which kind, and where along the run."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from maker_graph.report.counting.bins import BinnedCounts
from maker_graph.report.counting.endings import Endings
from maker_graph.report.figures.style import BLUE, INK, PALETTE, plain_log, short

_FLAGS = {"truncated": "c2", "malformed": "c1", "invalid": "c4", "refused": "c5", "too_long": "c6", "empty": "c7"}


def _flag_colours(flags: Mapping[str, Any]) -> dict[str, str]:
    return {flag: PALETTE[_FLAGS.get(flag, "c3")] for flag in sorted(flags)}


def draw_flags(axes: Axes, flags: Mapping[str, int], samples: int) -> None:
    """Draw how many samples each red flag discarded."""
    axes.set_title("Red flags by kind")
    ranked = sorted(flags.items(), key=lambda item: item[1])
    colours = _flag_colours(flags)
    axes.barh([name for name, _ in ranked], [n for _, n in ranked], color=[colours[name] for name, _ in ranked], height=0.6)
    for row, (_, number) in enumerate(ranked):
        text = f"{number:,}  ({100 * number / samples:.2g} %)"
        axes.annotate(text, (number, row), (5, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xlim(0, max(flags.values()) * 1.38)
    axes.set_ylim(-0.6, max(len(ranked) - 0.4, 2.4))
    axes.set_xlabel("discarded samples (share of all)")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.xaxis.set_major_formatter(FuncFormatter(short))


def draw_flags_by_step(axes: Axes, bins: BinnedCounts) -> None:
    """Draw the share of samples discarded along the run."""
    axes.set_title("Red flags along the run")
    base = [0.0] * len(bins.steps)
    for flag, colour in _flag_colours(bins.flags).items():
        shares = [100 * number / max(samples, 1) for number, samples in zip(bins.flags[flag], bins.samples, strict=True)]
        axes.bar(_starts(bins), shares, width=_widths(bins), bottom=base, align="edge", color=colour, label=flag)
        base = [low + share for low, share in zip(base, shares, strict=True)]
    axes.set_ylim(0, max(base) * 1.3 or 1)
    axes.legend(loc="upper center", ncols=4, columnspacing=1.0, handlelength=0.9, handletextpad=0.4, borderaxespad=0.1)
    axes.set_ylabel("% of samples")
    _step_axis(axes, bins)


def draw_samples(axes: Axes, endings: Endings) -> None:
    """Draw how many steps took each number of samples."""
    axes.set_title("Samples a step took")
    axes.set_xlabel("samples until it was decided")
    axes.set_ylabel("steps")
    if not endings.samples:
        return
    axes.bar(list(endings.samples), list(endings.samples.values()), color=BLUE, width=0.75)
    for number, steps in endings.samples.items() if len(endings.samples) <= 8 else ():
        axes.annotate(f"{steps:,}", (number, steps), (0, 3), textcoords="offset points", ha="center", fontsize=8.5)
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(endings.samples.values()) * 3)
    axes.set_xlim(min(endings.samples) - 0.9, max(*endings.samples, min(endings.samples) + 4) + 0.9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")
    plain_log(axes, "y")


def draw_samples_by_step(axes: Axes, bins: BinnedCounts) -> None:
    """Draw the mean samples a step along the run."""
    axes.set_title("Samples a step, along the run")
    means = [samples / steps for samples, steps in zip(bins.samples, bins.steps, strict=True)]
    axes.bar(_starts(bins), means, width=_widths(bins), align="edge", color=BLUE)
    low, high = min(means), max(means)
    bottom = max(0.0, low - max(1.5 * (high - low), 0.2 * low))
    axes.set_ylim(bottom, high + 0.15 * (high - bottom))
    axes.set_ylabel("samples a step")
    _step_axis(axes, bins)


def _starts(bins: BinnedCounts) -> list[int]:
    return [1 + bins.size * number for number in range(len(bins.steps))]


def _widths(bins: BinnedCounts) -> list[float]:
    return [0.88 * steps for steps in bins.steps]


def _step_axis(axes: Axes, bins: BinnedCounts) -> None:
    axes.set_xlim(1, sum(bins.steps) + 1)
    axes.set_xlabel("step")
    axes.grid(visible=False, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.xaxis.set_major_formatter(FuncFormatter(short))
