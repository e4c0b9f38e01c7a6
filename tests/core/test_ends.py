"""How a reply ended, in any provider's words: only what is known to be good is good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.ends import MOST_SHOWN, OTHER_ENDS, TOLD_APART, end_of

GOOD = {
    "OpenAI": "stop",
    "OpenAI Responses": "completed",
    "Azure AI": "CompletionsFinishReason.STOPPED",
    "Anthropic": "end_turn",
    "Anthropic, its stop sequence": "stop_sequence",
    "Google": "STOP",
    "Vertex": "FinishReason.STOP",
    "Bedrock Converse": "endTurn",
    "Bedrock Titan": "FINISH",
    "Bedrock AI21": "endoftext",
    "Cohere": "COMPLETE",
    "Cohere, its stop sequence": "STOP_SEQUENCE",
    "Mistral, Groq, Ollama, vLLM": "stop",
    "Hugging Face": "eos_token",
    "watsonx": "EOS_TOKEN",
    "Together": "eos",
    "Baidu": "normal",
    "Naver": "end_token",
}

BAD = {
    "length": ["length", "MAX_TOKENS", "maxTokens", "max_output_tokens", "model_length", "TOKEN_LIMIT", "incomplete"],
    "refused": [
        "content_filter",
        "SAFETY",
        "Recitation",
        "guardrail_intervened",
        "contentFiltered",
        "sensitive",
        "SPII",
        "refusal",
    ],
    "tool_calls": ["tool_calls", "tool_use", "toolUse", "TOOL_CALL", "function_call"],
    "abort": ["abort"],
    "error": ["error", "ERROR"],
    "failed": ["failed"],
    "cancelled": ["cancelled"],
    "in_progress": ["in_progress", "inProgress"],
    "pause_turn": ["pause_turn"],
    "network_error": ["network_error"],
    "insufficient_system_resource": ["insufficient_system_resource"],
    "malformed_function_call": ["MALFORMED_FUNCTION_CALL"],
    "unknown": [
        "",
        "null",
        "STOPPED_BY_MARS",
        "unstop",
        "stop stop",
        "200",
        "FINISH_REASON_UNSPECIFIED",
        "finish_reason",
        "\u202e",
    ],
}


@pytest.mark.parametrize("word", GOOD.values(), ids=GOOD)
def test_each_providers_word_for_a_whole_reply_is_known(word: str) -> None:
    for spelling in (word, word.upper(), word.replace("_", "-"), f" {word} "):
        assert end_of([spelling]).finish == "stop"


@pytest.mark.parametrize(("finish", "word"), [(finish, word) for finish, words in BAD.items() for word in words])
def test_any_other_end_is_no_good_one_and_known_ones_keep_their_name(finish: str, word: str) -> None:
    assert end_of([word]).finish == finish
    assert end_of([word]).said == word


def test_a_reply_of_which_nothing_is_said_is_whole_and_one_that_says_nothing_is_not() -> None:
    assert end_of([]).finish == "stop"
    assert end_of([None]) == ("unknown", "")


def test_one_bad_word_outweighs_any_good_one() -> None:
    for word, finish in (("length", "length"), ("safety", "refused"), ("error", "error")):
        assert end_of(["stop", word]).finish == end_of([word, "stop"]).finish == finish


def test_the_word_that_tells_most_decides_where_a_second_one_is_unheard_of() -> None:
    assert end_of(["stop", "128009"]).finish == "stop", "vLLM names the token that ended a whole reply"
    assert end_of(["128009", "stop"]).finish == "unknown"
    assert end_of([None, "end_turn"]).finish == "stop"


@given(st.lists(st.none() | st.text(), max_size=4))
def test_no_server_can_make_up_the_name_of_an_end(words: list[str | None]) -> None:
    end = end_of(words)
    assert end.finish in {"unknown", *TOLD_APART, *OTHER_ENDS}
    assert len(end.said) <= MOST_SHOWN
