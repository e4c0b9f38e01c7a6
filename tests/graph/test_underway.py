"""What is under way in an invocation lives as long as it, and no longer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from maker_graph.graph.runnables import Node
from maker_graph.graph.underway import WindowedGraph, current_window


class State(TypedDict):
    """A number."""

    number: int


class Thing:
    """Stands for what is under way."""

    executor: ThreadPoolExecutor | None = None
    closed = False

    def close(self) -> list[Any]:
        self.closed = True
        return []


def graph(made: list[Thing], *, fails: bool = False) -> Any:
    def begin() -> Thing:
        made.append(Thing())
        return made[-1]

    def node(values: State) -> dict[str, Any]:
        thing = current_window()
        assert thing is made[-1]
        assert not thing.closed
        if fails:
            raise ValueError("failed")
        return {"number": values["number"] + 1}

    built = StateGraph(State).add_node("node", Node(node)).add_edge(START, "node").add_edge("node", END).compile()
    return WindowedGraph.of(built, 9, window=begin)


@pytest.mark.parametrize("fails", [True, False])
def test_each_invocation_has_its_own_which_is_closed_however_it_ends(*, fails: bool) -> None:
    made: list[Thing] = []
    calls: list[Any] = [lambda app: app.invoke({"number": 1}), lambda app: asyncio.run(app.ainvoke({"number": 1}))]
    for call in calls:
        if fails:
            with pytest.raises(ValueError, match="failed"):
                call(graph(made, fails=True))
        else:
            assert call(graph(made)) == {"number": 2}
    assert [each.closed for each in made] == [True, True]
    assert [each.executor is None for each in made] == [False, True], "threads are for those who block"
