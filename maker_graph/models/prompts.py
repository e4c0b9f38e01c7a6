"""A prompt in the two forms that are needed of it: messages for a model, plain pairs for seeds, records and digests."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages

from maker_graph.core.red_flags import estimated_tokens
from maker_graph.core.task import Prompt


def as_messages(prompt: Prompt) -> Sequence[BaseMessage]:
    """Return `prompt` as LangChain's messages."""
    return [HumanMessage(prompt)] if isinstance(prompt, str) else convert_to_messages(prompt)


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
    """Return about how many tokens a prompt has, given as (role, content)."""
    return estimated_tokens("".join(str(content) for _, content in prompt))
