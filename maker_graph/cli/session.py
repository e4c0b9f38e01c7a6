"""One session of a run: solve its steps, show how far it is, write its results, and end with the exit code."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from maker_graph.cli.app import EXIT_CODES, INTERRUPTED, Ending, code_of
from maker_graph.cli.output import counted, put, show, shown, tell
from maker_graph.cli.process import until_signal
from maker_graph.cli.progress import Bar
from maker_graph.cli.recording import record_to
from maker_graph.cli.summary import ending_of, print_summary, summarized
from maker_graph.core.guarding import guarded, total_of
from maker_graph.core.machine import MakerOutput
from maker_graph.errors import DamagedRun, LimitReached, MakerError, ProviderFailure, TakenOver, Undecided, UsageError
from maker_graph.runs import Run, Solving

if TYPE_CHECKING:
    from maker_graph.cli.migrate import Finishing


def go_on(
    run: Run, file: IO[str] | None, how: Solving, *, quiet: bool, as_json: bool, ending: "Finishing | None" = None
) -> Ending:
    """Solve what is left of `run`, show how it goes, and write the results; return how it ended.

    Args:
        run: the run.
        file: where every prompt and reply is recorded; None records nothing.
        how: how the run goes on.
        quiet: whether neither progress nor summary is shown.
        as_json: whether the result is one JSON object, in place of the summary.
        ending: what else is done with the results of a migration, once all steps are decided.

    Raises:
        DamagedRun: what is stored contradicts itself.
        UsageError: an option is wrong.
    """
    stopped: MakerError | None = None
    finished, began = True, run.step
    if file is not None:
        ahead = how.get("lookahead") or run.options.lookahead
        one = ahead == 1 or (ahead is None and guarded(run.task).given is None)
        how["record"] = record_to(file, lambda: run.step, in_order=one)
    with _progress(run, quiet=quiet or (as_json and not sys.stderr.isatty())) as progress:
        try:
            how["progress"], how["warn"] = progress, tell
            finished = until_signal(run.drive(**how), hung=_hung if as_json else lambda: None)
        except MakerError as error:
            stopped = error
    if isinstance(stopped, DamagedRun | UsageError):
        raise stopped
    whole = stopped is None and finished
    if not whole:  # before the summary, which takes its time for a long run
        kept = "1 step is kept" if run.step == 1 else f"{run.step} steps are kept"
        tell(f"{_why(stopped, run.step + 1)}{_more(stopped)} {kept}.{_todo(run, stopped)}")
    if whole and began and run.step == began and not (quiet or how.get("retry_open") or how.get("wait")):
        tell("No step was left to vote on.")
    if whole and ending is not None:
        ending.decided(run)
    left, unwritten = (0, None) if isinstance(stopped, TakenOver) else written_of(run)
    summary = summarized(run, quiet=quiet)
    print_summary(summary, quiet=quiet or as_json)
    result: Mapping[str, Any] = {**summary, "backing": backing} if (backing := run.backing) else summary
    if backing and not (quiet or as_json):
        show(shown(("Backed by labels: ", "bold"), backing))
    if not whole:
        return Ending(INTERRUPTED if stopped is None else code_of(stopped), _why(stopped, run.step + 1), result)
    if ending is not None and unwritten is None:
        unwritten = ending.written(run)
    if unwritten is not None:
        return Ending(code_of(unwritten), str(unwritten), result)
    if summary["verdict"] == "open" and guarded(run.task).given is not None:
        count = run.open_count()
        text = f"{count:,} of {counted(run.step, 'item')} {'is' if count == 1 else 'are'} left open for a person: "
        text += f"maker-graph review {run.home.command}"
        tell(text)
        return replace(ending_of(summary), reason=text, result=result)
    if left and (ended := ending_of(summary)).code == 0:
        text = f"All items are decided, but some results ({left:,}) are left open: they stand beside {run.options.out}."
        tell(text)
        return replace(ended, code=EXIT_CODES[Undecided], reason=text, result=result)
    return replace(ending_of(summary), result=result)


def written_of(run: Run) -> tuple[int, MakerError | None]:
    """Write the results of a run; return how many of them are left open, and the error if they cannot be written."""
    try:
        return run.write_results(), None
    except (UsageError, LimitReached) as error:
        tell(f"Error: {error} All answers are kept. To write them: maker-graph resume {run.home.command} --out FILE")
        return 0, error


def _hung() -> None:
    """Print the JSON object of a run that did not stop in time."""
    put(Ending(INTERRUPTED, "Interrupted; a call did not end in time.").as_json())


def _why(stopped: MakerError | None, step: int) -> str:
    """Return why a run stopped at `step`, in a sentence."""
    match stopped:
        case None:
            return "Interrupted."
        case ProviderFailure():
            return f"Step {step}: {stopped}"
        case Undecided():
            return f"Step {step} is {stopped}"
        case _:
            return str(stopped)


def _more(stopped: MakerError | None) -> str:
    """Return what a person must see to answer a stuck step: ballot, last replies and question."""
    if not isinstance(stopped, Undecided):
        return ""
    ballot = "".join(f"\n  {votes} for {candidate}" for candidate, votes in stopped.ballot.items())
    replies = "".join(f"\n  {' '.join(reply.split())[-300:]}" for reply in stopped.replies)
    shown = f"\nThe last replies end with:{replies}" if replies else ""
    asked = "".join(f"\n  {line}" for _, content in stopped.prompt[-1:] for line in str(content).splitlines())
    shown += f"\nWhat was asked:{asked}" if asked else ""
    without = "the run stops here again" if stopped.passed else "the models vote on the step again"
    return f"{ballot}{shown}\nTo answer it yourself, add --answer REPLY to the command below. Without it, {without}.\n"


def _todo(run: Run, stopped: MakerError | None) -> str:
    return "" if isinstance(stopped, TakenOver) else f" Go on with: maker-graph resume {run.home.command}"


@contextmanager
def _progress(run: Run, *, quiet: bool) -> Iterator[Callable[[MakerOutput], None]]:
    """Show a live bar; yield the function to call after each step."""
    if quiet:
        yield lambda _: None
        return
    with Bar(run.settings.task, "steps", total_of(run.task)) as bar:

        def tell(at: MakerOutput) -> None:
            totals, speed = at["totals"], bar.speed
            flagged = sum(totals["flags"].values())
            counts = ((totals["samples"], "sample"), (flagged, "red flag"), (totals["outvoted"], "vote"))
            bar.below = f"{', '.join(counted(*each) for each in counts)} outvoted"
            bar.reach(at["step"], more=f", {speed:,.0f}/s" if speed else "")

        yield tell
