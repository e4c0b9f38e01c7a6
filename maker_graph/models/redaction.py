"""API keys are taken out of what providers and clients say, wherever that is kept or shown.

Of an error everything goes that looks like a key. A reply is the user's data, and only the keys themselves are taken out of it,
if they are no words that a reply may well hold: "any" and "not-needed" are the keys of many a server of one's own.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from langchain_core.messages import AIMessage
from pydantic import SecretStr

SHORTEST = 8
"""Characters of a key at least that is taken out of errors; a shorter one may be a word of its own."""

_SECRET = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])\S{12,}|\S{20,}")
_NAMED_SECRET = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)


def redacted(text: str, keys: Sequence[str] = ()) -> str:
    """Return `text` without API keys, `keys` among them: a provider may say them back.

    >>> redacted("Invalid key: Bearer sk-123, or canary-42", ["canary-42"])
    'Invalid key: Bearer [key], or [key]'
    """
    for key in keys:
        text = _without(text, key)
    return re.sub(r"\b(Bearer )?sk-[\w*-]+|\bBearer [\w.~+/*-]+=*", lambda match: f"{match[1] or ''}[key]", text)


def without_keys(text: str, keys: Sequence[str]) -> str:
    """Return a reply, or JSON of it, without those of `keys` that nobody writes by chance.

    >>> without_keys("Authorization: Bearer canary-0123456789", ["canary-0123456789"])
    'Authorization: Bearer [key]'
    >>> without_keys("A key is not-needed.", ["not-needed"])
    'A key is not-needed.'
    """
    for key in keys:
        if _SECRET.fullmatch(key):
            text = _without(text, key)
    return text


def clean(value: Any, keys: Sequence[str], depth: int = 50) -> Any:
    """Return plain data without `keys`, as `without_keys` does it for each text in it; what is nested deeper is left out."""
    if isinstance(value, str):
        return without_keys(value, keys)
    if isinstance(value, list):
        return [clean(each, keys, depth - 1) for each in value] if depth else None
    if isinstance(value, Mapping):
        return {clean(key, keys): clean(each, keys, depth - 1) for key, each in value.items()} if depth else None
    return value


def message_without_keys(message: AIMessage, keys: Sequence[str]) -> AIMessage:
    """Return a model's message without `keys`, as `without_keys` does it, wherever it holds text."""
    parts = ("content", "additional_kwargs", "response_metadata", "tool_calls", "invalid_tool_calls")
    return message.model_copy(update={part: clean(getattr(message, part), keys) for part in parts}) if keys else message


def keys_of(model: Any) -> list[str]:
    """Return the API keys of `model`: those in its fields, and those in the environment variables that it names."""
    fields = {name: getattr(model, name, None) for name in type(model).model_fields}
    keys: list[Any] = [value.get_secret_value() for value in fields.values() if isinstance(value, SecretStr)]
    keys += [value for name, value in fields.items() if re.search(r"(api_?key|secret|token)$", name) and isinstance(value, str)]
    keys += [os.environ.get(name) for name in getattr(model, "lc_secrets", {}).values()]
    keys.append(getattr(getattr(model, "root_client", None), "api_key", None))
    return sorted({key for key in keys if isinstance(key, str) and len(key) >= SHORTEST}, key=len, reverse=True)


def sent_keys(request: Any) -> list[str]:
    """Return the keys that an HTTP request carries in its headers and its address."""
    carried = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    carried += request.url.params.multi_items() if request.url.query else ()
    found = {value.rpartition(" ")[2] for name, value in carried if _NAMED_SECRET.search(name)}
    return sorted((key for key in found if len(key) >= SHORTEST), key=len, reverse=True)


def _without(text: str, key: str) -> str:
    """Return `text` without `key`, also as it stands in a URL and in JSON."""
    for form in _forms(key):
        text = text.replace(form, "[key]")
    return text


@lru_cache(maxsize=64)
def _forms(key: str) -> Sequence[str]:
    return [*dict.fromkeys((key, quote(key, safe=""), json.dumps(key)[1:-1]))]
