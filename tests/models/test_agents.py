"""Any runnable as a sampler: each sample is a whole run of it."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from maker_graph import UsageError, create_microstep
from tests.conftest import Scripted, replies

QUESTION: Any = {"messages": [("user", "1 + 1?")]}


def counted(text: str, read: int = 10, written: int = 3) -> AIMessage:
    return AIMessage(text, usage_metadata=UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written))


def agent(*models: Any, **compiled: Any) -> Any:
    """Return a graph of messages that asks one model after the other."""
    graph = StateGraph(MessagesState)
    for i, model in enumerate(models):
        graph.add_node(f"model{i}", lambda state, model=model: {"messages": [model.invoke(state["messages"])]})
        graph.add_edge(f"model{i - 1}" if i else START, f"model{i}")
    return graph.compile(**compiled)


def decision_of(model: Any, **settings: Any) -> Any:
    return create_microstep(model, k=2, decision="decision", **settings).invoke(QUESTION)["decision"]


def test_the_last_message_of_an_agent_is_the_reply_and_the_tokens_of_all_its_models_are_the_samples() -> None:
    thinks, replies_ = Scripted(script=replies(counted("hm"))), Scripted(script=replies(counted("2")))
    decision = decision_of(agent(thinks, replies_))
    assert (decision["answer"], decision["usage"]) == ("2", {"input": 40, "cached": 0, "output": 12})


async def test_the_same_when_it_is_awaited() -> None:
    node = create_microstep(agent(Scripted(script=replies(counted("2")))), k=2, decision="decision")
    decision = (await node.ainvoke(QUESTION))["decision"]
    assert (decision["answer"], decision["usage"]["output"]) == ("2", 6)


@pytest.mark.parametrize("returned", ["2", AIMessage("2"), {"messages": [HumanMessage("?"), AIMessage("2")]}])
def test_a_function_returns_a_text_a_message_or_a_state(returned: Any) -> None:
    assert decision_of(RunnableLambda(lambda _: returned))["answer"] == "2"


def test_a_structured_response_is_the_reply_as_json() -> None:
    class Sum(BaseModel):
        value: int

    state = {"messages": [AIMessage("done")], "structured_response": Sum(value=2)}
    assert decision_of(RunnableLambda(lambda _: state), answer=Sum)["answer"] == {"value": 2}


@pytest.mark.parametrize("returned", [None, 2, {"messages": [HumanMessage("?")]}, {"messages": []}, {"text": "2"}])
def test_what_is_no_reply_is_told_by_its_type(returned: Any) -> None:
    with pytest.raises(UsageError, match="A runnable that votes returns"):
        decision_of(RunnableLambda(lambda _: returned))


def test_a_message_that_the_agent_was_given_is_not_its_reply() -> None:
    node = create_microstep(RunnableLambda(lambda messages: {"messages": messages}), k=1)
    with pytest.raises(UsageError, match="A runnable that votes returns"):
        node.invoke({"messages": [("user", "?"), ("ai", "Paris"), ("user", "??")]})


def test_a_reply_that_was_cut_short_is_a_red_flag_as_with_any_model() -> None:
    cut = AIMessage("Par", response_metadata={"finish_reason": "length"})
    decision = decision_of(agent(Scripted(script=replies(cut, "Paris"))))
    assert (decision["answer"], decision["flags"]) == ("Paris", {"truncated": 1})


def test_samples_have_no_memory_of_each_other_under_any_checkpointer() -> None:
    seen = []

    def count(state: MessagesState) -> dict[str, Any]:
        seen.append(len(state["messages"]))
        return {"messages": [AIMessage("2")]}

    own = StateGraph(MessagesState).add_node("count", count).add_edge(START, "count").compile(checkpointer=InMemorySaver())
    app = StateGraph(MessagesState).add_node("vote", create_microstep(own, k=3)).add_edge(START, "vote")
    app.compile(checkpointer=InMemorySaver()).invoke(QUESTION, {"configurable": {"thread_id": "1"}})
    assert seen == [1, 1, 1]


def test_an_agent_that_asks_a_person_is_refused_and_nothing_waits() -> None:
    def ask(_: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(str(interrupt("what?")))]}

    graph: Any = StateGraph(MessagesState)
    asks = graph.add_node("ask", ask).add_edge(START, "ask").compile()
    app = StateGraph(MessagesState).add_node("vote", create_microstep(asks, k=2)).add_edge(START, "vote")
    with pytest.raises(UsageError, match="cannot interrupt"):
        app.compile(checkpointer=InMemorySaver()).invoke(QUESTION, {"configurable": {"thread_id": "1"}})


def test_long_runs_of_an_agent_are_not_too_long_for_a_sample_unless_it_is_said() -> None:
    asks_much = agent(Scripted(script=replies(counted("2", written=5_000))))
    assert decision_of(asks_much)["flags"] == {}
    assert decision_of(asks_much, max_tokens=100, on_undecided="return")["flags"] == {"too_long": 20}
