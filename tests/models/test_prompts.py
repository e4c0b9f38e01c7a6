"""A prompt is a text or a list of messages; anything else is refused before a call is paid."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate

from maker_graph import create_microstep
from maker_graph.errors import UsageError
from maker_graph.models.prompts import as_pairs
from tests.conftest import Scripted, replies


@pytest.mark.parametrize(
    ("prompt", "pairs"),
    [
        ("1 + 1?", [("human", "1 + 1?")]),
        ([("system", "Add."), ("user", "1 + 1?")], [("system", "Add."), ("human", "1 + 1?")]),
        ((("system", "Add."), ("user", "1 + 1?")), [("system", "Add."), ("human", "1 + 1?")]),
        ([{"role": "user", "content": "?"}], [("human", "?")]),
        ([SystemMessage("Add."), HumanMessage("?")], [("system", "Add."), ("human", "?")]),
        (HumanMessage("?"), [("human", "?")]),
        (ChatPromptTemplate([("user", "{x}?")]).invoke({"x": "1"}), [("human", "1?")]),
        (["one", "two"], [("human", "one"), ("human", "two")]),
        ("5 Elm\u200b St. \x0c \u202e", [("human", "5 Elm\u200b St. \x0c \u202e")]),
    ],
)
def test_every_form_of_a_prompt_becomes_the_same_pairs(prompt: Any, pairs: Any) -> None:
    assert as_pairs(prompt) == pairs


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ({"role": "user", "content": "?"}, "single dict: put it into a list"),
        (("user", "?"), "single pair: put it into a list"),
        (["system", "?"], "single pair"),
        ([], "empty"),
        (None, "of type NoneType"),
        (3, "of type int"),
        (b"?", "of type bytes"),
        ({"a", "b"}, "of type set"),
        ((each for each in "ab"), "of type generator"),
        ([3], "cannot be sent"),
        ([{"content": "?"}], "cannot be sent"),
        ([("nobody", "?")], "cannot be sent"),
        ("\ud800", "lone surrogate"),
    ],
)
def test_what_is_no_prompt_is_refused_before_a_call_is_paid(prompt: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        as_pairs(prompt)
    model = Scripted(script=replies("1"), log=[])
    with pytest.raises(UsageError, match=problem):
        create_microstep(model, prompt=lambda _: prompt).invoke({"messages": [HumanMessage("?")]})
    assert model.log == []
