"""From a response to a vote and back."""

from typing import Any

import pytest
from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from maker_graph.agents.answers import Reading, Votes, parse, rebuilt, reply_of
from maker_graph.core.canonical import sorted_json
from maker_graph.errors import Invalid
from tests.agents.shop import Shop, call, in_turn


class City(BaseModel):
    city: str


def request(**changes: Any) -> ModelRequest[Any]:
    return ModelRequest(**{"model": in_turn("."), "messages": [], "tools": Shop().tools, **changes})


@pytest.mark.parametrize(
    "said",
    [
        call("refund", order=7),
        AIMessage("I do both.", tool_calls=[*call("refund", order=7).tool_calls, *call("look_up", order=7).tool_calls]),
        AIMessage("Nothing to do."),
    ],
)
def test_what_is_built_again_from_a_vote_does_the_same(said: AIMessage) -> None:
    text = str(reply_of(ModelResponse([said]), request()).content)
    answer = parse(text)
    assert isinstance(answer, dict)
    (again,) = rebuilt(answer, text, request()).result
    assert isinstance(again, AIMessage)
    assert (again.content, again.tool_calls) == (said.content, said.tool_calls)


def test_a_structured_response_is_built_again_with_its_type() -> None:
    response = ModelResponse([call("City", city="Paris")], City(city="Paris"))
    asked = request(response_format=ToolStrategy(City))
    text = str(reply_of(response, asked).content)
    answer = parse(text)
    assert isinstance(answer, dict)
    again = rebuilt(answer, text, asked)
    assert again.structured_response == City(city="Paris")
    assert [each.type for each in again.result] == ["ai", "tool"]


@pytest.mark.parametrize("text", ["[1]", "{}", '{"tool_calls": [1]}', '{"tool_calls": [{"name": "a"}]}', '{"error": "x"}'])
def test_what_is_no_answer_is_malformed(text: str) -> None:
    with pytest.raises(ValueError, match=r"a reply is|a call of a tool is|cannot be read|was not taken"):
        parse(text)


def test_the_reply_of_a_person_may_be_words() -> None:
    assert parse("Leave it.") == parse('"Leave it."') == {"text": "Leave it."}


def test_tools_that_are_plain_json_are_known_by_their_names() -> None:
    tools = [{"type": "function", "function": {"name": "refund", "parameters": {}}}, {"name": "close", "input_schema": {}}]
    votes = Votes(Reading(), request(tools=tools))
    for name in ("refund", "close"):
        assert votes.check({"tool_calls": [{"name": name, "args": {}}]})
    with pytest.raises(Invalid, match="there is no tool"):
        votes.check({"tool_calls": [{"name": "look_up", "args": {}}]})


def test_calls_are_compared_as_a_multiset() -> None:
    votes = Votes(Reading(), request())
    one, two = ({"name": "look_up", "args": {"order": order}} for order in (1, 2))
    keys = [sorted_json(votes.key({"tool_calls": calls})) for calls in ([one, two], [two, one], [one, one], [one])]
    assert len(set(keys)) == 3
    assert keys[0] == keys[1]
