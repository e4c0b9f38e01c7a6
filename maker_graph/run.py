"""A run: a directory with settings, checkpoints and journal. Wiring only: LangGraph is the loop.

    settings.json    what was asked for; what decides answers is part of the journal's first hash
    checkpoints.db   LangGraph's snapshots, one per segment
    journal.db       every decided step: the truth

Recovery: replay the journal by the task's rules (no model is called), put the machine there, go on. What a kill loses is at
most the votes in flight: those are sampled again. A checkpoint that says something else than the journal is overwritten.
"""

import asyncio
import hashlib
import importlib
import json
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast
from uuid import uuid4

import aiosqlite
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import TypedDict

from maker_graph.core.canonical import canonical
from maker_graph.core.decision import Decision, Usage
from maker_graph.core.planning import k_min
from maker_graph.errors import DamagedRun, LimitReached, MakerError, UnknownTask, UnusableRun, UsageError
from maker_graph.journal import Journal, Spent
from maker_graph.maker import Machine, MakerOutput, create_maker
from maker_graph.models import resolve_model
from maker_graph.pricing import Price
from maker_graph.sampling import Call
from maker_graph.tables import read_rows
from maker_graph.task import Checks, Task, total_of
from maker_graph.tasks import Hanoi, Records
from maker_graph.tracing import STEPS_PER_TRACE, About, NoTracing, Trace, Tracing, samples_per_trace, tracing

STEPS_PER_SEGMENT = 1000
"""Steps of one graph invocation: it bounds the memory and the checkpoints."""

TARGET = 0.99
"""The chance of no error in the whole task for which `k="auto"` plans."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Settings(BaseModel):
    """What a run was asked for; everything here may change an answer, so none of it can change once a run has begun.

    Attributes:
        id: which run this is; a journal of another does not fit.
        task: `hanoi`, `records`, or `package.module:name`.
        options: what the task is made with.
        model: `provider:model`.
        k: the lead that decides.
        seed: of the run; None sends no seeds.
        check: whether answers that break the task's rules are flagged.
        max_samples: a vote that needs more is undecided.
        max_tokens: the output cap of a sample.
        temperature: of the first sample and of the others; None leaves it to the model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    task: str
    options: dict[str, Any]
    model: str
    k: int
    seed: int | None
    check: bool
    max_samples: int
    max_tokens: int
    temperature: tuple[float, float] | None

    @property
    def simulated(self) -> bool:
        """Whether the model is a simulated one."""
        return self.model.startswith("sim:")


class Summary(TypedDict):
    """A run in figures: what `--json` prints, the same for run, resume, status and verify.

    `first_sample_wrong_at` is the first step whose first sample alone does not give the decided answer; `cost_usd` is what was
    spent, not what a simulated model would have cost; `seconds` is the time that the run was at work. `samples`, `tokens` and
    `cost_usd` count everything that was drawn, also for steps that were not decided; votes and flags are of committed steps.
    """

    run: str
    task: str
    model: str
    simulated: bool
    steps: int
    total: int | None
    done: bool
    verified: bool
    k: int
    samples: int
    votes: int
    outvoted: int
    first_sample_wrong_at: int | None
    rounds: int
    flags: dict[str, int]
    tokens: Usage
    cost_usd: float
    seconds: float
    digest: str


def new_settings(
    task: str,
    options: dict[str, Any],
    model: str,
    *,
    k: int | None = None,
    seed: int | None = None,
    check: bool = True,
    max_samples: int = 100,
    max_tokens: int | None = None,
    temperature: tuple[float, float] | None = (0.0, 0.1),
) -> Settings:
    """Return the settings of a new run, with what was left open decided.

    `k` None plans for `TARGET` from the profile of a simulated model, and is 3 for others. `max_tokens` None is 750, or the cap
    with which a simulated model's figures were measured. `seed` None is 1 for a simulated model; to others no seed is sent.

    Raises:
        UsageError: a setting is wrong, the task or the model unknown.
    """
    if task == "records":
        options = {**options, "digest": _digest_of(Path(options["input"]))} if Path(options["input"]).is_file() else options
    total = total_of(load_task(task, options))
    if k is not None and k < 1:
        raise UsageError(f"k must be at least 1, not {k}.")
    if model.startswith("sim:"):
        from maker_graph.simulation import profile_of  # noqa: PLC0415  a real run knows nothing of the simulation

        profile = profile_of(model.removeprefix("sim:"))
        seed = 1 if seed is None else seed
        max_tokens = max_tokens or profile.max_tokens
        if k is None and total:
            k = k_min(1 - profile.error, total, TARGET)
    k = 3 if k is None else k
    if k > max_samples:
        raise UsageError(f"max_samples is {max_samples}, too few for a lead of k = {k}: raise it or lower k.")
    return Settings(
        id=uuid4().hex,
        task=task,
        options=options,
        model=model,
        k=k,
        seed=seed,
        check=check,
        max_samples=max_samples,
        max_tokens=max_tokens or 750,
        temperature=temperature,
    )


def load_task(name: str, options: dict[str, Any]) -> Task:
    """Return the task that `name` and `options` stand for; `package.module:name` is a task, or makes one when called.

    Raises:
        UnknownTask: there is none; the text says what there is.
        UsageError: it cannot be made with these options.
    """
    if name == "hanoi":
        return Hanoi(**options)
    if name == "records":
        path = Path(options["input"])
        task = Records(read_rows(path))
        if options.get("digest", digest := _digest_of(path)) != digest:
            raise UnusableRun(f"{path} is no longer the file that this run began with: put that one back.")
        return task
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise UnknownTask(f"There is no task {name!r}: there are hanoi, records, and your own as package.module:name.")
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109  sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  sys.path holds strings
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        made = found() if isinstance(found, type) or not isinstance(found, Task) else found
    except Exception as error:
        raise UnknownTask(f"The task {name!r} cannot be made: {type(error).__name__}: {error}.") from error
    if not isinstance(made, Task):
        raise UnknownTask(f"{name!r} is no task: it needs the functions start, done, prompt, parse and apply.")
    return made


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Run:
    """An opened run."""

    directory: Path
    settings: Settings
    task: Task
    machine: Machine
    journal: Journal


@contextmanager
def created(directory: Path, settings: Settings) -> Iterator[Run]:
    """Make the directory of a new run and open it.

    Raises:
        UnusableRun: the directory exists, cannot be made, or has a name that is none.
    """
    if not _NAME.fullmatch(directory.name):
        raise UnusableRun(
            f"{directory.name!r} is no name for a run: letters, digits, dots, dashes and underscores, at most 64."
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
    except FileExistsError:
        known = (directory / "settings.json").exists()
        todo = f"resume it (maker-graph resume {directory}), or give another --run" if known else "give another --run"
        raise UnusableRun(f"{directory} exists{'' if known else ' and is no run'}: {todo}.") from None
    except OSError as error:
        raise UnusableRun(f"{directory} cannot be made: {error.strerror}.") from None
    Journal(directory / "journal.db", _origin(settings), create=True).close()
    # Last, and whole or not at all: a directory with settings is a run.
    draft = directory / ".settings.json"
    draft.write_text(settings.model_dump_json(indent=2) + "\n")
    draft.replace(directory / "settings.json")
    with opened(directory) as run:
        yield run


@contextmanager
def opened(directory: Path) -> Iterator[Run]:
    """Open the run in `directory`.

    Raises:
        UnusableRun: there is no run, or another process holds it.
        DamagedRun: its settings or its journal cannot be read, or do not belong together.
    """
    try:
        text = (directory / "settings.json").read_text(encoding="utf-8")
        settings = Settings.model_validate_json(text)
    except OSError:
        raise UnusableRun(f"{directory} is no run: it has no settings.json.") from None
    except UnicodeDecodeError as error:
        raise DamagedRun(f"{directory / 'settings.json'} is damaged: {error}.") from None
    except ValidationError as error:
        raise DamagedRun(f"{directory / 'settings.json'} is damaged: {error.errors()[0]['msg']}.") from None
    task = load_task(settings.task, settings.options)
    journal = Journal(directory / "journal.db", _origin(settings))
    try:
        yield Run(directory, settings, task, Machine(task), journal)
    finally:
        journal.close()


def _origin(settings: Settings) -> str:
    return canonical(settings.model_dump(mode="json"))


@dataclass(slots=True)
class _Account:
    """Counts what samples use up, stops at the limit, and records every prompt and reply if asked to.

    `since` is what was used since it was last taken into the journal, `before_that` what the journal has.
    """

    price: Price | None
    max_cost: float | None
    before_that: float
    record: Callable[[Call], None] | None
    since: Spent = field(default_factory=Spent)
    _clock: float = field(default_factory=time.monotonic)

    def before(self) -> None:
        spent = self.before_that + self.since.cost
        if self.max_cost is not None and spent >= self.max_cost:
            raise LimitReached(
                f"The limit of ${self.max_cost:g} is reached (${spent:.4f} spent): resume with a higher --max-cost."
            )

    def after(self, call: Call) -> None:
        used, sample = self.since, call.sample
        usage = Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)
        self.since = Spent(
            cost=used.cost + (0.0 if self.price is None else self.price(usage)),
            samples=used.samples + 1,
            input=used.input + usage["input"],
            cached=used.cached + usage["cached"],
            output=used.output + usage["output"],
        )
        if self.record is not None:
            self.record(call)

    def take(self) -> Spent:
        """Return what was used since the last time, and begin anew."""
        now = time.monotonic()
        taken = self.since._replace(seconds=now - self._clock)
        self.before_that += taken.cost
        self.since, self._clock = Spent(), now
        return taken


@dataclass(frozen=True, slots=True)
class _Commits:
    """Puts each decision into the journal, then tells who watches."""

    run: Run
    account: _Account
    progress: Callable[[MakerOutput], None]
    traces: Tracing | NoTracing

    def append(self, decision: Decision, before: MakerOutput, after: MakerOutput) -> None:
        self.run.journal.append(decision, after, self.account.take())
        self.traces.committed(decision, lambda: self.run.task.prompt(before["state"]), after)
        self.progress(after)


async def solve(
    run: Run,
    *,
    concurrency: int | None = None,
    max_cost: float | None = None,
    price: Price | None = None,
    max_samples: int | None = None,
    record: Callable[[Call], None] | None = None,
    progress: Callable[[MakerOutput], None] = lambda _: None,
    trace: Trace | None = None,
    warn: Callable[[str], None] = lambda _: None,
    steps_per_segment: int | None = None,
) -> None:
    """Go on with `run` from its last committed step, to its end.

    Args:
        run: the run.
        concurrency: how many samples are in flight at once; no limit if None.
        max_cost: stop when so many USD are spent, those of earlier sessions included.
        price: what samples cost.
        max_samples: in place of the run's own: it decides no step that was decided before.
        record: told of every prompt and reply.
        progress: told where the task stands, at the beginning and after each step.
        trace: what LangSmith is shown; None follows LANGSMITH_TRACING.
        warn: told what went wrong without stopping the run.
        steps_per_segment: steps of one graph invocation.

    Raises:
        MakerError: why the run stopped before its end; all committed steps are kept, and it can be resumed.
    """
    at = run.machine.begin()
    for _, _, after in run.journal.replay(run.machine):
        at = after
    progress(at)
    account = _Account(price, max_cost, run.journal.spent().cost, record)
    settings = run.settings
    max_samples = max_samples or settings.max_samples
    about = About(settings.id, run.directory.name, settings.task, settings.model, settings.k, total_of(run.task))
    traces = tracing(about, trace)
    traced = isinstance(traces, Tracing)
    graph = create_maker(
        run.task,
        model=_model(settings, run.task),
        k=settings.k,
        check=settings.check,
        max_samples=max_samples,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        steps_per_segment=steps_per_segment or (STEPS_PER_TRACE if traced else STEPS_PER_SEGMENT),
        samples_per_segment=samples_per_trace(max_samples) if traced else None,
        step_config=traces.step_config,
        log=_Commits(run, account, progress, traces),
        meter=account,
    )
    config: RunnableConfig = {"configurable": {"thread_id": settings.id}}
    if concurrency is not None:
        config["max_concurrency"] = concurrency
    try:
        async with aiosqlite.connect(run.directory / "checkpoints.db") as connection:
            saver = AsyncSqliteSaver(connection, serde=JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None))
            machine = graph.compile(checkpointer=saver, name=settings.task)
            await _set_to(machine, config, at, run.directory, warn)
            while not at["done"]:
                with traces.segment(at["step"]) as shown:
                    at = cast("MakerOutput", await machine.ainvoke({}, {**config, **shown}, durability="exit"))
    except sqlite3.DatabaseError as error:
        raise _unusable_checkpoints(run.directory, error) from error
    finally:
        traces.close()
        if traces.problem is not None:
            warn(f"LangSmith did not take all traces ({traces.problem}). The run itself is whole.")
        with suppress(MakerError):  # what ended the run is what matters
            run.journal.spend(account.take())


async def _set_to(
    machine: CompiledStateGraph[Any, Any, Any, Any],
    config: RunnableConfig,
    at: MakerOutput,
    directory: Path,
    warn: Callable[[str], None],
) -> None:
    """Put the machine where the journal ends, whatever its checkpoint says."""
    try:
        snapshot = (await machine.aget_state(config)).values
    except Exception as error:
        raise _unusable_checkpoints(directory, error) from error
    if snapshot.get("step", 0) > at["step"]:
        warn(f"The checkpoint is at step {snapshot['step']}, the journal at {at['step']}: the run goes on from the journal.")
    if (at["step"] or snapshot) and any(snapshot.get(name) != value for name, value in at.items()):
        # As if a segment had just ended here: the router behind `commit` looks at `until`.
        await machine.aupdate_state(config, {**at, "until": at["step"], "until_samples": None}, as_node="commit")


def _unusable_checkpoints(directory: Path, error: Exception) -> DamagedRun:
    path = directory / "checkpoints.db"
    return DamagedRun(f"{path} cannot be used ({error}). Every step is in the journal: delete that file and resume.")


def solve_until_signal(run: Run, **settings: Any) -> bool:
    """Go on with `run` as `solve` does; return False if Ctrl-C or SIGTERM ended it before its end."""

    async def main() -> None:
        task = asyncio.ensure_future(solve(run, **settings))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        await task

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        return False
    return True


def summary(run: Run) -> Summary:
    """Return the run in figures, and whether it is verified: replayed from its journal by the task's rules, without a model.

    Verified means: every step decided by an answer that keeps the rules of the task, the task done, in exactly `total` steps
    if the task knows its total.

    Raises:
        DamagedRun: the journal is not what was written.
    """
    at = run.machine.begin()
    rules_kept = True
    for decision, before, after in run.journal.replay(run.machine):
        at = after
        kept = decision["status"] == "decided" and (
            not isinstance(run.task, Checks) or run.task.check(before["state"], decision["answer"])
        )
        rules_kept = rules_kept and kept
    total = total_of(run.task)
    totals, settings, spent = at["totals"], run.settings, run.journal.spent()
    return Summary(
        run=run.directory.name,
        task=settings.task,
        model=settings.model,
        simulated=settings.simulated,
        steps=at["step"],
        total=total,
        done=at["done"],
        verified=rules_kept and run.task.done(at["state"]) and total in (None, at["step"]),
        k=settings.k,
        samples=max(spent.samples, totals["samples"]),
        votes=totals["votes"],
        outvoted=totals["outvoted"],
        first_sample_wrong_at=totals["first_sample_wrong_at"],
        rounds=totals["rounds"],
        flags=dict(sorted(totals["flags"].items())),
        tokens=Usage(input=spent.input, cached=spent.cached, output=spent.output),
        cost_usd=round(spent.cost, 6),
        seconds=round(spent.seconds, 3),
        digest=at["digest"],
    )


def answers(run: Run) -> Iterator[Any]:
    """Yield the decided answer of each step in order, None for a step that was left open."""
    for _, _, _, decision in run.journal.decisions():
        yield decision["answer"]


def rehearsed(settings: Settings) -> None:
    """See that the model of a new run can be made, and that a simulated one knows the task, before anything is stored.

    Raises:
        UsageError: it cannot, or does not.
    """
    task = load_task(settings.task, settings.options)
    model = _model(settings, task)
    if not settings.simulated:
        return
    from maker_graph.simulation import SimulatedChatModel  # noqa: PLC0415  a real run knows nothing of the simulation

    if isinstance(model, SimulatedChatModel) and not task.done(task.start()):
        model.knows(task.prompt(task.start()))


def _model(settings: Settings, task: Task) -> BaseChatModel:
    rehearsal = getattr(task, "rehearsal", None)
    rehearsals = () if rehearsal is None else (rehearsal,)
    return resolve_model(settings.model, seed=settings.seed, rehearsals=rehearsals)


def record_to(file: IO[str], run: Run) -> Callable[[Call], None]:
    """Return what writes every prompt and reply to `file`, one JSON object a line."""

    def record(call: Call) -> None:
        sample = call.sample
        line = {
            "step": run.journal.step + 1,
            "sample": sample.index,
            "model": call.model,
            "temperature": call.temperature,
            "prompt": [{"role": role, "content": content} for role, content in call.prompt],
            "reply": sample.text,
            "finish": sample.finish,
            "tokens": {"input": sample.input_tokens, "cached": sample.cached_tokens, "output": sample.output_tokens},
        }
        file.write(json.dumps(line) + "\n")
        file.flush()

    return record
