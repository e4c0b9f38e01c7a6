"""A gateway that streams whether it was asked to or not is understood."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI

from maker_graph import create_microstep
from maker_graph.models.sampler import Sampler
from maker_graph.models.streams import completion_of
from tests.models.serving import KEY, PROMPT, server


def chunk(delta: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def events(*chunks: Any, end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + end


USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
PARIS = events(chunk({"role": "assistant", "content": "Pa"}), chunk({"content": "ris"}), chunk({}, "stop", usage=USAGE))


async def test_a_stream_that_nobody_asked_for_is_one_reply_after_one_request() -> None:
    with server((200, PARIS, {"Content-Type": "text/event-stream"})) as (url, asked):
        model = ChatOpenAI(model="m", base_url=url, api_key=KEY, streaming=True)  # type: ignore[arg-type]  # a string will do
        assert create_microstep(model, k=1).invoke({"messages": [("user", "?")]})["messages"][-1].text == "Paris"
        sample = await Sampler([model], temperature=0.1, max_tokens=99, seed=None).adraw(PROMPT, 0)
    assert len(asked) == 2
    assert not any(body.get("stream") for body in asked)
    assert (sample.text, sample.finish, sample.output_tokens) == ("Paris", "stop", 2)


def test_a_stream_that_breaks_off_is_no_whole_reply() -> None:
    with server((200, events(chunk({"content": "Par"}), end=""), {"Content-Type": "text/event-stream"})) as (url, _):
        model = ChatOpenAI(model="m", base_url=url, api_key=KEY)  # type: ignore[arg-type]  # a string will do
        assert Sampler([model], temperature=0.1, max_tokens=99, seed=None).draw(PROMPT, 0).finish == "unknown"


def test_pieces_of_tool_calls_are_put_together() -> None:
    first = {"index": 0, "id": "1", "function": {"name": "search", "arguments": '{"q": '}}
    found = completion_of(
        events(chunk({"tool_calls": [first]}), chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}))
    )
    assert found is not None
    (call,) = found["choices"][0]["message"]["tool_calls"]
    assert call == {"id": "1", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}


@pytest.mark.parametrize("text", ["", "<html>", "data: [DONE]", "data: nonsense", "data: []", events([])])
def test_what_is_no_stream_of_a_completion_is_none(text: str) -> None:
    assert completion_of(text) is None


def test_an_error_in_a_stream_stays_an_error() -> None:
    assert completion_of(events(chunk({"content": "Par"}), {"error": {"message": "no"}})) == {"error": {"message": "no"}}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "index", "content", "tool_calls", "function", "name", "id", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=9,
)


@given(st.lists(values, max_size=4))
def test_no_stream_makes_it_fail(chunks: list[Any]) -> None:
    completion_of(events(*chunks))
