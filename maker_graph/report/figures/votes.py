"""Drawings of votes: how fast steps are decided, and the most contested of them."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from maker_graph.report.counting.contests import Contest
from maker_graph.report.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PALETTE, RED, plain_log


def draw_undecided(axes: Axes, ahead: Sequence[int], first: Sequence[int], *, k: int, unit: str) -> None:
    """Draw how many steps are left after each number of samples or votes, for ahead by k and for first to k."""
    axes.set_title(f"Undecided steps after so many {unit}")
    for counts, colour, label, marker in (
        (first, ORANGE, f"first to {k} would need", "s"),
        (ahead, BLUE, f"ahead by {k}", "o"),
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
    plain_log(axes, "y")
    axes.legend(loc="upper right")


def _label_drops(axes: Axes, counts: Sequence[int]) -> None:
    """Write the number at each point where it has fallen, as long as they do not crowd."""
    last, written = counts[0], 0
    for number, count in enumerate(counts):
        if 0 < count < last and written < 8:
            axes.annotate(
                f"{count:,}", (number, count), (4, 4), textcoords="offset points", fontsize=8.5, color=INK, clip_on=False
            )
            written += 1
        last = count


def draw_contest(axes: Axes, contest: Contest) -> None:
    """Draw the votes of each candidate of one contested step as they came in."""
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
    """Return the letter that names the candidate in this place: A, B, ... Z, AA, ...

    >>> letter(0), letter(27)
    ('A', 'BB')
    """
    return chr(ord("A") + place % 26) * (1 + place // 26)


def contest_colours(contest: Contest) -> list[str]:
    """Return the colour of each candidate: blue for the winner, others for the rest."""
    rest = iter([ORANGE, RED, PALETTE["c4"], PALETTE["c6"], PALETTE["c7"], GREEN])
    return [BLUE if place == contest.winner else next(rest, MUTED) for place in range(len(contest.candidates))]
