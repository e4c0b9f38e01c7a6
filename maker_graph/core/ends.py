"""How a reply ended, from what its provider says about it.

Providers and integrations spell the same word in a dozen ways. Capitals and separators do not matter here: `stopSequence`,
`STOP_SEQUENCE` and `FinishReason.STOP_SEQUENCE` are the same word.

Only words that are known to mean a good end count as one. A provider may use a new word at any time, and a reply that was cut,
blocked or broken off must not vote just because its word is unknown here. The words are those of OpenAI (chat and Responses),
Azure, Anthropic, Google, Bedrock (Converse, Titan, AI21), Cohere, Mistral, Ollama, Hugging Face, watsonx, Together, DeepSeek,
z.ai, Baidu, Naver, vLLM and SGLang.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

MOST_SHOWN = 60
"""How many characters of a provider's own word are kept."""

_WORDS: Mapping[str, str] = {
    "stop": """
        stop stopped stop_sequence stop_criteria_met stop_before end_turn end_token end_of_text eos eos_token complete completed
        finish finished normal succeeded
    """,
    "refused": """
        refusal refused content_filter content_filtered content_blocked blocked block blocklist blacklist safety image_safety
        recitation image_recitation prohibited_content image_prohibited_content spii sensitive model_armor guardrail guardrails
        guardrail_intervened error_toxic moderation
    """,
    "length": """
        length max_length max_tokens max_new_tokens max_output_tokens max_completion_tokens maximum_tokens token_limit
        token_limit_reached limit model_length context context_length context_length_exceeded context_window_exceeded
        model_context_window_exceeded incomplete truncated
    """,
    "tool_calls": "tool_calls tool_call tool_use function_call function_calls",
}
"""The ends that are told apart, and the providers' words for each. Of several bad ends, the first one here counts."""

_OTHER_WORDS = """
    error errored error_limit network_error server_error failed failure abort aborted cancel canceled cancelled user_cancel
    timeout time_limit expired overloaded insufficient_system_resource in_progress queued not_finished pause_turn pause_run
    compaction load unload repetition language other no_image image_other malformed_function_call malformed_model_output
    malformed_response malformed_tool_use unexpected_tool_call too_many_tool_calls missing_thought_signature
    rag_query_when_rag_disabled
"""

TOLD_APART = frozenset(_WORDS)
"""The good end, and the ends that have their own red flag."""

OTHER_ENDS = frozenset(_OTHER_WORDS.split())
"""The other bad ends that are known. A reply that ended so is counted under the word."""

_SAYS_NOTHING = frozenset(["", "none", "null", "unspecified"])


class End(NamedTuple):
    """How a reply ended.

    Attributes:
        finish: "stop" (by itself, and whole), "length" (cut short), "refused", "tool_calls", one of `OTHER_ENDS`, or "unknown".
        said: the provider's own word; empty if it said nothing.
    """

    finish: str
    said: str


def end_of(said: Iterable[str | None]) -> End:
    """Return how a reply ended, given what its provider says, the most telling word first; nothing at all is a good end.

    >>> end_of(["STOP"]).finish, end_of(["end_turn", None]).finish, end_of(["stop", "MAX_TOKENS"]).finish
    ('stop', 'stop', 'length')
    >>> end_of([None]).finish, end_of(["abort"]).finish, end_of(["something new"]).finish
    ('unknown', 'abort', 'unknown')
    """
    words = [("", "") if each is None else (folded(each[:200]), each[:MOST_SHOWN]) for each in said]
    if not words:
        return End("stop", "")
    bad = [(_ENDS[word], shown) for word, shown in words if _ENDS.get(word, "stop") != "stop"]
    if bad:
        return End(*min(bad, key=lambda each: _RANK.get(each[0], len(_RANK))))
    telling, shown = next((each for each in words if each[0] not in _SAYS_NOTHING), words[0])
    return End(_ENDS.get(telling, "unknown"), shown)


@lru_cache(maxsize=1024)
def folded(said: str) -> str:
    """Return a provider's word, or the name of a field, reduced to small letters and digits.

    >>> folded("endTurn"), folded("FinishReason.MAX_TOKENS"), folded("FINISH_REASON_STOP"), folded("finish-reason")
    ('endturn', 'maxtokens', 'stop', 'finishreason')
    """
    text = re.sub(r"[^a-z0-9]", "", said.rpartition(".")[2].lower())
    return text.removeprefix("finishreason") or text


_ENDS: Mapping[str, str] = {folded(word): finish for finish, words in _WORDS.items() for word in words.split()} | {
    folded(word): word for word in OTHER_ENDS
}
_RANK: Mapping[str, int] = {finish: rank for rank, finish in enumerate(_WORDS)}
