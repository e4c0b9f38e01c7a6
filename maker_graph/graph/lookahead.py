"""Lookahead: many microsteps in flight on drafted states, with the same guarantee.

A chain is sequential because the prompt of step i+1 needs the answer of step i. A *draft* of the next states is cheap, so the
microsteps of drafted states vote at the same time, and the next draft is made meanwhile. No decision depends on how good a
draft is: a vote is used for exactly the question that it was asked, or it is dropped. A wrong draft costs samples, and never
causes an error.

The chain of predicted states is a `Window` (`window.py`), and drafts come from a `Drafter` (`drafter.py`). This module runs the
votes and drafts, as tasks of an event loop or in threads, and has the node that waits for them.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import wait as wait_for
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config, get_stream_writer

from maker_graph.core.canonical import JSON
from maker_graph.graph.drafter import Drafter
from maker_graph.graph.runnables import Node
from maker_graph.graph.underway import context_of, current_window, detached
from maker_graph.graph.voters import Voter
from maker_graph.graph.window import Crew, Window, Work

VoterOf: TypeAlias = Callable[[JSON], Voter]
"""A function from a state to the microstep that votes on it."""


class _Tasks:
    """A crew of tasks on the running event loop."""

    def __init__(self, voter_of: VoterOf, drafter: Drafter, config_of: Callable[[int], RunnableConfig]) -> None:
        self._voter_of = voter_of
        self._drafter = drafter
        self._config_of = config_of

    def vote(self, state: JSON, step: int) -> Work:
        """Begin to vote on `state`."""
        config = detached(self._config_of(step))
        return self._task(self._voter_of(state).ainvoke({"state": state}, config), config)

    def draft(self, state: JSON, n: int) -> Work:
        """Begin to draft the `n` states after `state`."""
        return self._task(self._drafter.adraft(state, n), detached({}))

    def _task(self, work: Any, config: RunnableConfig) -> Work:
        return asyncio.get_running_loop().create_task(work, context=context_of(config))


class _Threads:
    """A crew of threads."""

    def __init__(self, voter_of: VoterOf, drafter: Drafter, config_of: Callable[[int], RunnableConfig], window: Window) -> None:
        assert window.executor is not None  # noqa: S101  `WindowedGraph.stream` made it
        self._voter_of = voter_of
        self._drafter = drafter
        self._config_of = config_of
        self._executor = window.executor

    def vote(self, state: JSON, step: int) -> Work:
        """Begin to vote on `state`."""
        config, voter = detached(self._config_of(step)), self._voter_of(state)
        return self._executor.submit(context_of(config).run, lambda: voter.invoke({"state": state}, config))

    def draft(self, state: JSON, n: int) -> Work:
        """Begin to draft the `n` states after `state`."""
        return self._executor.submit(context_of(detached({})).run, self._drafter.draft, state, n)


def _make_room() -> None:
    """Leave the limit on requests in flight, if there is one, to a step on the ladder."""
    if get_config().get("max_concurrency"):
        window: Window = current_window()
        window.clear()


def microsteps_ahead(
    one: Node,
    voter_of: VoterOf,
    drafter: Drafter,
    config_of: Callable[[int], RunnableConfig],
    *,
    total: int | None,
    first: int,
) -> Node:
    """Return the node that waits for the first of the microsteps in flight, and returns all that are decided at the front.

    Args:
        one: the node without lookahead, for a step on the ladder.
        voter_of: a function from a state to the microstep of the part that answers in it.
        drafter: predicts states.
        config_of: a function from a step to the config of its microstep.
        total: the steps of the task, if the task knows their number.
        first: samples in the first round of a vote.
    """

    def follow(values: Mapping[str, Any], window: Window, crew: Crew) -> None:
        ends = [end for end in (values["until"], total) if end is not None]
        concurrency = get_config().get("max_concurrency")
        window.follow(values["state"], values["step"], min(ends, default=None), crew, concurrency)

    def front(window: Window) -> dict[str, Any]:
        (_, decision), *ahead = found = window.decided()
        for _, each in found:
            get_stream_writer()({"decision": each})
        later = [{"state": state, "decision": each} for state, each in ahead]
        return {"decision": decision, "ahead": later, "dropped": window.dropped * first}

    def microstep(values: Mapping[str, Any]) -> Any:
        if values["rung"]:
            _make_room()
            return one.invoke(values)
        window: Window = current_window()
        follow(values, window, _Threads(voter_of, drafter, config_of, window))
        while pending := window.pending():
            wait_for(pending, return_when=FIRST_COMPLETED)  # type: ignore[arg-type]  # futures of threads
        return front(window)

    async def amicrostep(values: Mapping[str, Any]) -> Any:
        if values["rung"]:
            _make_room()
            return await one.ainvoke(values)
        window: Window = current_window()
        follow(values, window, _Tasks(voter_of, drafter, config_of))
        while pending := window.pending():
            await asyncio.wait(pending, return_when=FIRST_COMPLETED)  # type: ignore[type-var]  # tasks of this loop
        return front(window)

    return Node(microstep, amicrostep)
