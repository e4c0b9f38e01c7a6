"""The command line: `maker-graph run`, `resume`, `review`, `status`, `report` and the others.

What is told to a person goes to standard error. Standard output holds the result; with `--json` that is exactly one object.
There is a module for each group of commands. `--help` lists the commands in the order of the imports.
"""

import signal
import sys

from maker_graph.cli.app import EXIT_CODES, INTERRUPTED, app
from maker_graph.cli.output import see_streams

# isort: off
from maker_graph.cli import run  # noqa: F401  each adds its commands to `app`, in the order of these lines
from maker_graph.cli import review  # noqa: F401
from maker_graph.cli import watch  # noqa: F401
from maker_graph.cli import label  # noqa: F401
from maker_graph.cli import status  # noqa: F401
from maker_graph.cli import fleet  # noqa: F401
from maker_graph.cli import check_task  # noqa: F401
from maker_graph.cli import calibrate  # noqa: F401
from maker_graph.cli import plan  # noqa: F401
from maker_graph.cli import report  # noqa: F401
from maker_graph.cli import simulate  # noqa: F401
# isort: on

__all__ = ["EXIT_CODES", "app", "main"]


def main() -> None:
    """Run the command line."""
    see_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, until the loop of a run takes over
    try:
        app()
    except KeyboardInterrupt:  # before the command had begun, or after it had ended
        sys.exit(INTERRUPTED)
    finally:  # the process ends now, and a late signal must not change its exit code
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
