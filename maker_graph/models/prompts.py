"""The two forms of a prompt: messages for a model, and plain pairs for seeds, records and digests."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue

from maker_graph.core.red_flags import estimated_tokens
from maker_graph.core.task import Prompt
from maker_graph.errors import UsageError

_SURROGATE = re.compile(r"[\ud800-\udfff]")


_ROLES = {"system", "developer", "user", "human", "assistant", "ai", "tool", "function"}


def as_messages(prompt: Prompt) -> Sequence[BaseMessage]:
    """Return `prompt` as LangChain's messages.

    Raises:
        UsageError: it is neither a text nor a list of messages.
    """
    messages = [HumanMessage(prompt)] if isinstance(prompt, str) else _converted(prompt)
    for message in messages:
        content = message.content
        if isinstance(content, str) and not content.isascii() and (half := _SURROGATE.search(content)):
            raise UsageError(f"The prompt holds a lone surrogate, \\u{ord(half[0]):04x}, which cannot be sent: take it out.")
    return messages


def _converted(prompt: object) -> Sequence[BaseMessage]:
    """Return a prompt that is not text as messages; LangChain would send the keys of a dict, or both parts of a pair."""
    what = "A prompt must be a text or a list of messages, such as [('system', '...'), ('user', '...')]"
    if isinstance(prompt, BaseMessage):
        return [prompt]
    if isinstance(prompt, PromptValue):
        return prompt.to_messages()
    if isinstance(prompt, Mapping):
        raise UsageError(f"{what}, but this one is a single dict: put it into a list.")
    if isinstance(prompt, bytes | bytearray) or not isinstance(prompt, Sequence):
        raise UsageError(f"{what}, but this one is of type {type(prompt).__name__}.")
    if len(prompt) == 2 and all(isinstance(part, str) for part in prompt) and prompt[0] in _ROLES:
        raise UsageError(f"{what}, but this one is a single pair: put it into a list.")
    if not prompt:
        raise UsageError(f"{what}, but this one is empty.")
    try:
        return convert_to_messages(prompt)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{what}, but this one cannot be sent ({type(error).__name__}: {reason}).") from error


def as_pairs(prompt: Prompt) -> list[tuple[str, Any]]:
    """Return `prompt` as (role, content) in order.

    >>> as_pairs("1 + 1?")
    [('human', '1 + 1?')]
    """
    return pairs_of(as_messages(prompt))


def pairs_of(messages: Sequence[BaseMessage]) -> list[tuple[str, Any]]:
    """Return messages as (role, content) in order."""
    return [(message.type, message.content) for message in messages]


def prompt_tokens(prompt: list[tuple[str, Any]]) -> int:
    """Return an estimate of the tokens of a prompt, given as (role, content)."""
    return estimated_tokens("".join(str(content) for _, content in prompt))
