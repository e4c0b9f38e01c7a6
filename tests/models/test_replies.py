"""A reply becomes a sample, whatever it holds."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from maker_graph.core.canonical import canonical
from maker_graph.models.replies import MOST_CALLS, sample_of


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
        (AIMessage("x"), "stop"),
        (AIMessage("x", response_metadata={"model": "m", "stop_sequence": None, "status": 200}), "stop"),
        (AIMessage("x", response_metadata={"finish_reason": None}), "unknown"),
        (AIMessage("x", response_metadata={"finish_reason": ["stop"]}), "unknown"),
        (AIMessage("x", response_metadata={"finish_reason": {"type": "stop", "matched": 128009}}), "stop"),
        (AIMessage("x", response_metadata={"finish_reason": "stop", "stop_reason": 128009}), "stop"),
        (AIMessage("x", response_metadata={"finish_reason": "stop", "native_finish_reason": "STOP"}), "stop"),
        (AIMessage("x", response_metadata={"finish_reason": "stop", "native_finish_reason": "MAX_TOKENS"}), "length"),
        (AIMessage("x", response_metadata={"finish_reason": "normal", "is_truncated": True}), "length"),
        (AIMessage("x", response_metadata={"finish_reason": "STOP", "is_blocked": True}), "refused"),
        (AIMessage("x", response_metadata={"finish_reason": "STOP", "is_blocked": False}), "stop"),
        (AIMessage("Par", response_metadata={"done": False}), "length"),
        (AIMessage("x", response_metadata={"done": True, "done_reason": "stop"}), "stop"),
        (
            AIMessage("x", response_metadata={"amazon-bedrock-guardrailAction": "INTERVENED", "stop_reason": "end_turn"}),
            "refused",
        ),
        (AIMessage("x", response_metadata={"amazon-bedrock-guardrailAction": "NONE", "stop_reason": "end_turn"}), "stop"),
        (AIMessage("Par", response_metadata={"finish_details": {"type": "max_tokens"}}), "length"),
        (AIMessage("Par", response_metadata={"stopReason": "max_tokens"}), "length"),
        (AIMessage("Par", response_metadata={"stopReason": "guardrail_intervened"}), "refused"),
        (AIMessage("Par", response_metadata={"stopReason": "end_turn"}), "stop"),
        (AIMessage("Par", response_metadata={"completionReason": "LENGTH"}), "length"),
        (AIMessage("Par", response_metadata={"finishReason": {"reason": "length"}}), "length"),
        (AIMessage("Par", response_metadata={"finish_reason": "abort"}), "abort"),
        (AIMessage("Par", response_metadata={"finish_reason": "SPII"}), "refused"),
        (AIMessage("", response_metadata={"finish_reason": None, "prompt_feedback": {"block_reason": "SAFETY"}}), "refused"),
        *(
            (AIMessage("Par", response_metadata={"object": "response", "status": status}), finish)
            for status, finish in {
                "completed": "stop",
                "incomplete": "length",
                "failed": "failed",
                "cancelled": "cancelled",
                "in_progress": "in_progress",
                "queued": "queued",
                "new": "unknown",
            }.items()
        ),
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
    ("told", "believed"),
    [
        ((0, 0), False),
        ((0, 100), False),
        ((100, 0), False),
        ((1, 15), False),
        ((100, 1), False),
        ((1, 16), True),
        ((5, 900), True),
    ],
)
def test_counts_that_no_prompt_and_no_reply_of_this_length_has_are_estimated(told: tuple[int, int], believed: bool) -> None:
    reply = AIMessage("x" * 1000)
    reply.usage_metadata = {"input_tokens": told[0], "output_tokens": told[1], "total_tokens": sum(told)}
    sample = sample_of(reply, 0, [("human", "1234")])
    assert sample.estimated is not believed
    assert (sample.input_tokens, sample.output_tokens) == (told if believed else (1, 250))


def test_what_a_tool_call_says_has_tokens_too_and_a_reply_that_says_nothing_may_have_none() -> None:
    reply = AIMessage("", tool_calls=[{"name": "find", "args": {"text": "x" * 400}, "id": "1"}])
    reply.usage_metadata = {"input_tokens": 5, "output_tokens": 0, "total_tokens": 5}
    sample = sample_of(reply, 0, [("human", "1234")])
    assert sample.estimated
    assert sample.output_tokens > 100
    reply = AIMessage("", usage_metadata=reply.usage_metadata)
    assert not sample_of(reply, 0, [("human", "1234")]).estimated


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


CALL = {"name": "search", "args": {"q": "refund"}, "id": "1"}


def called(**changes: Any) -> list[Any]:
    return [CALL | changes]


@pytest.mark.parametrize("text", ["", "Let me look that up."])
def test_a_tool_call_is_kept_beside_any_text(text: str) -> None:
    sample = sample_of(AIMessage(text, tool_calls=called()), 0, [])
    assert sample.text == text
    assert sample.tool_calls == [{"name": "search", "args": {"q": "refund"}, "id": "1", "error": ""}]


def test_a_tool_call_is_kept_where_an_integration_leaves_it_among_the_content() -> None:
    for block in ({"type": "tool_use", "input": {"q": "refund"}}, {"type": "function_call", "arguments": '{"q": "refund"}'}):
        sample = sample_of(AIMessage([{"type": "text", "text": "One moment."}, block | {"name": "search", "id": "1"}]), 0, [])
        assert sample.tool_calls == [{"name": "search", "args": {"q": "refund"}, "id": "1", "error": ""}]


@pytest.mark.parametrize(
    ("reply", "call"),
    [
        (
            AIMessage(
                "",
                invalid_tool_calls=[
                    {"name": "f", "args": '{"q": ', "id": "1", "error": "no JSON", "type": "invalid_tool_call"}
                ],
            ),
            {"name": "f", "args": '{"q": ', "id": "1"},
        ),
        (
            AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": '{"q": 1}'}}),
            {"name": "f", "args": {"q": 1}, "id": "", "error": ""},
        ),
        (
            AIMessage("", additional_kwargs={"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}),
            {"name": "f", "args": {}, "id": "1", "error": ""},
        ),
        (AIMessage("", tool_calls=called(args={"x": float("nan")})), {"name": "search", "args": None, "id": "1"}),
        (AIMessage("", tool_calls=called(args={"x": 10**30})), {"name": "search", "args": None, "id": "1"}),
        (AIMessage("", tool_calls=called(args={"x": "\ud800"})), {"name": "search", "args": None, "id": "1"}),
        (AIMessage("", tool_calls=called(args={"x": "y" * 200_000})), {"name": "search", "args": None, "id": "1"}),
        (AIMessage("", tool_calls=called(name="\x1b[2J", id=None)), {"name": "\\x1b[2J", "id": "", "error": ""}),
    ],
)
def test_a_tool_call_is_kept_as_plain_json_or_says_why_not(reply: AIMessage, call: dict[str, Any]) -> None:
    (kept,) = sample_of(reply, 0, []).tool_calls
    assert {name: value for name, value in kept.items() if name in call} == call
    assert canonical(kept)
    assert kept["error"] or isinstance(kept["args"], dict)


def test_a_tool_call_that_is_nested_too_deep_and_a_thousand_of_them_are_bounded() -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = {"x": deep}
    message = AIMessage("", tool_calls=called() * 1_000)
    message.tool_calls[0]["args"] = deep
    kept = sample_of(message, 0, []).tool_calls
    assert len(kept) == MOST_CALLS
    assert (kept[0]["args"], bool(kept[0]["error"])) == (None, True)


@pytest.mark.parametrize(
    ("reply", "beside"),
    [
        (AIMessage([{"type": "thinking", "thinking": "Hm."}]), "reasoning"),
        (AIMessage([{"type": "reasoning", "summary": []}, {"type": "text", "text": "2"}]), "reasoning"),
        (AIMessage([{"type": "reasoning_content", "reasoning_content": {"text": "Hm."}}]), "reasoning"),
        (AIMessage("", additional_kwargs={"reasoning_content": "Hm."}), "reasoning"),
        (AIMessage([{"type": "image", "base64": "AA", "mime_type": "image/png"}]), "image"),
        (AIMessage([{"type": "text", "text": "2"}]), ""),
        (AIMessage([{"type": "tool_use", "name": "f", "id": "1", "input": {}}]), ""),
        (AIMessage(""), ""),
    ],
)
def test_what_a_reply_holds_beside_text_is_named(reply: AIMessage, beside: str) -> None:
    assert sample_of(reply, 0, []).beside == beside


LONG_ID = "chatcmpl-0123456789abcdef"


@pytest.mark.parametrize(
    "reply",
    [
        AIMessage("2", id=LONG_ID),
        AIMessage("2", id="lc_run-0123456789abcdef", response_metadata={"id": LONG_ID}),
        AIMessage("2", response_metadata={"ResponseMetadata": {"RequestId": LONG_ID}}),
    ],
)
def test_the_id_of_a_reply_is_the_providers_and_kept_so_that_nothing_hides_in_it(reply: AIMessage) -> None:
    given = sample_of(reply, 0, []).id
    assert given == sample_of(AIMessage("other", id=LONG_ID), 1, []).id
    assert given != sample_of(AIMessage("2", id=LONG_ID + "0"), 0, []).id
    assert LONG_ID not in given


@pytest.mark.parametrize(
    "reply",
    [
        AIMessage("2", id="lc_run-0123456789abcdef"),
        AIMessage("2", id="run-0123456789abcdef-0"),
        AIMessage("2", response_metadata={"id": "chatcmpl-742"}),
        AIMessage("2", response_metadata={"id": 7}),
        AIMessage("2"),
    ],
)
def test_an_id_that_was_made_up_here_or_repeats_by_chance_is_none(reply: AIMessage) -> None:
    assert sample_of(reply, 0, []).id == ""


@pytest.mark.parametrize(
    ("name", "value", "hit"),
    [
        ("X-Cache", "HIT", True),
        ("X-Cache", "Hit from cloudfront", True),
        ("cf-cache-status", "HIT", True),
        ("cf-aig-cache-status", "HIT", True),
        ("Helicone-Cache", "HIT", True),
        ("x-portkey-cache-status", "SEMANTIC HIT", True),
        ("X-AI-Cache-Status", "TCP_HIT", True),
        ("Cache-Status", "Example; hit", True),
        ("x-litellm-cache-hit", "True", True),
        ("x-litellm-cache-key", "5f2c", True),
        ("age", "31", True),
        ("X-Cache", "Miss from cloudfront", False),
        ("cf-cache-status", "DYNAMIC", False),
        ("cf-aig-cache-status", "MISS", False),
        ("x-litellm-cache-key", "", False),
        ("x-litellm-cache-hit", "False", False),
        ("Cache-Control", "no-cache, white", False),
        ("age", "0", False),
        ("age", "old", False),
        ("x-prompt-cache", "hit", False),
        ("x-hit", "hit", False),
    ],
)
def test_a_cache_is_believed_when_it_says_that_it_answered(name: str, value: str, hit: bool) -> None:
    for metadata in ({"headers": {name: value}}, {"ResponseMetadata": {"HTTPHeaders": {name.lower(): value}}}):
        assert sample_of(AIMessage("2", response_metadata=metadata), 0, []).from_cache is hit


@pytest.mark.parametrize("headers", [None, [], "HIT", {1: 2}, {"x-cache": None}, {"x-cache": ["HIT", 1]}])
def test_headers_that_are_nonsense_say_nothing_or_what_they_say(headers: Any) -> None:
    assert sample_of(AIMessage("2", response_metadata={"headers": headers}), 0, []).text == "2"
