"""The schemas of a microstep, and what it writes by them."""

import operator
from typing import Annotated, Any, NotRequired

import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from maker_graph import create_microstep
from maker_graph.graph.schemas import Schemas
from tests.conftest import Scripted, replies


def state_of(hint: Any) -> type[Any]:
    return type("State", (), {"__annotations__": {"key": hint}})


@pytest.mark.parametrize(
    "hint",
    [
        Annotated[list, add_messages],
        Annotated[list[AnyMessage], add_messages],
        NotRequired[Annotated[list[AnyMessage], add_messages]],
        Annotated[list[BaseMessage], operator.add],
        list[AnyMessage],
        list[AIMessage],
    ],
)
def test_a_key_of_messages_gets_a_message(hint: Any) -> None:
    assert Schemas(state_of(hint), lambda _: "?", "key", None).as_message


@pytest.mark.parametrize("hint", [Any, str, list[str], list[Any], Annotated[list[str], operator.add], dict[str, Any], list])
def test_any_other_key_gets_the_answer(hint: Any) -> None:
    assert not Schemas(state_of(hint), lambda _: "?", "key", None).as_message


def test_the_message_of_a_vote_has_the_tokens_of_all_samples_and_says_how_it_was_decided() -> None:
    class Chat(TypedDict):
        chat: Annotated[list[AnyMessage], add_messages]
        decision: Any

    node = create_microstep(
        Scripted(script=replies("Paris", "", "Rome", "Paris", "Paris", "Paris")),
        state=Chat,
        prompt=lambda s: s["chat"],
        into="chat",
        decision="decision",
        k=2,
    )
    app: Any = StateGraph(Chat).add_node("vote", node).add_edge(START, "vote").compile()
    result = app.invoke({"chat": [("user", "Capital of France?")]})
    message, decision = result["chat"][-1], result["decision"]
    assert (message.type, message.text) == ("ai", "Paris")
    usage = decision["usage"]
    assert message.usage_metadata["total_tokens"] == usage["input"] + usage["output"] > 0
    assert message.response_metadata["maker_graph"] == {
        "by": "base",
        "votes": list(decision["ballot"].values()),
        "samples": decision["samples"],
        "rounds": decision["rounds"],
        "flags": {"empty": 1},
        "decision": "decision",
    }


def test_a_vote_that_is_left_undecided_writes_no_message() -> None:
    node = create_microstep(Scripted(script=replies("")), on_undecided="return", stuck_after=3)
    app: Any = StateGraph(MessagesState).add_node("vote", node).add_edge(START, "vote").compile()
    assert [message.type for message in app.invoke({"messages": [("user", "?")]})["messages"]] == ["human"]
