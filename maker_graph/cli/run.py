"""`maker-graph run` and `resume`: make a run or open one, and go on with it."""

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maker_graph.cli.app import Ending, app
from maker_graph.cli.options import (
    Apply,
    AsJson,
    Batch,
    CalibrationFrom,
    CascadeFrom,
    Check,
    Concurrency,
    Disks,
    DraftModel,
    EmitBy,
    Escalate,
    Force,
    FsyncOption,
    InJournal,
    Lead,
    LookaheadOption,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    MaxSamples,
    MaxSteps,
    MaxTokens,
    OnDoubtOption,
    OwnPrice,
    OwnTask,
    Patience,
    Probe,
    ProvenanceOption,
    Quiet,
    RecordTo,
    Rephrase,
    RetryTemperature,
    Rpm,
    RunName,
    Seed,
    Sets,
    Source,
    StopAt,
    Structured,
    StuckAfter,
    TaskName,
    TemperatureOption,
    TestCommand,
    TestSeconds,
    Timeout,
    TraceOption,
    Trust,
    Variants,
    VotersModel,
    Wait,
    Within,
    Yes,
    home_of,
    opened_run,
    parse_lookahead,
    parse_on_doubt,
    task_named,
    unescaped,
    voted_of,
)
from maker_graph.cli.output import tell
from maker_graph.cli.recording import recording
from maker_graph.cli.task_command import TaskCommand
from maker_graph.core.characters import visible
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER
from maker_graph.errors import UsageError
from maker_graph.models.names import PATIENCE
from maker_graph.statistics.forecast import TARGET

if TYPE_CHECKING:
    from maker_graph.runs import Run


@app.command(
    "run",
    cls=TaskCommand,
    epilog="Examples:\n\n  maker-graph run hanoi\n\n"
    "  maker-graph run hanoi --disks 8 --model openai:gpt-4.1-mini --max-cost 2\n\n"
    "  maker-graph run records --input rows.csv --out clean.csv --model openai:gpt-4.1-nano --k 2\n\n"
    "  maker-graph run records --input rows.csv --out clean.csv --model openai:gpt-4.1-nano --k 3 --within 3\n\n"
    "  maker-graph run migrate --path src --rule percent --out percent.patch --model openai:gpt-4.1-mini --within 3\n\n"
    "  maker-graph run mypackage.tasks:Sorting --set words=words.txt --set limit=9 --model openai:gpt-4.1-mini --run sorting-1",
)
def run_command(
    ctx: typer.Context,
    task: TaskName,
    disks: Disks = None,
    source: Source = None,
    sets: Sets = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file for the results: for curate CSV, JSON Lines or Parquet, by its suffix; for migrate a patch.",
        ),
    ] = None,
    provenance: ProvenanceOption = None,
    model: VotersModel = None,
    k: Lead = "auto",
    within: Within = None,
    cascade: CascadeFrom = None,
    target: Annotated[
        float | None,
        typer.Option(
            help="The chance that no step of the run is wrong. --k auto is computed for it. With --labelled: the share of the "
            "decided rows that must be right.",
            show_default="0.99; 0.95 with --labelled",
        ),
    ] = None,
    calibration: CalibrationFrom = None,
    temperature: TemperatureOption = "auto",
    max_tokens: MaxTokens = None,
    max_samples: MaxSamples = MAX_SAMPLES,
    stuck_after: StuckAfter = STUCK_AFTER,
    retry_temperature: RetryTemperature = "1.0",
    rephrase: Rephrase = True,
    escalate: Escalate = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    max_steps: MaxSteps = None,
    price: OwnPrice = None,
    seed: Seed = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="NAME", help="The name of the run, or its directory. Default: task and time.")
    ] = None,
    journal: InJournal = None,
    lookahead: LookaheadOption = None,
    draft_model: DraftModel = None,
    on_doubt: OnDoubtOption = None,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    timeout: Timeout = None,
    patience: Patience = PATIENCE / 60,
    batch: Batch = False,
    fsync: FsyncOption = "full",
    check: Check = True,
    examples: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Solved items as JSON Lines with item and answer. Each sample is shown a few of them, drawn at random. Short "
            "for --set examples=FILE --variants.",
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Rows whose right answers are known, in the form of the results. A tenth of them become examples. Before the "
            "run, the model is asked the others at several temperatures, or at that of --temperature. Its answers choose the "
            "rule, and show how often the rule is right. The limits are for all of this together.",
        ),
    ] = None,
    variants: Variants = False,
    stop: StopAt = None,
    structured: Structured = False,
    emit: EmitBy = None,
    test: TestCommand = None,
    test_seconds: TestSeconds = None,
    apply: Apply = False,
    yes: Yes = False,
    wait: Wait = False,
    record: RecordTo = None,
    trace: TraceOption = None,
    probe: Probe = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> Ending:
    """Solve a task, in a new run."""
    from maker_graph.cli.announcement import announce, announce_lookahead
    from maker_graph.cli.migrate import finishing
    from maker_graph.cli.session import go_on
    from maker_graph.core.items import Items
    from maker_graph.files import OwnFiles
    from maker_graph.run.results import see_out
    from maker_graph.runs import Run, Solving

    if task in {"records", "curate"} and out is None:
        raise UsageError(f"{task} needs --input FILE and --out FILE.")
    if examples is not None:
        sets, variants = [*(sets or ()), f"examples={examples}"], variants or labelled is None
    if labelled is not None:
        sets = [*(sets or ()), f"labelled={labelled}"]
    loaded = task_named(task, disks, source, sets)
    if task == "migrate" and out is None and not apply:
        raise UsageError("migrate needs --out PATCH, or --apply.")
    if test is not None and out is not None and isinstance(loaded.task, Items):
        see_out(loaded.task, out.absolute(), OwnFiles(), force=force)  # before the tests, which may take long
    ending = finishing(loaded.task, test=test, seconds=test_seconds, apply=apply, yes=yes)
    named = re.sub(r"[^A-Za-z0-9]+", "-", task.rpartition(":")[2]).strip("-")[:40] or "run"
    voted = voted_of(ctx.params | {"variants": variants}, loaded)
    kept = {
        "max_cost": max_cost,
        "max_calls": max_calls,
        "max_minutes": max_minutes,
        "max_steps": max_steps,
        "price": price,
        "lookahead": parse_lookahead(lookahead),
        "on_doubt": parse_on_doubt(on_doubt) or "again",
        "draft_model": draft_model,
        "out": None if out is None else out.absolute(),
        "provenance": None if provenance is None else provenance.absolute(),
        "force": force,
    }
    how = Solving(
        concurrency=concurrency,
        rpm=rpm,
        timeout=timeout or "auto",
        patience=60 * patience,
        batch=batch,
        trace=trace,
        probe=probe,
        wait=wait,
    )
    with recording(record) as file:
        if labelled is None:
            home = home_of(run or f"{named}-{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}", journal, fsync=fsync)
            created = Run.create(home, loaded, target=target or TARGET, warn=tell, **voted, **kept)  # type: ignore[arg-type]  # each as its option says
        else:
            from maker_graph.cli.choosing import ByLabels

            by_labels = ByLabels(loaded, voted, kept, how, target, quiet=quiet or as_json)
            created = by_labels.run(home_of(run or f"{named}-{by_labels.digest[:12]}", journal, fsync=fsync))
            how = by_labels.how(created)
        with created:
            if ending is not None and ending.suite is not None:
                created.test_with(ending.suite.command)
            announce(created, quiet=quiet)
            announce_lookahead(created, quiet=quiet)
            return go_on(created, file, how, quiet=quiet, as_json=as_json, ending=ending)


@app.command(
    "resume",
    epilog="Examples:\n\n  maker-graph resume hanoi-20260101-120000-000000 --max-cost 5\n\n"
    "  maker-graph resume hanoi-20260101-120000-000000 --answer 'move = [1, 0, 2]\\nnext_state = ...'",
)
def resume_command(
    run: RunName,
    journal: InJournal = None,
    answer: Annotated[
        str | None, typer.Option(metavar="REPLY", help="Your answer to the step that is stuck, in the form of a model's reply.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Your answers to open items: the file that maker-graph review --export wrote, filled in."
        ),
    ] = None,
    retry_open: Annotated[
        bool, typer.Option("--retry-open", help="Vote again on the items that are left open, with new samples.")
    ] = False,
    max_samples: Annotated[
        int | None,
        typer.Option(help="A step that is not decided after this many samples stays undecided. Default: as before.", min=1),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file for the results. Default: as before.")] = None,
    provenance: ProvenanceOption = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    max_steps: MaxSteps = None,
    price: OwnPrice = None,
    lookahead: LookaheadOption = None,
    draft_model: DraftModel = None,
    on_doubt: OnDoubtOption = None,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    timeout: Timeout = None,
    patience: Patience = PATIENCE / 60,
    batch: Batch = False,
    fsync: FsyncOption = "full",
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            help="Go on although the journal is an older copy. The steps that it lacks are sampled again. What was "
            "spent on them "
            "stays counted.",
        ),
    ] = False,
    test: TestCommand = None,
    test_seconds: TestSeconds = None,
    apply: Apply = False,
    yes: Yes = False,
    wait: Wait = False,
    record: RecordTo = None,
    trace: TraceOption = None,
    probe: Probe = True,
    task: OwnTask = None,
    trust: Trust = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> Ending:
    """Go on with a run from its last committed step.

    A task of your own is code. It is imported if you made the run on this machine, or have resumed it here before.
    Otherwise name it with --task, or allow it with --trust.
    """
    from maker_graph.cli.migrate import finishing
    from maker_graph.cli.session import go_on
    from maker_graph.runs import Solving

    if answer is not None and answers is not None:
        raise UsageError("--answer is for a stuck step, --answers is for open items: give only one of them.")
    opening = opened_run(run, journal, task=task, trust=trust or "mine", fsync=fsync, accept_loss=accept_loss)
    with opening as opened, recording(record) as file:
        ending = finishing(opened.task, test=test, seconds=test_seconds, apply=apply, yes=yes, run=opened)
        if answers is not None:
            _take_answers(opened, answers)
        how = Solving(
            answer=None if answer is None else unescaped(answer),
            max_samples=max_samples,
            out=None if out is None else out.absolute(),
            provenance=None if provenance is None else provenance.absolute(),
            force=force,
            max_cost=max_cost,
            max_calls=max_calls,
            max_minutes=max_minutes,
            max_steps=max_steps,
            price=price,
            lookahead=parse_lookahead(lookahead),
            on_doubt=parse_on_doubt(on_doubt),
            draft_model=draft_model,
            concurrency=concurrency,
            rpm=rpm,
            timeout=timeout or "auto",
            patience=60 * patience,
            batch=batch,
            trace=trace,
            probe=probe,
            retry_open=retry_open,
            wait=wait,
        )
        return go_on(opened, file, how, quiet=quiet, as_json=as_json, ending=ending)


def _take_answers(run: "Run", file: Path) -> None:
    """Take the answers in a file into the run, and say which were not taken.

    Raises:
        UsageError: the file cannot be read.
    """
    from maker_graph.run.answers import read_answers

    found = run.answer(read_answers(file), write=False)
    for number, why in sorted(found.refused.items()):
        tell(f"Item {number}: the answer was not taken: {visible(why)}.")
    tell(f"{len(found.taken):,} answers were taken, {len(found.refused):,} were not.")
