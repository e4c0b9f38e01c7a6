"""Going on with a run: this puts the graph, its checkpoints, the journal, the account and the traces together.

LangGraph is the loop. A killed run loses at most the votes in flight, which are sampled again.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.types import Command
from langsmith import tracing_context

from maker_graph.core.copies import NOTE, CopiesSeen
from maker_graph.core.decision import Decision
from maker_graph.core.guarding import total_of
from maker_graph.core.machine import Begun, Climb, Committed, MakerOutput
from maker_graph.core.spending import Spent
from maker_graph.core.task import Prompt, Skippable
from maker_graph.errors import MakerError, StaleStep, TakenOver, Undecided, UnusableRun
from maker_graph.graph.maker import Ahead, Segment, build_maker
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes
from maker_graph.journal.sqlite.database import storage_errors
from maker_graph.models.calls import Call, Calls
from maker_graph.models.copies import Copies
from maker_graph.models.gate import Gate
from maker_graph.models.names import PATIENCE
from maker_graph.run.account import Ledger, Limits
from maker_graph.run.asking import Chats, WhoVotes, priced
from maker_graph.run.beside import KeptBeside
from maker_graph.run.climbs import KeptClimbs
from maker_graph.run.copies import KeptCopies, see_draws
from maker_graph.run.drift import NOTE as EXPECTED
from maker_graph.run.drift import Drift
from maker_graph.run.home import Run
from maker_graph.run.losses import Losses
from maker_graph.run.options import Prices, RunOptions, kept_options, prices_of
from maker_graph.run.pace import PACE, Pace
from maker_graph.run.places import Asked, Places
from maker_graph.run.recovery import Compiled, Recovered, none_waits, recovered, replayed, thread_of, waiting
from maker_graph.run.reopening import Amending
from maker_graph.run.settings import unchanged
from maker_graph.run.stuck import stuck_note
from maker_graph.run.traces import Trace, samples_per_trace, steps_per_trace
from maker_graph.run.tracing import About, NoTracing, Tracing, tracing
from maker_graph.run.unison import Unison

STEPS_PER_SEGMENT = 1000
"""Steps of one invocation of the graph. The limit bounds its memory and its checkpoints."""

ITEMS_PER_SEGMENT = 20_000
"""The same for independent items. It is larger, because the end of a segment waits for all items in flight."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Functions that are called while a run goes on.

    Attributes:
        progress: gets where the task stands, at the beginning and after each commit.
        decided: gets each committed step, in order.
        record: gets every prompt and reply; None: nothing is recorded.
        warn: gets a sentence for each thing that goes wrong without stopping the run.
    """

    progress: Callable[[MakerOutput], None] = lambda _: None
    decided: Callable[[Committed], None] = lambda _: None
    record: Callable[[Call], None] | None = None
    warn: Callable[[str], None] = lambda _: None


@dataclass(slots=True)
class _Commits(KeptBeside):
    """The log of the graph. It puts each decision into the journal, and then tells the watcher."""

    run: Run
    meter: Ledger
    watcher: Watcher
    traces: Tracing | NoTracing
    at: MakerOutput
    kept: KeptCopies
    before: "_GivenUp"
    watches: "_Watches"
    kept_climbs: KeptClimbs
    retries: int = 0
    places: Places | None = None
    asked: Asked | None = None

    @property
    def run_id(self) -> str:
        return self.run.settings.id

    def position(self) -> MakerOutput:
        return self.at

    @property
    def journal(self) -> Journal:
        return self.run.journal

    def begun(self, step: int) -> Begun | None:
        """Return what is known of the action of `step`, if an earlier session began it; warn if it is in doubt."""
        found = KeptBeside.begun(self, step)
        if found is not None and not found.performed:
            self.watcher.warn(f"The action of step {step} was begun before. Nobody knows whether it was performed.")
        return found

    def keep_climbs(self, climbs: Mapping[int, Climb]) -> None:
        """Store the votes of undecided steps, and book what they cost."""
        spent, held = self.meter.take()
        try:
            self.run.journal.spend(spent, held)
        except MakerError:
            self.meter.give_back(spent)
            raise
        self.kept_climbs.write(climbs)

    def climbs(self) -> dict[int, Climb]:
        """Return the earlier votes on undecided steps, with those on a step that a person is asked about again."""
        again = {} if self.asked is None or self.asked.climb is None else {self.asked.step: self.asked.climb}
        return {**self.kept_climbs.read(), **{step: climb for step, climb in again.items() if step > self.run.journal.step}}

    def forget_stuck(self) -> None:
        """Forget the votes of rungs that are stuck, so that these rungs vote again; votes that passed a step on stay."""
        passed_on = self.run.settings.passed_on
        found = {step: passed_on(climb.tried) for step, climb in self.climbs().items()}
        self.kept_climbs.write({step: Climb(tried) for step, tried in found.items() if tried})

    def given_up(self) -> int:
        """Return how often the run stopped on the current step before. With another number, other samples are drawn."""
        if self.retries:
            return _OTHERS + self.retries
        return self.before.times if self.at["step"] + 1 == self.before.step else 0

    def append(self, steps: Sequence[Committed]) -> None:
        notes, (spent, held) = self._notes(steps[-1].after), self.meter.take()
        with self._booking(spent):
            self.run.journal.append([(step.decision, step.after) for step in steps], spent, held, notes)
        self._committed(steps)

    async def aappend(self, steps: Sequence[Committed]) -> None:
        notes, (spent, held) = self._notes(steps[-1].after), self.meter.take()
        try:
            with self._booking(spent):
                await self.run.journal.aappend([(step.decision, step.after) for step in steps], spent, held, notes)
        except asyncio.CancelledError:
            self._committed(steps)  # the journal has finished the append all the same
            raise
        self._committed(steps)

    def _notes(self, at: MakerOutput) -> Notes:
        """Return the notes that are stored together with the step that leads to `at`."""
        return {**self.meter.paced(at["step"]), **(NO_NOTES if self.places is None else self.places.due(at))}

    @contextmanager
    def _booking(self, spent: Spent) -> Iterator[None]:
        """Give `spent` back to the meter if an error kept the journal from booking it."""
        try:
            yield
        except (TakenOver, StaleStep):
            raise  # the journal refused the step, but has booked what was spent
        except MakerError:
            self.meter.give_back(spent)
            raise

    def _committed(self, steps: Sequence[Committed]) -> None:
        """Tell the traces and the watcher about steps that are in the journal now."""
        self.at = steps[-1].after
        self.kept.keep()
        for step in steps:
            if not step.decision["samples"] and step.decision["status"] != "decided":
                self.watcher.warn(f"Step {step.after['step']} is left open: {step.decision['reason']}")
            self.traces.committed(step.decision, partial(self._prompt, step.before), step.after)
            self.watcher.decided(step)
        self.watcher.progress(self.at)
        self.watches.see([step.decision for step in steps], self.at)

    def _prompt(self, at: MakerOutput) -> Prompt:
        return self.run.machine.task.prompt(at["state"])


class _Watches(NamedTuple):
    """The parts that look at the decisions of a run, and warn if something is odd about them."""

    losses: Losses
    unison: Unison
    drift: Drift

    @classmethod
    def of(cls, run: Run, warn: Callable[[str], None]) -> "_Watches":
        unison = Unison(warn, run.settings.temperature, real=run.settings.info.kind == "remote")
        return cls(Losses(warn), unison, Drift.of(run.journal.note(EXPECTED), warn))

    def see(self, decisions: Sequence[Decision], at: MakerOutput) -> None:
        """Look at decisions that were committed together; `at` is where the run stands after them."""
        self.losses.see(decisions, at)
        self.unison.see(decisions)
        self.drift.see(decisions)


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
        run: the run. This process becomes its owner, and any earlier owner is refused from now on.
        options: limits, lookahead and the like. None: those that the run was last given.
        prices: what requests cost. None: what `prices_of` says.
        concurrency: how many samples are in flight at once. None: no limit.
        calls: how requests are made, where it differs from the default. By default the time-out follows the replies, and
            the patience is `PATIENCE`.
        answer: a person's reply to the step that waits for one.
        watcher: the functions that are told how the run goes.
        trace: what LangSmith is shown. None: as LANGSMITH_TRACING says.
        probe: ask a real model three small questions before the first step, to find out whether a cache answers instead.
        steps_per_segment: steps of one invocation of the graph. None: a number that suits the task and the traces.
        retry_open: vote once more on the items that are open at the end, with new samples.

    Raises:
        MakerError: why the run stopped before its end; all committed steps are kept, and it can be resumed.
    """
    options = options or kept_options(run.journal)
    settings, task = run.settings, run.machine.task
    unchanged(settings, run.task)
    chats = Chats.of(settings, options, run.task)
    prices = prices or prices_of(settings, options)
    who = WhoVotes(settings, options, chats)
    if not run.journal.writable and (ended := await replayed(run, None, watcher.warn))["done"]:
        watcher.progress(ended)  # a run that is done needs no writes, so a read-only disk is not an error
        return
    # From here on an earlier owner is refused. So wrong arguments are found above.
    run.journal.claim(f"{socket.gethostname()}-{os.getpid()}")
    steps = steps_per_trace(settings.k, who.voting.max_samples, emits=settings.emits)
    about = About(settings.id, run.home.name, settings.task, settings.model, settings.k, total_of(run.task), steps)
    traces = tracing(about, trace)
    traced = isinstance(traces, Tracing)
    limits, pace = Limits(options.max_cost, options.max_calls, options.max_minutes), Pace.of(run.journal.note(PACE))
    meter = Ledger(run.journal, priced(prices.model, settings.model), limits, watcher.record, watcher.warn, pace)
    kept = KeptCopies(run.journal, Copies(watcher.warn, seen=CopiesSeen.of(run.journal.note(NOTE))))
    made = Calls(gate=Gate(notice=watcher.warn), patience=PATIENCE, timeout="auto")
    before, watches = _GivenUp.of(run.journal.note(_GIVEN_UP)), _Watches.of(run, watcher.warn)
    commits = _Commits(run, meter, watcher, traces, run.machine.begin(), kept, before, watches, KeptClimbs(run.journal))
    made = {**made, **(calls or {}), "meter": meter, "copies": kept.copies, "afresh": commits.given_up}
    asked_of = partial(who.asked, prices=prices, meter=meter)
    build = partial(
        build_maker,
        ahead=Ahead(options.lookahead, chats.drafts, Calls(meter=meter.at(priced(prices.drafts, options.draft_model)))),
        on_undecided="return" if isinstance(task, Skippable) else "interrupt",
        on_doubt=options.on_doubt,
        segment=Segment(
            steps_per_segment or (steps if traced else STEPS_PER_SEGMENT if task.given is None else ITEMS_PER_SEGMENT),
            samples_per_trace(who.most_samples(task), emits=settings.emits) if traced else None,
        ),
        step_config=traces.step_config,
        calls=made,
    )
    graph = build(run.task, asked=asked_of(run.task), max_steps=options.max_steps, log=commits)
    begins = not run.journal.step and not commits.at["done"] and not commits.climbs() and answer is None
    try:
        async with _deadline(meter):
            if probe and begins and settings.info.kind == "remote":
                await see_draws(chats.model, who.voting, made)
                kept.keep()
            await _solved(run, graph, commits, answer, concurrency)
            if retry_open:
                await _retried(
                    run, lambda task, log: build(task, asked=asked_of(task), max_steps=None, log=log), commits, concurrency
                )
    except Undecided as error:
        with suppress(MakerError):  # the error that ended the run matters more
            run.journal.set_note(*stuck_note(commits.at["step"] + 1, error))
            if not error.passed:
                commits.forget_stuck()
            run.journal.set_note(_GIVEN_UP, commits.before.once_more(commits.at["step"] + 1).text())
        traces.undecided(commits.at["step"] + 1, error, lambda: task.prompt(commits.at["state"]))
        raise
    finally:
        traces.close()
        if traces.problem is not None:
            watcher.warn(f"LangSmith did not take all traces ({traces.problem}). The run itself is complete.")
        with suppress(MakerError):  # the error that ended the run matters more
            kept.keep()
        with suppress(MakerError):
            meter.close(NO_NOTES if commits.places is None else commits.places.note(commits.at))


_GIVEN_UP = "given up"

_RETRIES = "retries"
"""The note that counts how often open items were voted on once more."""

_OTHERS = 1_000_000
"""Added to the count of a retry, so that its samples are new ones: no step is given up this often."""


class _GivenUp(NamedTuple):
    """The step on which a run last stopped undecided, and how often it did so."""

    step: int = 0
    times: int = 0

    @classmethod
    def of(cls, note: str | None) -> "_GivenUp":
        return cls() if note is None else cls(*json.loads(note))

    def text(self) -> str:
        return json.dumps(self)

    def once_more(self, step: int) -> "_GivenUp":
        return _GivenUp(step, self.times + 1 if step == self.step else 1)


async def _solved(
    run: Run, graph: StateGraph[Any, Any, Any, Any], commits: _Commits, answer: str | None, concurrency: int | None
) -> None:
    """Invoke the graph, segment by segment, until the task is done."""
    limit: RunnableConfig = {} if concurrency is None else {"max_concurrency": concurrency}
    name, warn = run.settings.task, commits.watcher.warn
    async with recovered(run, lambda saver: graph.compile(checkpointer=saver, name=name), warn, commits.meter.find) as found:
        machine, commits.at = found.graph, found.at
        commits.places = Places(commits.at["step"]) if found.in_memory else None
        commits.watcher.progress(commits.at)
        given: Any = {}
        config: RunnableConfig = thread_of(run) | limit
        if answer is not None:
            given, config = Command(resume=answer), await _asked_again(run, found, commits, config) | limit
        while not commits.at["done"]:
            before = commits.at["step"]
            with commits.traces.segment(before) as shown, storage_errors("The file of checkpoints"):
                result = await machine.ainvoke(given, {**config, **shown}, durability="exit")
            if found.in_memory and "__interrupt__" in (result or {}):
                await _keep_asked(run, machine, config)
            _raise_if_asked(result)
            if commits.at["step"] == before:
                raise UnusableRun("The checkpoint that waits for an answer is damaged: resume without one.")
            await found.forget(config)
            given, config = {}, thread_of(run) | limit


async def _asked_again(run: Run, found: Recovered, commits: _Commits, config: RunnableConfig) -> RunnableConfig:
    """Return the config of the checkpoint that waits for a person's answer. If it is gone, the graph asks again first.

    Raises:
        UsageError: no step waits for an answer.
    """
    if found.in_memory:
        commits.asked = Asked.in_journal(run.journal)
        if commits.asked is None:
            raise none_waits()
        await found.graph.ainvoke({}, config, durability="exit")
        return config
    if any(climb.question for climb in commits.climbs().values()):  # ask again: the checkpoints may be gone
        await found.graph.ainvoke({}, config, durability="exit")
    return await waiting(run, found.graph, commits.at)


async def _keep_asked(run: Run, graph: Compiled, config: RunnableConfig) -> None:
    """Store in the journal what the graph stopped to ask, because its checkpoint is in memory alone."""
    values = (await graph.aget_state(config)).values
    climb = Climb(values["tried"], values["decision"]) if values.get("decision") else None
    Asked(values["step"] + 1, climb).keep(run.journal)


async def _retried(
    run: Run, build: Callable[..., StateGraph[Any, Any, Any, Any]], commits: _Commits, concurrency: int | None
) -> None:
    """Vote once more on the open items. These votes are not traced."""
    limit: RunnableConfig = {} if concurrency is None else {"max_concurrency": concurrency}
    commits.retries = int(run.journal.note(_RETRIES) or "0") + 1
    run.journal.set_note(_RETRIES, str(commits.retries))
    log = Amending(run.journal, commits.meter, run.machine.task, run.settings)
    if log.passed:
        commits.watcher.warn(
            f"{log.passed:,} open items are contested, and are not voted on again: answer them with maker-graph review "
            f"{run.home.command}."
        )
    graph = build(log.task, log).compile(name=run.settings.task)
    with tracing_context(enabled=False):
        while not log.at["done"]:
            await graph.ainvoke({}, limit)


@asynccontextmanager
async def _deadline(meter: Ledger) -> AsyncIterator[None]:
    """Stop the work inside when the run reaches its limit on minutes.

    Raises:
        LimitReached: it did.
    """
    try:
        async with asyncio.timeout(meter.seconds_left()) as deadline:
            yield
    except TimeoutError:
        if deadline.expired():
            raise meter.out_of_time() from None
        raise


def _raise_if_asked(result: dict[str, Any] | None) -> None:
    """Raise the question if the graph stopped to ask a person: a session ends with it.

    Raises:
        Undecided: the graph stopped to ask.
    """
    for asked in (result or {}).get("__interrupt__", ()):
        question = cast("dict[str, Any]", asked.value)
        reason = f"{question['reason']} {question['problem']}".strip()
        prompt = [(message["role"], message["content"]) for message in question["prompt"]]
        ballot, flags, samples, replies = (question[name] for name in ("ballot", "flags", "samples", "replies"))
        raise Undecided(reason, ballot, flags, samples, replies, prompt, passed=question.get("passed", False))
