"""A model, copied with the settings of a vote: the caller's own stays as it was.

What integrations do differently with these settings is settled here, and for OpenAI's in `openai.py`:
- caches: LangChain's global cache would turn k samples into one; the copy has `cache=False`;
- streaming: k replies would be streamed into a chat at once; the copy does not stream;
- temperature and output cap are set as fields of the copy, under the name that the integration has for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel

from maker_graph.models.openai import fixes_temperature, is_openai, openai_update
from maker_graph.models.redaction import keys_of


@dataclass(frozen=True, slots=True)
class Configured:
    """A model, copied with one temperature and cap.

    Attributes:
        model: the copy.
        name: by which the provider knows it.
        temperature: which is asked for; None if the model chooses.
        openai: whether it is LangChain's for OpenAI.
        keys: the API keys that can be read from it.
    """

    model: BaseChatModel
    name: str
    temperature: float | None
    openai: bool
    keys: Sequence[str]


def configured(model: BaseChatModel, temperature: float | None, max_tokens: int | None, timeout: float | None) -> Configured:
    """Return a copy of `model`; see `Sampler` for its settings."""
    fields = type(model).model_fields
    name = model_name(model)
    update: dict[str, Any] = {"cache": False, "disable_streaming": True}
    if temperature is None or "temperature" not in fields or fixes_temperature(name):
        temperature = None
    else:
        update["temperature"] = temperature
    cap = next((field for field in ("max_tokens", "max_output_tokens", "num_predict") if field in fields), None)
    if max_tokens is not None and cap is not None:
        update[cap] = max_tokens
    if is_openai(model):
        update |= openai_update(model, name, max_tokens, timeout)
    return Configured(model.model_copy(update=update), name, temperature, is_openai(model), keys_of(model))


def model_name(model: BaseChatModel) -> str:
    """Return the name by which the provider knows `model`, or its class's."""
    for field in ("model_name", "model", "model_id"):
        value = getattr(model, field, None)
        if isinstance(value, str) and value:
            return value
    return type(model).__name__
