"""Going on with a run: the graph, its checkpoints, the journal, the account and the traces, put together.

Wiring only: LangGraph is the loop. What a kill loses is at most the votes in flight: those are sampled again.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.types import Command
from langsmith import tracing_context

from maker_graph.core.canonical import JSON
from maker_graph.core.copies import NOTE, CopiesSeen
from maker_graph.core.decision import Decision
from maker_graph.core.guarding import AnyTask, Guarded, total_of
from maker_graph.core.machine import Begun, Committed, MakerOutput
from maker_graph.core.task import Prompt, Skippable
from maker_graph.core.voting import Voting
from maker_graph.errors import MakerError, StaleStep, TakenOver, Undecided, UnusableRun
from maker_graph.graph.ladder import Ladder
from maker_graph.graph.maker import Ahead, Segment, build_maker
from maker_graph.graph.parts import OfPart
from maker_graph.models.calls import Call, Calls
from maker_graph.models.copies import Copies
from maker_graph.models.gate import Gate
from maker_graph.models.names import PATIENCE, info_of
from maker_graph.models.pricing import FREE, Price
from maker_graph.models.resolving import model_for
from maker_graph.run.account import NOT_KNOWN, Ledger, Limits
from maker_graph.run.copies import KeptCopies, see_draws
from maker_graph.run.database import storage_errors
from maker_graph.run.directory import Run, stuck_note
from maker_graph.run.entry import decode, encode
from maker_graph.run.intent import Intent
from maker_graph.run.losses import Losses
from maker_graph.run.options import Prices, RunOptions, kept_options, prices_of
from maker_graph.run.pace import Pace
from maker_graph.run.recovery import recovered, replayed, thread_of, waiting
from maker_graph.run.reopening import Amending
from maker_graph.run.settings import Settings, unchanged
from maker_graph.run.traces import Trace, samples_per_trace, steps_per_trace
from maker_graph.run.tracing import About, NoTracing, Tracing, tracing

STEPS_PER_SEGMENT = 1000
"""Steps of one graph invocation: it bounds the memory and the checkpoints."""

ITEMS_PER_SEGMENT = 20_000
"""The same of independent items: at its end nothing new begins until all that are in flight have ended."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told of a run while it goes on.

    Attributes:
        progress: of where the task stands, at the beginning and after each commit.
        decided: of each committed step, in order.
        record: of every prompt and reply.
        warn: of what went wrong without stopping the run, in a sentence.
    """

    progress: Callable[[MakerOutput], None] = lambda _: None
    decided: Callable[[Committed], None] = lambda _: None
    record: Callable[[Call], None] | None = None
    warn: Callable[[str], None] = lambda _: None


@dataclass(slots=True)
class _Commits:
    """Puts each decision into the journal, then tells who watches."""

    run: Run
    meter: Ledger
    watcher: Watcher
    traces: Tracing | NoTracing
    at: MakerOutput
    kept: KeptCopies
    before: "_GivenUp"
    losses: Losses
    retries: int = 0

    @property
    def run_id(self) -> str:
        return self.run.settings.id

    def position(self) -> MakerOutput:
        return self.at

    def begun(self, step: int) -> Begun | None:
        """Return what is known of the action of `step`, if an earlier session began it."""
        found = self.run.journal.intent()
        if found is None or found.step != step:
            return None
        if not found.performed:
            self.watcher.warn(f"The action of step {step} may have been performed already: nobody knows.")
        return Begun(found.known, found.answer, found.performed)

    def intend(self, step: int, part: str) -> None:
        self.run.journal.intend(Intent(step, part))

    def performed(self, step: int, part: str, answer: JSON, *, known: bool = True) -> None:
        self.run.journal.intend(Intent(step, part, known, answer, performed=True))

    def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
        """Keep items that were decided before their turn; what is in the way of it, ends the run anyway."""
        journal = self.run.journal
        text = json.dumps([[step, encode(decision)] for step, decision in decided.items() if step > journal.step])
        if text != (journal.note(_AHEAD) or "[]"):
            with suppress(MakerError):
                journal.owned()
                journal.set_note(_AHEAD, text)

    def decided_ahead(self) -> dict[int, Decision]:
        """Return the items that an earlier session decided before their turn."""
        kept = json.loads(self.run.journal.note(_AHEAD) or "[]")
        return {step: decode(entry) for step, entry in kept if step > self.run.journal.step}

    def given_up(self) -> int:
        """Return how often the step at hand was given up in earlier sessions: then other samples are drawn."""
        if self.retries:
            return _OTHERS + self.retries
        return self.before.times if self.at["step"] + 1 == self.before.step else 0

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
        self.kept.keep()
        for step in steps:
            self.traces.committed(step.decision, partial(self._prompt, step.before), step.after)
            self.watcher.decided(step)
        self.watcher.progress(self.at)
        self.losses.see((step.decision for step in steps), self.at)

    def _prompt(self, at: MakerOutput) -> Prompt:
        return self.run.machine.task.prompt(at["state"])


async def solve(
    run: Run,
    options: RunOptions | None = None,
    *,
    prices: Prices | None = None,
    concurrency: int | None = None,
    calls: Calls | None = None,
    answer: str | None = None,
    watcher: Watcher = Watcher(),
    trace: Trace | None = None,
    probe: bool = True,
    steps_per_segment: int | None = None,
    retry_open: bool = False,
) -> None:
    """Go on with `run` from its last committed step, to its end.

    Args:
        run: the run; this process becomes its owner, and any earlier one is refused from now on.
        options: limits, lookahead and the like; those that the run was last given if None.
        prices: what requests cost, if not what `prices_of` says.
        concurrency: how many samples are in flight at once; no limit if None.
        calls: how requests are made, where not as usual: a time-out that follows the replies, and `PATIENCE`.
        answer: a person's reply to the step that waits for one.
        watcher: who is told of it.
        trace: what LangSmith is shown; None follows LANGSMITH_TRACING.
        probe: ask a real model three small questions before the first step, to see whether a cache answers in its place.
        steps_per_segment: steps of one graph invocation.
        retry_open: vote once more on the items that are open at the end, with samples of their own.

    Raises:
        MakerError: why the run stopped before its end; all committed steps are kept, and it can be resumed.
    """
    options = options or kept_options(run.journal)
    settings, task = run.settings, run.machine.task
    unchanged(settings, run.task)
    chats = _Chats.of(settings, options, run.task)
    prices = prices or prices_of(settings, options)

    def replaced(voting: Voting) -> Voting:
        return replace(voting, max_samples=options.max_samples or settings.voting.max_samples)

    voting = replaced(settings.voting)
    if not run.journal.writable and (ended := await replayed(run, None, watcher.warn))["done"]:
        watcher.progress(ended)  # what is finished is finished, also on a disk that takes no writes
        return
    run.journal.claim()  # from here on an earlier owner is refused: what can be wrong with the call is found before
    steps = steps_per_trace(settings.k, voting.max_samples)
    about = About(settings.id, run.directory.name, settings.task, settings.model, settings.k, total_of(run.task), steps)
    traces = tracing(about, trace)
    traced = isinstance(traces, Tracing)
    limits, pace = Limits(options.max_cost, options.max_calls, options.max_minutes), Pace.of(run.journal.note("pace"))
    meter = Ledger(run.journal, _price(prices.model, settings.model), limits, watcher.record, watcher.warn, pace)
    kept = KeptCopies(run.journal, Copies(watcher.warn, seen=CopiesSeen.of(run.journal.note(NOTE))))
    made = Calls(gate=Gate(notice=watcher.warn), patience=PATIENCE, timeout="auto")
    commits = _Commits(
        run, meter, watcher, traces, run.machine.begin(), kept, _GivenUp.of(run.journal.note(_GIVEN_UP)), Losses(watcher.warn)
    )
    made = {**made, **(calls or {}), "meter": meter, "copies": kept.copies, "afresh": commits.given_up}
    stronger = Calls(meter=meter.at(_price(prices.ladder, settings.ladder.model)))
    ladder = Ladder(settings.ladder.temperature, settings.ladder.rephrase, chats.ladder, stronger, settings.ladder_temperature)
    build = partial(
        build_maker,
        model=chats.model,
        voting=voting,
        of_parts=_of_parts(settings, replaced, chats, prices, meter),
        ladder=ladder,
        ahead=Ahead(options.lookahead, chats.drafts, Calls(meter=meter.at(_price(prices.drafts, options.draft_model)))),
        on_undecided="return" if isinstance(task, Skippable) else "interrupt",
        on_doubt=options.on_doubt,
        segment=Segment(
            steps_per_segment or (steps if traced else STEPS_PER_SEGMENT if task.given is None else ITEMS_PER_SEGMENT),
            samples_per_trace(_votes(ladder, task) * voting.max_samples) if traced else None,
        ),
        step_config=traces.step_config,
        calls=made,
    )
    graph = build(run.task, max_steps=options.max_steps, log=commits)
    begins = not run.journal.step and not commits.at["done"] and answer is None
    try:
        async with _deadline(meter):
            if probe and begins and settings.info.kind == "remote":
                await see_draws(chats.model, voting, made)
                kept.keep()
            await _solved(run, graph, commits, answer, concurrency)
            if retry_open:
                await _retried(run, build, commits, concurrency)
    except Undecided as error:
        with suppress(MakerError):  # what ended the run is what matters
            run.journal.set_note(*stuck_note(commits.at["step"] + 1, error))
            run.journal.set_note(_GIVEN_UP, commits.before.once_more(commits.at["step"] + 1).text())
        traces.undecided(commits.at["step"] + 1, error, lambda: task.prompt(commits.at["state"]))
        raise
    finally:
        traces.close()
        if traces.problem is not None:
            watcher.warn(f"LangSmith did not take all traces ({traces.problem}). The run itself is whole.")
        with suppress(MakerError):  # what ended the run is what matters
            kept.keep()
        with suppress(MakerError):
            meter.close()


def _votes(ladder: Ladder, task: Guarded) -> int:
    """Return how many votes a step may take at most."""
    return max(map(ladder.votes, task.voted_parts.values()), default=1)


_GIVEN_UP = "given up"

_RETRIES = "retries"
"""The note of how often open items were voted on once more."""

_OTHERS = 1_000_000
"""More often than a step is given up: samples of a retry are no other ones' copies."""

_AHEAD = "ahead"
"""The note of items that were decided before their turn to be committed."""


class _GivenUp(NamedTuple):
    """The step on which a run was last given up, and how often it was."""

    step: int = 0
    times: int = 0

    @classmethod
    def of(cls, note: str | None) -> "_GivenUp":
        return cls() if note is None else cls(*json.loads(note))

    def text(self) -> str:
        return json.dumps(self)

    def once_more(self, step: int) -> "_GivenUp":
        return _GivenUp(step, self.times + 1 if step == self.step else 1)


def _price(known: Price | None, model: str | None) -> Price | None:
    """Return what a request of `model` costs; None if there is none of this name, and the run's own is asked."""
    if known is not None or model is None:
        return known
    return FREE if info_of(model).ships else NOT_KNOWN


class _Chats(NamedTuple):
    """The chat models of a run."""

    model: BaseChatModel
    ladder: BaseChatModel | None
    drafts: BaseChatModel
    parts: Mapping[str, BaseChatModel]

    @classmethod
    def of(cls, settings: Settings, options: RunOptions, task: AnyTask) -> "_Chats":
        seed, stronger = settings.voting.seed, settings.ladder.model
        model = model_for(settings.model, task, seed)
        return cls(
            model,
            None if stronger is None else model_for(stronger, task, seed),
            model if options.draft_model is None else model_for(options.draft_model, task, seed),
            {name: model_for(part.model, task, seed) for name, part in settings.parts.items() if part.model is not None},
        )


def _of_parts(
    settings: Settings, replaced: Callable[[Voting], Voting], chats: _Chats, prices: Prices, meter: Ledger
) -> dict[str, OfPart]:
    """Return what the settings say for the parts of the task, each on the account of the run at its own price."""
    found = {}
    for name, part in settings.parts.items():
        own = None if part.model is None else Calls(meter=meter.at(_price(prices.parts.get(name), part.model)))
        found[name] = OfPart(chats.parts.get(name), replaced(settings.voting_of(name)), own)
    return found


async def _solved(
    run: Run, graph: StateGraph[Any, Any, Any, Any], commits: _Commits, answer: str | None, concurrency: int | None
) -> None:
    """Invoke the graph, segment by segment, until the task is done."""
    limit: RunnableConfig = {} if concurrency is None else {"max_concurrency": concurrency}
    name, warn = run.settings.task, commits.watcher.warn
    async with recovered(run, lambda saver: graph.compile(checkpointer=saver, name=name), warn, commits.meter.find) as found:
        machine, commits.at = found
        commits.watcher.progress(commits.at)
        given: Any = {}
        config: RunnableConfig = thread_of(run) | limit
        if answer is not None:
            given, config = Command(resume=answer), await waiting(run, machine, commits.at) | limit
        while not commits.at["done"]:
            before = commits.at["step"]
            with commits.traces.segment(before) as shown, storage_errors("The file of checkpoints"):
                result = await machine.ainvoke(given, {**config, **shown}, durability="exit")
            _raise_if_asked(result)
            if commits.at["step"] == before:
                raise UnusableRun("The checkpoint that waits for an answer is damaged: resume without one.")
            given, config = {}, thread_of(run) | limit


async def _retried(
    run: Run, build: Callable[..., StateGraph[Any, Any, Any, Any]], commits: _Commits, concurrency: int | None
) -> None:
    """Vote once more on the open items; no trace is made of it."""
    limit: RunnableConfig = {} if concurrency is None else {"max_concurrency": concurrency}
    commits.retries = int(run.journal.note(_RETRIES) or "0") + 1
    run.journal.set_note(_RETRIES, str(commits.retries))
    log = Amending(run.journal, commits.meter, run.machine.task)
    graph = build(log.task, max_steps=None, log=log).compile(name=run.settings.task)
    with tracing_context(enabled=False):
        while not log.at["done"]:
            await graph.ainvoke({}, limit)


@asynccontextmanager
async def _deadline(meter: Ledger) -> AsyncIterator[None]:
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
