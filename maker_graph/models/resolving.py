"""Makes the chat model that a name stands for."""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable

from maker_graph.core.guarding import AnyTask, guarded
from maker_graph.errors import MissingKey, UnknownModel, UsageError
from maker_graph.models.names import TINY, info_of
from maker_graph.models.rehearsing import rehearsed
from maker_graph.models.wrapped import chain_of

if TYPE_CHECKING:
    from maker_graph.models.simulation.rehearsal import Rehearsal

Model: TypeAlias = Runnable[Any, Any] | str
"""A chat model, or its name (`openai:gpt-4.1-mini`, `sim:gpt-oss-20b`, `tiny`, `anthropic:...`).

It may also be a chat model with bound settings or fallbacks, or any runnable that returns a text or a message (`wrapped.py`).
"""


def resolve_models(model: Model | Sequence[Model], *, seed: int | None = None) -> list[Runnable[Any, Any]]:
    """Return the chat models that `model` names; if there are several, each sample asks one of them."""
    several = list(model) if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    for each in several:
        if isinstance(each, Runnable):
            chain_of(each)  # it raises, before anything else does, if the runnable cannot be sampled
    return [each if isinstance(each, Runnable) else resolve_model(each, seed=seed) for each in several]


def resolve_model(
    model: BaseChatModel | str, *, seed: int | None = None, rehearsals: "Sequence[Rehearsal]" = ()
) -> BaseChatModel:
    """Return the chat model that `model` names; a chat model is returned as it is.

    The name is split at its first colon only, so `openai:qwen3:4b` is the model `qwen3:4b` of an OpenAI-compatible server.

    Args:
        model: `openai:NAME` is ChatOpenAI with OPENAI_API_KEY and OPENAI_BASE_URL; `sim:PROFILE` is the simulated model; `tiny`
            is the tiny language model that ships; any other provider goes through LangChain's `init_chat_model`.
        seed: decides on which steps a simulated model errs. Other models ignore it.
        rehearsals: what a simulated model knows in addition to the tasks that ship.

    Raises:
        UnknownModel: there is no such provider or profile, or its package is not installed.
        MissingKey: there is no API key.
    """
    if isinstance(model, BaseChatModel):
        return model
    if not isinstance(model, str):
        raise UsageError(
            f"A model must be a LangChain chat model or a string like 'openai:gpt-4.1-mini', not {type(model).__name__}."
        )
    if model == TINY:
        from maker_graph.models.tiny_lm import TinyChatModel  # noqa: PLC0415  only if asked for

        return TinyChatModel()
    provider, colon, name = model.partition(":")
    if not (provider and colon and name):
        raise UnknownModel(
            f"{model!r} names no model: write provider:model, for example openai:gpt-4.1-mini or sim:gpt-oss-20b, or tiny."
        )
    if provider == "sim":
        from maker_graph.models.simulation import Simulator, profile_of  # noqa: PLC0415  only if asked for
        from maker_graph.models.simulation.model import SimulatedChatModel  # noqa: PLC0415  only if asked for

        return SimulatedChatModel(simulator=Simulator(profile_of(name), seed=seed or 0, rehearsals=rehearsals))
    if provider == "openai":
        return _openai(name)
    return _other(provider, name)


def model_for(name: str, task: AnyTask, seed: int | None) -> BaseChatModel:
    """Return the model of this name for a run or a calibration. A simulated model gets the task's `rehearsal`.

    If the task has `rehearse`, a simulated model is told of it step by step: see `rehearsing.py`.

    Raises:
        UsageError: there is no such model, or it is simulated and does not know the task.
    """
    inside, rehearsal = guarded(task), getattr(task, "rehearsal", None)
    model = resolve_model(name, seed=seed, rehearsals=() if rehearsal is None else (rehearsal,))
    if info_of(name).simulated:
        from maker_graph.models.simulation.model import SimulatedChatModel  # noqa: PLC0415  only if asked for

        if isinstance(model, SimulatedChatModel) and inside.part(state := inside.start()) in inside.voted_parts:
            part = inside.voted(state)
            model.knows(rehearsed(part.prompt, part.rehearse, [model])(state))
    return model


def _openai(name: str) -> BaseChatModel:
    from langchain_openai import ChatOpenAI  # noqa: PLC0415  takes half a second to import

    if not os.environ.get("OPENAI_API_KEY"):
        raise MissingKey(
            "There is no API key: set OPENAI_API_KEY. For your own server, such as Ollama or vLLM, set it to any word, and set "
            "OPENAI_BASE_URL to the address of the server."
        )
    return ChatOpenAI(model=name)


_PROVIDERS = ("openai", "anthropic", "google_genai", "mistralai", "ollama", "groq", "sim")
"""Some names of providers, to which a misspelt one is compared."""


def _meant(provider: str, name: str) -> str:
    near = get_close_matches(provider.lower(), _PROVIDERS, n=1, cutoff=0.8)
    return f" Did you mean {near[0]}:{name}?" if near and near[0] != provider else ""


def _other(provider: str, name: str) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415  an optional package
    except ImportError:
        raise UnknownModel(
            f"For {provider}:{name} install LangChain and its integration: pip install langchain langchain-{provider}."
            f"{_meant(provider, name)}"
        ) from None
    try:
        model: BaseChatModel = init_chat_model(name, model_provider=provider)
    except ImportError as error:
        raise UnknownModel(f"For {provider}:{name} a package is missing. {error}") from None
    except ValueError as error:
        why = " ".join(str(error).split())
        raise UnknownModel(f"LangChain cannot make {provider}:{name}.{_meant(provider, name)} {why}") from None
    return model
