"""`maker-graph verify` and `status`: what can be said of a run without a model."""

from maker_graph.cli.app import Ending, app
from maker_graph.cli.options import AsJson, RunName, opened_run


@app.command("verify", epilog="Example:\n\n  maker-graph verify hanoi-20260101-120000-000000")
def verify_command(run: RunName, as_json: AsJson = False) -> Ending:
    """Replay a run's journal by the task's rules alone, without a model; exit with 0 if it is done and verified."""
    from maker_graph.cli.summary import print_summary, summarized, verdict

    with opened_run(run) as opened:
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return verdict(result)


@app.command("status", epilog="Example:\n\n  maker-graph status hanoi-20260101-120000-000000 --json")
def status_command(run: RunName, as_json: AsJson = False) -> Ending:
    """Say where a run stands."""
    from maker_graph.cli.summary import print_summary, summarized

    with opened_run(run) as opened:
        result = summarized(opened, quiet=as_json)
    print_summary(result, quiet=as_json)
    return Ending(result=result)
