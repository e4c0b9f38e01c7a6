"""The look of all drawings, and their files. Each is a matplotlib figure of one panel, all of the same size.

Colours come from the page's palette (`PALETTE`). In an inline SVG they become CSS variables and follow the reader's light or
dark scheme; a PNG has the light colours. The names of red flags are the only text of a model or a user in a drawing.
"""

import io
import re
from collections.abc import Callable
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

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
"""Name in the page's style sheet -> colour in the light scheme."""

INK, MUTED, LINE = PALETTE["ink"], PALETTE["muted"], PALETTE["line"]
SERIES = [PALETTE[f"c{number}"] for number in range(1, 8)]
BLUE, ORANGE, GREEN, RED = PALETTE["c1"], PALETTE["c2"], PALETTE["c3"], PALETTE["c5"]

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
    "axes.titlecolor": INK,
    "axes.labelsize": 9.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
}


def svg(figure: Figure, name: str) -> str:
    """Return the figure as an SVG element for an HTML page, with ids that begin with `name` and the page's colours.

    Its labels are text, in the page's font.
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
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)  # newer versions of matplotlib write it on its own
    text = text.replace("font-weight: ;", "").replace('font-weight: "', '"')
    for variable, colour in PALETTE.items():
        text = text.replace(colour, f"var(--{variable})")
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file, in the light scheme."""
    file = io.BytesIO()
    with rc_context(_STYLE):
        figure.savefig(file, format="png", dpi=180)
    return file.getvalue()


def panel(draw: Callable[..., None], *args: Any, **named: Any) -> Figure:
    """Return a figure of one panel, drawn by `draw` from the other arguments."""
    with rc_context(_STYLE):
        figure = Figure()
        draw(figure.add_subplot(), *args, **named)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # once is enough: the layout is the same for both files
    return figure


def short(number: float, _: object = None) -> str:
    """Return a number in few characters.

    >>> short(1_250_000), short(20_000), short(900)
    ('1.25M', '20k', '900')
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:.3g}"


def plain_log(axes: Axes, which: str) -> None:
    """Write plain numbers on a logarithmic axis, x or y."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(LogLocator(10, numticks=8))
    axis.set_major_formatter(FuncFormatter(short))
    axis.set_minor_locator(NullLocator())
