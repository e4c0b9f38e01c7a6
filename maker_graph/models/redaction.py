"""API keys are taken out of what providers and clients say, wherever that is kept or shown."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr


def redacted(text: str, keys: Sequence[str] = ()) -> str:
    """Return `text` without API keys, `keys` among them: a provider may say them back.

    >>> redacted("Invalid key: Bearer sk-123, or canary-42", ["canary-42"])
    'Invalid key: Bearer [key], or [key]'
    """
    for key in keys:
        text = text.replace(key, "[key]")
    return re.sub(r"\b(Bearer )?sk-[\w*-]+|\bBearer [\w.~+/*-]+=*", lambda match: f"{match[1] or ''}[key]", text)


def keys_of(model: Any) -> list[str]:
    """Return the API keys that can be read from `model`'s fields, but none so short that it may be a word of its own."""
    secrets = [value for name in type(model).model_fields if isinstance(value := getattr(model, name, None), SecretStr)]
    keys: list[Any] = [secret.get_secret_value() for secret in secrets]
    keys.append(getattr(getattr(model, "root_client", None), "api_key", None))
    return sorted({key for key in keys if isinstance(key, str) and len(key) >= 8}, key=len, reverse=True)
