"""Going on with a run: the graph, its checkpoints, the journal, the account and the traces, put together.

Wiring only: LangGraph is the loop. What a kill loses is at most the votes in flight: those are sampled again.
"""

import asyncio
import gc
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from maker_graph.core.machine import Committed, MakerOutput
from maker_graph.core.task import Prompt, Skippable, total_of
from maker_graph.errors import MakerError, StaleStep, TakenOver, Undecided, UnusableRun
from maker_graph.graph.ladder import Ladder
from maker_graph.graph.maker import create_maker
from maker_graph.models.names import TIMEOUT
from maker_graph.models.pricing import Price
from maker_graph.models.provider import Gate
from maker_graph.models.sampler import Call, Calls
from maker_graph.run.account import Limits, Meter
from maker_graph.run.directory import Run
from maker_graph.run.journal import clear_errors
from maker_graph.run.recovery import recovered, thread_of, waiting
from maker_graph.run.settings import model_of, named_model, stronger_model_of, unchanged
from maker_graph.run.tracing import About, NoTracing, Trace, Tracing, samples_per_trace, steps_per_trace, tracing

STEPS_PER_SEGMENT = 1000
"""Steps of one graph invocation: it bounds the memory and the checkpoints."""

PATIENCE = 86_400.0
"""Seconds for which an outage of the provider is waited out: a day."""

INTERRUPTED = 130
"""Exit code of a run that was told to stop."""

EXIT_SECONDS = 4.5
"""How long a run that was told to stop may take to do so; every committed step is on disk long before."""


@dataclass(slots=True)
class _Commits:
    """Puts each decision into the journal, then tells who watches."""

    run: Run
    meter: Meter
    progress: Callable[[MakerOutput], None]
    traces: Tracing | NoTracing
    at: MakerOutput

    def position(self) -> MakerOutput:
        return self.at

    def append(self, steps: Sequence[Committed]) -> None:
        spent, held = self.meter.take()
        try:
            pace = self.meter.paced(steps[-1].after["step"])
            self.run.journal.append([(step.decision, step.after) for step in steps], spent, held, pace)
        except (TakenOver, StaleStep):
            raise  # the step was refused, and what was spent is booked
        except MakerError:
            self.meter.give_back(spent)
            raise
        self.at = steps[-1].after
        for decision, before, after in steps:
            self.traces.committed(decision, partial(self._prompt, before), after)
        self.progress(self.at)

    def _prompt(self, at: MakerOutput) -> Prompt:
        return self.run.task.prompt(at["state"])


async def solve(
    run: Run,
    *,
    limits: Limits = Limits(),  # noqa: B008  immutable
    concurrency: int | None = None,
    calls: Calls | None = None,
    price: Price | None = None,
    escalate_price: Price | None = None,
    lookahead: int | Literal["auto"] = 1,
    draft_model: str | None = None,
    draft_price: Price | None = None,
    max_samples: int | None = None,
    answer: str | None = None,
    record: Callable[[Call], None] | None = None,
    progress: Callable[[MakerOutput], None] = lambda _: None,
    trace: Trace | None = None,
    warn: Callable[[str], None] = lambda _: None,
    steps_per_segment: int | None = None,
) -> None:
    """Go on with `run` from its last committed step, to its end.

    Args:
        run: the run; this process becomes its owner, and any earlier one is refused from now on.
        limits: where to stop, what earlier sessions used included.
        concurrency: how many samples are in flight at once; no limit if None.
        calls: how requests are made, where not as usual: given up after `TIMEOUT`, outages waited out for `PATIENCE`.
        price: what samples cost.
        escalate_price: what those of the stronger model cost, if not the same.
        lookahead: how many microsteps are in flight at once; see `create_maker`.
        draft_model: who drafts; the run's own model if None.
        draft_price: what its drafts cost, if not the same.
        max_samples: in place of the run's own: it decides no step that was decided before.
        answer: a person's reply to the step that waits for one.
        record: told of every prompt and reply.
        progress: told where the task stands, at the beginning and after each step.
        trace: what LangSmith is shown; None follows LANGSMITH_TRACING.
        warn: told what went wrong without stopping the run.
        steps_per_segment: steps of one graph invocation.

    Raises:
        MakerError: why the run stopped before its end; all committed steps are kept, and it can be resumed.
    """
    settings = run.settings
    unchanged(settings, run.task)
    model, stronger = model_of(settings, run.task), stronger_model_of(settings, run.task)
    drafting = model if draft_model is None else named_model(draft_model, settings, run.task)
    run.journal.claim()  # from here on an earlier owner is refused: what can be wrong with the call is found before
    max_samples = max_samples or settings.max_samples
    steps = steps_per_trace(settings.k, max_samples)
    about = About(settings.id, run.directory.name, settings.task, settings.model, settings.k, total_of(run.task), steps)
    traces = tracing(about, trace)
    traced = isinstance(traces, Tracing)
    meter = Meter(run.journal, price, limits, record)
    commits = _Commits(run, meter, progress, traces, run.machine.begin())
    ladder = Ladder(settings.hotter, settings.rephrase, stronger, Calls(meter=meter.at(escalate_price)), settings.escalate_heat)
    graph = create_maker(
        run.task,
        model=model,
        k=settings.k,
        check=settings.check,
        max_samples=max_samples,
        stuck_after=settings.stuck_after,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        ladder=ladder,
        lookahead=lookahead,
        draft_model=drafting,
        draft_calls=Calls(meter=meter.at(draft_price, drafts=True)),
        on_undecided="return" if isinstance(run.task, Skippable) else "interrupt",
        steps_per_segment=steps_per_segment or (steps if traced else STEPS_PER_SEGMENT),
        samples_per_segment=samples_per_trace(ladder.votes(run.task) * max_samples) if traced else None,
        step_config=traces.step_config,
        log=commits,
        calls={"gate": Gate(notice=warn), "patience": PATIENCE, "timeout": TIMEOUT, **(calls or {}), "meter": meter},
    )
    limit: RunnableConfig = {} if concurrency is None else {"max_concurrency": concurrency}
    try:
        async with (
            _deadline(meter),
            recovered(run, lambda saver: graph.compile(checkpointer=saver, name=settings.task), warn) as found,
        ):
            machine, commits.at = found
            progress(commits.at)
            given: Any = {}
            config: RunnableConfig = thread_of(run) | limit
            if answer is not None:
                given, config = Command(resume=answer), await waiting(run, machine, commits.at) | limit
            while not commits.at["done"]:
                before = commits.at["step"]
                with traces.segment(before) as shown, clear_errors("The file of checkpoints"):
                    result = await machine.ainvoke(given, {**config, **shown}, durability="exit")
                _raise_if_asked(result)
                if commits.at["step"] == before:
                    raise UnusableRun("The checkpoint that waits for an answer is damaged: resume without one.")
                given, config = {}, thread_of(run) | limit
    except Undecided as error:
        traces.undecided(commits.at["step"] + 1, error, lambda: run.task.prompt(commits.at["state"]))
        raise
    finally:
        traces.close()
        if traces.problem is not None:
            warn(f"LangSmith did not take all traces ({traces.problem}). The run itself is whole.")
        with suppress(MakerError):  # what ended the run is what matters
            meter.close()


@asynccontextmanager
async def _deadline(meter: Meter) -> AsyncIterator[None]:
    """Stop what is done within when the run has worked as long as it may."""
    try:
        async with asyncio.timeout(meter.seconds_left()) as deadline:
            yield
    except TimeoutError:
        if deadline.expired():
            raise meter.out_of_time() from None
        raise


def _raise_if_asked(result: dict[str, Any] | None) -> None:
    """Raise if the graph stopped to ask a person: the command line asks by ending with the question."""
    for asked in (result or {}).get("__interrupt__", ()):
        question = cast("dict[str, Any]", asked.value)
        reason = f"{question['problem']} {question['reason']}".strip()
        prompt = [(message["role"], message["content"]) for message in question["prompt"]]
        raise Undecided(reason, question["ballot"], question["flags"], question["samples"], question["replies"], prompt)


def solve_until_signal(run: Run, **settings: Any) -> bool:
    """Go on with `run` as `solve` does; return False if Ctrl-C or SIGTERM ended it before its end."""
    gc.collect()
    gc.freeze()  # what was imported and opened stays to the end: a tenth of all work was going over it again and again
    gc.set_threshold(20_000, 50, 100)

    async def main() -> None:
        task = asyncio.ensure_future(solve(run, **settings))

        def stop() -> None:
            task.cancel()
            # A call that cannot be cancelled (a model without an async client, in a thread) must not keep the process.
            watchdog = threading.Timer(EXIT_SECONDS, os._exit, [INTERRUPTED])
            watchdog.daemon = True
            watchdog.start()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        await task

    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        return False
    finally:
        signal.signal(signal.SIGTERM, before)  # the loop leaves it at its default, which ends without a word
    return True


def record_to(file: IO[str], run: Run, *, in_order: bool = True) -> Callable[[Call], None]:
    """Return what writes every prompt and reply to `file`, one JSON object a line.

    `in_order`: all samples are of the step that follows the last decided one; else nobody can say of which step one is.
    """

    def record(call: Call) -> None:
        sample = call.sample
        line = {
            "step": run.journal.step + 1 if in_order else None,
            call.name: sample.index,
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
