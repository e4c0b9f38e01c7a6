"""How a reply becomes a sample: its text, how it ended, what it holds besides text, and its tokens.

Providers and integrations say these things in a dozen different ways. Tokens may be counted, not counted, or counted wrongly. A
reply may hold anything.

How a reply ended is read from the keys in `_ENDS`, in any spelling. A reply whose metadata has none of these keys counts as
whole, because some integrations, and models made for tests, do not pass them on. A key with an empty value means nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage

from maker_graph.core.canonical import JSON, MAX_CHARACTERS, MAX_DEPTH, plain, strict_json
from maker_graph.core.characters import without_controls
from maker_graph.core.ends import End, end_of, folded
from maker_graph.core.red_flags import Sample, ToolCall, estimated_tokens
from maker_graph.models.headers import says_hit
from maker_graph.models.prompts import prompt_tokens

UNIQUE = 16
"""An id with so many characters does not repeat by chance. Some servers draw theirs from a thousand numbers."""

MOST_CALLS = 16
"""The most tool calls of a reply that are kept."""

USED = "tokens_used_within"
"""The key in a reply's metadata for the tokens of the models inside an agent. Under the usual key, callbacks would count them
twice."""

LEAST = 16
"""A count of tokens is believed if it is at least a sixteenth of the estimate."""

_MOST_TOKENS = 1_000_000_000  # a higher count is nonsense
_ROOM = 16  # channels and entries of the journal add some levels of nesting around the arguments of a tool call

_ENDS = ("finishreason", "stopreason", "donereason", "completionreason", "status", "nativefinishreason", "finishdetails")
"""The keys, `folded`, that say how a reply ended, the most telling one first."""

_SIGNS: Mapping[str, tuple[object, str]] = {
    "istruncated": (True, "truncated"),
    "isblocked": (True, "blocked"),
    "done": (False, "incomplete"),
    "amazonbedrockguardrailaction": ("INTERVENED", "guardrail_intervened"),
}
"""Further keys -> the value that means a bad end, and the word for that end."""

_REASONING = frozenset(["reasoning", "thinking", "redacted_thinking", "reasoning_content", "reasoning_details"])
_TEXT = frozenset(["text", "output_text", "input_text", "text_delta", "refusal"])
_CALLS = frozenset(["tool_use", "tool_call", "function_call", "custom_tool_call", "tool_call_chunk", "invalid_tool_call"])
_MADE_UP_IDS = ("lc_", "run-")  # LangChain's own, where the provider gave none


def sample_of(reply: AIMessage, index: int, prompt: list[tuple[str, Any]], seconds: float = 0.0, *, choice: int = 0) -> Sample:
    """Return a provider's reply, which took `seconds`, as a sample; `choice` is its number among several.

    The reply may hold anything. Its text goes through checkpoints, traces and files before it is judged. So characters that
    these cannot hold are escaped here, and the sample is marked as garbled. An overlong text is cut, but stays overlong.
    """
    try:
        raw = str(reply.text)
    except (AttributeError, TypeError):  # the content blocks are malformed
        raw = ""
    kept = raw[: MAX_CHARACTERS + 1]
    text = without_controls(kept)
    calls = _tool_calls(reply)
    tokens = _tokens(_usage(reply), prompt, raw + "".join(str(call["args"]) for call in calls))
    finish, said = _end(reply)
    return Sample(
        index,
        text,
        finish,
        tokens.read,
        tokens.cached,
        tokens.written,
        estimated=tokens.estimated,
        garbled=text != kept,
        seconds=seconds,
        end=_word(said),
        beside=_beside(reply),
        tool_calls=calls,
        id=_id(reply, choice),
        from_cache=_from_cache(reply),
    )


class _Tokens(NamedTuple):
    read: int
    cached: int
    written: int
    estimated: bool = False


def _usage(reply: AIMessage) -> Any:
    return reply.response_metadata.get(USED) or reply.usage_metadata


def _tokens(usage: Any, prompt: list[tuple[str, Any]], reply: str) -> _Tokens:
    """Return the tokens of a prompt and its reply as the provider counts them; estimates if it counts none, or counts nonsense.

    These counts are nonsense: 0 for a prompt, 0 for a reply that has text, and a count so low that its tokens would be 64 bytes
    long. With such counts a limit on the cost would never be reached.
    """
    usage = usage if isinstance(usage, Mapping) else {}
    read, written, about = _count(usage.get("input_tokens")), _count(usage.get("output_tokens")), estimated_tokens(reply)
    if read is None or written is None or (prompt and not read) or written < -(-about // LEAST):
        return _Tokens(prompt_tokens(prompt), 0, about, estimated=True)
    details = usage.get("input_token_details")
    cached = _count(details.get("cache_read")) if isinstance(details, Mapping) else None
    return _Tokens(read, min(cached or 0, read), written)


def _count(tokens: object) -> int | None:
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens <= _MOST_TOKENS else None


def _end(reply: AIMessage) -> End:
    if reply.additional_kwargs.get("refusal") or any(block.get("type") == "refusal" for block in _blocks(reply)):
        return End("refused", "refusal")
    metadata = reply.response_metadata
    said = {folded(key[:200]): value for key, value in metadata.items() if isinstance(key, str)}
    words = [_ended(said[key]) for key in _ENDS if key in said and (key != "status" or isinstance(said[key], str))]
    details, feedback = said.get("incompletedetails"), said.get("promptfeedback")
    if isinstance(details, Mapping):
        words.append(_ended(details.get("reason")))
    if isinstance(feedback, Mapping) and feedback.get("block_reason"):
        return End("refused", _ended(feedback["block_reason"]) or "")
    words += [word for key, (sign, word) in _SIGNS.items() if type(said.get(key)) is type(sign) and said[key] == sign]
    return end_of(words)


def _ended(said: Any) -> str | None:
    """Return the word in the value of a key, which may be an object; None if there is none."""
    if isinstance(said, Mapping):
        said = said.get("type") or said.get("reason")
    if said is None or isinstance(said, str):
        return said
    return str(said) if isinstance(said, int | float | Enum) else type(said).__name__


def _blocks(reply: AIMessage) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a reply whose content is a list."""
    content: Any = reply.content
    yield from (block for block in content if isinstance(block, Mapping)) if isinstance(content, list) else ()


def _beside(reply: AIMessage) -> str:
    """Return in a word what a reply holds besides text and tool calls; empty if nothing."""
    kinds = [_word(block.get("type")) for block in _blocks(reply)]
    kinds += [name for name in _REASONING if reply.additional_kwargs.get(name)]
    usage = _usage(reply)
    details = usage.get("output_token_details") if isinstance(usage, Mapping) else None
    if isinstance(details, Mapping) and _count(details.get("reasoning")):
        kinds.append("reasoning")
    if any(kind in _REASONING for kind in kinds):
        return "reasoning"
    return next((kind for kind in kinds if kind and kind not in _TEXT and kind not in _CALLS), "")


def _tool_calls(reply: AIMessage) -> list[ToolCall]:
    """Return the tool calls of a reply, also those that the integration could not read or did not look for."""
    called: list[Any] = [*_listed(reply.tool_calls), *_listed(reply.invalid_tool_calls)]
    if not called:
        kwargs = reply.additional_kwargs
        called = [*_listed(kwargs.get("tool_calls")), *([kwargs["function_call"]] if kwargs.get("function_call") else [])]
    if not called:
        called = [block for block in _blocks(reply) if _word(block.get("type")) in _CALLS]
    return [_tool_call(call) for call in called[:MOST_CALLS]]


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _tool_call(call: Any) -> ToolCall:
    call = call if isinstance(call, Mapping) else {}
    inner = call.get("function")
    inner = inner if isinstance(inner, Mapping) else call
    args, error = _args(next((inner[key] for key in ("args", "arguments", "input") if key in inner), None))
    said = call.get("error")
    return ToolCall(name=_word(inner.get("name")), args=args, id=_word(call.get("id")), error=error or _word(said, 300))


def _args(given: Any) -> tuple[JSON, str]:
    """Return the arguments of a tool call as plain JSON, and why they could not be read."""
    try:
        if isinstance(given, str):
            return strict_json(given), ""
        if len(str(given)) > MAX_CHARACTERS:
            return None, f"longer than {MAX_CHARACTERS:,} characters"
        return plain(given, depth=MAX_DEPTH - _ROOM), ""
    except (ValueError, RecursionError) as error:
        return _word(given, MAX_CHARACTERS) if isinstance(given, str) else None, _word(str(error), 300)


def _word(value: Any, most: int = 100) -> str:
    """Return a text from outside in a form that can be kept and shown; empty if the value is not text."""
    return without_controls(value[:most]) if isinstance(value, str) else ""


def _id(reply: AIMessage, choice: int) -> str:
    """Return a digest of the provider's id of a reply, which cannot hide anything; empty if it gave none, or a short one.

    The choices of one reply share its id. Their numbers are added to the digest.
    """
    metadata = reply.response_metadata
    amazon = metadata.get("ResponseMetadata")
    given = [metadata.get("id"), reply.id, amazon.get("RequestId") if isinstance(amazon, Mapping) else None]
    own = (each for each in given if isinstance(each, str) and len(each) >= UNIQUE and not each.startswith(_MADE_UP_IDS))
    found = next(own, None)
    if found is None:
        return ""
    digest = hashlib.blake2b(found.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{digest}#{choice}" if choice else digest


def _from_cache(reply: AIMessage) -> bool:
    """Say whether a cache answered in the model's place: LangChain's, whose replies cost 0, or one that the headers name."""
    usage, metadata = _usage(reply), reply.response_metadata
    if isinstance(usage, Mapping) and usage.get("total_cost") == 0:
        return True
    amazon = metadata.get("ResponseMetadata")
    headers = metadata.get("headers") or (amazon.get("HTTPHeaders") if isinstance(amazon, Mapping) else None)
    return isinstance(headers, Mapping) and any(says_hit(str(name), str(value)) for name, value in headers.items())
