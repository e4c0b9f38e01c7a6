"""How a reply becomes a sample: its text, how it ended, and the tokens that it took.

Providers and integrations say the same in a dozen spellings: how a reply ended is `finish_reason`, `stop_reason`, `done_reason`
or `status`; tokens are counted, or not, or nonsense is. What a reply holds may be anything.
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage

from maker_graph.core.canonical import MAX_CHARACTERS, without_controls
from maker_graph.core.red_flags import Finish, Sample, estimated_tokens
from maker_graph.models.prompts import prompt_tokens

_MOST_TOKENS = 1_000_000_000  # a count beyond is nonsense

_CUT = {"length", "max_tokens", "max_output_tokens", "incomplete", "model_length"}
_REFUSED = {
    "content_filter",
    "refusal",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "guardrail_intervened",
}


def sample_of(reply: AIMessage, index: int, prompt: list[tuple[str, Any]], seconds: float = 0.0) -> Sample:
    """Return a provider's reply, which took so long, as a sample, whatever the reply holds.

    Its text goes through checkpoints, traces and files before it is judged, so what they cannot hold is made visible and marked
    as garbled here, and no more of it is kept than `judge` needs to see that it is too long.
    """
    try:
        raw = str(reply.text)
    except (AttributeError, TypeError):  # content blocks that are none
        raw = ""
    kept = raw[: MAX_CHARACTERS + 1]
    text = without_controls(kept)
    tokens = _tokens(reply.usage_metadata)
    estimated = tokens is None
    if tokens is None:
        tokens = prompt_tokens(prompt), 0, estimated_tokens(raw)
    return Sample(index, text, _finish(reply), *tokens, estimated=estimated, garbled=text != kept, seconds=seconds)


def _tokens(usage: Any) -> tuple[int, int, int] | None:
    """Return the tokens read, cached and written as the provider counts them; None if it does not, or counts nonsense."""
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("input_token_details")
    read, written = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    if read is None or written is None:
        return None
    cached = _count(details.get("cache_read")) if isinstance(details, Mapping) else None
    return read, min(cached or 0, read), written


def _count(tokens: object) -> int | None:
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens <= _MOST_TOKENS else None


def _finish(reply: AIMessage) -> Finish:
    if reply.additional_kwargs.get("refusal"):
        return "refused"
    metadata = reply.response_metadata
    details = metadata.get("incomplete_details")
    said = [metadata.get(key) for key in ("finish_reason", "stop_reason", "done_reason", "status")]
    said += [details.get("reason")] if isinstance(details, Mapping) else []
    words = {str(word).lower() for word in said if word}
    if words & _REFUSED:
        return "refused"
    blocks = reply.content if isinstance(reply.content, list) else []
    if any(isinstance(block, dict) and block.get("type") == "refusal" for block in blocks):
        return "refused"
    return "length" if words & _CUT else "stop"
