"""Wrapped chat models and other runnables: which of them can be sampled honestly.

These are accepted:
- `.bind(...)`: what is bound goes out with each sample, except for settings that would make samples alike (`configured.py`).
- `.with_config(...)`: tags, metadata and callbacks are used in each request.
- `.with_fallbacks([...])`: a request that fails is made to the next model at once, and such samples are counted. All models are
  asked at the temperature and with the cap of the vote.
- An agent, a graph of messages, or a function as a runnable, which returns a text or a message (`agents.py`).

Wrappers that hide how a reply ended, or pay for retries that nobody counts, are refused with an error that says why.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import BaseLLMOutputParser
from langchain_core.prompts import BasePromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable
from langchain_core.runnables.fallbacks import RunnableWithFallbacks
from langchain_core.runnables.retry import RunnableRetry

from maker_graph.errors import UsageError
from maker_graph.models.agents import AgentModel
from maker_graph.models.names import with_bound


class Bound(NamedTuple):
    """A chat model with what was bound to it.

    Attributes:
        model: the chat model itself.
        kwargs: arguments that go out with each request.
        config: the config of each request: tags, metadata, callbacks.
    """

    model: BaseChatModel
    kwargs: Mapping[str, Any]
    config: RunnableConfig


class Chain(NamedTuple):
    """The models that are asked for a sample: the first, and the next ones if a request fails with one of `handled`."""

    links: tuple[Bound, ...]
    handled: tuple[type[BaseException], ...]


def chain_of(model: Runnable[Any, Any]) -> Chain:
    """Return the models that are asked for samples of `model`: one chat model, or several that stand in for each other.

    Raises:
        UsageError: it cannot be sampled honestly; the error says why, and what to give instead.
    """
    _see_configured(model)  # this comes first, because such an object makes its model as soon as it is used
    if isinstance(model, RunnableWithFallbacks):
        if model.exception_key is not None:
            raise UsageError(
                "A model whose fallbacks get the error (exception_key) cannot vote, because its samples differ in kind: leave "
                "exception_key out."
            )
        links = [link for each in (model.runnable, *model.fallbacks) for link in chain_of(each).links]
        return Chain(tuple(links), tuple(model.exceptions_to_handle))
    return Chain((_bound(model),), ())


def _bound(model: Runnable[Any, Any]) -> Bound:
    _see(model)
    kwargs: dict[str, Any] = {}
    config, inner = RunnableConfig(), model
    while isinstance(inner, RunnableBindingBase):
        _see(inner.bound)
        kwargs = {**inner.kwargs, **kwargs}
        config = joined(inner.config, config)
        inner = inner.bound
    if not isinstance(inner, BaseChatModel):  # an agent uses its bound settings itself
        return Bound(AgentModel(runnable=model), {}, RunnableConfig())
    folded, rest = with_bound(inner, kwargs)
    return Bound(folded, rest, config)


def joined(inner: RunnableConfig, outer: RunnableConfig) -> RunnableConfig:
    """Return two configs as one, in which `outer` wins. LangChain's `merge_configs` would mix in that of the outer graph.

    >>> joined({"tags": ["a"], "run_name": "x"}, {"tags": ["b"], "run_name": "y"})
    {'tags': ['a', 'b'], 'run_name': 'y'}
    """
    first: Mapping[str, Any] = inner
    then: Mapping[str, Any] = outer
    both: Any = {**first, **then}
    for name in ("metadata", "configurable"):
        if name in both:
            both[name] = {**(first.get(name) or {}), **(then.get(name) or {})}
    if "tags" in both:
        both["tags"] = [*(inner.get("tags") or []), *(outer.get("tags") or [])]
    lists = inner.get("callbacks"), outer.get("callbacks")
    if all(isinstance(each, list) for each in lists):
        both["callbacks"] = [*lists[0], *lists[1]]  # type: ignore[misc]  # both are lists
    joint: RunnableConfig = both
    return joint


def _see(model: Runnable[Any, Any]) -> None:
    """Make sure that one layer of a wrapped model can be sampled honestly.

    Raises:
        UsageError: it cannot.
    """
    if isinstance(model, RunnableRetry):
        raise UsageError(
            "A model with with_retry() pays for requests that nobody counts: give the model itself. A failed request is made "
            "again anyway (calls={'patience': seconds} says for how long)."
        )
    if isinstance(model, RunnableWithFallbacks):
        raise UsageError("Bind settings to each model, and give them fallbacks afterwards: a.bind(...).with_fallbacks([b]).")
    if isinstance(model, RunnableBindingBase) and model.config_factories:
        raise UsageError("A model with listeners (with_listeners) cannot vote: pass callbacks in the config of the call.")
    _see_configured(model)
    if isinstance(model, RunnableSequence):
        _see_sequence(model)


def _see_configured(model: Runnable[Any, Any]) -> None:
    """Make sure that a model is the same at each call, which some models of `init_chat_model` are not.

    Raises:
        UsageError: it may not be.
    """
    late = type(model).__name__ == "_ConfigurableModel" and type(model).__module__.startswith("langchain")
    if late or issubclass(type(model), DynamicRunnable):
        raise UsageError("A model with configurable fields may change between two samples: give a model that is configured.")


def _see_sequence(model: RunnableSequence[Any, Any]) -> None:
    """Make sure that a chain hides nothing.

    Raises:
        UsageError: it parses replies, or makes the prompt.
    """
    asks = any(isinstance(_innermost(step), BaseChatModel) for step in _steps(model))
    if asks and any(_structured(step) for step in _steps(model)):
        raise UsageError(
            "A model with with_structured_output() hides how a reply ended, and repairs replies: give the model itself, and "
            "the type as answer=, which is read strictly."
        )
    if asks and isinstance(model.last, BaseLLMOutputParser):
        raise UsageError(
            f"A chain that ends with {type(model.last).__name__} hides how a reply ended: give the model itself, and say how "
            "its replies are read with answer=."
        )
    if isinstance(model.first, BasePromptTemplate):
        raise UsageError("A chain that begins with a prompt template takes no messages: give the prompt with prompt= instead.")


def _steps(model: Runnable[Any, Any]) -> Iterator[Runnable[Any, Any]]:
    inner = getattr(model, "steps__", None)  # the named steps of a RunnableParallel
    for step in inner.values() if isinstance(inner, Mapping) else getattr(model, "steps", ()):
        yield step
        yield from _steps(step)


def _structured(step: Runnable[Any, Any]) -> bool:
    kwargs = getattr(step, "kwargs", None)
    return isinstance(kwargs, Mapping) and any("structured_output" in str(name) for name in kwargs)


def _innermost(model: Runnable[Any, Any]) -> Runnable[Any, Any]:
    while isinstance(model, RunnableBindingBase):
        model = model.bound
    return model
