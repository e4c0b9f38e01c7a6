"""Any runnable as a sampler: each sample is a whole run of it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.cache.memory import InMemoryCache as InMemoryNodeCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import CachePolicy, Command, interrupt
from pydantic import BaseModel

from maker_graph import Budget, ProviderFailure, UsageError, create_microstep
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
    with pytest.raises(UsageError, match="A runnable that votes must return"):
        decision_of(RunnableLambda(lambda _: returned))


def test_a_message_that_the_agent_was_given_is_not_its_reply() -> None:
    node = create_microstep(RunnableLambda(lambda messages: {"messages": messages}), k=1)
    with pytest.raises(UsageError, match="A runnable that votes must return"):
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


def test_long_runs_of_an_agent_are_not_too_long_for_a_sample() -> None:
    assert decision_of(agent(Scripted(script=replies(counted("2", written=5_000)))))["flags"] == {}


@pytest.mark.parametrize("own", [{"temperature": 0.5}, {"max_tokens": 750}, {"seed": 1}])
def test_what_is_the_business_of_an_agents_own_models_is_refused(own: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"An agent chooses {next(iter(own))}"):
        create_microstep(agent(Scripted(script=replies("2"))), **own)


def test_a_cache_that_would_make_copies_of_the_samples_is_refused_or_taken_off() -> None:
    drawn: list[int] = []

    def run(_: MessagesState) -> dict[str, Any]:
        drawn.append(1)
        return {"messages": [AIMessage("2")]}

    graph: Any = StateGraph(MessagesState)
    cached = graph.add_node("run", run, cache_policy=CachePolicy()).add_edge(START, "run").compile(cache=InMemoryNodeCache())
    assert create_microstep(cached, k=3).invoke(QUESTION)["messages"][-1].text == "2"
    assert len(drawn) == 3
    outer: Any = StateGraph(MessagesState)
    app = outer.add_node("vote", create_microstep(cached, k=3)).add_edge(START, "vote").compile(cache=InMemoryNodeCache())
    app.invoke(QUESTION)
    assert len(drawn) == 6
    set_llm_cache(InMemoryCache())
    try:
        with pytest.raises(UsageError, match="set_llm_cache"):
            create_microstep(cached, k=3).invoke(QUESTION)
    finally:
        set_llm_cache(None)


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: each.with_types()])
@pytest.mark.parametrize("kind", ["function", "graph"])
def test_an_agent_sees_the_callers_config_and_before_it_what_was_bound_to_it(kind: str, wrap: Any) -> None:
    def reply(_: Any, config: RunnableConfig) -> Any:
        said = "{user} {team}".format(**{"team": "", **config["configurable"]})
        return said if kind == "function" else {"messages": [AIMessage(said)]}

    graph: Any = StateGraph(MessagesState)
    runnable: Any = RunnableLambda(reply) if kind == "function" else graph.add_node("a", reply).add_edge(START, "a").compile()
    given: Any = {"configurable": {"user": "caller", "team": "blue"}}
    node, bound = (
        create_microstep(wrap(each), k=2) for each in (runnable, runnable.with_config(configurable={"user": "bound"}))
    )
    assert node.invoke(QUESTION, given)["messages"][-1].text == "caller blue"
    assert bound.invoke(QUESTION, given)["messages"][-1].text == "bound blue"


def test_arguments_that_were_bound_to_a_function_are_its_own() -> None:
    def reply(_: Any, suffix: str = "default") -> str:
        return suffix

    assert decision_of(RunnableLambda(reply).bind(suffix="bound"))["answer"] == "bound"


def test_a_run_that_changes_its_messages_changes_no_other_sample_and_not_the_app() -> None:
    seen: list[str] = []

    def reply(messages: list[Any]) -> str:
        seen.append(messages[0].content)
        messages[0].content += "!"
        messages.append("more")
        return "2"

    given = {"messages": [HumanMessage("1 + 1?")]}
    create_microstep(RunnableLambda(reply), k=3).invoke(given)
    assert (seen, given["messages"][0].content) == (["1 + 1?"] * 3, "1 + 1?")


def test_an_old_message_that_comes_back_in_any_form_is_not_the_reply() -> None:
    def again(messages: list[Any]) -> dict[str, Any]:
        return {"messages": [message.model_copy(update={"id": None}) for message in messages]}

    node = create_microstep(RunnableLambda(again), k=1)
    with pytest.raises(UsageError, match="end with a new one"):
        node.invoke({"messages": [("user", "q"), ("ai", "old"), ("user", "again")]})


def test_the_tokens_of_a_run_that_failed_midway_are_booked() -> None:
    first = Scripted(script=replies(counted("hm", 10, 2)))
    fails = [True]

    def then(_: int, __: str) -> AIMessage:
        if fails:
            fails.pop()
            raise ConnectionError("reset")
        return counted("2", 10, 3)

    budget = Budget(max_calls=10)
    node = create_microstep(agent(first, Scripted(script=then)), k=1, calls={"meter": budget})
    assert node.invoke(QUESTION)["messages"][-1].text == "2"
    assert (budget.spent.input, budget.spent.output) == (30, 7)


def test_a_runaway_agent_has_the_limit_of_the_app_and_not_that_of_a_vote() -> None:
    steps: list[int] = []

    def step(_: MessagesState) -> dict[str, Any]:
        steps.append(1)
        return {}

    endless: Any = StateGraph(MessagesState)
    endless = endless.add_node("step", step).add_edge(START, "step").add_edge("step", "step").compile()
    with pytest.raises(ProviderFailure, match="GraphRecursionError"):
        create_microstep(endless, k=1).invoke(QUESTION, {"recursion_limit": 25})
    assert len(steps) == 25
    own = endless.with_config(recursion_limit=10)
    with pytest.raises(ProviderFailure, match="GraphRecursionError"):
        create_microstep(own, k=1).invoke(QUESTION, {"recursion_limit": 25})
    assert len(steps) == 35


def test_a_structured_response_of_any_kind_and_a_tools_direct_answer_are_replies() -> None:
    @dataclass
    class Day:
        when: date

    state = {"messages": [AIMessage("done")], "structured_response": Day(date(2026, 1, 31))}
    assert decision_of(RunnableLambda(lambda _: state), answer=Day)["answer"] == {"when": "2026-01-31"}
    direct = {
        "messages": [AIMessage("", tool_calls=[{"name": "t", "args": {}, "id": "1"}]), ToolMessage("42", tool_call_id="1")]
    }
    assert decision_of(RunnableLambda(lambda _: direct))["answer"] == "42"


def test_an_agent_that_goes_on_in_the_graph_around_it_is_refused_in_its_own_words() -> None:
    def leave(_: MessagesState) -> Any:
        return Command(graph=Command.PARENT, goto="elsewhere")

    graph: Any = StateGraph(MessagesState)
    with pytest.raises(UsageError, match=r"Command\.PARENT"):
        create_microstep(graph.add_node("leave", leave).add_edge(START, "leave").compile(), k=1).invoke(QUESTION)
