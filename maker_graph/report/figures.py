"""The drawings of a report and of a plan: matplotlib figures, each one panel of the same size, so that a page can lay them out.

Colours are the names of the page's palette (`PALETTE`): in an inline SVG they become CSS variables and follow the reader's
light or dark scheme; a PNG has the light ones. No text of a model or a user is in a drawing but the names of red flags.
"""

import io
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from scipy.stats import beta

from maker_graph.errors import UsageError
from maker_graph.report.collecting import Along, Collected, Contest, Endings, Lengths, Pace, undecided
from maker_graph.statistics.independent import expected_cost, k_min, p_full, sample_cost

PALETTE = {
    "ink": "#1d2733",
    "muted": "#66727f",
    "line": "#dde3ea",
    "paper": "#ffffff",
    "c1": "#2f6fde",
    "c2": "#e07b39",
    "c3": "#2f9e74",
    "c4": "#9b59c6",
    "c5": "#d64f6c",
    "c6": "#c2a02b",
    "c7": "#5aa9c9",
}
"""Name in the page's style sheet -> colour in daylight."""

_INK, _MUTED, _LINE = PALETTE["ink"], PALETTE["muted"], PALETTE["line"]
_SERIES = [PALETTE[f"c{number}"] for number in range(1, 8)]
_BLUE, _ORANGE, _GREEN, _RED = PALETTE["c1"], PALETTE["c2"], PALETTE["c3"], PALETTE["c5"]

_STYLE: Any = {
    "figure.figsize": (4.6, 3.0),
    "figure.constrained_layout.use": True,
    "figure.facecolor": PALETTE["paper"],
    "axes.facecolor": PALETTE["paper"],
    "savefig.facecolor": PALETTE["paper"],
    "font.family": ["sans-serif"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9.0,
    "axes.titlecolor": _INK,
    "axes.labelsize": 9.5,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _LINE,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
}


def run_figures(collected: Collected) -> dict[str, Figure]:
    """Return the drawings of a run, name -> figure; what was not recorded has none."""
    figures: dict[str, Figure] = {}
    if not collected.steps:
        return figures
    endings, steps, k = collected.endings, collected.steps, collected.settings.k
    figures["undecided-by-samples"] = _undecided(endings.samples, endings.first_to_samples, steps, k, "samples")
    figures["undecided-by-votes"] = _undecided(endings.votes, endings.first_to_votes, steps, k, "votes")
    for number, contest in enumerate(collected.contests, start=1):
        figures[f"contest-{number}"] = _contest(contest)
    if collected.flags:
        figures["flags-by-kind"] = _flags(collected.flags, collected.samples)
        figures["flags-by-step"] = _flags_along(collected.along)
    figures["samples"] = _samples(endings)
    figures["samples-by-step"] = _samples_along(collected.along)
    if collected.lengths is not None:
        figures["lengths"] = _lengths(collected.lengths)
        figures["errors-by-length"] = _errors_by_length(collected.lengths, known=collected.truth.known)
    if collected.pace is not None:
        if collected.pace.latencies:
            figures["latencies"] = _latencies(collected.pace.latencies)
        if len(collected.pace.points) > 1:
            figures["throughput"] = _throughput(collected.pace)
    return figures


def planning_figures() -> dict[str, Figure]:
    """Return the paper's figures 3, 4 and 5, name -> figure, computed by `core/planning.py` (Eqs. 13 to 20).

    Costs are those of samples of 590 input and 538 output tokens at 0.4 and 1.6 USD per million, or in figure 5 of one such
    sample for each step that it answers.
    """
    return {
        "figure-3a": _panel(_figure_3a),
        "figure-3b": _panel(_figure_3b),
        "figure-4a": _panel(_figure_4a),
        "figure-4b": _panel(_figure_4b),
        "figure-5a": _panel(_figure_5a),
        "figure-5b": _panel(_figure_5b),
    }


def svg(figure: Figure, name: str) -> str:
    """Return the figure as an SVG element for an HTML page, with ids that begin with `name` and the page's colours.

    Its text is text, in the page's font.
    """
    file = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r' id="([^"]+)"', rf' id="{name}-\1"', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: (?:(bold|\d+) )?([\d.]+)px [^;\"]*", r"font-size: \2px; font-weight: \1", text)
    text = text.replace("font-weight: ;", "").replace('font-weight: "', '"')
    for variable, colour in PALETTE.items():
        text = text.replace(colour, f"var(--{variable})")
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file, in daylight."""
    file = io.BytesIO()
    with rc_context(_STYLE):
        figure.savefig(file, format="png", dpi=180)
    return file.getvalue()


def _panel(draw: Callable[..., None], *args: Any, **named: Any) -> Figure:
    with rc_context(_STYLE):
        figure = Figure()
        draw(figure.add_subplot(), *args, **named)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # once is enough: the layout is the same for both files
    return figure


def _undecided(endings: Mapping[int, int], first_to: Mapping[int, int], steps: int, k: int, unit: str) -> Figure:
    ahead, first = undecided(endings, steps), undecided(first_to, steps)
    return _panel(_draw_undecided, [steps, *ahead], [steps, *first], k=k, unit=unit)


def _draw_undecided(axes: Axes, ahead: Sequence[int], first: Sequence[int], *, k: int, unit: str) -> None:
    axes.set_title(f"Undecided steps after so many {unit}")
    for counts, colour, label, marker in (
        (first, _ORANGE, f"first to {k} would need", "s"),
        (ahead, _BLUE, f"ahead by {k}", "o"),
    ):
        shown = [(number, count) for number, count in enumerate(counts) if count > 0]
        axes.plot(*zip(*shown, strict=True), color=colour, marker=marker, markersize=4.5, label=label, clip_on=False, zorder=3)
        if counts[-1] == 0:  # down to the edge of the picture: nothing is left
            axes.plot([shown[-1][0], shown[-1][0] + 1], [shown[-1][1], 0.8], color=colour, zorder=2)
    _label_drops(axes, ahead)
    axes.set_yscale("log")
    axes.set_ylim(0.8, ahead[0] * 2.2)
    axes.set_xlim(0, max(len(ahead), len(first), 5) - 1)
    axes.set_xlabel(f"{unit} of the step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain_log(axes, "y")
    axes.legend(loc="upper right")


def _label_drops(axes: Axes, counts: Sequence[int]) -> None:
    """Write the number at each point where it has fallen, as long as they do not crowd."""
    last, written = counts[0], 0
    for number, count in enumerate(counts):
        if 0 < count < last and written < 8:
            axes.annotate(
                f"{count:,}", (number, count), (4, 4), textcoords="offset points", fontsize=8.5, color=_INK, clip_on=False
            )
            written += 1
        last = count


def _contest(contest: Contest) -> Figure:
    return _panel(_draw_contest, contest)


def _draw_contest(axes: Axes, contest: Contest) -> None:
    axes.set_title(f"Step {contest.step:,}")
    colours, ends = contest_colours(contest), Counter[int]()
    for place in range(len(contest.candidates)):
        counts = [0]
        for vote in contest.order:
            counts.append(counts[-1] + (vote == place))
        if counts[-1]:
            axes.step(
                range(len(counts)),
                counts,
                where="post",
                color=colours[place],
                clip_on=False,
                zorder=4 if place == contest.winner else 3,
            )
            axes.annotate(
                letter(place),
                (len(contest.order), counts[-1]),
                (6 + 12 * ends[counts[-1]], 0),
                textcoords="offset points",
                va="center",
                color=colours[place],
                fontweight="bold",
                annotation_clip=False,
            )
            ends[counts[-1]] += 1
    axes.set_xlabel("vote number")
    axes.set_ylabel("votes")
    axes.set_xlim(0, max(len(contest.order), 1))
    axes.set_ylim(0, None)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def letter(place: int) -> str:
    """Return the letter by which the candidate in this place goes: A, B, ... Z, AA, ...

    >>> letter(0), letter(27)
    ('A', 'BB')
    """
    return chr(ord("A") + place % 26) * (1 + place // 26)


def contest_colours(contest: Contest) -> list[str]:
    """Return the colour of each candidate: blue for the winner, others for the rest."""
    rest = iter([_ORANGE, _RED, PALETTE["c4"], PALETTE["c6"], PALETTE["c7"], _GREEN])
    return [_BLUE if place == contest.winner else next(rest, _MUTED) for place in range(len(contest.candidates))]


_FLAGS = {"truncated": "c2", "malformed": "c1", "invalid": "c4", "refused": "c5", "too_long": "c6", "empty": "c7"}


def _flag_colours(flags: Mapping[str, Any]) -> dict[str, str]:
    return {flag: PALETTE[_FLAGS.get(flag, "c3")] for flag in sorted(flags)}


def _flags(flags: Mapping[str, int], samples: int) -> Figure:
    return _panel(_draw_flags, flags, samples)


def _draw_flags(axes: Axes, flags: Mapping[str, int], samples: int) -> None:
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
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _flags_along(along: Along) -> Figure:
    return _panel(_draw_flags_along, along)


def _draw_flags_along(axes: Axes, along: Along) -> None:
    axes.set_title("Red flags along the run")
    base = [0.0] * len(along.steps)
    for flag, colour in _flag_colours(along.flags).items():
        shares = [100 * number / max(samples, 1) for number, samples in zip(along.flags[flag], along.samples, strict=True)]
        axes.bar(_starts(along), shares, width=_widths(along), bottom=base, align="edge", color=colour, label=flag)
        base = [low + share for low, share in zip(base, shares, strict=True)]
    axes.set_ylim(0, max(base) * 1.3 or 1)
    axes.legend(loc="upper center", ncols=4, columnspacing=1.0, handlelength=0.9, handletextpad=0.4, borderaxespad=0.1)
    axes.set_ylabel("% of samples")
    _along_axis(axes, along)


def _samples(endings: Endings) -> Figure:
    return _panel(_draw_samples, endings)


def _draw_samples(axes: Axes, endings: Endings) -> None:
    axes.set_title("Samples a step took")
    axes.set_xlabel("samples until it was decided")
    axes.set_ylabel("steps")
    if not endings.samples:
        return
    axes.bar(list(endings.samples), list(endings.samples.values()), color=_BLUE, width=0.75)
    for number, steps in endings.samples.items() if len(endings.samples) <= 8 else ():
        axes.annotate(f"{steps:,}", (number, steps), (0, 3), textcoords="offset points", ha="center", fontsize=8.5)
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(endings.samples.values()) * 3)
    axes.set_xlim(min(endings.samples) - 0.9, max(*endings.samples, min(endings.samples) + 4) + 0.9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")
    _plain_log(axes, "y")


def _samples_along(along: Along) -> Figure:
    return _panel(_draw_samples_along, along)


def _draw_samples_along(axes: Axes, along: Along) -> None:
    axes.set_title("Samples a step, along the run")
    means = [samples / steps for samples, steps in zip(along.samples, along.steps, strict=True)]
    axes.bar(_starts(along), means, width=_widths(along), align="edge", color=_BLUE)
    low, high = min(means), max(means)
    bottom = max(0.0, low - max(1.5 * (high - low), 0.2 * low))
    axes.set_ylim(bottom, high + 0.15 * (high - bottom))
    axes.set_ylabel("samples a step")
    _along_axis(axes, along)


def _starts(along: Along) -> list[int]:
    return [1 + along.size * number for number in range(len(along.steps))]


def _widths(along: Along) -> list[float]:
    return [0.88 * steps for steps in along.steps]


def _along_axis(axes: Axes, along: Along) -> None:
    axes.set_xlim(1, sum(along.steps) + 1)
    axes.set_xlabel("step")
    axes.grid(visible=False, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _lengths(lengths: Lengths) -> Figure:
    return _panel(_draw_lengths, lengths)


def _draw_lengths(axes: Axes, lengths: Lengths) -> None:
    axes.set_title("How long replies were")
    for counts, colour, label in (
        (lengths.all, _BLUE, "all"),
        (lengths.flagged, _ORANGE, "red-flagged"),
        (lengths.wrong, _RED, "wrong votes"),
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


def _errors_by_length(lengths: Lengths, *, known: bool) -> Figure:
    return _panel(_draw_errors_by_length, lengths, known=known)


def _draw_errors_by_length(axes: Axes, lengths: Lengths, *, known: bool) -> None:
    axes.set_title("Wrong votes by length" if known else "Lost votes by length")
    for first, last, judged, wrong in pooled(lengths):
        left, right = first * lengths.width, (last + 1) * lengths.width
        low = 0.0 if wrong == 0 else float(beta.ppf(0.025, wrong, judged - wrong + 1))
        high = 1.0 if wrong == judged else float(beta.ppf(0.975, wrong + 1, judged - wrong))
        axes.fill_between([left, right], 100 * low, 100 * high, color=_RED, alpha=0.22, linewidth=0)
        axes.plot([left, right], [100 * wrong / judged] * 2, color=_RED, linewidth=2)
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


def _latencies(latencies: Mapping[int, int]) -> Figure:
    return _panel(_draw_latencies, latencies)


def _draw_latencies(axes: Axes, latencies: Mapping[int, int]) -> None:
    axes.set_title("How long replies took")
    median, most = quantile(latencies, 0.5), quantile(latencies, 0.95)
    unit, name = (1.0, "s") if most >= 1 else (1e-3, "ms")
    buckets = range(min(latencies), max(latencies) + 1)
    edges = [1.1**bucket / 1000 / unit for bucket in (*buckets, buckets[-1] + 1)]
    axes.stairs([latencies.get(bucket, 0) for bucket in buckets], edges, fill=True, color=_BLUE, alpha=0.45)
    for seconds, colour, label in ((median, _INK, "half"), (most, _ORANGE, "95 %")):
        text = f"{label} within {seconds / unit:.2g} {name}"
        axes.axvline(seconds / unit, color=colour, linewidth=1.3, linestyle=(0, (4, 3)), label=text)
    axes.set_xscale("log")
    axes.set_ylim(0, max(latencies.values()) * 1.6)
    axes.legend(loc="upper right")
    axes.set_xlabel("seconds" if name == "s" else "milliseconds")
    axes.set_ylabel("replies")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    _plain_log(axes, "x")
    if edges[-1] / edges[0] < 30:
        axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))


def quantile(latencies: Mapping[int, int], share: float) -> float:
    """Return the latency in seconds below which this share of the replies is, by the middles of the buckets.

    >>> round(quantile({0: 1, 48: 2}, 0.5), 3)
    0.102
    """
    left = share * sum(latencies.values())
    for bucket in sorted(latencies):
        left -= latencies[bucket]
        if left <= 0:
            return float(1.1 ** (bucket + 0.5)) / 1000
    return float(1.1 ** (max(latencies) + 0.5)) / 1000


def _throughput(pace: Pace) -> Figure:
    return _panel(_draw_throughput, pace)


def _draw_throughput(axes: Axes, pace: Pace) -> None:
    axes.set_title("Steps a second, over the time at work")
    pairs = [(a, b) for a, b in zip(pace.points, pace.points[1:], strict=False) if b[1] > a[1]]
    longest = pace.points[-1][1]
    unit, name = next(
        (found for found in ((86400, "days"), (3600, "hours"), (60, "minutes")) if longest > 3 * found[0]), (1, "seconds")
    )
    rates = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairs]
    axes.stairs(rates, [pairs[0][0][1] / unit, *(b[1] / unit for _, b in pairs)], color=_BLUE, linewidth=1.6, baseline=None)
    first, last = pace.points[0], pace.points[-1]
    mean = (last[0] - first[0]) / (last[1] - first[1])
    axes.axhline(mean, color=_ORANGE, linewidth=1.3, linestyle=(0, (4, 3)), label=f"mean {mean:,.3g}")
    axes.set_ylim(0, max(rates) * 1.25)
    axes.set_xlim(0, longest / unit)
    axes.legend(loc="upper right")
    axes.set_xlabel(f"{name} at work")
    axes.set_ylabel("steps / s")


def _short(number: float, _: object = None) -> str:
    """Return a number in few characters.

    >>> _short(1_250_000), _short(20_000), _short(900)
    ('1.25M', '20k', '900')
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:.3g}"


def _plain_log(axes: Axes, which: str) -> None:
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(LogLocator(10, numticks=8))
    axis.set_major_formatter(FuncFormatter(_short))
    axis.set_minor_locator(NullLocator())


_MILLION = 1e6
_STEPS = [10.0 ** (exponent / 4) for exponent in range(4, 57)]
_SAMPLE = sample_cost(590, 538, 0.4, 1.6)
_TARGET = 0.9


def _figure_3a(axes: Axes) -> None:
    axes.set_title("A million steps without an error")
    ks = range(1, 11)
    for p, colour in zip((0.999, 0.9975, 0.995, 0.99, 0.975, 0.95, 0.9), _SERIES, strict=True):
        axes.plot(ks, [p_full(p, k, _MILLION) for k in ks], color=colour, marker="o", markersize=3.5, label=f"{p:g}")
    axes.set_xlabel("k")
    axes.set_ylabel("chance")
    axes.set_xlim(1, 10)
    axes.set_ylim(-0.02, 1.03)
    _legend(axes, "p")


def _figure_3b(axes: Axes) -> None:
    axes.set_title("No error, with k = 3")
    for p, colour in zip((0.999, 0.9975, 0.995), _SERIES, strict=False):
        axes.plot(_STEPS, [p_full(p, 3, steps) for steps in _STEPS], color=colour, label=f"{p:g}")
    axes.set_ylabel("chance")
    axes.set_ylim(-0.02, 1.03)
    _steps_axis(axes)
    _legend(axes, "p")


def _figure_4a(axes: Axes) -> None:
    axes.set_title("The least k for a chance of .9")
    for p, colour in zip((0.9, 0.95, 0.975, 0.99, 0.995, 0.999), _SERIES, strict=False):
        axes.step(_STEPS, [k_min(p, steps, _TARGET) for steps in _STEPS], where="post", color=colour, label=f"{p:g}")
    axes.set_ylabel("k")
    axes.set_ylim(0, None)
    _steps_axis(axes)
    _legend(axes, "p")


def _figure_4b(axes: Axes) -> None:
    axes.set_title("What it costs")
    for p, colour in zip((0.9, 0.95, 0.975, 0.99, 0.995, 0.999), _SERIES, strict=False):
        axes.plot(_STEPS, [_cost(p, steps, 1) for steps in _STEPS], color=colour, label=f"{p:g}")
    axes.set_yscale("log")
    axes.set_ylabel("USD")
    _powers(axes, "y")
    _steps_axis(axes)
    _legend(axes, "p")


def _figure_5a(axes: Axes) -> None:
    axes.set_title("A million steps, m to a sample")
    ms = [10.0 ** (exponent / 10) for exponent in range(61)]
    for p, colour in zip((0.9, 0.95, 0.975, 0.99, 0.995, 0.999), _SERIES, strict=False):
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
    for m, colour in zip((1, 100, 250, 500, 1000, 2500, 5000), _SERIES, strict=True):
        steps = [number for number in _STEPS if number >= m]
        axes.plot(steps, [_cost(0.99, number, m) for number in steps], color=colour, label=f"{m:,}")
    axes.set_yscale("log")
    axes.set_ylabel("USD")
    _powers(axes, "y")
    _steps_axis(axes)
    _legend(axes, "m")


def _cost(p: float, steps: float, m: float) -> float:
    """Return USD with the least k that reaches the target; nan where no k does, or where it is more than a float holds."""
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
