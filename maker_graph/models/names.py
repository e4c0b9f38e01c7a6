"""The default settings that the name of a model implies. `resolving.py` makes the chat model of that name.

This module does not import LangChain, which takes long, so that reading a name or a run's settings is quick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from maker_graph.core.voting import MAX_TOKENS, TEMPERATURE, Temperature, Voting

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from maker_graph.models.resolving import Model
    from maker_graph.models.simulation.profiles import Profile

TIMEOUT = 120.0
"""The default seconds after which a request is given up, until `latencies.py` knows better."""

PATIENCE = 86_400.0
"""The seconds for which a run waits out an outage of the provider: a day."""


TINY = "tiny"
"""The name of the tiny language model that ships."""

SIMULATED = "sim:"
"""The name of a simulated model begins with this, followed by its profile."""

TINY_DISKS = (*range(3, 9), 10)
"""The numbers of disks of Hanoi that `tiny` can finish. It was also trained with 9, 11 and 12, but fails there within three
steps."""

CAP_FIELDS = (
    "max_tokens",
    "max_output_tokens",
    "num_predict",
    "max_completion_tokens",
    "max_new_tokens",
    "max_tokens_to_sample",
)
"""The names of the output cap of a model in LangChain's integrations."""

INNER_FIELDS = ("model_kwargs", "extra_body", "params", "additional_model_request_fields")
"""The fields of integrations whose entries go out with each request, in addition to settings with their own field."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The default settings that a model implies. This is the only place that knows what the name of a model means.

    Attributes:
        name: the name that was given, or the class of a chat model.
        kind: "simulated", "tiny" (the language model that ships), or "remote" for any other.
        temperature: the temperature of the first sample and of the others. It is the paper's (section 4.4), unless the chat
            model was made with its own. The tiny model is always sampled at 1, because at .1 it would repeat its errors, and
            votes would not help.
        max_tokens: the output cap of a sample: the one with which the chat model was made, the one with which the figures of a
            simulated model were measured, or the paper's.
        seed: the seed of a run; None sends no seed.
    """

    name: str
    kind: Literal["simulated", "tiny", "remote"] = "remote"
    temperature: Temperature = TEMPERATURE
    max_tokens: int | None = MAX_TOKENS
    seed: int | None = None

    @property
    def ships(self) -> bool:
        """Whether the model comes with this package. Then it takes a seed, and costs nothing."""
        return self.kind != "remote"

    @property
    def simulated(self) -> bool:
        """Whether the replies are made up by a profile, so that no model is asked."""
        return self.kind == "simulated"

    @property
    def drafts(self) -> bool:
        """Whether the model can list several answers at once, for lookahead."""
        return self.kind != "tiny"

    def suited(self, voting: Voting) -> Voting:
        """Return `voting` with its "auto" settings filled in for this model."""
        return replace(
            voting,
            temperature=self.temperature_for(voting) if voting.temperature == "auto" else voting.temperature,
            max_tokens=self.max_tokens if voting.max_tokens == "auto" else voting.max_tokens,
        )

    def temperature_for(self, voting: Voting) -> Temperature:
        """Return the default temperature: the model's own, or what suits the rule."""
        own = self.kind != "remote" or self.temperature != TEMPERATURE
        return self.temperature if own else voting.suited_temperature

    def profile(self) -> "Profile":
        """Return the profile of a simulated model."""
        from maker_graph.models.simulation import profile_of  # noqa: PLC0415  a real run does not need the simulation

        return profile_of(self.name.removeprefix(SIMULATED))


def info_of(model: "Model | Sequence[Model]") -> ModelInfo:
    """Return the default settings for `model`; if there are several models, for the first one.

    >>> info_of("openai:gpt-4.1-mini").temperature, info_of("tiny").temperature, info_of("sim:gpt-oss-20b").max_tokens
    ((0.0, 0.1), (1.0, 1.0), 2048)

    Raises:
        UnknownModel: there is no such profile.
    """
    if not isinstance(model, str):
        if isinstance(model, Sequence):
            return info_of(model[0]) if model else ModelInfo(type(model).__name__)
        inner = _unbound(model)
        if not hasattr(type(inner), "_generate"):  # an agent or a function chooses these settings itself
            return ModelInfo(type(inner).__name__, temperature=None, max_tokens=None)
        temperature, cap = _given(inner, ("temperature",)), _given_cap(inner)
        return ModelInfo(
            type(inner).__name__,
            temperature=TEMPERATURE if temperature is None else temperature,
            max_tokens=cap or MAX_TOKENS + thinking_tokens(inner),
        )
    if model == TINY:
        return ModelInfo(model, "tiny", temperature=(1.0, 1.0), seed=1)
    if model.startswith(SIMULATED):
        return ModelInfo(model, "simulated", max_tokens=ModelInfo(model, "simulated").profile().max_tokens, seed=1)
    return ModelInfo(model)


def with_bound(model: "BaseChatModel", bound: Mapping[str, Any]) -> "tuple[BaseChatModel, dict[str, Any]]":
    """Return a chat model with those bound settings put in that are its own fields, and the other bound settings.

    As fields they are visible to all code that asks for a model's temperature, cap, name or API. A field takes precedence over
    an entry of the same name inside another field, as a bound setting does over one with which the model was made.
    """
    fields = type(model).model_fields
    names = {name: field for field, info in fields.items() for name in (field, info.alias) if name}
    update = {names[name]: value for name, value in bound.items() if name in names}
    return model.model_copy(update=update) if update else model, {name: bound[name] for name in bound if name not in names}


def _unbound(model: Any) -> Any:
    """Return the first chat model inside its wrappers, with the settings bound to it; any other runnable as it is."""
    bound: dict[str, Any] = {}
    while not hasattr(type(model), "_generate"):
        fields = getattr(type(model), "model_fields", {})
        if "bound" in fields:
            bound, model = {**getattr(model, "kwargs", {}), **bound}, model.bound
        elif "fallbacks" in fields:
            model = model.runnable
        else:
            return model
    return with_bound(model, bound)[0]


def _given(model: "BaseChatModel", names: Sequence[str]) -> Any:
    """Return the value that the chat model was made with under one of `names`, in a field or inside one; None if none."""
    given = getattr(model, "model_fields_set", ())  # anything that is not a chat model is refused where it is resolved
    fields = (getattr(model, name) for name in names if name in given)
    inner = (fields_[name] for fields_ in _inner(model) for name in names if name in fields_)
    return next((value for value in (*fields, *inner) if value is not None), None)


def _given_cap(model: "BaseChatModel") -> int | None:
    """Return the output cap that the user gave a chat model; its integration may fill in the most that it can write."""
    cap, profile = _given(model, CAP_FIELDS), getattr(model, "profile", None)
    most = profile.get("max_output_tokens") if isinstance(profile, Mapping) else None
    return cap if isinstance(cap, int) and cap != most else None


def thinking_of(model: "BaseChatModel") -> Mapping[str, Any]:
    """Return the settings with which a Claude thinks before it replies; empty if it does not."""
    told = [getattr(model, "thinking", None)]
    told += [inner.get(name) for inner in _inner(model) for name in ("thinking", "reasoning_config")]
    return next((each for each in told if isinstance(each, Mapping) and each.get("type") in {"enabled", "adaptive"}), {})


def thinking_tokens(model: "BaseChatModel") -> int:
    """Return for how many tokens a chat model may think, which count towards its output cap; 0 if that is not set."""
    budget = thinking_of(model).get("budget_tokens")
    return budget if isinstance(budget, int) else 0


def _inner(model: "BaseChatModel") -> list[Mapping[str, Any]]:
    return [inner for field in INNER_FIELDS if isinstance(inner := getattr(model, field, None), Mapping)]


def default_model(task: str, disks: int) -> str:
    """Return the model for `task` if none is named: the tiny one if it can solve the task, else a simulated one.

    >>> default_model("hanoi", 10), default_model("hanoi", 20), default_model("records", 8)
    ('tiny', 'sim:gpt-oss-20b', 'sim:gpt-oss-20b')
    """
    return TINY if task == "hanoi" and disks in TINY_DISKS else "sim:gpt-oss-20b"
