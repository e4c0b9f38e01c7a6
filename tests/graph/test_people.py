"""A person who is asked in the models' place."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from maker_graph import create_microstep
from tests.conftest import Scripted, replies


def asking(**settings: Any) -> Any:
    node = create_microstep(
        Scripted(script=replies("")), on_undecided="interrupt", stuck_after=3, decision="decision", **settings
    )
    return StateGraph(MessagesState).add_node("vote", node).add_edge(START, "vote").compile(checkpointer=InMemorySaver())


def test_the_question_says_what_was_asked_and_how_the_vote_went_and_the_reply_is_a_message() -> None:
    app, here = asking(), {"configurable": {"thread_id": "1"}}
    (question,) = app.invoke({"messages": [("user", "1 + 1?")]}, here)["__interrupt__"]
    assert question.value["prompt"] == [{"role": "human", "content": "1 + 1?"}]
    assert (question.value["flags"], question.value["samples"]) == ({"empty": 3}, 3)
    message = app.invoke(Command(resume="2"), here)["messages"][-1]
    assert (message.text, message.response_metadata["maker_graph"]["by"]) == ("2", "person")
    assert message.response_metadata["maker_graph"]["samples"] == 3


@pytest.mark.parametrize(("reply", "problem"), [("", "empty"), ("two", "malformed"), ("true", "malformed")])
def test_a_reply_that_breaks_a_rule_is_asked_for_again(reply: str, problem: str) -> None:
    app, here = asking(answer=int), {"configurable": {"thread_id": "1"}}
    app.invoke({"messages": [("user", "1 + 1?")]}, here)
    (again,) = app.invoke(Command(resume=reply), here)["__interrupt__"]
    assert again.value["problem"].startswith(f"The answer was not taken: it is {problem}")
