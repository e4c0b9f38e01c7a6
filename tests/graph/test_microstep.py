"""The microstep: an exact vote as a node of any graph, whatever that graph's state."""

import math
import operator
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, Field, SecretStr
from typing_extensions import TypedDict

from maker_graph import (
    AheadBy,
    Decided,
    FirstTo,
    Hung,
    Invalid,
    Majority,
    Sample,
    Undecided,
    Unknown,
    UsageError,
    Valid,
    create_microstep,
    empty,
    ended,
    p_sub,
    truncated,
    vote,
)
from maker_graph.core.schema import schema_of
from tests.conftest import Scripted, replies
from tests.models.serving import completion, server


class Route(BaseModel):
    """Where a ticket goes."""

    queue: str
    reason: str = ""


class City(TypedDict):
    city: str


class Ticket(TypedDict, total=False):
    """A ticket."""

    body: str
    route: Any
    decision: dict[str, Any]
    history: Annotated[list[Any], operator.add]


def text_state(model: Scripted, **settings: Any) -> Any:
    return create_microstep(model, state=Ticket, prompt=lambda s: s["body"], into="route", decision="decision", **settings)


def in_a_graph(node: Any, state: type, **compiled: Any) -> Any:
    return StateGraph(state).add_node("answer", node).add_edge(START, "answer").add_edge("answer", END).compile(**compiled)


def test_a_graph_of_messages_gets_exactly_one_message() -> None:
    app = in_a_graph(create_microstep(Scripted(script=replies("Paris", "Paris", "Rome", "Paris", "Paris"))), MessagesState)
    messages = app.invoke({"messages": [HumanMessage("The capital of France?")]})["messages"]
    assert [type(message) for message in messages] == [HumanMessage, AIMessage]
    assert messages[-1].content == "Paris"


async def test_the_same_under_ainvoke() -> None:
    app = in_a_graph(create_microstep(Scripted(script=replies(" Paris\n"))), MessagesState)
    messages = (await app.ainvoke({"messages": [HumanMessage("?")]}))["messages"]
    assert len(messages) == 2


def test_a_second_turn_appends_a_second_message() -> None:
    app = in_a_graph(create_microstep(Scripted(script=replies("yes"))), MessagesState, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    app.invoke({"messages": [HumanMessage("?")]}, config)
    messages = app.invoke({"messages": [HumanMessage("sure?")]}, config)["messages"]
    assert [message.content for message in messages] == ["?", "yes", "sure?", "yes"]


@pytest.mark.parametrize("kind", ["TypedDict", "dataclass", "pydantic"])
def test_any_kind_of_state_gets_the_whole_answer_as_plain_json(kind: str) -> None:
    @dataclass
    class Data:
        body: str
        route: Any = None

    class Model(BaseModel):
        body: str
        route: Any = None

    state: Any = {"TypedDict": Ticket, "dataclass": Data, "pydantic": Model}[kind]
    body = (lambda s: s["body"]) if kind == "TypedDict" else (lambda s: s.body)
    model = Scripted(script=lambda index, text: f'{{"queue": "{text}", "reason": "because {index}"}}')
    node = create_microstep(model, state=state, prompt=body, answer=Route, key=lambda r: r.queue, into="route", k=3)
    assert in_a_graph(node, state).invoke({"body": "billing"})["route"] == {"queue": "billing", "reason": "because 0"}


def test_a_reducer_of_the_parent_counts_the_answer_once() -> None:
    node = create_microstep(
        Scripted(script=replies("[1]")), state=Ticket, prompt=lambda s: s["body"], answer=lambda _: [1], into="history"
    )
    assert in_a_graph(node, Ticket).invoke({"body": "?", "history": [0]})["history"] == [0, 1]


def test_the_votes_of_one_step_are_gone_at_the_next() -> None:
    node = text_state(Scripted(script=lambda _, text: text))
    graph = StateGraph(Ticket).add_node("one", node).add_node("turn", lambda _: {"body": "b"}).add_node("two", node)
    app = graph.add_edge(START, "one").add_edge("one", "turn").add_edge("turn", "two").compile(checkpointer=InMemorySaver())
    result = app.invoke({"body": "a"}, {"configurable": {"thread_id": "1"}})
    assert result["decision"]["ballot"] == {'"b"': 3}


def test_rounds_draw_what_the_leader_lacks_and_flagged_samples_are_replaced() -> None:
    model = Scripted(script=replies("1", "", "2", "1", "1", "1"), log=[])
    decision = text_state(model, answer=int).invoke({"body": "?"})["decision"]
    assert decision["sequence"] == [0, "empty", 1, 0, 0, 0]
    assert (decision["ballot"], decision["flags"]) == ({"1": 4, "2": 1}, {"empty": 1})
    assert (decision["samples"], decision["rounds"], decision["status"]) == (6, 2, "decided")
    assert sorted(call["index"] for call in model.log) == [0, 1, 2, 3, 4, 5]


async def test_votes_are_counted_in_the_order_of_launch_not_of_arrival() -> None:
    script = replies("1", "2", "2", "1", "1", "1", "1")
    late_first = text_state(Scripted(script=script, delay=lambda index: 0.05 / (index + 1)), answer=int)
    decision = (await late_first.ainvoke({"body": "?"}))["decision"]
    assert decision["sequence"] == text_state(Scripted(script=script), answer=int).invoke({"body": "?"})["decision"]["sequence"]


async def test_fast_wrong_replies_win_no_more_often_than_the_formula_says() -> None:
    """p = .7, k = 2: wrong in 15.5 % of decisions. Counting replies as they arrive would make that 40 % and more."""
    decisions = 600

    def right(index: int, text: str) -> bool:
        return random.Random(f"{text} {index}").random() < 0.7

    class Hasty(Scripted):
        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            slow = right(run_manager.metadata["sample"], str(messages[-1].text))
            self.delay = lambda _: 0.004 if slow else 0.0
            return await super()._agenerate(messages, stop, run_manager, **kwargs)

    model = Hasty(script=lambda index, text: "right" if right(index, text) else "wrong")
    results = await text_state(model, k=2).abatch([{"body": str(n)} for n in range(decisions)], {"max_concurrency": 40})
    wrong = sum(result["route"] == "wrong" for result in results) / decisions
    promised = 1 - p_sub(0.7, 2)
    assert abs(wrong - promised) < 3 * math.sqrt(promised * (1 - promised) / decisions)


async def test_a_long_vote_is_cut_short_by_its_sample_cap_only_not_by_a_callers_recursion_limit() -> None:
    script = replies(*"12" * 20, "1")
    node = text_state(Scripted(script=script), k=2)
    app = in_a_graph(node, Ticket)
    results = [
        app.invoke({"body": "?"}, {"recursion_limit": 5}),
        *node.batch([{"body": "?"}]),
        *await node.abatch([{"body": "?"}]),
    ]
    assert [result["decision"]["rounds"] for result in results] == [21, 21, 21]
    assert [result["decision"]["samples"] for result in results] == [42, 42, 42]


def test_the_first_sample_is_drawn_at_0_the_others_at_a_tenth_with_the_cap() -> None:
    model = Scripted(script=replies("1"), log=[])
    text_state(model).invoke({"body": "?"})
    assert {call["index"]: call["temperature"] for call in model.log} == {0: 0.0, 1: 0.1, 2: 0.1}
    assert {call["max_tokens"] for call in model.log} == {750}
    model.log.clear()
    text_state(model, temperature=None, max_tokens=None).invoke({"body": "?"})
    assert {(call["temperature"], call["max_tokens"]) for call in model.log} == {(None, None)}


def test_no_seed_is_sent_unless_asked_for_and_then_each_sample_has_its_own() -> None:
    model = Scripted(script=replies("1"), log=[])
    text_state(model).invoke({"body": "?"})
    assert all("seed" not in call for call in model.log)
    model.log.clear()
    text_state(model, seed=5).invoke({"body": "?"})
    assert len({call["seed"] for call in model.log}) == 3


def test_of_several_models_each_sample_asks_one_drawn_by_its_number_and_never_in_turn() -> None:
    calls: list[tuple[str, int]] = []

    def named(name: str) -> Scripted:
        def script(index: int, _: str) -> str:
            calls.append((name, index))
            return "1"

        return Scripted(script=script)

    models = [named("a"), named("b")]
    step = create_microstep(models, state=Ticket, prompt=lambda s: s["body"], into="route", k=4)
    for number in range(100):
        step.invoke({"body": f"question {number}"})
    first = [name for name, index in calls if index == 0]
    assert 30 < first.count("a") < 70, "either model may be the first"
    pairs = Counter(zip(*([name for name, index in calls if index == place] for place in (2, 3)), strict=True))
    assert min(pairs[pair] for pair in pairs) > 10, "what the one sample asks says nothing of the other"
    assert len(pairs) == 4
    drawn = sorted(calls)
    calls.clear()
    for number in range(100):
        step.invoke({"body": f"question {number}"})
    assert sorted(calls) == drawn, "a replay asks the same"


def test_a_global_cache_does_not_turn_k_samples_into_one() -> None:
    model = Scripted(script=replies("1"), log=[])
    set_llm_cache(InMemoryCache())
    try:
        text_state(model).invoke({"body": "?"})
        text_state(model).invoke({"body": "?"})
    finally:
        set_llm_cache(None)
    assert len(model.log) == 6


def test_undecided_raises_with_the_numbers() -> None:
    node = text_state(Scripted(script=lambda index, _: str(index % 2)), max_samples=10)
    with pytest.raises(Undecided) as caught:
        node.invoke({"body": "?"})
    assert caught.value.ballot == {'"0"': 5, '"1"': 5} or sum(caught.value.ballot.values()) == caught.value.samples
    assert "ahead by 3" in str(caught.value)
    assert caught.value.samples <= 10


SEARCH = {"name": "search", "args": {"q": "refund"}, "id": "1"}


@pytest.mark.parametrize(
    ("reply", "flag", "words"),
    [
        (AIMessage("Par", response_metadata={"stopReason": "max_tokens"}), "truncated", "raise max_tokens"),
        (AIMessage("Par", response_metadata={"finish_reason": "abort"}), "ended_abort", "the provider says 'abort'"),
        (AIMessage("Par", response_metadata={"finish_reason": "new!"}), "ended_unknown", "the provider says 'new!'"),
        (AIMessage("Par", response_metadata={"finish_reason": None}), "ended_unknown", "does not say how it ended"),
        (AIMessage("Let me look that up.", tool_calls=[SEARCH]), "tool_calls", "calls the tool 'search'"),
        (AIMessage("", tool_calls=[SEARCH]), "tool_calls", "calls the tool 'search'"),
        (AIMessage([{"type": "thinking", "thinking": "Hm."}]), "no_text", "it holds reasoning and no text"),
    ],
)
def test_a_reply_that_did_not_end_well_or_holds_something_else_never_wins_and_the_cause_is_said(
    reply: AIMessage, flag: str, words: str
) -> None:
    node = create_microstep(Scripted(script=replies(reply)), k=3)
    with pytest.raises(Undecided) as caught:
        node.invoke({"messages": [("user", "Capital of France?")]})
    assert (caught.value.ballot, [*caught.value.flags]) == ({}, [flag])
    assert words in str(caught.value)


def test_a_call_of_a_tool_beside_a_text_is_lost_only_if_the_caller_says_so() -> None:
    model = Scripted(script=replies(AIMessage("yes", tool_calls=[SEARCH])))
    node = create_microstep(model, k=3, red_flags=[truncated, ended, empty])
    assert node.invoke({"messages": [("user", "?")]})["messages"][-1].text == "yes"


def test_undecided_can_be_returned_as_no_answer() -> None:
    node = text_state(Scripted(script=replies("")), max_samples=9, on_undecided="return")
    result = in_a_graph(node, Ticket).invoke({"body": "?", "route": "old"})
    assert result["route"] is None
    assert result["decision"]["status"] == "undecided"
    assert result["decision"]["flags"] == {"empty": 9}


def test_undecided_can_be_asked_of_a_person_whose_reply_is_read_like_a_samples() -> None:
    node = text_state(Scripted(script=lambda index, _: str(index % 2)), answer=int, max_samples=6, on_undecided="interrupt")
    app = in_a_graph(node, Ticket, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    question = app.invoke({"body": "?"}, config)["__interrupt__"][0].value
    assert sum(question["ballot"].values()) == 6 - 6 % 2 or question["ballot"]
    again = app.invoke(Command(resume="seven"), config)["__interrupt__"][0].value
    assert "malformed" in again["problem"]
    result = app.invoke(Command(resume="7"), config)
    assert result["route"] == 7
    assert result["decision"]["reason"] == "a person answered."


@pytest.mark.parametrize(("answer", "reply", "problem"), [(None, "  ", "empty"), (None, "", "empty")])
def test_a_person_who_says_nothing_is_asked_again(answer: Any, reply: str, problem: str) -> None:
    node = text_state(Scripted(script=replies("")), answer=answer, max_samples=6, on_undecided="interrupt")
    app = in_a_graph(node, Ticket, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    app.invoke({"body": "?"}, config)
    assert problem in app.invoke(Command(resume=reply), config)["__interrupt__"][0].value["problem"]


def test_a_person_may_reply_with_json() -> None:
    node = text_state(Scripted(script=replies("")), answer=Route, max_samples=6, on_undecided="interrupt")
    app = in_a_graph(node, Ticket, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    app.invoke({"body": "?"}, config)
    assert app.invoke(Command(resume={"queue": "a"}), config)["route"] == {"queue": "a", "reason": ""}


def test_no_message_to_answer_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="needs messages"):
        create_microstep(Scripted(script=replies("1"))).invoke({"messages": []})


def test_answers_that_never_agree_end_after_ten_and_name_key() -> None:
    model = Scripted(script=lambda index, _: f'{{"queue": "a", "reason": "{index}"}}', log=[])
    with pytest.raises(Undecided, match="key="):
        text_state(model, answer=Route).invoke({"body": "?"})
    assert len(model.log) < 15


def test_a_pydantic_answer_is_strict_json() -> None:
    flags = text_state(
        Scripted(script=replies('```{"queue": "a"}```', '{"queue": 1}', "{}", '{"queue": "a"}')), answer=Route
    ).invoke({"body": "?"})["decision"]["flags"]
    assert flags == {"malformed": 3}


def test_a_pydantic_answer_is_not_repaired_and_may_hold_enums_dates_and_aliases() -> None:
    class Queue(Enum):
        A = "a"
        B = "b"

    class Full(BaseModel):
        queue: Queue = Field(alias="Queue")
        day: date
        number: int

    right = '{"Queue": "b", "day": "2026-01-31", "number": 3}'
    script = replies(right.replace("3}", '"3"}'), right.replace('"b"', '"c"'), right)
    result = text_state(Scripted(script=script), answer=Full, key=lambda r: r.queue, k=2).invoke({"body": "?"})
    assert result["route"] == {"queue": "b", "day": "2026-01-31", "number": 3}
    assert result["decision"]["flags"] == {"malformed": 2}
    assert result["decision"]["ballot"] == {'"b"': 2}


class Secret(BaseModel):
    """An answer that hides what it holds."""

    iban: SecretStr


@dataclass
class Where:
    """An answer that is a dataclass."""

    queue: str


@pytest.mark.parametrize(
    ("answer", "reply", "expected"),
    [
        (bool, "false", False),
        (list[int], "[1, 2]", [1, 2]),
        (Where, '{"queue": "billing"}', {"queue": "billing"}),
        (Literal["yes", "no"], "yes", "yes"),
        (date, "2026-01-31", "2026-01-31"),
        (int | None, "null", None),
    ],
)
def test_an_answer_of_a_type_is_read_as_that_type(answer: Any, reply: str, expected: Any) -> None:
    result = text_state(Scripted(script=replies("nonsense!", reply)), answer=answer).invoke({"body": "?"})
    assert (result["route"], result["decision"]["flags"]) == (expected, {"malformed": 1})


@pytest.mark.parametrize("says", ["no", None, 1])
def test_a_check_that_says_neither_true_nor_false_stops_before_a_wrong_answer_wins(says: Any) -> None:
    model = Scripted(script=replies("1"), log=[])
    with pytest.raises(UsageError, match="check must return True or False"):
        text_state(model, check=lambda *_: says).invoke({"body": "?"})
    assert len(model.log) == 3


def test_a_check_that_says_why_tells_it_to_the_person_who_is_asked() -> None:
    def small(_: Any, answer: int) -> bool:
        if answer > 9:
            raise Invalid("it has two digits.")
        return True

    node = text_state(Scripted(script=replies("12")), answer=int, check=small, max_samples=6, on_undecided="interrupt")
    app = in_a_graph(node, Ticket, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    question = app.invoke({"body": "?"}, config)["__interrupt__"][0].value
    assert question["flags"] == {"invalid": 6}
    assert "The last invalid reply: it has two digits." in question["reason"]
    again = app.invoke(Command(resume="13"), config)["__interrupt__"][0].value
    assert again["problem"] == "The answer was not taken: it is invalid: it has two digits."
    assert app.invoke(Command(resume="7"), config)["route"] == 7


def small_squares(state: Any, answer: int) -> Valid | Unknown:
    """Prove a root of what stands in the body, and know nothing of roots above 9."""
    if answer > 9:
        return Unknown("it has two digits")
    if answer * answer != int(state["body"]):
        raise Invalid(f"{answer} * {answer} is {answer * answer}")
    return Valid(f"{answer} * {answer} = {state['body']}", conclusive=True)


def test_a_proof_decides_alone_and_is_drawn_one_sample_at_a_time() -> None:
    model = Scripted(script=replies("3", "11", "4", "11"), log=[])
    node = text_state(model, answer=int, verify=small_squares, k=2)
    found = node.invoke({"body": "16"})
    assert (found["route"], found["decision"]["proved"]) == (4, "4 * 4 = 16")
    assert (found["decision"]["sequence"], found["decision"]["rounds"]) == (["invalid", 0, 1], 3)
    assert found["decision"]["standings"] == {"unknown": 1, "proved": 1}


@pytest.mark.parametrize("without_a_graph", [False, True])
def test_a_verifier_is_asked_once_about_an_answer_however_many_rounds_a_vote_takes(*, without_a_graph: bool) -> None:
    """It may take seconds, and what it could not tell in time it would say otherwise in the next round."""
    said = ["11", "0", "12", "11", "0", "12", "11", "11", "11", "11"]
    asked = list[int]()

    def whimsical(answer: int) -> Valid | Unknown:
        asked.append(answer)
        if answer == 0 and asked.count(0) == 1:
            raise Invalid("it is nothing")
        return Valid("it says so now", conclusive=True) if asked.count(answer) > 1 else Unknown("it takes too long")

    if without_a_graph:
        decision = vote(said.__getitem__, answer=int, verify=whimsical, k=3)
    else:
        node = text_state(Scripted(script=replies(*said)), answer=int, verify=lambda _, answer: whimsical(answer), k=3)
        decision = node.invoke({"body": "16"})["decision"]
    assert (decision["answer"], decision["standings"], decision["flags"]) == (11, {"unknown": 7}, {"invalid": 2})
    assert sorted(asked) == [0, 11, 12]


def test_where_nothing_is_proved_the_vote_goes_on_as_ever() -> None:
    model = Scripted(script=replies("11", "12", "11", "11"), log=[])
    found = text_state(model, answer=int, verify=small_squares, k=2).invoke({"body": "16"})
    assert (found["route"], found["decision"]["ballot"], "proved" in found["decision"]) == (11, {"11": 3, "12": 1}, False)


@pytest.mark.parametrize("says", [True, None, Invalid("returned")])
def test_a_verifier_that_says_something_else_stops_before_an_answer_wins(says: Any) -> None:
    with pytest.raises(UsageError, match="verify must return Valid"):
        text_state(Scripted(script=replies("1")), verify=lambda *_: says).invoke({"body": "?"})


def test_an_answer_is_plain_json_whatever_the_function_returns() -> None:
    result = text_state(Scripted(script=replies("1")), answer=lambda text: {1: (text, date(2026, 1, 31))}, k=2).invoke(
        {"body": "?"}
    )
    assert result["route"] == {"1": ["1", "2026-01-31"]}


def test_replies_cut_at_the_cap_say_that_the_cap_is_what_to_look_at() -> None:
    cut = AIMessage("1", response_metadata={"finish_reason": "length"})
    with pytest.raises(Undecided, match="raise max_tokens"):
        text_state(Scripted(script=replies(cut)), max_samples=9).invoke({"body": "?"})


def test_samples_are_judged_in_the_order_of_launch_even_if_the_channel_has_them_in_another() -> None:
    node = text_state(Scripted(script=replies("1"))).nodes["red_flag"].bound
    drawn = [{"index": index, "text": str(index)} for index in (2, 0, 1)]
    judged = node.invoke({"body": "?", "vote_samples": drawn})["vote_judged"]
    assert [each["index"] for each in judged] == [0, 1, 2]


def test_the_decision_goes_to_the_custom_stream() -> None:
    app = in_a_graph(text_state(Scripted(script=replies("1"))), Ticket)
    parts = [part for _, part in app.stream({"body": "?"}, stream_mode="custom", subgraphs=True)]
    assert [part["round"]["ballot"] for part in parts if "round" in part] == [{'"1"': 3}]
    assert [part["decision"]["ballot"] for part in parts if "decision" in part] == [{'"1"': 3}]


def test_samples_do_not_stream_into_a_chat_but_the_answer_does() -> None:
    app = in_a_graph(create_microstep(Scripted(script=replies("hello"))), MessagesState)
    streamed = [
        message.content
        for _, (message, _) in app.stream({"messages": [HumanMessage("?")]}, stream_mode="messages", subgraphs=True)
    ]
    assert streamed == ["hello"]


@pytest.mark.parametrize("rule", [AheadBy(2), FirstTo(2), Majority(3)])
def test_any_stopping_rule_will_do(rule: Any) -> None:
    assert text_state(Scripted(script=replies("1")), k=rule).invoke({"body": "?"})["route"] == "1"


def test_own_red_flags_take_the_place_of_the_default_ones() -> None:
    def shy(sample: Sample) -> bool:
        return "sorry" in sample.text

    node = text_state(Scripted(script=replies("sorry", "", "")), red_flags=[shy], k=2)
    assert node.invoke({"body": "?"})["decision"]["sequence"] == ["shy", 0, 0]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"k": 0}, "at least 1"),
        ({"max_samples": 0}, "max_samples"),
        ({"k": 200}, "max_samples=100 is too few"),
        ({"k": 3.0}, "stopping rule"),
        ({"temperature": [0.0, 0.1]}, "a tuple of two"),
        ({"max_tokens": 0}, "at least 1"),
        ({"temperature": -1.0}, "temperature"),
        ({"on_undecided": "panic"}, "on_undecided"),
        ({"into": "rute"}, "into="),
        ({"decision": "outcome"}, "outcome"),
        ({"prompt": None}, "prompt="),
        ({"state": Ticket(body="x")}, "a class"),
        ({"red_flags": [lambda _: True]}, "def"),
        ({"red_flags": empty}, "a list of functions"),
        ({"key": "queue"}, r"lambda answer: answer\['queue'\]"),
        ({"key": set}, "a set is in another order"),
        ({"answer": {"type": "object"}}, "a type, or a function"),
        ({"answer": set[int]}, "a set is in another order"),
        ({"answer": Secret}, "all secrets look the same"),
        ({"answer": lambda: 1}, r"called as answer\(text\)"),
        ({"check": len}, r"called as check\(state, answer\)"),
        ({"check": True}, r"called as check\(state, answer\)"),
        ({"prompt": "Where to?"}, r"called as prompt\(state\)"),
        ({"prompt": lambda: "?"}, r"called as prompt\(state\)"),
        ({"k": AheadBy}, "such as AheadBy"),
        ({"k": lambda ballot: Decided("a")}, "nobody voted for"),  # noqa: ARG005  a rule takes a ballot
        ({"k": lambda ballot: Hung()}, "when there are no votes yet"),  # noqa: ARG005  the same
        ({"k": True}, "at least 1"),
        ({"temperature": (0,)}, "a tuple of two"),
        ({"temperature": True}, "a tuple of two"),
        ({"temperature": math.inf}, "a tuple of two"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_samples": math.nan}, "max_samples"),
        ({"stuck_after": 2.5}, "stuck_after"),
        ({"model": "gpt-4.1-mini"}, "provider:model"),
        ({"model": "sim:nobody"}, "gpt-4.1-mini"),
        ({"model": 3}, "chat model"),
        ({"model": []}, "At least one model"),
    ],
)
def test_a_wrong_setting_is_refused_when_building_and_says_what_to_do(settings: dict[str, Any], problem: str) -> None:
    model = settings.pop("model", Scripted(script=replies("1")))
    valid = {"state": Ticket, "prompt": lambda s: s["body"], "into": "route"}
    with pytest.raises(UsageError, match=problem):
        create_microstep(model, **{**valid, **settings})


def test_a_key_that_the_vote_uses_inside_is_refused() -> None:
    class Clash(TypedDict):
        vote_samples: list[str]
        route: str

    with pytest.raises(UsageError, match="another name"):
        create_microstep(Scripted(script=replies("1")), state=Clash, prompt=lambda _: "?", into="route")


def test_an_error_in_the_callers_own_prompt_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        text_state(Scripted(script=replies("1"))).invoke({})


def test_the_drawing_shows_the_vote() -> None:
    picture = text_state(Scripted(script=replies("1"))).get_graph().draw_mermaid()
    for edge in ("sample --> red_flag", "red_flag --> vote", "vote -.-> sample", "vote -.-> __end__"):
        assert edge in picture


def test_the_schemas_show_only_what_goes_in_and_out() -> None:
    node = text_state(Scripted(script=replies("1")))
    assert set(node.get_input_jsonschema()["properties"]) == set(Ticket.__annotations__)
    assert set(node.get_output_jsonschema()["properties"]) == {"route", "decision"}


def test_a_reply_ends_where_it_was_told_to_and_votes() -> None:
    model = Scripted(script=replies("Paris\nFrance's capital", "Paris\nIt is a city", "Paris"), log=[])
    node = create_microstep(model, k=3, stop=("\n",), decision="decision")
    decision = node.invoke({"messages": [("user", "The capital of France?")]})["decision"]
    assert (decision["answer"], decision["ballot"], decision["flags"]) == ("Paris", {'"Paris"': 3}, {})
    assert [told["stop"] for told in model.log] == [["\n"]] * 3


def test_the_schema_of_the_answer_goes_to_the_provider_only_if_asked() -> None:
    said = {"index": 0, "message": {"role": "assistant", "content": '{"city": "Paris"}'}, "finish_reason": "stop"}
    with server((200, completion(choices=[said]), {})) as (url, asked):
        model = ChatOpenAI(model="m", base_url=url, api_key="none")  # type: ignore[arg-type]  # a string will do
        for structured, schema in ((False, None), (True, schema_of(City))):
            node = create_microstep(model, k=2, answer=City, structured=structured, decision="decision")
            assert node.invoke({"messages": [("user", "The capital of France?")]})["decision"]["answer"] == {"city": "Paris"}
            schemas = [body.get("response_format", {}).get("json_schema", {}).get("schema") for body in asked]
            assert schemas == [schema] * len(asked)
            asked.clear()
    with pytest.raises(UsageError, match="structured needs a type as answer="):
        create_microstep(model, structured=True)
