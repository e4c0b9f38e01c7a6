"""Voted decisions in `create_agent`: what acts is what won."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ContextEditingMiddleware,
    HumanInTheLoopMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolRetryMiddleware,
    wrap_model_call,
)
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import ParentCommand
from langgraph.types import Command, interrupt
from pydantic import BaseModel, SecretStr

from maker_graph import AheadBy, Budget, LimitReached, Undecided, UsageError
from maker_graph.agents import VotingMiddleware
from tests.agents.shop import ASK, Shop, Told, call, in_turn, told

RIGHT, WRONG = call("refund", order=7), call("refund", order=8)


def agent_of(model: Told, shop: Shop, *middleware: Any, **settings: Any) -> Any:
    return create_agent(model, shop.tools, middleware=[*middleware], **settings)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_only_what_won_acts(asynchronous: bool) -> None:
    shop, model = Shop(), in_turn(WRONG, RIGHT, RIGHT, RIGHT, RIGHT)
    agent = agent_of(model, shop, VotingMiddleware(k=3))
    result = asyncio.run(agent.ainvoke(ASK)) if asynchronous else agent.invoke(ASK)
    assert shop.done == [("refund", 7, 0.0)]
    voted, _, last = result["messages"][1:]
    assert voted.response_metadata["maker_graph"]["ballot"] == {
        '{"tool_calls":[["refund",{"amount":0.0,"order":8}]]}': 1,
        '{"tool_calls":[["refund",{"amount":0.0,"order":7}]]}': 4,
    }
    assert last.text == "It is done."


def test_the_tokens_of_all_samples_are_those_of_the_message() -> None:
    model = in_turn(WRONG, RIGHT)
    result = agent_of(model, Shop(), VotingMiddleware(k=2)).invoke(ASK)
    used: list[Any] = [each.usage_metadata for each in result["messages"] if isinstance(each, AIMessage)]
    assert [each["input_tokens"] for each in used] == [40, 20]
    assert len(model.asked) == 6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call("refund", order=7), call("refund", order=7, amount=0)),
        (call("refund", order=7), call("refund", order="7")),
        (AIMessage("I do it.", tool_calls=RIGHT.tool_calls), RIGHT),
        (
            AIMessage("", tool_calls=[*RIGHT.tool_calls, *call("look_up", order=7).tool_calls]),
            AIMessage("", tool_calls=[*call("look_up", order=7).tool_calls, *RIGHT.tool_calls]),
        ),
        ("It was refunded.", "I gave the money back."),
    ],
)
def test_what_does_the_same_is_one_vote(one: AIMessage | str, other: AIMessage | str) -> None:
    result = agent_of(in_turn(one, other), Shop(), VotingMiddleware(k=2, max_samples=2)).invoke(ASK)
    assert [*result["messages"][1].response_metadata["maker_graph"]["ballot"].values()] == [2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RIGHT, call("refund", order=7, amount=1)),
        (RIGHT, AIMessage("", tool_calls=[*RIGHT.tool_calls, {**RIGHT.tool_calls[0], "id": "again"}])),
        (RIGHT, "I refund it."),
        (call("write", to="a", body="x"), call("write", to="a", body="y")),
    ],
)
def test_what_does_something_else_is_another_vote(one: AIMessage | str, other: AIMessage | str) -> None:
    with pytest.raises(Undecided) as caught:
        agent_of(in_turn(one, other), Shop(), VotingMiddleware(k=2, max_samples=2)).invoke(ASK)
    assert len(caught.value.ballot) == 2


def test_free_arguments_are_not_compared_and_the_first_that_voted_so_acts() -> None:
    shop = Shop()
    model = in_turn(call("write", to="a", body="x"), call("write", to="a", body="y"))
    agent_of(model, shop, VotingMiddleware(k=2, free={"write": ["body"]}, max_samples=2)).invoke(ASK)
    assert shop.done == [("write", "a", "x")]


def test_arguments_are_compared_as_normalised() -> None:
    shop = Shop()
    vote = VotingMiddleware(k=2, normalise={"write": lambda args: [args["to"].lower(), len(args["body"])]}, max_samples=2)
    agent_of(in_turn(call("write", to="Ann", body="x"), call("write", to="ann", body="y")), shop, vote).invoke(ASK)
    assert shop.done == [("write", "Ann", "x")]


def test_a_text_is_voted_on_by_its_key() -> None:
    vote = VotingMiddleware(k=2, text_key=lambda text: text.split()[-1])
    result = agent_of(in_turn("The answer: 4", "I say 5", "It is 5", "5"), Shop(), vote).invoke(ASK)
    assert result["messages"][-1].text == "I say 5"


@pytest.mark.parametrize(
    ("bad", "flag", "why"),
    [
        (call("refunds", order=7), "invalid", "there is no tool 'refunds'"),
        (call("refund", order="seven"), "invalid", "order"),
        (call("refund"), "invalid", "order"),
        (AIMessage("", invalid_tool_calls=[{"name": "refund", "args": "{", "id": "1", "error": "cut"}]), "malformed", "cut"),
        (AIMessage("I re", response_metadata={"finish_reason": "length"}), "truncated", ""),
        (AIMessage("I cannot", response_metadata={"finish_reason": "content_filter"}), "refused", ""),
        (AIMessage([{"type": "text", "text": "No."}, {"type": "refusal", "refusal": "I cannot"}]), "refused", ""),
        (AIMessage(""), "empty", ""),
    ],
)
def test_a_response_that_nobody_could_act_on_never_votes(bad: AIMessage, flag: str, why: str) -> None:
    shop = Shop()
    result = agent_of(in_turn(bad, RIGHT), shop, VotingMiddleware(k=2)).invoke(ASK)
    assert shop.done == [("refund", 7, 0.0)]
    assert result["messages"][1].response_metadata["maker_graph"]["flags"] == {flag: 1}
    with pytest.raises(Undecided, match=why or flag):
        agent_of(in_turn(bad), Shop(), VotingMiddleware(k=2, stuck_after=3)).invoke(ASK)


def test_an_agent_that_goes_round_in_circles_is_stopped() -> None:
    shop = Shop()
    agent = agent_of(told(lambda *_: call("look_up", order=7)), shop, VotingMiddleware(k=1, loops=2, stuck_after=3))
    with pytest.raises(Undecided, match="look_up was called 2 times"):
        agent.invoke(ASK)
    assert shop.done == [("look_up", 7)] * 2


def test_only_the_tools_that_are_worth_it_are_voted_on() -> None:
    shop = Shop()
    model = told(
        lambda number, _: (call("look_up", order=7), RIGHT, WRONG, RIGHT, RIGHT, RIGHT)[number] if number < 6 else "Done."
    )
    result = agent_of(model, shop, VotingMiddleware(k=3, only=["refund"])).invoke(ASK)
    assert shop.done == [("look_up", 7), ("refund", 7, 0.0)]
    samples = [each.response_metadata["maker_graph"]["samples"] for each in result["messages"] if isinstance(each, AIMessage)]
    assert samples == [1, 5, 1]


def test_each_tool_has_a_lead_of_its_own() -> None:
    vote = VotingMiddleware(k={"refund": 4, "look_up": 1, "text": 2})
    samples = []
    for reply in (RIGHT, call("look_up", order=7), "No."):
        result = agent_of(in_turn(reply), Shop(), vote).invoke(ASK)
        samples.append(result["messages"][1].response_metadata["maker_graph"]["samples"])
    assert samples == [4, 1, 2]


def test_each_sample_is_asked_as_the_vote_says_and_the_users_model_stays_as_it_was() -> None:
    model = in_turn(RIGHT)
    agent_of(model, Shop(), VotingMiddleware(k=3, temperature=(0, 0.5), seed=1)).invoke(ASK)
    first = model.asked[:3]
    assert sorted(each["temperature"] for each in first) == [0, 0.5, 0.5]
    assert len({each["seed"] for each in first}) == 3
    assert {tuple(each["tools"]) for each in first} == {("refund", "look_up", "write")}
    assert model.temperature is None


def test_the_budget_counts_samples_and_stops_the_agent() -> None:
    shop, budget = Shop(), Budget(max_calls=4)
    agent = agent_of(in_turn(RIGHT), shop, VotingMiddleware(k=3, calls={"meter": budget}))
    with pytest.raises(LimitReached, match="limit of 4 calls"):
        agent.invoke(ASK)
    assert budget.spent.calls <= 4
    assert shop.done == [("refund", 7, 0.0)]


def test_an_undecided_vote_goes_to_the_stronger_model() -> None:
    shop, strong = Shop(), in_turn(RIGHT)
    vote = VotingMiddleware(k=2, within=2, escalate=strong)
    result = agent_of(in_turn(WRONG, RIGHT, "?"), shop, vote).invoke(ASK)
    assert shop.done == [("refund", 7, 0.0)]
    assert (result["messages"][1].response_metadata["maker_graph"]["by"], len(strong.asked)) == ("model", 2)
    assert result["messages"][1].usage_metadata["input_tokens"] == 40


def test_without_a_way_out_an_undecided_vote_is_an_error_and_nothing_acts() -> None:
    shop = Shop()
    with pytest.raises(Undecided) as caught:
        agent_of(in_turn(WRONG, RIGHT), shop, VotingMiddleware(k=2, within=2)).invoke(ASK)
    assert (shop.done, caught.value.passed) == ([], True)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("choice", "done"),
    [
        ('{"tool_calls":[["refund",{"amount":0.0,"order":7}]]}', [("refund", 7, 0.0)]),
        ({"tool_calls": [{"name": "refund", "args": {"order": 9, "amount": 3}}]}, [("refund", 9, 3.0)]),
        (
            {"tool_calls": [{"name": "refund", "args": {"order": 9}, "id": 7}], "message": '{"content": 3}'},
            [("refund", 9, 0.0)],
        ),
        ("Leave it.", []),
    ],
)
def test_a_person_chooses_among_the_candidates_or_says_otherwise(choice: Any, done: list[Any], asynchronous: bool) -> None:
    shop, model = Shop(), in_turn(WRONG, RIGHT)
    vote = VotingMiddleware(k=2, within=2, on_undecided="interrupt")
    agent = agent_of(model, shop, vote, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}

    def invoke(given: Any) -> Any:
        return asyncio.run(agent.ainvoke(given, config)) if asynchronous else agent.invoke(given, config)

    asked = invoke(ASK)["__interrupt__"][0].value
    assert [*asked["ballot"].values()] == [1, 1]
    assert asked["passed"]
    assert shop.done == []
    drawn = len(model.asked)
    result = invoke(Command(resume=choice))
    assert shop.done == done
    assert len(model.asked) == drawn + (2 if done else 0)  # the votes on the last text; none again on what a person decided
    assert result["messages"][1].response_metadata["maker_graph"]["by"] == "person"


def test_a_reply_that_nobody_could_act_on_is_asked_for_again() -> None:
    vote = VotingMiddleware(k=2, within=2, on_undecided="interrupt")
    shop = Shop()
    agent = agent_of(in_turn(WRONG, RIGHT), shop, vote, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    agent.invoke(ASK, config)
    again = agent.invoke(Command(resume={"tool_calls": [{"name": "refunds", "args": {}}]}), config)
    assert "there is no tool 'refunds'" in again["__interrupt__"][0].value["problem"]
    agent.invoke(Command(resume={"tool_calls": [{"name": "refund", "args": {"order": 7}}]}), config)
    assert shop.done == [("refund", 7, 0.0)]


class City(BaseModel):
    city: str


@pytest.mark.parametrize("wanted", [ToolStrategy(City), City])
def test_a_structured_response_is_voted_on(wanted: Any) -> None:
    answers = [call("City", city=each) for each in ("Lyon", "Paris", "Paris", "Paris")]
    result = agent_of(in_turn(*answers), Shop(), VotingMiddleware(k=2), response_format=wanted).invoke(ASK)
    assert result["structured_response"] == City(city="Paris")
    assert result["messages"][1].response_metadata["maker_graph"]["ballot"] == {
        '{"structured":["City",{"city":"Lyon"}]}': 1,
        '{"structured":["City",{"city":"Paris"}]}': 3,
    }


@pytest.mark.parametrize("handled", [True, False])
def test_a_structured_response_that_does_not_fit_never_votes(handled: bool) -> None:
    wanted = ToolStrategy(City, handle_errors=handled)
    model = in_turn(call("City", town="Paris"), call("City", city="Paris"))
    result = agent_of(model, Shop(), VotingMiddleware(k=2), response_format=wanted).invoke(ASK)
    assert result["structured_response"] == City(city="Paris")
    assert result["messages"][1].response_metadata["maker_graph"]["flags"] == {"malformed": 1}


def test_a_structured_response_of_the_provider_is_voted_on() -> None:
    model = in_turn('{"city": "Lyon"}', '{"city": "Paris"}')
    agent = agent_of(model, Shop(), VotingMiddleware(k=2), response_format=ProviderStrategy(City))
    assert agent.invoke(ASK)["structured_response"] == City(city="Paris")


class Town(BaseModel):
    city: str


@dataclass
class Place:
    city: str
    why: str


CITY = City.model_json_schema()
UNTITLED = {name: each for name, each in CITY.items() if name != "title"}


@pytest.mark.parametrize("people", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        *(kind(schema) for kind in (ToolStrategy, ProviderStrategy, AutoStrategy) for schema in (City, Place, CITY, UNTITLED)),
        City,
    ],
)
def test_a_structured_response_of_any_kind_is_voted_on_and_chosen_by_people(wanted: Any, people: bool) -> None:
    schema = wanted if wanted is City else wanted.schema
    said = [{"city": city, **({"why": "It is."} if schema is Place else {})} for city in ("Lyon", "Paris")]

    def says(number: int, _: Any) -> AIMessage | str:
        if isinstance(wanted, ProviderStrategy):
            return json.dumps(said[number > 0])
        return call(model.asked[0]["tools"][-1], **said[number > 0])

    model = told(says, by_sample=True)
    vote = VotingMiddleware(k=2, within=2, on_undecided="interrupt") if people else VotingMiddleware(k=2)
    agent: Any = agent_of(model, Shop(), vote, response_format=wanted, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    result = agent.invoke(ASK, config)
    if people:
        ballot = result["__interrupt__"][0].value["ballot"]
        again = agent.invoke(Command(resume={"structured": {"town": 3}}), config)
        assert "city" in again["__interrupt__"][0].value["problem"]
        result = agent.invoke(Command(resume=next(each for each in ballot if "Paris" in each)), config)
    found = result["structured_response"]
    assert (found if isinstance(found, dict) else vars(found))["city"] == "Paris"
    done = {each.tool_call_id for each in result["messages"] if isinstance(each, ToolMessage)}
    assert {each["id"] for each in result["messages"][1].tool_calls} == done


def test_two_schemas_with_the_same_fields_are_two_votes() -> None:
    model, vote = in_turn(call("City", city="Paris"), call("Town", city="Paris")), VotingMiddleware(k=2)
    result: Any = agent_of(model, Shop(), vote, response_format=ToolStrategy(City | Town)).invoke(ASK)
    assert result["structured_response"] == Town(city="Paris")
    assert len(result["messages"][1].response_metadata["maker_graph"]["ballot"]) == 2


def test_a_tool_that_is_called_beside_a_structured_response_is_voted_on() -> None:
    def both(refund: AIMessage, city: str) -> AIMessage:
        return AIMessage("", tool_calls=[*refund.tool_calls, *call("City", city=city).tool_calls])

    shop = Shop()
    vote = VotingMiddleware(k=3, only=["refund"])
    model = in_turn(both(WRONG, "Paris"), both(RIGHT, "Paris"))
    result: Any = agent_of(model, shop, vote, response_format=ToolStrategy(City)).invoke(ASK)
    assert (shop.done, result["structured_response"]) == ([("refund", 7, 0.0)], City(city="Paris"))
    assert [*result["messages"][1].response_metadata["maker_graph"]["ballot"].values()] == [1, 4]


def test_fields_of_a_structured_response_can_be_free_and_its_schema_has_a_lead() -> None:
    model = in_turn(*(call("Place", city="Paris", why=why) for why in ("Yes.", "It is.", "So.")))
    vote = VotingMiddleware(k={"Place": 4}, free={"Place": ["why"]}, max_samples=4)
    result: Any = agent_of(model, Shop(), vote, response_format=ToolStrategy(Place)).invoke(ASK)
    assert result["structured_response"] == Place("Paris", "Yes.")


@pytest.mark.parametrize(
    "args",
    [
        {"order": 2**70},
        {"order": 7, "amount": float("nan")},
        {"order": 7, "deep": json.loads("[" * 70 + "]" * 70)},
        {"order": 7, "many": [*range(6_000)]},
        {"order": 7, "long": "x" * 100_001},
        {"order": 7, "hidden": "\x1b[2J"},
    ],
)
def test_a_call_that_cannot_be_compared_never_passes_as_words(args: dict[str, Any]) -> None:
    shop = Shop()
    agent_of(in_turn(call("refund", **args), RIGHT), shop, VotingMiddleware(k=3, only=["refund"])).invoke(ASK)
    assert shop.done == [("refund", 7, 0.0)]


def test_calls_of_before_that_json_has_no_form_for_stop_no_agent() -> None:
    odd = call("refund", order=1, amount=float("nan"))
    said = [HumanMessage("Refund it."), odd, ToolMessage("refunded", tool_call_id=odd.tool_calls[0]["id"])]
    result = agent_of(told(lambda *_: RIGHT if _[0] < 2 else "Done."), Shop(), VotingMiddleware(k=2)).invoke({"messages": said})
    assert result["messages"][-1].text == "Done."


def test_words_may_hold_what_nobody_sees() -> None:
    text = "It is\u200b done, see \x1b[1mthis\x1b[0m."
    assert agent_of(in_turn(text), Shop(), VotingMiddleware(k=2)).invoke(ASK)["messages"][-1].text == text


def test_what_a_provider_wants_back_is_in_a_winner_that_a_person_chose() -> None:
    def thought(order: int) -> AIMessage:
        (made,) = call("refund", order=order).tool_calls
        blocks: list[Any] = [
            {"type": "thinking", "thinking": "Well\u200b...", "signature": f"signature {order}"},
            {"type": "tool_use", "id": made["id"], "name": "refund", "input": made["args"]},
        ]
        return AIMessage(blocks, tool_calls=[made], additional_kwargs={"reasoning_content": "Well."})

    vote = VotingMiddleware(k=2, within=2, on_undecided="interrupt")
    agent: Any = agent_of(in_turn(thought(8), thought(7)), Shop(), vote, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    ballot = agent.invoke(ASK, config)["__interrupt__"][0].value["ballot"]
    winner = agent.invoke(Command(resume=next(each for each in ballot if '"order":7' in each)), config)["messages"][1]
    assert (winner.content, winner.additional_kwargs) == (thought(7).content, {"reasoning_content": "Well."})


def test_what_people_say_one_after_the_other_has_ids_of_its_own() -> None:
    model = told(lambda number, messages: call("refund", order=number % 2) if len(messages) < 4 else "Done.")
    agent: Any = agent_of(
        model, Shop(), VotingMiddleware(k=2, within=2, on_undecided="interrupt"), checkpointer=InMemorySaver()
    )
    config = {"configurable": {"thread_id": "1"}}
    agent.invoke(ASK, config)
    for order in (1, 2):
        result = agent.invoke(Command(resume={"tool_calls": [{"name": "refund", "args": {"order": order}}]}), config)
    ids = [made["id"] for each in result["messages"] if isinstance(each, AIMessage) for made in each.tool_calls]
    assert len({*ids}) == len(ids) == 2


def test_only_the_winner_is_streamed() -> None:
    agent = agent_of(in_turn(WRONG, RIGHT), Shop(), VotingMiddleware(k=2))
    for subgraphs in (False, True):
        streamed = (
            [each[-1][0] for each in agent.stream(ASK, stream_mode="messages", subgraphs=subgraphs)]
            if subgraphs
            else [each[0] for each in agent.stream(ASK, stream_mode="messages")]
        )
        calls = [each.tool_calls for each in streamed if isinstance(each, AIMessage) and each.tool_calls]
        assert [made[0]["args"]["order"] for made in calls] == [7], subgraphs


def test_the_decision_is_on_the_custom_stream() -> None:
    agent = agent_of(in_turn(WRONG, RIGHT), Shop(), VotingMiddleware(k=2))
    told_of = [each["decision"] for each in agent.stream(ASK, stream_mode="custom") if "decision" in each]
    assert [each["samples"] for each in told_of] == [4, 2]
    assert [*told_of[0]["ballot"].values()] == [1, 3]


def test_middleware_further_in_runs_for_each_sample_and_what_stands_before_once() -> None:
    seen: list[str] = []

    @wrap_model_call
    def outer(request: Any, handler: Any) -> Any:
        seen.append("outer")
        return handler(request)

    @wrap_model_call
    def inner(request: Any, handler: Any) -> Any:
        seen.append("inner")
        return handler(request)

    agent_of(in_turn("Yes."), Shop(), outer, VotingMiddleware(k=3), inner).invoke(ASK)
    assert sorted(seen) == ["inner"] * 3 + ["outer"]


def test_it_composes_with_the_middleware_that_people_use() -> None:
    shop, failing = Shop(), [True]

    def look_up(order: int) -> str:
        """Look an order up, which fails once."""
        if failing.pop() if failing else False:
            raise TimeoutError("busy")
        return shop.look_up(order)

    model = told(lambda _, messages: call("look_up", order=7) if isinstance(messages[-1], HumanMessage) else "Done.")
    middleware: list[Any] = [
        ModelCallLimitMiddleware(run_limit=2),
        SummarizationMiddleware(model, trigger=("messages", 50)),
        ContextEditingMiddleware(),
        TodoListMiddleware(),
        ToolRetryMiddleware(max_retries=2, initial_delay=0),
        VotingMiddleware(k=3),
    ]
    result: Any = create_agent(model, [look_up], middleware=middleware).invoke({"messages": [HumanMessage("Look up order 7.")]})
    assert shop.done == [("look_up", 7)]
    assert (result["messages"][-1].text, len(model.asked)) == ("Done.", 6)  # two model calls, of three samples each


def test_a_model_that_stands_in_replies_for_each_sample() -> None:
    def fails(*_: Any) -> AIMessage:
        raise ConnectionError("down")

    shop = Shop()
    agent_of(told(fails), shop, VotingMiddleware(k=2), ModelFallbackMiddleware(in_turn(RIGHT))).invoke(ASK)
    assert shop.done == [("refund", 7, 0.0)]


def test_settings_of_one_request_make_no_copies_of_its_samples() -> None:
    @wrap_model_call
    def outer(request: Any, handler: Any) -> Any:
        return handler(request.override(model_settings={"seed": 1, "temperature": 0.0, "n": 2, "user": "me"}))

    model = in_turn("Yes.")
    agent_of(model, Shop(), outer, VotingMiddleware(k=3, temperature=0.5)).invoke(ASK)
    asked = [{name: each.get(name) for name in ("seed", "temperature", "n", "user")} for each in model.asked]
    assert asked == [{"seed": None, "temperature": 0.5, "n": None, "user": "me"}] * 3


def test_a_model_with_fallbacks_keeps_them() -> None:
    def fails(*_: Any) -> AIMessage:
        raise ConnectionError("down")

    shop, model = Shop(), told(fails).with_fallbacks([in_turn(RIGHT)])
    agent_of(model, shop, VotingMiddleware(k=2)).invoke(ASK)  # type: ignore[arg-type]  # LangChain takes it too
    assert shop.done == [("refund", 7, 0.0)]


def test_what_langchains_cache_replies_is_no_vote() -> None:
    other = in_turn("No.")

    @wrap_model_call
    def inner(request: Any, handler: Any) -> Any:
        return handler(request.override(model=other))

    set_llm_cache(InMemoryCache())
    try:
        agent_of(in_turn("Yes."), Shop(), VotingMiddleware(k=2)).invoke(ASK)
        agent = agent_of(in_turn("Yes."), Shop(), VotingMiddleware(k=2, stuck_after=3), inner)
        with suppress(Undecided):  # the first samples may be drawn at once, before any of them is in the cache
            agent.invoke(ASK)
        with pytest.raises(Undecided, match="a cache answers"):
            agent.invoke(ASK)
    finally:
        set_llm_cache(None)


def _leave() -> None:
    raise ParentCommand(Command(goto="elsewhere", graph=Command.PARENT))


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("stops", [lambda: interrupt("May I?"), _leave])
def test_middleware_that_stops_the_graph_is_told_to_stand_before_the_vote(stops: Any, asynchronous: bool) -> None:
    class Stops(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            stops()
            return handler(request)

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            stops()
            return await handler(request)

    agent: Any = agent_of(in_turn(RIGHT), Shop(), VotingMiddleware(k=1), Stops(), checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    with pytest.raises(UsageError, match="put it before the vote"):
        asyncio.run(agent.ainvoke(ASK, config)) if asynchronous else agent.invoke(ASK, config)


def test_callbacks_count_the_tokens_of_each_sample_once() -> None:
    model = told(lambda *_: AIMessage("Yes.", response_metadata={"model_name": "told"}))
    with get_usage_metadata_callback() as counted:
        result = agent_of(model, Shop(), VotingMiddleware(k=2)).invoke(ASK)
    assert counted.usage_metadata["told"]["input_tokens"] == 20
    assert result["messages"][-1].usage_metadata["input_tokens"] == 20


def test_a_person_approves_what_won() -> None:
    shop = Shop()
    approve = HumanInTheLoopMiddleware(interrupt_on={"refund": True})
    agent = agent_of(in_turn(WRONG, RIGHT), shop, VotingMiddleware(k=2), approve, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    asked = agent.invoke(ASK, config)["__interrupt__"][0].value
    assert asked["action_requests"][0]["args"] == {"order": 7}
    agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    assert shop.done == [("refund", 7, 0.0)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"k": {"refund": 0}}, "k of refund must be a whole number"),
        ({"k": 3, "within": 2}, "raise within or lower k"),
        ({"k": AheadBy(2), "within": 3}, "leave those out"),
        ({"k": {"write": 2}, "only": ["refund"]}, "name it there too"),
        ({"only": "refund"}, "only must be a list of texts"),
        ({"only": []}, "nothing would be voted on"),
        ({"free": {"write": "body"}}, "free of write must be a list of texts"),
        ({"free": ["write"]}, "free is a dict"),
        ({"normalise": [len]}, "normalise is a dict"),
        ({"name": ""}, "name must be a list of texts, none of them empty"),
        ({"on_undecided": "return"}, "on_undecided must be"),
        ({"normalise": {"refund": 3}}, "normalise of refund must be a function"),
        ({"text_key": lambda: 1}, "text_key must be a function"),
        ({"loops": 0}, "loops must be a whole number"),
    ],
)
def test_a_wrong_setting_is_told_at_once(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        VotingMiddleware(**settings)


def test_a_name_that_is_no_tools_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    agent = agent_of(in_turn(RIGHT), Shop(), VotingMiddleware(k={"refnd": 3, "text": 1}, free={"write": ["body"]}))
    agent.invoke(ASK)
    agent.invoke(ASK)
    assert [each.message for each in caplog.records if "spelling" in each.message] == [
        "The settings of the vote name 'refnd', but the agent's first request has no such tool: check the spelling."
    ]


@pytest.mark.parametrize(
    ("settings", "sent"),
    [({"use_responses_api": True, "output_version": "responses/v1"}, set()), ({"use_responses_api": False}, {"seed"})],
)
def test_a_seed_goes_out_only_where_a_request_takes_one(settings: dict[str, Any], sent: set[str]) -> None:
    asked: list[Any] = []

    @wrap_model_call
    def inner(request: Any, _: Any) -> Any:
        asked.append({*request.model_settings})
        return AIMessage("Yes.")

    model = ChatOpenAI(model="gpt-4.1-mini", api_key=SecretStr("none"), **settings)
    agent: Any = create_agent(model, middleware=[VotingMiddleware(k=1, seed=1), inner])
    agent.invoke(ASK)
    assert asked == [sent]


def test_two_votes_in_one_agent_need_two_names() -> None:
    model = in_turn(RIGHT)
    agent_of(model, Shop(), VotingMiddleware(k=2, name="outer"), VotingMiddleware(k=2, name="inner")).invoke(ASK)
    assert len(model.asked) == 8


def test_any_rule_of_the_microstep_decides() -> None:
    model = in_turn(RIGHT)
    agent_of(model, Shop(), VotingMiddleware(AheadBy(2))).invoke(ASK)
    assert len(model.asked) == 4


def test_no_trace_of_a_sample_repeats_the_conversation() -> None:
    class Looks(BaseCallbackHandler):
        seen: ClassVar[list[str]] = []

        def on_chat_model_start(self, serialized: dict[str, Any], *_: Any, **__: Any) -> None:
            if serialized.get("name") == "HandlerModel":
                self.seen.append(json.dumps(serialized))

    asked: Any = {"messages": [("user", "a canary")]}
    agent_of(in_turn("Yes."), Shop(), VotingMiddleware(k=2)).invoke(asked, {"callbacks": [Looks()]})
    assert len(Looks.seen) == 2
    assert not any("canary" in each for each in Looks.seen)
