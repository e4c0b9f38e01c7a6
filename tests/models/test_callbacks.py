"""Who listens to a call of a model: nobody, if the graph around it has no handler."""

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from maker_graph.graph.runnables import Node
from maker_graph.models.callbacks import nobody_listens


class Heard(TypedDict):
    """Whether nobody listened inside."""

    alone: bool


GRAPH = StateGraph(Heard).add_node("look", lambda _: {"alone": nobody_listens()}).add_edge(START, "look").compile()


def test_nobody_listens_in_a_graph_without_handlers() -> None:
    assert GRAPH.invoke({"alone": False}) == {"alone": True}


def test_a_handler_or_a_stream_of_messages_listens() -> None:
    assert GRAPH.invoke({"alone": True}, {"callbacks": [BaseCallbackHandler()]}) == {"alone": False}
    last: Any = [each for mode, each in GRAPH.stream({"alone": True}, stream_mode=["values", "messages"]) if mode == "values"][
        -1
    ]
    assert last == {"alone": False}


def test_outside_of_a_graph_it_is_not_known_and_taken_for_listening() -> None:
    assert nobody_listens() is False
    assert Node(lambda _: nobody_listens(), name="outside").invoke(None) is False
