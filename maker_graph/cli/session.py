"""One session of a run: it is solved, shown, written, and ends with its exit code."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from maker_graph.cli.app import EXIT_CODES, INTERRUPTED, NOT_VERIFIED, tell
from maker_graph.cli.process import until_signal
from maker_graph.cli.recording import record_to
from maker_graph.cli.summary import print_summary, summarized
from maker_graph.core.characters import visible
from maker_graph.core.machine import MakerOutput
from maker_graph.core.task import total_of
from maker_graph.errors import DamagedRun, MakerError, ProviderFailure, TakenOver, Undecided, UsageError
from maker_graph.runs import Run, Solving
from maker_graph.tasks.tables import review_path


def go_on(run: Run, file: IO[str] | None, how: Solving, *, quiet: bool, as_json: bool) -> None:
    """Solve what is left of `run`, show it, write what it found, and exit with the code for how it ended."""
    stopped: MakerError | None = None
    finished = True
    if file is not None:
        ahead = how.get("lookahead") or run.options.lookahead
        how["record"] = record_to(file, lambda: run.step, in_order=ahead == 1)
    with _progress(run, quiet=quiet or (as_json and not sys.stderr.isatty())) as progress:
        try:
            how["progress"], how["warn"] = progress, tell
            finished = until_signal(run.drive(**how))
        except MakerError as error:
            stopped = error
    if isinstance(stopped, DamagedRun | UsageError):
        raise stopped
    if stopped is not None or not finished:  # before the summary, which takes its time for a long run
        tell(f"{_why(stopped, run.step + 1)} {run.step} steps are kept.{_todo(run, stopped)}")
    result = summarized(run, quiet=quiet)
    print_summary(result, as_json=as_json, quiet=quiet)
    still_open = run.write_results()
    if stopped is not None or not finished:
        code = INTERRUPTED if stopped is None else next(c for kind, c in EXIT_CODES.items() if isinstance(stopped, kind))
        raise typer.Exit(code)
    if still_open:
        review = review_path(run.options.out or Path())
        typer.echo(f"{still_open} of {result['steps']} rows are left open for a person: {review}", err=True)
    raise typer.Exit(0 if result["verified"] else NOT_VERIFIED)


def _why(stopped: MakerError | None, step: int) -> str:
    """Return why a run stopped at `step`; of a stuck step also what a person needs to answer it."""
    if stopped is None:
        return "Interrupted."
    if isinstance(stopped, ProviderFailure):
        return f"Step {step}: {stopped}"
    if not isinstance(stopped, Undecided):
        return f"{stopped}"
    ballot = "".join(f"\n  {votes} for {visible(candidate)}" for candidate, votes in stopped.ballot.items())
    replies = "".join(f"\n  {visible(' '.join(reply.split()))[-300:]}" for reply in stopped.replies)
    shown = f"\nThe last replies end with:{replies}" if replies else ""
    asked = "".join(f"\n  {visible(line)}" for _, content in stopped.prompt[-1:] for line in str(content).splitlines())
    shown += f"\nWhat was asked:{asked}" if asked else ""
    return (
        f"Step {step} is {visible(str(stopped))}{ballot}{shown}\n"
        "To answer it yourself, add --answer REPLY to the command below; without it, the step is sampled again.\n"
    )


def _todo(run: Run, stopped: MakerError | None) -> str:
    return "" if isinstance(stopped, TakenOver) else f" Go on with: maker-graph resume {run.directory}"


@contextmanager
def _progress(run: Run, *, quiet: bool) -> Iterator[Callable[[MakerOutput], None]]:
    """Show a live bar; yield what it is told after each step."""
    if quiet:
        yield lambda _: None
        return
    bar = _Bar(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("steps{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
    )
    with bar:
        shown = bar.add_task(run.settings.task, total=total_of(run.task), rate="")

        def tell(at: MakerOutput) -> None:
            totals, speed = at["totals"], bar.tasks[0].speed
            flagged = sum(totals["flags"].values())
            bar.votes = f"{totals['samples']:,} samples, {flagged:,} red flags, {totals['outvoted']:,} wrong samples outvoted"
            bar.update(shown, completed=at["step"], rate=f", {speed:,.0f}/s" if speed else "")

        yield tell


class _Bar(Progress):
    """A progress bar with the votes on a line of their own, so that both fit into a narrow terminal."""

    votes = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self.votes, style="dim")
