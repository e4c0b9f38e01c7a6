"""`maker-graph verify` and `status`: check a run, and say where it stands, without a model."""

from typing import Annotated

import typer

from maker_graph.cli.app import Ending, app
from maker_graph.cli.fleet import status_of
from maker_graph.cli.options import AsJson, InJournal, OwnTask, RunName, Trust, opened_run
from maker_graph.errors import UsageError


@app.command("verify", epilog="Example:\n\n  maker-graph verify hanoi-20260101-120000-000000")
def verify_command(
    run: RunName, journal: InJournal = None, task: OwnTask = None, trust: Trust = False, as_json: AsJson = False
) -> Ending:
    """Replay the journal of a run by the rules of its task, without a model, and give the verdict.

    Proved: every answer keeps the rules, and the goal is reached. Right: every answer is the one that the task knows to
        be right.
    Consistent: nothing says whether the answers are right. Open: items wait for a person. Contradicted: an answer
    breaks a rule, or is known to be wrong. Exit codes: 0 proved, right or consistent; 3 open; 1 contradicted, or the
    run is not finished.

    A task of your own is code. It is imported only if you name it (--task) or allow it (--trust).
    """
    from maker_graph.cli.summary import ending_of, print_summary, summarized

    with opened_run(run, journal, task=task, trust=trust) as opened:
        _ = opened.task  # raises if the task cannot be loaded, without which nothing can be replayed
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return ending_of(result)


@app.command(
    "status",
    epilog="Examples:\n\n  maker-graph status hanoi-20260101-120000-000000 --json\n\n"
    "  maker-graph status --fleet rows --journal postgresql://db/runs",
)
def status_command(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run: its name under runs/ or in the --journal, or its directory.")
    ] = None,
    fleet: Annotated[
        str | None, typer.Option("--fleet", metavar="NAME", help="Show all runs of this fleet, in place of one run.")
    ] = None,
    journal: InJournal = None,
    task: OwnTask = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> Ending:
    """Say how far a run or a fleet is.

    A task of your own is code, and is not imported without --task or --trust. The steps are then counted, but not replayed.
    """
    from maker_graph.cli.summary import print_summary, summarized

    if (run is None) == (fleet is None):
        raise UsageError("Name a run, or a fleet with --fleet.")
    if fleet is not None:
        return status_of(fleet, journal, as_json=as_json)
    with opened_run(run or "", journal, task=task, trust=trust) as opened:
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return Ending(result=result)
