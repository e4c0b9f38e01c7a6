"""Chat models as people wrap them: taken if their samples are honest, else refused with their own sentence."""

from typing import Any

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from openai import APITimeoutError
from pydantic import BaseModel

from maker_graph import Budget, LimitReached, ProviderFailure, UsageError, create_microstep
from tests.conftest import Scripted, replies
from tests.models.serving import completion, server

QUESTION = {"messages": [("user", "1 + 1?")]}


class Answer(BaseModel):
    value: int


class Down(ConnectionError):
    """What a provider that is down raises."""


def down(_: int, __: str) -> str:
    raise Down("out of order")


def decided(model: Any, **settings: Any) -> dict[str, Any]:
    return dict(create_microstep(model, decision="decision", k=2, **settings).invoke(QUESTION)["decision"])


def test_what_is_bound_goes_out_with_each_sample_but_for_what_makes_them_alike() -> None:
    model = Scripted(script=replies("2"), log=[])
    decided(model.bind(seed=7, n=3, stream=True, user="me").bind(user="you"))
    assert [{name: value for name, value in call.items() if name in {"seed", "n", "stream", "user"}} for call in model.log] == [
        {"user": "you"},
        {"user": "you"},
    ]


def test_a_bound_temperature_and_cap_are_the_models_own_and_the_callers_come_first() -> None:
    model = Scripted(script=replies("2"), log=[])
    decided(model.bind(temperature=0.7, max_tokens=50))
    decided(model.bind(temperature=0.7, max_tokens=50), temperature=0.3, max_tokens=20)
    assert [(call["temperature"], call["max_tokens"]) for call in model.log] == [(0.7, 50)] * 2 + [(0.3, 20)] * 2


def test_tags_and_metadata_that_were_bound_go_along() -> None:
    seen: list[Any] = []

    class Watching(Scripted):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            seen.append(({"ours", "nostream"} <= {*run_manager.tags}, run_manager.metadata.get("team")))
            return super()._generate(messages, stop, run_manager, **kwargs)

    decided(Watching(script=replies("2")).with_config(tags=["ours"], metadata={"team": "a"}))
    assert seen == [(True, "a")] * 2


def test_a_fallback_replies_where_the_first_fails_and_such_samples_are_counted() -> None:
    first = Scripted(script=lambda i, _: down(i, "") if i == 1 else "2")
    decision = decided(first.with_fallbacks([Scripted(script=replies("2"))]))
    assert (decision["answer"], decision["samples"], decision["fallbacks"]) == ("2", 2, 1)


async def test_the_same_when_it_is_awaited() -> None:
    node = create_microstep(Scripted(script=down).with_fallbacks([Scripted(script=replies("2"))]), k=2, decision="decision")
    assert (await node.ainvoke(QUESTION))["decision"]["fallbacks"] == 2


def test_without_fallbacks_nothing_is_said_of_them() -> None:
    assert "fallbacks" not in decided(Scripted(script=replies("2")))


def test_only_the_errors_that_were_named_lead_to_a_fallback() -> None:
    model = Scripted(script=down).with_fallbacks([Scripted(script=replies("2"))], exceptions_to_handle=(KeyError,))
    with pytest.raises(ProviderFailure, match="out of order"):
        decided(model, calls={"patience": 0.01})


def test_where_all_fail_the_request_is_made_again_and_the_first_failure_that_may_pass_is_told() -> None:
    model = Scripted(script=down).with_fallbacks([Scripted(script=down)])
    with pytest.raises(ProviderFailure, match="out of order"):
        decided(model, calls={"patience": 0.01})


def test_each_request_of_a_fallback_is_in_the_account() -> None:
    model = Scripted(script=down).with_fallbacks([Scripted(script=replies("2"))])
    budget = Budget(max_calls=3)
    with pytest.raises(LimitReached):
        decided(model, calls={"meter": budget})


@pytest.mark.parametrize(
    ("wrap", "problem"),
    [
        (lambda model: model.with_retry(), "with_retry"),
        (lambda model: model.with_structured_output(Answer), "answer="),
        (lambda model: model.with_structured_output(Answer, include_raw=True), "answer="),
        (lambda model: model | StrOutputParser(), "StrOutputParser"),
        (lambda model: ChatPromptTemplate.from_messages([("user", "{q}")]) | model, "prompt="),
        (lambda model: model.with_listeners(on_end=print), "with_listeners"),
        (lambda model: model.configurable_fields(temperature=ConfigurableField(id="t")), "configurable"),
        (lambda model: model.with_fallbacks([model]).bind(stop=["."]), "fallbacks afterwards"),
        (lambda model: model.with_fallbacks([model], exception_key="why"), "exception_key"),
        (lambda model: model.with_fallbacks([model.with_retry()]), "with_retry"),
        (lambda _: init_chat_model(configurable_fields="any"), "configurable"),
        (
            lambda _: init_chat_model("openai:x", configurable_fields=("temperature",)).bind_tools([]),
            "configurable",
        ),
        (lambda model: model.with_fallbacks([init_chat_model()]), "configurable"),
    ],
)
def test_what_cannot_be_sampled_honestly_is_refused_when_building_each_with_its_sentence(wrap: Any, problem: str) -> None:
    model = ChatOpenAI(model="gpt-4.1-mini", api_key="x", base_url="http://127.0.0.1:9/v1")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=problem):
        create_microstep(wrap(model))


def test_a_chain_that_ends_with_the_message_is_taken() -> None:
    assert decided(RunnableLambda(lambda messages: messages) | Scripted(script=replies(AIMessage("2"))))["answer"] == "2"


RESPONSE = {
    "id": "x",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "output": [
        {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "2", "annotations": []}],
        }
    ],
}
"""What OpenAI's Responses API replies."""


@pytest.mark.parametrize(
    ("name", "bound", "sent"),
    [
        ("gpt-4.1-mini", {"extra_body": {"seed": 3, "temperature": 2, "max_tokens": 3, "x": 1}}, {"x": 1, "max_tokens": 750}),
        ("gpt-4.1-mini", {"extra_body": {"x": 1}}, {"x": 1, "max_tokens": 750, "temperature": 0.4}),
        ("gpt-4.1-mini", {"model_kwargs": {"seed": 3, "user": "me"}}, {"user": "me", "max_tokens": 750, "temperature": 0.4}),
        ("gpt-4.1-mini", {"model": "gpt-5-mini"}, {"model": "gpt-5-mini", "temperature": None}),
        ("gpt-5.1", {"reasoning_effort": "high"}, {"reasoning_effort": "high", "temperature": None}),
        ("gpt-4.1-mini", {"tools": [{"type": "web_search"}]}, {"max_output_tokens": 750}),
        ("gpt-5-mini", {"reasoning": {"effort": "low"}}, {"max_output_tokens": 750}),
        ("gpt-4.1-mini", {"stop": ["."]}, {"stop": ["."], "max_tokens": 750, "temperature": 0.4}),
    ],
)
def test_what_is_bound_changes_nothing_that_the_vote_sets_and_is_seen_where_it_changes_what_is_asked(
    name: str, bound: dict[str, Any], sent: dict[str, Any]
) -> None:
    answer = RESPONSE if "max_output_tokens" in sent else completion()
    with server((200, answer, {})) as (url, got):
        model = ChatOpenAI(model=name, api_key="x", base_url=url).bind(**bound)  # type: ignore[arg-type]
        assert decided(model, temperature=0.4, max_tokens=750)["answer"] == "2"
    for request in got:
        assert {name: request.get(name) for name in sent} == sent
        assert "seed" not in request


async def test_a_fallback_for_a_time_out_stands_in_where_our_own_limit_cut_the_request_off() -> None:
    slow, ok = Scripted(script=replies("2"), delay=lambda _: 5.0), Scripted(script=replies("2"))
    model = slow.with_fallbacks([ok], exceptions_to_handle=(APITimeoutError,))
    node = create_microstep(model, k=2, decision="decision", calls={"timeout": 0.05})
    decision = (await node.ainvoke(QUESTION))["decision"]
    assert (decision["fallbacks"], decision["lost"]) == (2, 2)


def test_callbacks_that_were_bound_hear_each_sample_once_also_where_the_microstep_is_made_within_a_graph() -> None:
    class Hears(BaseCallbackHandler):
        def __init__(self) -> None:
            self.heard = 0

        def on_chat_model_start(self, *_: Any, **__: Any) -> None:
            self.heard += 1

    bound, around = Hears(), Hears()

    def node(state: MessagesState) -> Any:
        return create_microstep(Scripted(script=replies("2")).with_config(callbacks=[bound]), k=3).invoke(state)

    app: Any = StateGraph(MessagesState).add_node("a", node).add_edge(START, "a").compile(checkpointer=InMemorySaver())
    app.invoke(QUESTION, {"configurable": {"thread_id": "1"}, "callbacks": [around]})
    assert (bound.heard, around.heard) == (3, 3)
