"""`maker-graph verify` and `status`: what can be said of a run without a model."""

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
    """Replay a run's journal by the task's rules alone, without a model, and say what it is worth.

    Proved: every answer keeps the rules and the goal is reached. Right: every answer is the one that the task knows to be
    right. Consistent: nothing says that the answers are right, or wrong. These three exit with 0, open with 3; contradicted,
    and a run that is not over, with 1.

    A task of your own is code: it is imported if you name it (--task), or trust the directory (--trust).
    """
    from maker_graph.cli.summary import ending_of, print_summary, summarized

    with opened_run(run, journal, task=task, trust=trust) as opened:
        _ = opened.task  # without it nothing can be replayed
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return ending_of(result)


@app.command(
    "status",
    epilog="Examples:\n\n  maker-graph status hanoi-20260101-120000-000000 --json\n\n"
    "  maker-graph status --fleet rows --journal postgresql://db/runs",
)
def status_command(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The run: its name under runs/, or its directory.")] = None,
    fleet: Annotated[
        str | None, typer.Option("--fleet", metavar="NAME", help="In place of a run: all runs of a fleet.")
    ] = None,
    journal: InJournal = None,
    task: OwnTask = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> Ending:
    """Say where a run stands, or a fleet.

    A task of your own is code, which looking does not import: without --task or --trust nothing is replayed.
    """
    from maker_graph.cli.summary import print_summary, summarized

    if (run is None) == (fleet is None):
        raise UsageError("Name a run, or a fleet (--fleet).")
    if fleet is not None:
        return status_of(fleet, journal, as_json=as_json)
    with opened_run(run or "", journal, task=task, trust=trust) as opened:
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return Ending(result=result)
