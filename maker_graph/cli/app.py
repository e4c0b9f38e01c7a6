"""The command itself: its help, its exit codes, and how it ends.

A command returns its `Ending`, or raises an error. This module turns both into messages, the object of `--json` and the exit
code. No other place ends a command.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from maker_graph.cli.output import put, tell, tolerant_streams
from maker_graph.errors import (
    DamagedRun,
    LimitReached,
    MakerError,
    OutOfReach,
    PartFailed,
    ProviderFailure,
    TakenOver,
    Undecided,
    UsageError,
)

INTERRUPTED = 130
"""The exit code of a run that was interrupted."""

EXIT_CODES: dict[type[MakerError], int] = {
    UsageError: 2,
    Undecided: 3,
    LimitReached: 4,
    ProviderFailure: 5,
    OutOfReach: 5,
    PartFailed: 5,
    DamagedRun: 6,
    TakenOver: INTERRUPTED,
}

CONTRADICTED = 1
"""The exit code of a run whose answers break a rule, miss the goal, or are known to be wrong."""

CRASHED = 70
"""The exit code of an unexpected error, in the program or in the task."""

TRACEBACK = "MAKER_GRAPH_TRACEBACK"
"""The environment variable that makes a crash print its traceback."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended.

    Attributes:
        code: the exit code.
        reason: why the code is not 0, in a sentence or two; None if it is 0.
        result: what `--json` prints beside the code and the reason.
    """

    code: int = 0
    reason: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the object of `--json`."""
        return {**self.result, "exit_code": self.code, "reason": self.reason}


def code_of(error: MakerError) -> int:
    """Return the exit code for an error."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


class _Command(TyperGroup):
    """`maker-graph`: a group of commands that ends in one place."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **__: Any) -> NoReturn:
        """Do what `args` say, and exit."""
        given = sys.argv[1:] if args is None else list(args)
        as_json = "--json" in given  # asked now, because parsing empties the list
        with tolerant_streams():
            ending = self._ended(given, prog_name or "maker-graph")
            if as_json and ending is not None:
                try:
                    put(ending.as_json())
                except LimitReached as error:
                    ending = _failed(error)
        sys.exit(0 if ending is None else ending.code)

    def _ended(self, args: list[str], name: str) -> Ending | None:
        """Do what `args` say. Return how it ended, or None after a help text."""
        try:
            with self.make_context(name, args) as context:
                ending = self.invoke(context)
        except typer.Exit as done:
            return None if done.exit_code == 0 else Ending(done.exit_code)
        except MakerError as error:
            return _failed(error)
        except (KeyboardInterrupt, typer.Abort):
            return Ending(INTERRUPTED, "Interrupted.")
        except (Exception, SystemExit) as error:  # noqa: BLE001  the last place: nobody else would tell
            return _misused(error) if hasattr(error, "format_message") else _crashed(error)
        return ending if isinstance(ending, Ending) else Ending()


def _failed(error: MakerError) -> Ending:
    tell(f"Error: {error}")
    return Ending(code_of(error), str(error))


def _misused(error: Any) -> Ending:
    """Return the ending for what Typer refuses, such as an unknown option or a word in place of a number."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help text, which was shown
        return Ending(EXIT_CODES[UsageError], "No command was given.")
    reason = " ".join(str(error.format_message()).split())
    path = getattr(getattr(error, "ctx", None), "command_path", "maker-graph")
    tell(f"Error: {reason} (See: {path} --help)")
    return Ending(EXIT_CODES[UsageError], reason)


def _crashed(error: BaseException) -> Ending:
    from maker_graph.models.redaction import keys_of_the_environment, redacted  # imports pydantic, which few commands need

    frames = traceback.extract_tb(error.__traceback__)
    where = f", in line {frames[-1].lineno} of {Path(frames[-1].filename).name}" if frames else ""
    keys = keys_of_the_environment()
    reason = redacted(f"{type(error).__name__}: {error}".rstrip(": "), keys)
    if os.environ.get(TRACEBACK):
        tell(redacted("".join(traceback.format_exception(error)), keys))
    tell(
        f"Error: this should not happen: {reason}{where}. What was committed is kept. The error is in your own task or in "
        f"maker_graph. If it is in maker_graph, please report it with the output of the same command under {TRACEBACK}=1."
    )
    return Ending(CRASHED, reason)


app = typer.Typer(
    cls=_Command,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Solve long tasks in small steps, each decided by a vote (MAKER, arXiv 2511.09030).",
    epilog="Exit codes: 0 done; 1 the answers contradict the task's rules, its goal or known right answers (for "
    "verify also: the "
    "run is not finished); 2 wrong usage; 3 a step is undecided, or items are left open; 4 a limit is reached; 5 the provider "
    "fails, or the journal is out of reach; 6 the run is damaged; 70 an unexpected error; 130 interrupted. "
    "After 3, 4, 5, 70 and 130 the run can be resumed.",
)
