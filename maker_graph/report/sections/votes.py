"""How fast steps are decided, and the most contested of them with their ballots."""

from collections.abc import Mapping

from maker_graph.core.characters import visible
from maker_graph.report.collecting import ReportData
from maker_graph.report.counting.contests import Contest
from maker_graph.report.figures.style import PALETTE
from maker_graph.report.figures.votes import contest_colours, letter
from maker_graph.report.sections.html import escaped, labelled, panels, section

_LONGEST = 300
"""The most characters of a candidate that are shown."""


def undecided_section(data: ReportData, drawn: Mapping[str, str]) -> str:
    """Return the section on how fast steps are decided; empty for a run without a step."""
    k, left = data.settings.k, data.endings.left
    more = f" {left:,} steps were decided by no vote, so the lines do not reach the bottom." if left else ""
    return (
        section(
            "How fast steps are decided",
            panels(
                drawn,
                (
                    "undecided-by-samples",
                    f"Steps still open after each further sample, flagged ones included. Fewer than {k} decide no step.{more}",
                ),
                (
                    "undecided-by-votes",
                    "The same, counting only votes. If the line ends flatter than it falls before, some steps are harder.",
                ),
            ),
        )
        if drawn
        else ""
    )


def contests_section(data: ReportData, drawn: Mapping[str, str]) -> str:
    """Return the section on the most contested steps; empty for a run without a step."""
    if not data.contests:
        return (
            section("The most contested steps", "<p>None: on every step all votes were for the same answer.</p>")
            if drawn
            else ""
        )
    panels = "".join(
        f"<figure>{labelled(drawn[f'contest-{number}'], f'Votes at step {contest.step}')}"
        f"<figcaption>{_vote_told(contest)}</figcaption>{_ballot(contest)}</figure>"
        for number, contest in enumerate(data.contests, start=1)
    )
    return section(
        "The most contested steps",
        f'<p class="lead">Votes of each candidate as they came in, of the {len(data.contests)} longest votes '
        f"among {data.contested:,} contested steps. {_ends(data)}</p>",
        f'<div class="panels">{panels}</div>',
    )


def _ends(data: ReportData) -> str:
    if data.rungs:
        return "Each rung has a rule of its own."
    return f"A vote is decided where a candidate is {data.settings.voting.rule}."


def _vote_told(contest: Contest) -> str:
    votes = len(contest.order)
    flagged = f", {contest.flagged} {'sample' if contest.flagged == 1 else 'samples'} discarded" if contest.flagged else ""
    by = "" if contest.by == "base" else f", by {escaped(contest.by)}"
    if contest.winner is None:
        return f"Nobody won in {votes} votes{flagged}{by}."
    lead = f"{letter(contest.winner)} {'was proved' if contest.proved else 'won'}"
    if contest.right is None:
        return f"{lead} after {votes} votes{flagged}{by}."
    return f"{lead} after {votes} votes{flagged}{by}, and it is {'right' if contest.right == contest.winner else 'wrong'}."


def _ballot(contest: Contest) -> str:
    names = {colour: name for name, colour in PALETTE.items()}
    lines = []
    for place, (candidate, colour) in enumerate(zip(contest.candidates, contest_colours(contest), strict=True)):
        won = "proved" if contest.proved else "won"
        marks = [text for text, holds in ((won, place == contest.winner), ("right", place == contest.right)) if holds]
        mark = f"<em>{', '.join(marks)}</em>" if marks else ""
        text = visible(candidate)
        text = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
        votes = contest.order.count(place)
        share = f"--share:{100 * votes / max(1, len(contest.order)):.0f}%"
        lines.append(
            f'<li style="{share}"><b style="color:var(--{names[colour]})">{letter(place)}</b><span>{votes}</span>'
            f"<span><code>{escaped(text)}</code>{mark}</span></li>"
        )
    return f'<ul class="ballot">{"".join(lines)}</ul>'
