"""Copies a model with the settings of a vote; the caller's own model stays as it was.

Integrations treat these settings differently. The differences are handled here, and for OpenAI in `openai.py`:
- Caches: LangChain's global cache would turn k samples into one, so the copy has `cache=False`.
- Streaming: k replies would be streamed into a chat at once, so the copy does not stream.
- Seeds: a seed of the model itself would go out with every sample and make k copies of one vote. Several replies to one request
  would be paid for and dropped. So the copy has neither setting, in any place (`ALIKE`). A vote with a seed gives each sample
  its own.
- Stop sequences go out with each request, in place of the model's own. OpenAI's Responses API takes none.
- The schema of a reply also goes out with each request, if it is known how the model takes one.
- Temperature and output cap are set as fields of the copy, under the integration's name for them, and taken out of all other
  places. Models that take no temperature get none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig

from maker_graph.core.schema import Schema
from maker_graph.errors import UsageError
from maker_graph.models.names import CAP_FIELDS, INNER_FIELDS, thinking_of, thinking_tokens
from maker_graph.models.openai import fixes_temperature, is_openai, openai_update, uses_responses
from maker_graph.models.redaction import keys_of
from maker_graph.models.wrapped import Bound

ALIKE = frozenset(
    {
        *("seed", "random_seed"),
        *("n", "best_of", "candidate_count", "num_generations", "num_return_sequences"),
        *("stream", "streaming", "stream_options"),
    }
)
"""Settings of a request that would make samples alike, ask for several replies, or ask for a stream."""

_NESTED = frozenset({"options", "parameters", "generationconfig", "inferenceconfig", "textgenerationconfig", "samplingparams"})
"""Entries of a request, `_folded`, in which providers group such settings."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A model, copied with one temperature and cap.

    Attributes:
        model: the copy.
        name: the provider's name for the model.
        temperature: the temperature that is asked for; None if the model chooses.
        openai: whether it is LangChain's class for OpenAI.
        keys: the API keys that can be read from it.
        kwargs: arguments that were bound to the model and go out with each request.
        config: the config that was bound to the model and is used in each request: tags, metadata, callbacks.
        seed: the name of the argument with which a request takes a seed; None if it takes none.
        ships: whether the model comes with this package, so that no network or gateway is involved.
        several: whether one request may ask for several samples.
    """

    model: BaseChatModel
    name: str
    temperature: float | None
    openai: bool
    keys: Sequence[str]
    seed: str | None
    ships: bool
    several: bool
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    config: RunnableConfig = field(default_factory=RunnableConfig)


def configured(
    bound: Bound, temperature: float | None, max_tokens: int | None, stop: Sequence[str] = (), schema: Schema | None = None
) -> Configured:
    """Return a copy of a model with its settings, and what was bound to it; see `Sampler` for the settings.

    Raises:
        UsageError: the model may think for as many tokens as a reply may have, or it takes no `stop` or no `schema`.
    """
    model = bound.model
    fields = type(model).model_fields
    name = model_name(model)
    if "temperature" not in fields or not takes_temperature(model):
        temperature = None
    cap = _cap_field(model)
    if max_tokens is not None and (thinking := thinking_tokens(model)) >= max_tokens:
        raise UsageError(
            f"max_tokens={max_tokens} leaves no room for a reply, because {name} thinks for up to {thinking:,} tokens, which "
            "count too: raise max_tokens."
        )
    responses = is_openai(model) and uses_responses(model, bound.kwargs)
    _see_taken(model, name, stop, schema, responses=responses)
    update: dict[str, Any] = {"cache": False, "disable_streaming": True}
    update |= {field: _neutral(field, fields[field].default) for field in ALIKE & set(fields)}
    taken = set(ALIKE)
    if temperature is not None:
        update["temperature"] = temperature
        taken.add("temperature")
    if max_tokens is not None and cap is not None:
        update |= {field: max_tokens if field == cap else None for field in CAP_FIELDS if field in fields}
        taken.update(CAP_FIELDS)
    if schema is not None:
        taken.add("response_format")
    told = {field: getattr(model, field, None) for field in INNER_FIELDS}
    update |= {field: _without(inner, {*map(_folded, taken)}) for field, inner in told.items() if isinstance(inner, Mapping)}
    kwargs = _without(bound.kwargs, {*map(_folded, taken)})
    if stop:
        kwargs["stop"] = [*stop]
    if is_openai(model):
        update |= openai_update(model.model_copy(update=update), name, max_tokens, kwargs, schema)
    seed = "random_seed" if "random_seed" in fields else None if responses else "seed"
    ships = type(model).__module__.startswith("maker_graph.")
    copy = model.model_copy(update=update)
    openai, several = is_openai(model), is_openai(model) and not responses
    return Configured(copy, name, temperature, openai, keys_of(model), seed, ships, several, kwargs, bound.config)


def _see_taken(model: BaseChatModel, name: str, stop: Sequence[str], schema: Schema | None, *, responses: bool) -> None:
    """Make sure that a request to `model` can carry these stop sequences and this schema.

    Raises:
        UsageError: it cannot; the error says what to do.
    """
    if stop and responses:
        raise UsageError(
            f"{name} is asked through OpenAI's Responses API, which takes no stop sequences: leave stop out, or make the model "
            "with use_responses_api=False."
        )
    if schema is not None and responses:
        raise UsageError(
            f"{name} is asked through OpenAI's Responses API, but structured works with chat completions only: leave "
            "structured out, or make the model with use_responses_api=False."
        )
    if schema is not None and not is_openai(model):
        raise UsageError(
            f"structured is not known to work with {name}, but only with ChatOpenAI, and so with servers that have its API. "
            "Leave structured out, or bind what the provider takes to the model: model.bind(...)."
        )


def takes_temperature(model: BaseChatModel) -> bool:
    """Say whether a request to `model` may set a temperature; some models, such as any Claude that thinks, choose their own."""
    if thinking_of(model):
        return False
    reasoning = getattr(model, "reasoning", None)
    effort = getattr(model, "reasoning_effort", None) or (reasoning.get("effort") if isinstance(reasoning, Mapping) else None)
    return effort == "none" or not any(fixes_temperature(name) for name in _names(model))


def model_name(model: BaseChatModel) -> str:
    """Return the provider's name for `model`, or the name of its class."""
    return next(iter(_names(model)), type(model).__name__)


def _names(model: BaseChatModel) -> list[str]:
    """Return the names of a model; on Azure, the deployment may be the only name."""
    named = (getattr(model, field, None) for field in ("model_name", "model", "model_id", "base_model_id", "deployment_name"))
    return [name for name in named if isinstance(name, str) and name]


def _cap_field(model: BaseChatModel) -> str | None:
    """Return the field for the output cap: if there are several, the one that was given, or the first."""
    fields = [field for field in CAP_FIELDS if field in type(model).model_fields]
    given = [field for field in fields if field in model.model_fields_set and getattr(model, field) is not None]
    return next(iter([*given, *fields]), None)


def _neutral(field: str, default: object) -> object:
    """Return the value of a field in `ALIKE` during a vote, which means one reply, no seed, no stream."""
    if field in {"stream", "streaming"}:
        return False
    return 1 if isinstance(default, int) and not isinstance(default, bool) else None


def _without(inner: Mapping[str, Any], taken: set[str]) -> dict[str, Any]:
    return {
        name: _without(value, taken) if _folded(name) in _NESTED and isinstance(value, Mapping) else value
        for name, value in inner.items()
        if _folded(name) not in taken
    }


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
