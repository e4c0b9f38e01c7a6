"""The command itself: its help, its exit codes, and how it ends.

A command returns its `Ending`, or raises an error. This module makes of it what is told, the object of `--json` and the exit
code. No other place ends a command.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from maker_graph.cli.output import put, say, tell, tolerant_streams
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
"""The exit code of a run that was told to stop."""

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
"""The exit code of a crash: an error in maker_graph, or in the task."""

TRACEBACK = "MAKER_GRAPH_TRACEBACK"
"""The environment variable that has a crash told with its traceback."""


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
        for command in self.commands.values():
            command.help = _unwrapped(command.help or "")
        given = sys.argv[1:] if args is None else list(args)
        as_json = "--json" in given  # before they are read, which takes them out of the list
        with tolerant_streams():
            ending = self._ended(given, prog_name or "maker-graph")
            if as_json and ending is not None:
                try:
                    put(ending.as_json())
                except LimitReached as error:
                    ending = _failed(error)
        sys.exit(0 if ending is None else ending.code)

    def _ended(self, args: list[str], name: str) -> Ending | None:
        """Do what `args` say, and return how it ended; None after a help text."""
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


def _unwrapped(text: str) -> str:
    """Return the paragraphs of a docstring, each as one line, which the help breaks where the terminal ends."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _failed(error: MakerError) -> Ending:
    tell(f"Error: {error}")
    return Ending(code_of(error), str(error))


def _misused(error: Any) -> Ending:
    """Return the ending of a command line that Typer refuses, for an unknown option or a value that is not a number."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help text, which has been shown
        return Ending(EXIT_CODES[UsageError], "There is no command.")
    reason = _kept(error) or _plainly(" ".join(str(error.format_message()).split()))
    path = getattr(getattr(error, "ctx", None), "command_path", "maker-graph")
    tell(f"Error: {reason} (See: {path} --help)")
    return Ending(EXIT_CODES[UsageError], reason)


_PLAIN = {
    "Input should be a valid integer, unable to parse string as an integer": "it must be a whole number",
    "Input should be a valid number, unable to parse string as a number": "it must be a number",
    "Input should be greater than or equal to": "it must be at least",
    "Input should be less than or equal to": "it must be at most",
    "Value error, ": "",
}
"""What Typer says of a value -> what is said to a user."""


def _plainly(reason: str) -> str:
    for said, plain in _PLAIN.items():
        reason = reason.replace(said, plain)
    return reason


def _kept(error: Any) -> str | None:
    """Return what is said if an option that `resume` refuses is one of `run`; None if it is something else."""
    context, name = getattr(error, "ctx", None), getattr(error, "option_name", None)
    if context is None or context.info_name != "resume" or name in {None, "--run"}:
        return None
    known = [word for each in context.parent.command.commands["run"].params for word in (*each.opts, *each.secondary_opts)]
    return f"A run keeps what {name} said when it began: leave it out, or start a new run." if name in known else None


def _crashed(error: BaseException) -> Ending:
    from maker_graph.models.redaction import keys_of_the_environment, redacted  # pydantic, which few commands need

    frames = traceback.extract_tb(error.__traceback__)
    where = f", in line {frames[-1].lineno} of {Path(frames[-1].filename).name}" if frames else ""
    keys = keys_of_the_environment()
    reason = redacted(f"{type(error).__name__}: {error}".rstrip(": "), keys)
    if os.environ.get(TRACEBACK):
        tell(redacted("".join(traceback.format_exception(error)), keys))
    tell(
        f"Error: this should not happen: {reason}{where}. All committed steps are kept. The error is in a task of your own, or "
        f"in maker_graph. In the second case, please report it to the maintainers, with all that {TRACEBACK}=1 shows."
    )
    return Ending(CRASHED, reason)


app = typer.Typer(
    cls=_Command,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Solve long tasks in small steps. At each step a language model is asked several times, and the replies vote "
    "(MAKER, arXiv 2511.09030).",
    epilog="To begin, without a key and without cost:\n\n  maker-graph run hanoi --run first\n\n  maker-graph status first\n\n"
    "Words: A run is the work on one task, kept in the directory runs/NAME or in a database; its journal is the record of "
    "all decided steps. A sample is one reply of the model. A red flag discards a sample, such as one that is cut off, "
    "malformed or against the rules; any other sample is a vote for its answer. An answer wins when it is k votes ahead of "
    "every other; k is the lead. A step that no answer wins is undecided: contested if no answer can win any more, stuck if "
    "the vote ended for another reason, such as too many red flags. An item is a step that depends on no other; an undecided "
    "item is left open for a person. A rung is one way to vote (model, rule, prompt) among several that are tried in turn. A "
    "fleet is many runs in one database, on which several machines work.\n\n"
    "Exit codes: 0 done; 1 the result is wrong by the task's rules, goal or truth (from verify also: the run is not over); "
    "2 wrong usage; 3 a step is undecided, or items are left open; 4 a limit is reached; 5 the provider or a part of the task "
    "failed, or the journal is out of reach; 6 the run is damaged; 70 a crash; 130 interrupted, or another process took the "
    "run over. After 3, 4, 5, 70 and 130 the run can be resumed.",
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(version("maker-graph"))
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Read the options that stand before the command."""
