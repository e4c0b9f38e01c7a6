"""The command itself: its help, its exit codes, and how errors are told."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from maker_graph.errors import DamagedRun, LimitReached, MakerError, ProviderFailure, TakenOver, Undecided, UsageError

INTERRUPTED = 130
"""The exit code of a run that was told to stop."""

EXIT_CODES: dict[type[MakerError], int] = {
    UsageError: 2,
    Undecided: 3,
    LimitReached: 4,
    ProviderFailure: 5,
    DamagedRun: 6,
    TakenOver: INTERRUPTED,
}

NOT_VERIFIED = 1
"""The exit code of a run that is over, and whose answers are not all known to keep the rules."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Solve long tasks by small voted steps (MAKER, arXiv 2511.09030).",
    epilog="Exit codes: 0 done and verified, 1 done but not verified, 2 wrong usage, 3 undecided step, 4 limit reached, "
    "5 provider failure, 6 damaged run, 130 interrupted. After 3, 4, 5 and 130 the run can be resumed.",
)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn what maker_graph raises into one sentence and an exit code."""
    try:
        yield
    except MakerError as error:
        typer.echo(f"Error: {error}", err=True)
        code = next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def tell(text: str) -> None:
    """Say `text` to the person at the terminal."""
    typer.echo(text, err=True)
