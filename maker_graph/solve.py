"""Going on with a run: the graph, its checkpoints, the journal, the account and the traces, put together.

Wiring only: LangGraph is the loop. Recovery: replay the journal by the task's rules (no model is called), put the machine
there, go on. What a kill loses is at most the votes in flight: those are sampled again. A checkpoint that says something else
than the journal is overwritten.
"""

import asyncio
import json
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph

from maker_graph.core.decision import Decision, Usage
from maker_graph.errors import DamagedRun, LimitReached, MakerError, Undecided
from maker_graph.journal import Spent
from maker_graph.maker import MakerOutput, create_maker
from maker_graph.pricing import Price
from maker_graph.run import Run
from maker_graph.sampling import Call
from maker_graph.settings import model_of
from maker_graph.task import total_of
from maker_graph.tracing import About, NoTracing, Trace, Tracing, samples_per_trace, steps_per_trace, tracing

STEPS_PER_SEGMENT = 1000
"""Steps of one graph invocation: it bounds the memory and the checkpoints."""


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

    def reserve(self, most: Usage, /) -> None:  # noqa: ARG002
        spent = self.before_that + self.since.cost
        if self.max_cost is not None and spent >= self.max_cost:
            raise LimitReached(
                f"The limit of ${self.max_cost:g} is reached (${spent:.4f} spent): resume with a higher --max-cost."
            )

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        pass

    def settle(self, most: Usage, call: Call, /) -> None:  # noqa: ARG002
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


@dataclass(slots=True)
class _Commits:
    """Puts each decision into the journal, then tells who watches."""

    run: Run
    account: _Account
    progress: Callable[[MakerOutput], None]
    traces: Tracing | NoTracing
    at: MakerOutput

    def append(self, decision: Decision, before: MakerOutput, after: MakerOutput) -> None:
        self.run.journal.append(decision, after, self.account.take())
        self.traces.committed(decision, lambda: self.run.task.prompt(before["state"]), after)
        self.progress(after)
        self.at = after


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
    steps = steps_per_trace(settings.k, max_samples)
    about = About(settings.id, run.directory.name, settings.task, settings.model, settings.k, total_of(run.task), steps)
    traces = tracing(about, trace)
    traced = isinstance(traces, Tracing)
    commits = _Commits(run, account, progress, traces, at)
    graph = create_maker(
        run.task,
        model=model_of(settings, run.task),
        k=settings.k,
        check=settings.check,
        max_samples=max_samples,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        steps_per_segment=steps_per_segment or (steps if traced else STEPS_PER_SEGMENT),
        samples_per_segment=samples_per_trace(max_samples) if traced else None,
        step_config=traces.step_config,
        log=commits,
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
    except Undecided as error:
        traces.undecided(commits.at["step"] + 1, error, lambda: run.task.prompt(commits.at["state"]))
        raise
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
