"""`maker-graph submit`, `work` and `seal`: many runs on many machines."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maker_graph.cli import options as opt
from maker_graph.cli.app import EXIT_CODES, INTERRUPTED, Ending, app
from maker_graph.cli.output import counted, facts, say, show, tell
from maker_graph.cli.process import until_signal
from maker_graph.cli.progress import Bar
from maker_graph.cli.summary import ending_of, print_summary, replaying
from maker_graph.cli.task_command import TaskCommand
from maker_graph.core.characters import visible
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER
from maker_graph.errors import LimitReached, PartFailed, Undecided, UsageError
from maker_graph.models.names import PATIENCE
from maker_graph.statistics.forecast import TARGET

if TYPE_CHECKING:
    from maker_graph.fleet.standing import Standing
    from maker_graph.fleet.submitting import NewRun, Submitted
    from maker_graph.fleet.working import EngineName
    from maker_graph.journal.postgres.fleets import Limits
    from maker_graph.run.options import RunOptions
    from maker_graph.run.settings import Settings
    from maker_graph.tasks.loading import LoadedTask

LOOK = 2.0
"""Seconds between two looks at a fleet, which tell how many steps it decides a second."""

FleetName = Annotated[str, typer.Argument(metavar="FLEET", help="The name of the fleet.")]


@app.command(
    "submit",
    cls=TaskCommand,
    epilog="Examples:\n\n  maker-graph submit records --input rows.csv --shards 40 --fleet rows --model openai:gpt-4.1-nano "
    "--k 2 --max-cost 5 --journal postgresql://db/runs\n\n"
    "  maker-graph submit hanoi --disks 8 --runs seeds.jsonl --fleet towers --journal postgresql://db/runs",
)
def submit_command(
    ctx: typer.Context,
    task: opt.TaskName,
    fleet: Annotated[
        str, typer.Option("--fleet", metavar="NAME", help="The name of the fleet. Its runs are NAME-00000 and so on.")
    ],
    shards: Annotated[
        int | None, typer.Option("--shards", help="Cut a task of items, such as records, into this many runs.", min=1)
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            "--runs",
            metavar="FILE",
            help="In place of --shards: a file of JSON Lines, one line for each run. A line holds the options that differ "
            "from "
            'those of this command, such as {"seed": 7} or {"set": {"disks": 5}}. The options of the task are under "set".',
        ),
    ] = None,
    disks: opt.Disks = None,
    source: opt.Source = None,
    sets: opt.Sets = None,
    model: opt.VotersModel = None,
    k: opt.Lead = "auto",
    within: opt.Within = None,
    cascade: opt.CascadeFrom = None,
    target: opt.Target = TARGET,
    calibration: opt.CalibrationFrom = None,
    temperature: opt.TemperatureOption = "auto",
    max_tokens: opt.MaxTokens = None,
    max_samples: opt.MaxSamples = MAX_SAMPLES,
    stuck_after: opt.StuckAfter = STUCK_AFTER,
    retry_temperature: opt.RetryTemperature = "1.0",
    rephrase: opt.Rephrase = True,
    escalate: opt.Escalate = None,
    seed: opt.Seed = None,
    check: opt.Check = True,
    variants: opt.Variants = False,
    stop: opt.StopAt = None,
    structured: opt.Structured = False,
    emit: opt.EmitBy = None,
    lookahead: opt.LookaheadOption = None,
    draft_model: opt.DraftModel = None,
    on_doubt: opt.OnDoubtOption = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            help="The most USD that all runs may spend together. To go on, submit again with a higher limit. Default: no "
            "limit.",
            min=0,
        ),
    ] = None,
    max_calls: Annotated[
        int | None, typer.Option(help="The most requests that all runs may make together, failed ones included.", min=0)
    ] = None,
    rpm: Annotated[
        float | None, typer.Option(help="The most requests per minute of all workers together. Default: no limit.", min=0.001)
    ] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Stop each run after this many minutes of work.", min=0)] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            help="Stop each run after this many steps. Default: as many as its task says, or 10,000,000 if it does not.", min=1
        ),
    ] = None,
    price: opt.OwnPrice = None,
    journal: opt.InJournal = None,
    as_json: opt.AsJson = False,
) -> Ending:
    """Make a fleet: many runs in one database, for workers on many machines.

    This starts no work: maker-graph work does. The same command may be given again. It makes no run twice, and gives the fleet
    its new limits.
    """
    from maker_graph.fleet.submitting import shards_of, submit
    from maker_graph.journal.postgres.fleets import Limits

    address = _journal(journal)
    if (shards is None) == (runs is None):
        raise UsageError(
            "Give --shards N to cut a task of independent items into runs, or --runs FILE with a line for each run."
        )
    loaded = opt.task_named(task, disks, source, sets)
    given = {**opt.voted_of(ctx.params, loaded), **opt.kept_of(ctx.params), "target": target}
    limits = Limits(max_calls, max_cost, rpm)
    if runs is not None:
        made = submit(address, fleet, list(_runs_of(runs, loaded, given, limits)), limits)
    else:
        settings, options, notes = _asked(loaded, given, limits)
        cut = list(shards_of(settings, options, loaded, shards or 1, notes))
        made = submit(address, fleet, cut, limits, whole=settings)
    if not as_json:
        _tell_submitted(fleet, made)
    return Ending(result={"fleet": fleet, **made._asdict()})


def _journal(address: str | None) -> str:
    """Return the address of the journal, which the option or the environment gives.

    Raises:
        UsageError: neither gives one, or it is not an address.
    """
    from maker_graph.journal.postgres.connection import see_address
    from maker_graph.run.remote import JOURNAL

    said = address or os.environ.get(JOURNAL)
    if not said:
        raise UsageError(f"A fleet is in a journal that all machines reach: give --journal URL, or set {JOURNAL}.")
    return see_address(said)


def _asked(loaded: "LoadedTask", given: Mapping[str, Any], limits: "Limits") -> "tuple[Settings, RunOptions, dict[str, str]]":
    """Return the settings, options and first notes of a run of this task. The run is made in a folder that is removed at once.

    Raises:
        UsageError: an option is wrong.
    """
    from maker_graph.run.drift import NOTE
    from maker_graph.runs import Run

    with TemporaryDirectory() as folder:
        path, most = Path(folder) / "run", limits.max_cost
        with Run.create(path, loaded, fsync="normal", warn=tell, max_cost=most, **given) as run:
            expected = run.note(NOTE)
            notes = {} if expected is None else {NOTE: expected}
            return run.settings, run.options.model_copy(update={"max_cost": None}), notes


def _runs_of(file: Path, loaded: "LoadedTask", given: Mapping[str, Any], limits: "Limits") -> "Iterator[NewRun]":
    """Yield the runs in a file, one for each line.

    Raises:
        UsageError: the file cannot be read, or a line is wrong; the error says which.
    """
    from maker_graph.fleet.lines import lines_in
    from maker_graph.fleet.submitting import NewRun
    from maker_graph.tasks.loading import load_task

    for number, line in lines_in(file):
        name = line.task or loaded.name
        try:
            options = {**(loaded.options if name == loaded.name else {}), **(line.set or {})}
            one = loaded if (name, options) == (loaded.name, loaded.options) else load_task(name, options)
            alone = {} if line.cascade is None else {"model": None, "k": "auto"}  # the rungs of the cascade name theirs
            settings, run_options, notes = _asked(one, {**given, **alone, **line.given()}, limits)
        except UsageError as error:
            raise UsageError(f"Line {number} of {file.name}: {error}") from None
        yield NewRun.of(settings, run_options, one, notes)


def _tell_submitted(fleet: str, made: "Submitted") -> None:
    go_on = f"maker-graph work {fleet}, on as many machines as you like."
    if made.made:
        tell(f"The fleet {fleet} has {counted(made.runs, 'run')}, {fleet}-00000 and so on. They wait for workers: {go_on}")
    elif made.limited:
        again = f" Of its runs, {made.reopened:,} had stopped and can go on: {go_on}" if made.reopened else ""
        tell(f"The fleet {fleet} was submitted already. It has the new limits now.{again}")
    else:
        tell(f"The fleet {fleet} was submitted already, with the same settings and limits: nothing has changed.")


@app.command(
    "work",
    epilog="Examples:\n\n  maker-graph work rows --journal postgresql://db/runs\n\n"
    "  maker-graph work rows --at-once 8 --lease 5 --stay --journal postgresql://db/runs",
)
def work_command(
    fleet: FleetName,
    at_once: Annotated[
        int,
        typer.Option(help="On how many runs each worker works at once. The worker that starts last sets it for all.", min=1),
    ] = 4,
    lease: Annotated[
        float,
        typer.Option(
            help="After how many seconds without a sign of life the runs of a worker go to others.", min=1, max=86_400
        ),
    ] = 15.0,
    engine: Annotated[str, typer.Option(metavar="dbos|ray", help="The package that hands the runs to the workers.")] = "dbos",
    stay: Annotated[
        bool, typer.Option("--stay", help="When nothing is left to do, do not end, but wait for more runs.")
    ] = False,
    concurrency: opt.Concurrency = None,
    timeout: opt.Timeout = None,
    patience: opt.Patience = PATIENCE / 60,
    batch: opt.Batch = False,
    probe: opt.Probe = True,
    task: opt.OwnTask = None,
    trust: opt.Trust = False,
    journal: opt.InJournal = None,
    quiet: opt.Quiet = False,
    as_json: opt.AsJson = False,
) -> Ending:
    """Work on the runs of a fleet, together with other workers, until none of the runs can go on.

    Start this command on as many machines as you like, after maker-graph submit.
    """
    from maker_graph.fleet.driving import Driving, Told
    from maker_graph.fleet.standing import Standing
    from maker_graph.fleet.working import work

    how = Driving(
        address=_journal(journal),
        fleet=fleet,
        lease=lease,
        task=task,
        trust=trust,
        concurrency=concurrency,
        timeout=timeout or "auto",
        patience=60 * patience,
        batch=batch,
        probe=probe,
    )
    found: list[Standing] = []

    async def worked(told: Told) -> None:
        found.append(await work(how, engine=_engine(engine), at_once=at_once, stay=stay, told=told))

    with _progress(fleet, quiet=quiet or (as_json and not sys.stderr.isatty())) as stands:
        finished = until_signal(worked(Told(stands, warn=tell)))
    if not finished:
        tell(f"Interrupted. Other workers go on with the runs of this one. To go on here: maker-graph work {fleet}")
        return Ending(INTERRUPTED, "Interrupted.", {"fleet": fleet})
    return _ended(found[0], quiet=quiet or as_json)


def _engine(name: str) -> "EngineName":
    if name in {"dbos", "ray"}:
        return name  # type: ignore[return-value]  # it is one of them
    raise UsageError(f"--engine must be dbos or ray, not {name!r}.")


def _ended(now: "Standing", *, quiet: bool) -> Ending:
    """Return how a worker ended when no run could go on, and tell what helps the runs that wait."""
    if not quiet:
        show_standing(now, None)
    result = {**now.summary()}
    if not now.waiting:
        return Ending(result=result)
    for line in _waiting_lines(now):
        tell(line)
    states = {each.state for each in now.waiting}
    code = EXIT_CODES[Undecided if states & {"stuck", "waits"} else LimitReached if "limit" in states else PartFailed]
    return Ending(code, f"{now.runs - now.done:,} of {now.runs:,} runs are not done.", result)


def show_standing(now: "Standing", rate: float | None) -> None:
    """Show how a fleet stands; `rate` is its steps a second, None if that is not known."""
    found = now.summary()
    purse = found["purse"]
    of = "" if found["total"] is None else f" of {found['total']:,}"
    rows = [
        ("Fleet", f"{found['fleet']}, {found['runs']:,} runs: " + ", ".join(f"{n:,} {s}" for s, n in found["states"].items())),
        ("Steps", f"{found['steps']:,}{of}" + (f", {rate:,.1f} a second" if rate is not None else "")),
        ("Calls", f"{found['calls']:,}" + _limit(purse["max_calls"], "{:,}")),
        ("Cost", f"${found['cost_usd']:,.4f}" + _limit(purse["max_cost_usd"], "${:,.2f}")),
        ("Rate", "no limit" if found["rpm"] is None else f"at most {found['rpm']:,g} requests a minute"),
        ("Workers", ", ".join(found["workers"]) or "none"),
    ]
    if found["shut"] is not None:
        rows.append(("Waits", f"for the provider, {found['shut']}"))
    show(facts(rows))


def _waiting_lines(now: "Standing") -> "Iterator[str]":
    """Yield why each run waits, and then what helps the runs in each state."""
    from maker_graph.fleet.standing import todo, why

    for each in now.waiting:
        yield f"{each.name} is {each.state}: {visible(why(each)) or 'nothing was said'}"
    for state in sorted({each.state for each in now.waiting}):
        yield f"{state}: {todo(now.fleet, state)}."


def _limit(most: float | None, form: str) -> str:
    return "" if most is None else f" of at most {form.format(most)}"


@contextmanager
def _progress(fleet: str, *, quiet: bool) -> "Iterator[Callable[[Standing], None]]":
    """Show a live bar; yield the function that is told how the fleet stands."""
    if quiet:
        yield lambda _: None
        return
    bar = Bar(fleet, "steps")

    def stands(now: "Standing") -> None:
        bar.start()  # not before there is something to show: a worker may be refused
        waits = now.runs - now.done - now.goes_on
        more = f", {bar.speed:,.0f}/s, {now.done:,} of {now.runs:,} runs done"
        more += f", {waits:,} wait" * bool(waits) + f", {counted(len(now.living), 'worker')}"
        bar.reach(now.steps, now.total, more=more)

    try:
        yield stands
    finally:
        bar.stop()


def status_of(fleet: str, address: str | None, *, as_json: bool) -> Ending:
    """Say how a fleet stands; `address` is that of its journal, or None for that of the environment."""
    from time import sleep

    from maker_graph.fleet.standing import standing_at

    at = _journal(address)
    before, rate = standing_at(at, fleet), None
    now = before
    if before.living:
        sleep(LOOK)
        now = standing_at(at, fleet)
        rate = (now.steps - before.steps) / LOOK
    if not as_json:
        show_standing(now, rate)
        for line in _waiting_lines(now):
            say(line)
    return Ending(result={**now.summary(), "steps_per_second": rate})


@app.command("seal", epilog="Example:\n\n  maker-graph seal rows --out clean.csv --journal postgresql://db/runs")
def seal_command(
    fleet: FleetName,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file for the results of all runs, in their order.")
    ] = None,
    provenance: opt.ProvenanceOption = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write runs/FLEET/report.html. It needs the extra packages of plan.")
    ] = True,
    task: opt.OwnTask = None,
    trust: opt.Trust = False,
    force: opt.Force = False,
    journal: opt.InJournal = None,
    quiet: opt.Quiet = False,
    as_json: opt.AsJson = False,
) -> Ending:
    """Put the results of a finished fleet together: one file of results, one summary and one report.

    The fleet must have been cut from one task by maker-graph submit --shards.
    """
    from maker_graph.fleet.sealing import seal
    from maker_graph.fleet.shards import shards_in
    from maker_graph.tasks.loading import load_task, runs_foreign_code

    shards = shards_in(_journal(journal), fleet)
    first = shards[0].settings
    if task is None and not trust and runs_foreign_code(first.task, first.options):
        raise UsageError(
            f"{fleet} is a fleet of {first.task}, which is code. To have it imported, name it (--task {first.task}), or trust "
            "the journal that names it (--trust)."
        )
    whole = None if task is None else load_task(task, first.options)
    with replaying(None, quiet=quiet or as_json) as progress:
        found = seal(
            shards,
            Path("runs") / fleet,
            whole,
            out=out,
            provenance=provenance,
            report=report,
            force=force,
            progress=progress,
        )
    print_summary(found.summary, quiet=quiet or as_json)
    if found.report and not (quiet or as_json):
        say(str(found.report[0]))
    return ending_of(found.summary)
