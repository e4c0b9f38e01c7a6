"""`maker-graph verify` and `status`: see where a run stands and what it is worth, without a model."""

from typing import Annotated

import typer

from maker_graph.cli.app import Ending, app
from maker_graph.cli.fleet import status_of
from maker_graph.cli.options import AsJson, InJournal, OwnTask, RunName, Trust, opened_run
from maker_graph.errors import UsageError


@app.command("verify", epilog="Example:\n\n  maker-graph verify first")
def verify_command(
    run: RunName, journal: InJournal = None, task: OwnTask = None, trust: Trust = False, as_json: AsJson = False
) -> Ending:
    """Replay the journal of a run by the rules of its task, without a model, and say what the run is worth.

    Proved: every answer keeps the rules and the goal is reached, or a verifier proves every answer. Right: every answer is the
    one that the task knows to be right. Consistent: nothing says that the answers are wrong, and nothing that they are right.
    The exit code of these three is 0. It is 3 for a run with open steps, and 1 for one whose result is wrong or that is not
    over.

    A task of your own is code. It is imported only if you name it (--task), or trust the directory (--trust).
    """
    from maker_graph.cli.summary import ending_of, print_summary, summarized

    with opened_run(run, journal, task=task, trust=trust) as opened:
        _ = opened.task  # without it nothing can be replayed
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return ending_of(result)


@app.command(
    "status",
    epilog="Examples:\n\n  maker-graph status first\n\n  maker-graph status first --json\n\n"
    "  maker-graph status --fleet rows --journal postgresql://db/runs",
)
def status_command(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run: its name under runs/ or in --journal, or its directory.")
    ] = None,
    fleet: Annotated[
        str | None,
        typer.Option("--fleet", metavar="NAME", help="In place of a run: the name of a fleet, to see all of its runs."),
    ] = None,
    journal: InJournal = None,
    task: OwnTask = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> Ending:
    """Say how far a run or a fleet is.

    A task of your own is code, and is imported only if you name it (--task) or trust the directory (--trust). Without that, the
    run is not replayed, so it is not said whether the answers keep the rules of the task.
    """
    from maker_graph.cli.summary import print_summary, summarized

    if (run is None) == (fleet is None):
        raise UsageError("Name either a run or a fleet (--fleet NAME).")
    if fleet is not None:
        return status_of(fleet, journal, as_json=as_json)
    with opened_run(run or "", journal, task=task, trust=trust) as opened:
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return Ending(result=result)
