"""`maker-graph certify` and `report`: how likely it is that a run is right, and how it went."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maker_graph.cli.app import Ending, app
from maker_graph.cli.options import AsJson, Force, InJournal, OwnTask, RunName, Trust, opened_run, tell_if_long
from maker_graph.cli.output import counted, facts, say, show
from maker_graph.extras import need_plan_extra

if TYPE_CHECKING:
    from maker_graph.report.certificate import Certificate
    from maker_graph.statistics.estimation import Estimate

SHOWN = 5
"""At most this many contested steps are shown; `--json` has more."""

DOUBTFUL = 1e-6
"""A step that is wrong with a smaller chance gets no line."""

NOTHING = 1e-9
"""An estimate below this is shown as 0: it is a fit that has come as near to 0 as it can."""


@app.command(
    "certify",
    epilog="Examples:\n\n  maker-graph certify first\n\n  maker-graph certify first --json",
)
def certify_command(run: RunName, journal: InJournal = None, as_json: AsJson = False) -> Ending:
    """Estimate from the votes of a run alone how likely it is that no step is wrong. No right answers are needed.

    The output says what the estimate assumes. maker-graph audit assumes less, but needs right answers of some steps.
    """
    need_plan_extra("certify")
    from maker_graph.report.certificate import UNSEEN
    from maker_graph.report.certificate import as_json as plain

    with opened_run(run, journal) as opened:
        certificate = opened.certify()
    if not as_json:
        show(facts(_certificate_rows(certificate)))
        show(
            *(
                [certificate.refused]
                if certificate.refused
                else ["It assumes:", *(f"- {each}" for each in certificate.assumptions)]
            ),
            UNSEEN,
        )
    return Ending(result=plain(certificate))


@app.command(
    "report", epilog="Examples:\n\n  maker-graph report first\n\n  maker-graph report votes.jsonl   # the journal of an agent"
)
def report_command(
    run: RunName, journal: InJournal = None, task: OwnTask = None, trust: Trust = False, force: Force = False
) -> None:
    """Write a page about a run, report.html in its directory, and its pictures as PNGs. The page needs no network.

    For a run in a database, they are written to runs/NAME on this machine.

    In place of RUN, the journal of an agent may be named (VotingMiddleware(journal=FILE)). Its page is FILE.html.
    """
    if journal is None and Path(run).is_file():
        from maker_graph.report.agents import write_page

        say(str(write_page(Path(run), force=force)))
        return
    need_plan_extra("report")
    with opened_run(run, journal, task=task, trust=trust) as opened:
        tell_if_long(opened)
        page, *pictures = opened.report(force=force)
    say(f"{page}, and {len(pictures)} pictures in {page.parent / 'figures'}")


def _certificate_rows(certificate: "Certificate") -> Iterator[tuple[str, str]]:
    """Yield the lines of the table of a certificate."""
    steps = certificate.steps
    chance = certificate.chance
    shown = f"{chance.value:.4f} (95 %: {chance.low:.4f} to {chance.high:.4f})"
    yield "No step is wrong", "not certified" if certificate.refused else shown
    by = "by votes" if certificate.parts else f"by a lead of {certificate.k}"
    yield "Covered", f"{certificate.covered:,} of {steps:,} steps, each decided {by}"
    for name, part in certificate.parts.items():
        low, high = part.chance.low, part.chance.high
        none_wrong = f"; none is wrong: {part.chance.value:.4f} (95 %: {low:.4f} to {high:.4f})" if part.k > 1 else ""
        yield f"Part {name}", f"{part.covered:,} steps by a lead of {part.k}, {part.contested:,} contested{none_wrong}"
    contested = f"{counted(certificate.contested, 'step')} ({certificate.contested / steps:.2%})"
    yield "Contested", f"{contested}, on which votes disagreed"
    for name, estimate in (("Wrong samples", certificate.error), ("Correlation", certificate.rho)):
        if estimate is not None:
            yield name, _with_interval(estimate)
    doubted = [step for step in certificate.contested_steps if step.wrong > DOUBTFUL][:SHOWN]
    for step in doubted:
        votes = ":".join(str(number) for number in sorted(step.ballot.values(), reverse=True))
        yield f"Step {step.step:,}", f"votes {votes}; wrong with a chance of {step.wrong:.2g}"


def _with_interval(estimate: "Estimate") -> str:
    value, low, high = (0.0 if abs(each) < NOTHING else each for each in (estimate.value, estimate.low, estimate.high))
    return f"{value:.4g} (95 %: {low:.4g} to {high:.4g})"
