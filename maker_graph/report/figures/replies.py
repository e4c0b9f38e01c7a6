"""Drawings of replies: how long they were, how long they took, and how fast the run was."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from scipy.stats import beta

from maker_graph.report.counting.timing import Timing
from maker_graph.report.counting.truth import Lengths
from maker_graph.report.figures.style import BLUE, INK, ORANGE, RED, plain_log, short


def draw_lengths(axes: Axes, lengths: Lengths) -> None:
    """Draw how long replies were: all replies, red-flagged ones and wrong ones, each as shares of its kind."""
    axes.set_title("How long replies were")
    for counts, colour, label in (
        (lengths.all, BLUE, "all"),
        (lengths.flagged, ORANGE, "red-flagged"),
        (lengths.wrong, RED, "wrong votes"),
    ):
        if counts:
            places = range(min(lengths.all), max(lengths.all) + 1)
            edges = [place * lengths.width for place in (*places, places[-1] + 1)]
            total = sum(counts.values())
            shares = [100 * counts.get(place, 0) / total for place in places]
            axes.stairs(
                shares,
                edges,
                color=colour,
                fill=label == "all",
                alpha=0.35 if label == "all" else 1,
                linewidth=1.8,
                label=f"{label} ({total:,})",
            )
    axes.set_ylabel("% of them")
    axes.set_xlabel("output tokens")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
    axes.legend(loc="upper left")


def draw_errors_by_length(axes: Axes, lengths: Lengths, *, known: bool) -> None:
    """Draw the share of wrong votes by length, with 95 % intervals."""
    axes.set_title("Wrong votes by length" if known else "Lost votes by length")
    for first, last, judged, wrong in pooled(lengths):
        left, right = first * lengths.width, (last + 1) * lengths.width
        low = 0.0 if wrong == 0 else float(beta.ppf(0.025, wrong, judged - wrong + 1))
        high = 1.0 if wrong == judged else float(beta.ppf(0.975, wrong + 1, judged - wrong))
        axes.fill_between([left, right], 100 * low, 100 * high, color=RED, alpha=0.22, linewidth=0)
        axes.plot([left, right], [100 * wrong / judged] * 2, color=RED, linewidth=2)
    axes.set_ylim(0, min(100.0, axes.get_ylim()[1]))
    axes.set_xlim(min(lengths.all) * lengths.width, (max(lengths.all) + 1) * lengths.width)
    axes.set_ylabel("% of votes")
    axes.set_xlabel("output tokens")


def pooled(lengths: Lengths, least: int = 50) -> list[tuple[int, int, int, int]]:
    """Return (first bin, last bin, judged votes, wrong ones) of neighbouring bins, pooled until each has `least` votes.

    >>> pooled(Lengths(10, {}, {}, {0: 60, 1: 20, 2: 40, 5: 3}, {1: 1, 5: 2}))
    [(0, 0, 60, 0), (1, 5, 63, 3)]
    """
    pools: list[tuple[int, int, int, int]] = []
    for place in sorted(lengths.judged):
        judged, wrong = lengths.judged[place], lengths.wrong.get(place, 0)
        if pools and pools[-1][2] < least:
            first, _, before, wrong_before = pools.pop()
            pools.append((first, place, before + judged, wrong_before + wrong))
        else:
            pools.append((place, place, judged, wrong))
    if len(pools) > 1 and pools[-1][2] < least:
        (first, _, before, wrong_before), (_, last, judged, wrong) = pools[-2:]
        pools[-2:] = [(first, last, before + judged, wrong_before + wrong)]
    return pools


def draw_latencies(axes: Axes, latencies: Mapping[int, int]) -> None:
    """Draw how long replies took."""
    axes.set_title("How long replies took")
    median, most = quantile(latencies, 0.5), quantile(latencies, 0.95)
    unit, name = (1.0, "s") if most >= 1 else (1e-3, "ms")
    buckets = range(min(latencies), max(latencies) + 1)
    edges = [1.1**bucket / 1000 / unit for bucket in (*buckets, buckets[-1] + 1)]
    axes.stairs([latencies.get(bucket, 0) for bucket in buckets], edges, fill=True, color=BLUE, alpha=0.45)
    for seconds, colour, label in ((median, INK, "half"), (most, ORANGE, "95 %")):
        text = f"{label} within {seconds / unit:.2g} {name}"
        axes.axvline(seconds / unit, color=colour, linewidth=1.3, linestyle=(0, (4, 3)), label=text)
    axes.set_xscale("log")
    axes.set_ylim(0, max(latencies.values()) * 1.6)
    axes.legend(loc="upper right")
    axes.set_xlabel("seconds" if name == "s" else "milliseconds")
    axes.set_ylabel("replies")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    plain_log(axes, "x")
    if edges[-1] / edges[0] < 30:
        axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))


def quantile(latencies: Mapping[int, int], share: float) -> float:
    """Return the latency in seconds below which this share of the replies lies, by the middles of the buckets.

    >>> round(quantile({0: 1, 48: 2}, 0.5), 3)
    0.102
    """
    left = share * sum(latencies.values())
    for bucket in sorted(latencies):
        left -= latencies[bucket]
        if left <= 0:
            return float(1.1 ** (bucket + 0.5)) / 1000
    return float(1.1 ** (max(latencies) + 0.5)) / 1000


def draw_throughput(axes: Axes, timing: Timing) -> None:
    """Draw the steps a second over the time at work."""
    axes.set_title("Steps a second, over the time at work")
    pairs = [(a, b) for a, b in zip(timing.points, timing.points[1:], strict=False) if b[1] > a[1]]
    longest = timing.points[-1][1]
    unit, name = next(
        (found for found in ((86400, "days"), (3600, "hours"), (60, "minutes")) if longest > 3 * found[0]), (1, "seconds")
    )
    rates = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairs]
    axes.stairs(rates, [pairs[0][0][1] / unit, *(b[1] / unit for _, b in pairs)], color=BLUE, linewidth=1.6, baseline=None)
    first, last = timing.points[0], timing.points[-1]
    mean = (last[0] - first[0]) / (last[1] - first[1])
    axes.axhline(mean, color=ORANGE, linewidth=1.3, linestyle=(0, (4, 3)), label=f"mean {mean:,.3g}")
    axes.set_ylim(0, max(rates) * 1.25)
    axes.set_xlim(0, longest / unit)
    axes.legend(loc="upper right")
    axes.set_xlabel(f"{name} at work")
    axes.set_ylabel("steps / s")
