"""`maker-graph watch`: show runs in a browser."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maker_graph.cli.app import app
from maker_graph.cli.options import InJournal, OwnTask, Trust, home_of, journal_of
from maker_graph.cli.output import say, tell
from maker_graph.errors import UsageError

if TYPE_CHECKING:
    from maker_graph.watch.finding import Finder

NICE = 10
"""The niceness of the page's process, so that runs get the processors first."""


@app.command(
    "watch",
    epilog="Examples:\n\n  maker-graph watch\n\n  maker-graph watch first\n\n"
    "  maker-graph watch sorting-1 --task mypackage.tasks:Sorting\n\n"
    "  maker-graph watch --journal postgresql://db.example/runs",
)
def watch_command(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="The runs: names under runs/ or in --journal, or directories. Default: all."),
    ] = None,
    port: Annotated[int, typer.Option(help="The port of the page; 0 takes a free one.", min=0, max=65535)] = 8765,
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen on. Any other than 127.0.0.1 lets other machines see the page. What is sent is not "
            "encrypted."
        ),
    ] = "127.0.0.1",
    journal: InJournal = None,
    task: OwnTask = None,
    trust: Trust = False,
) -> None:
    """Show runs in a browser while they are at work, and take your answers to stuck steps.

    The address of the page is printed. The page does not disturb the runs. Your answers are checked like a model's replies, and
    left for the run: the next resume uses them, and a run or resume with --wait goes on at once. To check an answer, the task
    is needed. A task of your own is imported only if you name it (--task), or trust the directory (--trust).
    """
    import os
    import secrets
    import socket

    import uvicorn

    from maker_graph.watch.desk import Desk, Trusted
    from maker_graph.watch.guard import EVERYWHERE, Guard, is_loopback
    from maker_graph.watch.hub import Hub
    from maker_graph.watch.server import PUBLIC, create_app

    if task is not None and len(runs or ()) != 1:
        raise UsageError("--task is the task of a single run: name that run.")
    token = secrets.token_urlsafe(24)
    desk = Desk(Trusted(task, directories=trust))
    hub = Hub(_finder(runs or [], journal))
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = (error.strerror or "no such address").partition(" (")[0]
        raise UsageError(f"Port {port} of {host!r} cannot be used ({why}): give another --port, or another --host.") from None
    address = listener.getsockname()[0]
    host = address if address in EVERYWHERE else host  # "", "0" and "::0" mean it too
    guarded = Guard(create_app(hub, desk), token=token, host=host, names=[socket.gethostname()], public=PUBLIC)
    shown = socket.gethostname() if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{listener.getsockname()[1]}/?token={token}")
    tell("Open this address in a browser. Whoever has the address can see the runs, and answer. Ctrl-C ends the page.")
    if not is_loopback(host):
        tell("Other machines can reach it, and what is sent is not encrypted: use it only in a network that you trust.")
    config = uvicorn.Config(
        guarded, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1, proxy_headers=False
    )
    with suppress(OSError):
        os.nice(NICE)
    uvicorn.Server(config).run(sockets=[listener])


def _finder(names: Sequence[str], journal: str | None) -> "Finder":
    """Return the finder of the runs of these names, or of all runs if there are no names.

    Raises:
        UsageError: a name is that of no run.
        OutOfReach: the database cannot be reached.
    """
    from maker_graph.watch.finding import InJournal, in_folder, named

    address = journal_of("", journal)
    if not names:
        if address is None:
            return in_folder(Path("runs"))
        all_ = InJournal(address)
        all_.connection.see_tables()
        return all_
    homes = [home_of(name, journal, standing=True) for name in dict.fromkeys(names)]
    for home in homes:
        home.settings()
    return named(homes)
