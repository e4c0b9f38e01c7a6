"""`maker-graph run` and `resume`: start a run, and go on with one."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maker_graph.cli import options as opt
from maker_graph.cli.app import Ending, app
from maker_graph.cli.output import tell
from maker_graph.cli.recording import recording
from maker_graph.cli.task_command import TaskCommand
from maker_graph.core.characters import visible
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER
from maker_graph.errors import UsageError
from maker_graph.models.names import PATIENCE
from maker_graph.statistics.forecast import TARGET

if TYPE_CHECKING:
    from maker_graph.runs import Run, Solving


@app.command(
    "run",
    cls=TaskCommand,
    epilog="maker-graph --help explains the words. A real model needs the key of its provider, such as OPENAI_API_KEY.\n\n"
    "Examples:\n\n  maker-graph run hanoi --run first   # no key, no cost\n\n"
    "  maker-graph run hanoi --disks 8 --model openai:gpt-4.1-mini --max-cost 2\n\n"
    "  maker-graph run records --input rows.csv --out clean.csv --model openai:gpt-4.1-nano --k 3 --within 3\n\n"
    "  maker-graph run curate --help   # the options of this task too\n\n"
    "  maker-graph run migrate --path src --rule percent --out percent.patch --model openai:gpt-4.1-mini --within 3\n\n"
    "  maker-graph run mypackage.tasks:Sorting --set words=words.txt --set limit=9 --model openai:gpt-4.1-mini --run sorting-1",
)
def run_command(
    ctx: typer.Context,
    task: opt.TaskName,
    disks: opt.Disks = None,
    source: opt.Source = None,
    sets: opt.Sets = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file for the results. records writes CSV; curate writes CSV, JSON Lines or Parquet, as the file ends "
            "in .csv, .jsonl or .parquet; migrate writes a patch. hanoi has none.",
        ),
    ] = None,
    provenance: opt.ProvenanceOption = None,
    model: opt.VotersModel = None,
    k: opt.Lead = "auto",
    within: opt.Within = None,
    cascade: opt.CascadeFrom = None,
    target: Annotated[
        float | None,
        typer.Option(
            help="The chance, between 0 and 1, that no step is wrong. --k auto is planned for it. With --labelled: the "
            "share of the decided rows that must be right.",
            show_default="0.99; 0.95 with --labelled",
        ),
    ] = None,
    calibration: opt.CalibrationFrom = None,
    temperature: opt.TemperatureOption = "auto",
    max_tokens: opt.MaxTokens = None,
    max_samples: opt.MaxSamples = MAX_SAMPLES,
    stuck_after: opt.StuckAfter = STUCK_AFTER,
    retry_temperature: opt.RetryTemperature = "1.0",
    rephrase: opt.Rephrase = True,
    escalate: opt.Escalate = None,
    max_cost: opt.MaxCost = None,
    max_calls: opt.MaxCalls = None,
    max_minutes: opt.MaxMinutes = None,
    max_steps: opt.MaxSteps = None,
    price: opt.OwnPrice = None,
    seed: opt.Seed = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="NAME",
            help="The name of the run, which is then kept in runs/NAME; or a directory, written with a /. Default: the task "
            "and the time.",
        ),
    ] = None,
    journal: opt.InJournal = None,
    lookahead: opt.LookaheadOption = None,
    draft_model: opt.DraftModel = None,
    on_doubt: opt.OnDoubtOption = None,
    concurrency: opt.Concurrency = None,
    rpm: opt.Rpm = None,
    timeout: opt.Timeout = None,
    patience: opt.Patience = PATIENCE / 60,
    batch: opt.Batch = False,
    fsync: opt.FsyncOption = "full",
    check: opt.Check = True,
    examples: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For a task of items, such as records: a file of solved items, one JSON object a line with item and answer. "
            "Each sample is shown a few of them, drawn for it. Short for --set examples=FILE --variants.",
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For curate: a file of rows whose right answers are known, in the form of the results. A tenth of them "
            "become examples. Before the run the model is asked the others at several temperatures, or at --temperature. "
            "This chooses the rule of the vote, and shows how often it is wrong. The limits hold for the measuring and the "
            "run together.",
        ),
    ] = None,
    variants: opt.Variants = False,
    stop: opt.StopAt = None,
    structured: opt.Structured = False,
    emit: opt.EmitBy = None,
    test: opt.TestCommand = None,
    test_seconds: opt.TestSeconds = None,
    apply: opt.Apply = False,
    yes: opt.Yes = False,
    wait: opt.Wait = False,
    record: opt.RecordTo = None,
    trace: opt.TraceOption = None,
    probe: opt.Probe = True,
    force: opt.Force = False,
    quiet: opt.Quiet = False,
    as_json: opt.AsJson = False,
) -> Ending:
    """Start a run: solve a task from its beginning."""
    from maker_graph.cli.announcement import announce, announce_lookahead
    from maker_graph.cli.migrate import finishing
    from maker_graph.cli.session import go_on
    from maker_graph.core.items import Items
    from maker_graph.files import OwnFiles
    from maker_graph.run.results import see_out
    from maker_graph.runs import Run

    if task in {"records", "curate"} and out is None:
        raise UsageError(f"{task} needs --input FILE and --out FILE.")
    for option, rows in (("examples", examples), ("labelled", labelled)):
        _see_taken(task, option, rows)
    if examples is not None:
        sets, variants = [*(sets or ()), f"examples={examples}"], variants or labelled is None
    if labelled is not None:
        sets = [*(sets or ()), f"labelled={labelled}"]
    loaded = opt.task_named(task, disks, source, sets)
    if task == "migrate" and out is None and not apply:
        raise UsageError("migrate needs --out PATCH, or --apply.")
    if test is not None and out is not None and isinstance(loaded.task, Items):
        see_out(loaded.task, out.absolute(), OwnFiles(), force=force)  # before the tests, which may take long
    ending = finishing(loaded.task, test=test, seconds=test_seconds, apply=apply, yes=yes)
    named = re.sub(r"[^A-Za-z0-9]+", "-", task.rpartition(":")[2]).strip("-")[:40] or "run"
    voted = opt.voted_of(ctx.params | {"variants": variants}, loaded)
    kept = _kept_of(ctx.params)
    kept["on_doubt"] = kept["on_doubt"] or "again"
    how = _session_of(ctx.params)
    with recording(record) as file:
        if labelled is None:
            home = opt.home_of(run or f"{named}-{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}", journal, fsync=fsync)
            created = Run.create(home, loaded, target=target or TARGET, warn=tell, **voted, **kept)
        else:
            from maker_graph.cli.choosing import ByLabels

            by_labels = ByLabels(loaded, voted, kept, how, target, quiet=quiet or as_json)
            created = by_labels.run(opt.home_of(run or f"{named}-{by_labels.digest[:12]}", journal, fsync=fsync))
            how = by_labels.how(created)
        with created:
            if ending is not None and ending.suite is not None:
                created.test_with(ending.suite.command)
            announce(created, quiet=quiet)
            announce_lookahead(created, quiet=quiet)
            return go_on(created, file, how, quiet=quiet, as_json=as_json, ending=ending)


@app.command(
    "resume",
    epilog="Examples:\n\n  maker-graph resume first\n\n  maker-graph resume first --max-cost 5\n\n"
    "  maker-graph resume first --answer 'move = [1, 0, 2]\\nnext_state = [[3, 2], [], [1]]'",
)
def resume_command(
    ctx: typer.Context,
    run: opt.RunName,
    journal: opt.InJournal = None,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="REPLY",
            help="Your reply to the undecided step at which the run stopped, as a model would write it; \\n is a line end.",
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Your answers to the open items: the file that maker-graph review RUN --export FILE wrote, filled in.",
        ),
    ] = None,
    retry_open: Annotated[
        bool, typer.Option("--retry-open", help="Vote again on the items that were left open, with new samples.")
    ] = False,
    max_samples: Annotated[int | None, typer.Option(help="The most samples on one step. Default: as before.", min=1)] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where the results go. Default: as before.")] = None,
    provenance: opt.ProvenanceOption = None,
    max_cost: opt.MaxCost = None,
    max_calls: opt.MaxCalls = None,
    max_minutes: opt.MaxMinutes = None,
    max_steps: opt.MaxSteps = None,
    price: opt.OwnPrice = None,
    lookahead: opt.LookaheadOption = None,
    draft_model: opt.DraftModel = None,
    on_doubt: opt.OnDoubtOption = None,
    concurrency: opt.Concurrency = None,
    rpm: opt.Rpm = None,
    timeout: opt.Timeout = None,
    patience: opt.Patience = PATIENCE / 60,
    batch: opt.Batch = False,
    fsync: opt.FsyncOption = "full",
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            help="Go on although the journal was replaced by an older copy of itself. The missing steps are voted on again. "
            "What was spent on them stays counted.",
        ),
    ] = False,
    test: opt.TestCommand = None,
    test_seconds: opt.TestSeconds = None,
    apply: opt.Apply = False,
    yes: opt.Yes = False,
    wait: opt.Wait = False,
    record: opt.RecordTo = None,
    trace: opt.TraceOption = None,
    probe: opt.Probe = True,
    task: opt.OwnTask = None,
    trust: opt.Trust = False,
    force: opt.Force = False,
    quiet: opt.Quiet = False,
    as_json: opt.AsJson = False,
) -> Ending:
    """Go on with a run that stopped, from its last decided step.

    The model, k and the options of the task stay as they were. A task of your own is imported at once if you have worked on
    this run before, on this machine and in this directory. Otherwise name it (--task), or trust the directory (--trust).
    """
    from maker_graph.cli.migrate import finishing
    from maker_graph.cli.session import go_on

    if answer is not None and answers is not None:
        raise UsageError("--answer is for a stuck step, --answers for open items: give one of them.")
    opening = opt.opened_run(run, journal, task=task, trust=trust or "mine", fsync=fsync, accept_loss=accept_loss)
    with opening as opened, recording(record) as file:
        ending = finishing(opened.task, test=test, seconds=test_seconds, apply=apply, yes=yes, run=opened)
        if answers is not None:
            _take_answers(opened, answers)
        how = _session_of(ctx.params)
        how.update(_kept_of(ctx.params))  # type: ignore[typeddict-item]  # its own names
        how["answer"] = None if answer is None else opt.unescaped(answer)
        how["max_samples"], how["retry_open"] = max_samples, retry_open
        return go_on(opened, file, how, quiet=quiet, as_json=as_json, ending=ending)


def _kept_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run keeps, with all limits and the places of its results; `given` are the options of the command.

    Raises:
        UsageError: one of them cannot be read.
    """
    places = {name: None if given[name] is None else Path(given[name]).absolute() for name in ("out", "provenance")}
    return {**opt.kept_of(given), **places, **{name: given[name] for name in ("max_cost", "max_calls", "force")}}


def _session_of(given: Mapping[str, Any]) -> "Solving":
    """Return how this session of a run goes on; `given` are the options of the command."""
    from maker_graph.runs import Solving

    return Solving(
        concurrency=given["concurrency"],
        rpm=given["rpm"],
        timeout=given["timeout"] or "auto",
        patience=60 * given["patience"],
        batch=given["batch"],
        trace=given["trace"],
        probe=given["probe"],
        wait=given["wait"],
    )


def _see_taken(task: str, option: str, file: Path | None) -> None:
    """Make sure that a task that ships takes `option`, if a `file` is given to it.

    Raises:
        UsageError: it does not.
    """
    from maker_graph.tasks.loading import SHIPPED, options_of

    if file is None or task not in SHIPPED or option in options_of(task):
        return
    takes = ", ".join(name for name in SHIPPED if option in options_of(name))
    raise UsageError(f"--{option} is for {takes}. {task} does not take it: leave it out.")


def _take_answers(run: "Run", file: Path) -> None:
    """Take the answers of a person from a file, and tell which were not taken.

    Raises:
        UsageError: the file cannot be read.
    """
    from maker_graph.run.answers import read_answers

    found = run.answer(read_answers(file), write=False)
    for number, why in sorted(found.refused.items()):
        tell(f"Item {number}: the answer was not taken: {visible(why)}.")
    tell(f"Answers taken: {len(found.taken):,}, not taken: {len(found.refused):,}.")
