"""A graph ends by a rule of its own, and a node serves both ways of calling."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from langgraph.errors import GraphRecursionError
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from maker_graph import create_maker
from maker_graph.graph.runnables import BoundedGraph, Node
from tests.conftest import Scripted
from tests.graph.test_maker import Countdown, counting


def test_it_runs_to_the_end_of_more_steps_than_langgraphs_own_limit_allows() -> None:
    class Long(Countdown):
        def total(self) -> int:
            return self.start()

    def compiled(steps: int) -> Any:
        return create_maker(Long(steps), model=Scripted(script=counting), k=1).compile()

    assert compiled(30).invoke({}, {"recursion_limit": 3})["step"] == 30
    assert compiled(30).supersteps == 3 * 2 * 30 + 2, "enough for 30 steps, as was just seen"
    assert compiled(1_048_575).supersteps > 2 * 1_048_575
    assert [result["step"] for result in compiled(30).batch([{}, {}])] == [30, 30]


class Turn(TypedDict):
    """A counter."""

    n: int


def turning(times: int) -> StateGraph[Turn]:
    return (
        StateGraph(Turn)
        .add_node("turn", Node(lambda state: {"n": state["n"] + 1}, name="turn"))
        .add_edge(START, "turn")
        .add_conditional_edges("turn", lambda state: "turn" if state["n"] < times else END, ["turn", END])
    )


@pytest.mark.parametrize("config", [None, {}, {"recursion_limit": 3}])
async def test_a_bounded_graph_may_take_its_supersteps_whatever_its_caller_allows(config: Any) -> None:
    bounded = BoundedGraph.of(turning(40).compile(), 50)
    assert bounded.invoke({"n": 0}, config) == await bounded.ainvoke({"n": 0}, config) == {"n": 40}
    with pytest.raises(GraphRecursionError):
        BoundedGraph.of(turning(40).compile(), 5).invoke({"n": 0}, {"recursion_limit": 3})


async def test_a_node_waits_under_ainvoke_alone() -> None:
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return value + 10

    node = Node(lambda value: value + 1, later, name="node")
    assert (node.invoke(1), await node.ainvoke(1)) == (2, 11)
    assert await Node(lambda value: value + 1, name="node").ainvoke(1) == 2


def test_graph_that_nobody_has_any_more_is_gone_with_all_that_it_holds() -> None:
    """Whoever makes one graph after the other, as a worker of a fleet does, keeps none of them."""
    graph = create_maker(Countdown(3), model=Scripted(script=counting), k=1).compile()
    assert graph.invoke({})["step"] == 3
    held: list[weakref.ref[Any]] = [weakref.ref(graph), *(weakref.ref(microstep) for _, microstep in graph.get_subgraphs())]
    assert len(held) > 1, "LangGraph has found the microstep"

    del graph
    gc.collect()

    assert [each() for each in held] == [None] * len(held)
