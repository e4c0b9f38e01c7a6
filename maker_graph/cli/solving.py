"""`maker-graph run` and `resume`: a run from its settings to its last line."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from maker_graph.cli.announcing import Conditions, announce, announce_lookahead, basis_for, plan_of, planned_lead
from maker_graph.cli.app import EXIT_CODES, NOT_VERIFIED, app, clear_errors, tell
from maker_graph.cli.options import (
    AsJson,
    Concurrency,
    DraftModel,
    FsyncOption,
    LookaheadOption,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    OwnPrice,
    Patience,
    Quiet,
    RecordTo,
    Rpm,
    RunName,
    Timeout,
    TraceOption,
    directory_of,
    other_price,
    parse_hotter,
    parse_k,
    parse_temperature,
    price_for,
    task_options,
)
from maker_graph.cli.summary import keep_verdict, print_summary, summarized
from maker_graph.core.characters import visible
from maker_graph.core.task import Predicts, total_of
from maker_graph.errors import DamagedRun, MakerError, ProviderFailure, TakenOver, Undecided, UsageError
from maker_graph.graph.lookahead import draftable
from maker_graph.core.machine import MakerOutput
from maker_graph.models.names import TIMEOUT, TINY, default_model
from maker_graph.models.pricing import Price
from maker_graph.models.provider import Gate
from maker_graph.models.sampler import Calls
from maker_graph.run import directory as runs
from maker_graph.run.account import Limits
from maker_graph.run.settings import TARGET, Settings, cap_for, load_task, named_model, new_settings, rehearsed
from maker_graph.run.solving import INTERRUPTED, PATIENCE, record_to, solve_until_signal
from maker_graph.run.tracing import Trace
from maker_graph.tasks.tables import read_rows, review_path, write_results


@app.command(
    "run",
    epilog="Examples:\n\n  maker-graph run hanoi\n\n"
    "  maker-graph run hanoi --disks 8 --model openai:gpt-4.1-mini --max-cost 2\n\n"
    "  maker-graph run records --input rows.csv --out clean.csv --model openai:gpt-4.1-nano --k 2\n\n"
    "  maker-graph run mypackage.tasks:Sorting --model openai:gpt-4.1-mini --run sorting-1",
)
def run_command(
    task: Annotated[str, typer.Argument(metavar="TASK", help="hanoi, records, or your own as package.module:name.")],
    disks: Annotated[int, typer.Option(help="Disks of hanoi: 2^disks - 1 steps.")] = 10,
    source: Annotated[Path | None, typer.Option("--input", metavar="FILE", help="The rows of records, CSV.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where records puts the normalised rows, CSV.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="provider:model, sim:PROFILE for a simulated one, or tiny, which ships. Default: tiny for hanoi of 3 to 8 "
            "and of 10 disks, which it can finish, else sim:gpt-oss-20b.",
        ),
    ] = None,
    k: Annotated[
        str,
        typer.Option(metavar="N|auto", help="The lead that decides; auto plans for --target, or is 3 for unknown models."),
    ] = "auto",
    target: Annotated[float, typer.Option(help="For --k auto: the chance that no step is wrong.")] = TARGET,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What is known of the model: what maker-graph calibrate wrote.")
    ] = None,
    temperature: Annotated[
        str, typer.Option(metavar="T0,T", help="Of the first sample and of the others; one for all; or none, to send none.")
    ] = "auto",
    max_tokens: Annotated[
        int | None,
        typer.Option(help="Output cap of a sample. Default: 750, or the one that a simulated model was measured with.", min=1),
    ] = None,
    max_samples: Annotated[int, typer.Option(help="A vote that needs more samples is undecided.", min=1)] = 100,
    stuck_after: Annotated[
        int, typer.Option(help="A step is stuck after so many red flags in a row; then it climbs the ladder.", min=1)
    ] = 20,
    hotter: Annotated[
        str, typer.Option(metavar="T|none", help="Ladder, first rung: the temperature of a stuck step's next samples.")
    ] = "1.0",
    rephrase: Annotated[
        bool, typer.Option("--rephrase/--no-rephrase", help="Ladder, second rung: the task's prompt in other words.")
    ] = True,
    escalate: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Ladder, third rung: a stronger model. Default: none.")
    ] = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    price: OwnPrice = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="For samples that can be repeated. Default: 1 for models that ship or are simulated; to others none is sent."
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="NAME", help="Name of the run, or its directory. Default: task and time.")
    ] = None,
    lookahead: LookaheadOption = None,
    draft_model: DraftModel = None,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    timeout: Timeout = TIMEOUT,
    patience: Patience = PATIENCE / 60,
    fsync: FsyncOption = "full",
    check: Annotated[bool, typer.Option("--check/--no-check", help="Discard answers that break the task's rules.")] = True,
    record: RecordTo = None,
    trace: TraceOption = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Solve a task from its start."""
    with clear_errors():
        if task == "records":
            if source is None or out is None:
                raise UsageError("records needs --input FILE.csv and --out FILE.csv.")
            _check_out(out, source)
        options = task_options(task, disks, source)
        model = default_model(task, disks) if model is None else model
        heat = parse_temperature(temperature, model)
        basis = basis_for(task, options, model, calibration, Conditions(check, max_tokens or cap_for(model), heat))
        lead = parse_k(k)
        if lead is None and basis is not None:
            lead = planned_lead(task, options, basis, target)
        settings = new_settings(
            task,
            options,
            model,
            k=lead,
            target=target,
            seed=seed,
            check=check,
            max_samples=max_samples,
            max_tokens=max_tokens,
            temperature=heat,
            stuck_after=stuck_after,
            hotter=parse_hotter(hotter),
            rephrase=rephrase,
            escalate=escalate,
        )
        ahead = _lookahead(settings, lookahead, draft_model, max_cost)
        rehearsed(settings)
        limits = Limits(max_cost, max_calls, max_minutes)
        pricing = price_for(model, price, max_cost)
        dearer = other_price(escalate, max_cost)
        recording = _recording(record)
        named = re.sub(r"[^A-Za-z0-9]+", "-", task.rpartition(":")[2]).strip("-") or "run"
        directory = directory_of(run or f"{named[:40]}-{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}")
        with recording as file, runs.created(directory, settings, fsync=fsync) as opened:
            _keep(opened, limits, price=price, out=_absolute(out), lookahead=lookahead, draft_model=draft_model)
            plan = plan_of(opened, basis)
            announce(opened, pricing, plan, quiet=quiet)
            announce_lookahead(opened, quiet=quiet, **ahead)
            how = _how(limits, pricing, dearer, concurrency, rpm, timeout, patience, trace)
            _go_on(opened, file, quiet=quiet, as_json=as_json, **how, **ahead)


@app.command(
    "resume",
    epilog="Examples:\n\n  maker-graph resume hanoi-20260101-120000-000000 --max-cost 5\n\n"
    "  maker-graph resume hanoi-20260101-120000-000000 --answer 'move = [1, 0, 2]\\nnext_state = ...'",
)
def resume_command(
    run: RunName,
    answer: Annotated[
        str | None, typer.Option(metavar="REPLY", help="A person's reply to the step that is stuck, as a model would give it.")
    ] = None,
    max_samples: Annotated[
        int | None, typer.Option(help="A vote that needs more samples is undecided. Default: as before.", min=1)
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where records puts the rows. Default: as before.")] = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    price: OwnPrice = None,
    lookahead: LookaheadOption = None,
    draft_model: DraftModel = None,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    timeout: Timeout = TIMEOUT,
    patience: Patience = PATIENCE / 60,
    fsync: FsyncOption = "full",
    record: RecordTo = None,
    trace: TraceOption = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run from its last committed step."""
    with clear_errors(), runs.opened(directory_of(run), fsync=fsync) as opened, _recording(record) as file:
        if out is not None:
            _check_out(out, Path(opened.settings.options.get("input", "")))
        settings = opened.settings
        if max_samples is not None and max_samples < settings.k:
            raise UsageError(f"--max-samples {max_samples} is too few for a lead of k = {settings.k}.")
        limits = _limits(opened, max_cost, max_calls, max_minutes)
        pricing = price_for(settings.model, price or opened.journal.note("price"), limits.cost)
        dearer = other_price(settings.escalate, limits.cost)
        note = opened.journal.note
        ahead = _lookahead(settings, lookahead or note("lookahead"), draft_model or note("draft_model"), limits.cost)
        _keep(
            opened,
            limits,
            price=price,
            out=_absolute(out),
            max_samples=max_samples,
            lookahead=lookahead,
            draft_model=draft_model,
        )
        how = _how(limits, pricing, dearer, concurrency, rpm, timeout, patience, trace)
        _go_on(opened, file, quiet=quiet, as_json=as_json, answer=_unescaped(answer), **how, **ahead)


def _check_out(out: Path, source: Path) -> None:
    """See before anything is paid for that the results can be written, and that nothing is lost by it."""
    folder = out.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"{out} cannot be written: there is no folder {folder}.")
    if out.is_dir() or review_path(out).is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{out} cannot be written: it must be a file in a folder that can be written to.")
    if source.resolve() in {out.resolve(), review_path(out).resolve()}:
        raise UsageError(f"--out {out} would overwrite the input: give another file.")


def _keep(run: runs.Run, limits: Limits, **given: object) -> None:
    """Keep with the run what decides no answer, so that a resume does not need to be told again."""
    given |= {"max_cost": limits.cost, "max_calls": limits.calls, "max_minutes": limits.minutes}
    for name, value in given.items():
        if value is not None and run.journal.note(name) != str(value):
            run.journal.set_note(name, str(value))


def _limits(run: runs.Run, cost: float | None, calls: int | None, minutes: float | None) -> Limits:
    """Return the limits of a resume: those given, else those that the run had before."""
    kept = {name: run.journal.note(name) for name in ("max_cost", "max_calls", "max_minutes")}
    return Limits(
        float(kept["max_cost"]) if cost is None and kept["max_cost"] else cost,
        int(kept["max_calls"]) if calls is None and kept["max_calls"] else calls,
        float(kept["max_minutes"]) if minutes is None and kept["max_minutes"] else minutes,
    )


def _lookahead(settings: Settings, lookahead: str | None, draft_model: str | None, max_cost: float | None) -> dict[str, Any]:
    """Return how far to look ahead and who drafts, as `solve` takes it."""
    width: Any = lookahead or "1"
    if width != "auto":
        if not (width.isascii() and width.isdigit() and int(width)):
            raise UsageError(f"--lookahead is a whole number of at least 1, or auto; not {width!r}.")
        width = int(width)
    if width == 1:
        return {"lookahead": 1, "draft_model": None, "draft_price": None}
    task = load_task(settings.task, settings.options)
    draftable(task)
    if (draft_model or settings.model) == TINY and not isinstance(task, Predicts):
        raise UsageError(f"{TINY} has not learned to draft: name who does with --draft-model, or leave --lookahead out.")
    if draft_model is not None:
        named_model(draft_model, settings, task)
    return {"lookahead": width, "draft_model": draft_model, "draft_price": other_price(draft_model, max_cost)}


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


@contextmanager
def _recording(path: Path | None) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
        return
    try:
        path.touch(mode=0o600)  # prompts and replies are for the owner's eyes, as the run is
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    try:
        yield file
    finally:
        with suppress(OSError):  # a line that found no room ended the run already
            file.close()


def _how(
    limits: Limits,
    price: Price | None,
    escalate_price: Price | None,
    concurrency: int | None,
    rpm: float | None,
    timeout: float,
    patience: float,
    trace: Trace | None,
) -> dict[str, Any]:
    """Return what of a run may be another each time, as `solve` takes it."""
    return {
        "limits": limits,
        "price": price,
        "escalate_price": escalate_price,
        "concurrency": concurrency,
        "calls": Calls(gate=Gate(rpm=rpm, notice=tell), timeout=timeout, patience=60 * patience),
        "trace": trace,
    }


def _go_on(run: runs.Run, record: IO[str] | None, *, quiet: bool, as_json: bool, **how: Any) -> None:
    """Solve what is left of `run` as `solve` does, show it, write what it found, and exit with the code for how it ended."""
    stopped: MakerError | None = None
    finished = True
    with _progress(run, quiet=quiet or (as_json and not sys.stderr.isatty())) as progress:
        try:
            finished = solve_until_signal(
                run,
                max_samples=int(run.journal.note("max_samples") or 0) or None,
                record=None if record is None else record_to(record, run, in_order=how["lookahead"] == 1),
                progress=progress,
                warn=tell,
                **how,
            )
        except MakerError as error:
            stopped = error
    if isinstance(stopped, DamagedRun):
        raise stopped
    if stopped is not None or not finished:  # before the summary, which takes its time for a long run
        tell(f"{_why(stopped, run.journal.step + 1)} {run.journal.step} steps are kept.{_todo(run, stopped)}")
    result = summarized(run, quiet=quiet)
    keep_verdict(run, result)
    print_summary(result, as_json=as_json, quiet=quiet)
    still_open = _write_results(run)
    if stopped is not None or not finished:
        code = INTERRUPTED if stopped is None else next(c for kind, c in EXIT_CODES.items() if isinstance(stopped, kind))
        raise typer.Exit(code)
    if still_open:
        review = review_path(Path(run.journal.note("out") or ""))
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


def _todo(run: runs.Run, stopped: MakerError | None) -> str:
    return "" if isinstance(stopped, TakenOver) else f" Go on with: maker-graph resume {run.directory}"


def _unescaped(answer: str | None) -> str | None:
    """Return a reply in which a line end may have been typed as a backslash and an n; in JSON it stays as it is."""
    return answer if answer is None or answer.lstrip()[:1] in {"{", "["} else answer.replace("\\n", "\n")


def _write_results(run: runs.Run) -> int:
    out = run.journal.note("out")
    if run.settings.task != "records" or out is None:
        return 0
    rows = read_rows(Path(run.settings.options["input"]))
    return write_results(Path(out), rows, runs.answers(run))


@contextmanager
def _progress(run: runs.Run, *, quiet: bool) -> Iterator[Callable[[MakerOutput], None]]:
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
