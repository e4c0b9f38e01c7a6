"""The command line: `maker-graph run | resume | verify | status | check-task | calibrate | plan | certify | report | simulate`.

What a person reads goes to standard error; standard output holds the result, with `--json` exactly one object. A module for
each group of commands; the order of the imports is that of `--help`.
"""

import signal

from maker_graph.cli.app import EXIT_CODES, app

# isort: off
from maker_graph.cli import solving  # noqa: F401  each adds its commands to `app`, in the order of these lines
from maker_graph.cli import looking  # noqa: F401
from maker_graph.cli import checking  # noqa: F401
from maker_graph.cli import calibrating  # noqa: F401
from maker_graph.cli import planning  # noqa: F401
from maker_graph.cli import judging  # noqa: F401
from maker_graph.cli import serving  # noqa: F401
# isort: on

__all__ = ["EXIT_CODES", "app", "main"]


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the loop of a run takes over: as Ctrl-C
    try:
        app()
    finally:  # what is left is the end of the process: a late signal must not change its exit code
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
