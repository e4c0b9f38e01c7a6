"""Independent items: many are answered at once, each in a slot of its own, and committed in their order.

    START -> start -> items -> commit -> items again, or END
                        |
                        v  open, and a person is asked
                      escalate -> commit

`items` keeps the slots full (`slots.py`) and returns all that is finished at the front. An item that is stuck climbs the ladder
in its slot. If somebody listens to the graph, each vote runs the compiled microstep, with its trace. Otherwise the same vote
runs without its graph (`direct.py`).
"""

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END, START, StateGraph

from maker_graph.core.canonical import JSON
from maker_graph.core.decision import Decision, Vote, after_trying, rung_of, unasked, vote_of
from maker_graph.core.decision import undecided as error_of
from maker_graph.core.guarding import Guarded
from maker_graph.core.machine import Committed, Log, Machine, MakerOutput, further
from maker_graph.errors import ProviderFailure
from maker_graph.graph.asked import MicrostepGraph
from maker_graph.graph.committing import commit_node
from maker_graph.graph.microstep import OnUndecided
from maker_graph.graph.people import ask_person
from maker_graph.graph.runnables import Node
from maker_graph.graph.slots import WIDTH, Crew, Limits, Slots, Work
from maker_graph.graph.underway import context_of, current_window, detached
from maker_graph.graph.voters import Voter, Voters, reading_of
from maker_graph.models.callbacks import nobody_listens

Graph: TypeAlias = StateGraph[Any, Any, Any, Any]

REFUSALS = 100
"""If a provider refuses this many questions in a row, the cause is not the items, and the run stops."""


class ItemsState(MakerOutput):
    """The output, and what is under way.

    Attributes:
        origin: the digest before the first item.
        until: the item after which the invocation ends.
        until_samples: the number of samples that ends it earlier.
        decisions: at the front, about to be committed.
        full: whether the invocation ends because of its samples.
    """

    origin: str
    until: int | None
    until_samples: int | None
    decisions: list[dict[str, Any]]
    full: bool


class _Answering:
    """Answers one item, on as many rungs as it takes; votes that a cascade passed on are kept in the climbs of `slots`."""

    def __init__(self, voters: Voters, config_of: Callable[[int], RunnableConfig], slots: Slots) -> None:
        self._voters = voters
        self._direct = [voter.direct for voter in voters.rungs if isinstance(voter, MicrostepGraph)]
        self._config_of = config_of
        self._slots = slots
        self._climbs = slots.climbs

    def config(self, step: int) -> RunnableConfig:
        return detached(self._config_of(step))

    def answer(self, state: JSON, step: int, config: RunnableConfig, *, quiet: bool) -> Decision:
        tried, rung = self._climbed(step)
        values = {"state": state}
        while True:
            voter, direct = self._voters.rungs[rung], self._direct[rung]
            try:
                decision = direct.vote(values) if quiet else cast("Decision", voter.invoke(values, config)["decision"])
            except ProviderFailure as failure:
                decision = self._refused(direct.by, failure)
            else:
                self._slots.refusals = 0
            if (following := self._voters.after(rung, decision)) is None:
                return after_trying(tried, decision)
            tried, rung = self._passed_on(step, tried, decision), following

    async def aanswer(self, state: JSON, step: int, config: RunnableConfig, *, quiet: bool) -> Decision:
        tried, rung = self._climbed(step)
        values = {"state": state}
        while True:
            voter, direct = self._voters.rungs[rung], self._direct[rung]
            try:
                decision = (
                    await direct.avote(values) if quiet else cast("Decision", (await voter.ainvoke(values, config))["decision"])
                )
            except ProviderFailure as failure:
                decision = self._refused(direct.by, failure)
            else:
                self._slots.refusals = 0
            if (following := self._voters.after(rung, decision)) is None:
                return after_trying(tried, decision)
            tried, rung = self._passed_on(step, tried, decision), following

    def _refused(self, by: str, failure: ProviderFailure) -> Decision:
        """Return the decision on an item whose question the provider refuses: one such item must not stop the others.

        Raises:
            ProviderFailure: the failure is not about this item, or `REFUSALS` items in a row were refused.
        """
        self._slots.refusals += 1
        if failure.scope != "step" or self._slots.refusals >= REFUSALS:
            raise failure
        return unasked(by, str(failure))

    def _climbed(self, step: int) -> tuple[Sequence[Vote], int]:
        """Return the earlier votes on an item, and the rung on which it goes on."""
        tried = self._climbs.get(step, ())
        return tried, 1 + rung_of(tried[-1]["by"]) if tried else 0

    def _passed_on(self, step: int, tried: Sequence[Vote], decision: Decision) -> Sequence[Vote]:
        """Return the votes on an item so far, `decision` included."""
        tried = [*tried, vote_of(decision)]
        if self._voters.contested:
            self._climbs[step] = tried
        return tried


class _Tasks:
    """A crew of tasks on the running event loop."""

    def __init__(self, answering: _Answering) -> None:
        self._answering = answering
        self._quiet = nobody_listens()

    def vote(self, state: JSON, step: int) -> Work:
        """Begin to vote on the item of `step`."""
        config = self._answering.config(step)
        work = self._answering.aanswer(state, step, config, quiet=self._quiet)
        return asyncio.get_running_loop().create_task(work, context=context_of(config))


class _Threads:
    """A crew of threads."""

    def __init__(self, answering: _Answering, slots: Slots) -> None:
        assert slots.executor is not None  # noqa: S101  the graph made it
        self._answering = answering
        self._executor = slots.executor
        self._quiet = nobody_listens()

    def vote(self, state: JSON, step: int) -> Work:
        """Begin to vote on the item of `step`."""
        config = self._answering.config(step)
        context = contextvars.copy_context() if self._quiet else context_of(config)
        return self._executor.submit(context.run, lambda: self._answering.answer(state, step, config, quiet=self._quiet))


class SlotsOf(NamedTuple):
    """How many items may be under way.

    Attributes:
        total: the number of items; no more are begun.
        width: the number of slots; None fills the limit on requests in flight.
        first: samples in the first round of a vote.
        each: the most samples that one item may draw.
    """

    total: int
    width: int | None
    first: int
    each: int


def items_at_once(
    voters: Voters, config_of: Callable[[int], RunnableConfig], slots_of: SlotsOf, at_the_end: OnUndecided
) -> Node:
    """Return the node that keeps the slots full, and returns all that is finished at the front.

    Args:
        voters: the microstep of the items, then the rungs of the ladder or cascade.
        config_of: a function from an item to the config of its microstep.
        slots_of: how many items may be under way.
        at_the_end: what happens to an item that no rung decided.
    """
    total, width, first, most_drawn = slots_of
    vote, *others = voters.rungs  # `vote` has a name of its own: in it, LangGraph finds the graph to draw

    def answering(rungs: Sequence[Voter], slots: Slots) -> _Answering:
        return _Answering(replace(voters, rungs=rungs), config_of, slots)

    def follow(values: Mapping[str, Any], slots: Slots, crew: Crew) -> None:
        concurrency = get_config().get("max_concurrency")
        room = None if concurrency is None else max(1, concurrency // first)
        most = min((each for each in (width, room) if each is not None), default=WIDTH)
        limits = Limits(min(values["until"] or total, total), most, values["until_samples"], most_drawn)
        slots.follow(values["step"], values["totals"]["samples"], limits, crew)

    def front(slots: Slots) -> dict[str, Any]:
        found = slots.take(stops=at_the_end != "return")
        if at_the_end == "raise" and found[-1]["status"] != "decided":
            raise error_of(found[-1])
        tell = get_stream_writer()
        for decision in found:
            tell({"decision": decision})
        return {"decisions": found, "full": slots.full}

    def items(values: Mapping[str, Any]) -> dict[str, Any]:
        slots: Slots = current_window()
        follow(values, slots, _Threads(answering([vote, *others], slots), slots))
        while not slots.ready():
            slots.signal.wait(slots.patience())  # type: ignore[call-arg]  # an event of threads
        return front(slots)

    async def aitems(values: Mapping[str, Any]) -> dict[str, Any]:
        slots: Slots = current_window()
        if not isinstance(slots.signal, asyncio.Event):
            slots.signal = asyncio.Event()
        follow(values, slots, _Tasks(answering([vote, *others], slots)))
        while not slots.ready():
            await _waited(slots.signal, slots.patience())
        return front(slots)

    return Node(items, aitems)


async def _waited(signal: asyncio.Event, seconds: float | None) -> None:
    """Wait until something ended, for so many seconds at most."""
    if seconds == 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await signal.wait()
    except TimeoutError:
        pass


def _commit(machine: Machine, log: Log | None) -> Node:
    """Return the node that applies the decisions in order."""

    def steps_of(values: ItemsState) -> list[Committed]:
        at: MakerOutput = values
        steps = []
        for each in values["decisions"]:
            decision = cast("Decision", each)
            steps.append(Committed(decision, at, machine.advance(at, decision)))
            at = steps[-1].after
        return steps

    return commit_node(log, steps_of, {"decisions": []})


def segment_ends(values: Mapping[str, Any]) -> bool:
    """Say whether an invocation has done all its steps."""
    return values["until"] is not None and values["step"] >= values["until"]


def _escalate(task: Guarded, log: Log | None, *, check: bool) -> Node:
    """Return the node that asks a person about the item at the front."""

    def escalate(values: ItemsState) -> dict[str, Any]:
        if further(log, values["step"]) is not None:
            return {"decisions": []}
        undecided = cast("Decision", values["decisions"][0])
        answer = ask_person(undecided, task.prompt(values["state"]), reading_of(task, values["state"], check=check))
        get_stream_writer()({"decision": answer})
        return {"decisions": [dict(answer)]}

    return Node(escalate)


def with_items(graph: Graph, items: Node, machine: Machine, log: Log | None, at_the_end: OnUndecided, *, check: bool) -> Graph:
    """Return `graph`, which has the node `start`, with all other nodes of independent items."""

    def decided_or_stuck(values: ItemsState) -> str:
        return "escalate" if values["decisions"] and values["decisions"][0]["status"] != "decided" else "commit"

    def next_items_or_end(values: ItemsState) -> str:
        return END if values["done"] or segment_ends(values) or values["full"] else "items"

    graph.add_node("items", items)
    graph.add_node("commit", _commit(machine, log))
    graph.add_edge(START, "start")
    for each in ("start", "commit"):
        graph.add_conditional_edges(each, Node(next_items_or_end), ["items", END])
    if at_the_end != "interrupt":
        return graph.add_edge("items", "commit")
    graph.add_node("escalate", _escalate(machine.task, log, check=check))
    graph.add_conditional_edges("items", Node(decided_or_stuck), ["commit", "escalate"])
    return graph.add_edge("escalate", "commit")
