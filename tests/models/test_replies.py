"""A reply becomes a sample, whatever it holds."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from maker_graph.models.replies import sample_of


@pytest.mark.parametrize(
    ("reply", "finish"),
    [
        (AIMessage("x", response_metadata={"finish_reason": "stop"}), "stop"),
        (AIMessage("x", response_metadata={"finish_reason": "length"}), "length"),
        (AIMessage("x", response_metadata={"stop_reason": "max_tokens"}), "length"),
        (AIMessage("x", response_metadata={"finish_reason": "MAX_TOKENS"}), "length"),
        (AIMessage("x", response_metadata={"done_reason": "length"}), "length"),
        (
            AIMessage("x", response_metadata={"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
            "length",
        ),
        (
            AIMessage("", response_metadata={"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}),
            "refused",
        ),
        (AIMessage("", response_metadata={"finish_reason": "content_filter"}), "refused"),
        (AIMessage("", additional_kwargs={"refusal": "No."}), "refused"),
        (AIMessage([{"type": "refusal", "refusal": "No."}]), "refused"),
        (AIMessage("", response_metadata={"finish_reason": "SAFETY"}), "refused"),
        (AIMessage("x", response_metadata={"stop_reason": "end_turn", "status": "completed"}), "stop"),
    ],
)
def test_how_a_reply_ended_in_any_providers_words(reply: AIMessage, finish: str) -> None:
    assert sample_of(reply, 0, []).finish == finish


def test_tokens_are_estimated_and_marked_where_the_provider_counts_none() -> None:
    sample = sample_of(AIMessage("12345678"), 0, [("human", "1234")])
    assert (sample.input_tokens, sample.output_tokens, sample.estimated) == (1, 2, True)


@pytest.mark.parametrize("value", [None, -1, True, "9", 2.0, 10**30, [], {}])
@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
def test_counts_of_tokens_that_are_nonsense_are_estimated(name: str, value: Any) -> None:
    reply = AIMessage("12345678")
    reply.usage_metadata = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10} | {name: value}  # type: ignore[assignment]
    sample = sample_of(reply, 0, [("human", "1234")])
    assert (sample.input_tokens, sample.cached_tokens, sample.output_tokens, sample.estimated) == (1, 0, 2, True)


@pytest.mark.parametrize(
    ("details", "cached"),
    [(None, 0), ("x", 0), ({}, 0), *[({"cache_read": c}, n) for c, n in ((-3, 0), ("4", 0), (3, 3), (9, 5))]],
)
def test_a_count_of_cached_tokens_that_is_nonsense_is_none(details: Any, cached: int) -> None:
    reply = AIMessage("x")
    usage: Any = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10, "input_token_details": details}
    reply.usage_metadata = usage
    sample = sample_of(reply, 0, [])
    assert (sample.input_tokens, sample.cached_tokens, sample.estimated) == (5, cached, False)


@pytest.mark.parametrize(
    "content", [None, 7, b"x", [1, None], [{"type": "text"}], [{"type": "text", "text": 5}], [{"x": 1}], [[]]]
)
def test_a_reply_that_is_no_text_is_empty(content: Any) -> None:
    reply = AIMessage("", response_metadata={"incomplete_details": "odd", "finish_reason": ["odd"]})
    reply.content = content
    assert sample_of(reply, 0, []).text == ""
