"""Any runnable in place of a model: an agent, a graph of messages, a chain, a function. Each sample is a whole run of it.

It gets the messages of the prompt; a graph gets them as its `messages`. It returns a text, a message, or a state that ends with
a message of a model, which is the reply. If a state has a `structured_response`, as `create_agent` with `response_format` makes
it, this is the reply, as JSON.

The tokens of all models that it asked count as those of the sample. It sets the temperature, the output cap and the seed of its
models itself. It has no memory between samples: its checkpointer and its cache are taken off, because samples that know of each
other are no votes.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.errors import GraphBubbleUp, ParentCommand
from langgraph.pregel import Pregel
from pydantic import ConfigDict
from pydantic_core import to_json

from maker_graph.errors import UsageError
from maker_graph.models.replies import USED

CALLERS_LIMIT = "__maker_callers_limit"
"""The config key for the caller's limit on supersteps. It holds for an agent, but not for the vote itself."""

_CACHE = "__pregel_cache"


class _Tokens(BaseCallbackHandler):
    """Adds up the tokens of all models that are asked within a sample."""

    def __init__(self) -> None:
        self.usage: UsageMetadata | None = None
        self._lock = threading.Lock()

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:  # noqa: ARG002  LangChain's signature
        """Add the tokens of one reply."""
        for generations in response.generations:
            for generation in generations:
                message = getattr(generation, "message", None)
                if isinstance(message, AIMessage) and message.usage_metadata:
                    with self._lock:
                        self.usage = add_usage(self.usage, message.usage_metadata)


class AgentModel(BaseChatModel):
    """A runnable as a chat model; see the top of the file."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    runnable: Any

    @property
    def _llm_type(self) -> str:
        return "runnable"

    @property
    def model_name(self) -> str:
        """The name of the runnable."""
        return str(self.runnable.get_name())

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002  LangChain's signature
    ) -> ChatResult:
        used = _Tokens()
        with _told(used):
            given = _own(messages)
            returned = _alone(self.runnable).invoke(_input(self.runnable, given), _config(self.runnable, run_manager, used))
            return _result(returned, given, used)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002  LangChain's signature
    ) -> ChatResult:
        used = _Tokens()
        with _told(used):
            given, config = _own(messages), _config(self.runnable, run_manager, used)
            returned = await _alone(self.runnable).ainvoke(_input(self.runnable, given), config)
            return _result(returned, given, used)


def see_settings(**settings: Any) -> None:
    """Make sure that no setting is given that an agent chooses for its own models.

    Raises:
        UsageError: one is given.
    """
    for name, value in settings.items():
        if value not in (None, (None, None), ()):
            none = {"stop": (), "structured": False}.get(name)
            raise UsageError(f"An agent chooses {name} for its own models: set it there, and give {name}={none} here.")


@contextmanager
def _told(used: _Tokens) -> Iterator[None]:
    """Make sure that nothing copies the samples, and note on the error of a failed run what its models used until then.

    Raises:
        UsageError: the runnable cannot be sampled.
    """
    if get_llm_cache() is not None:
        raise UsageError(
            "LangChain's global cache would answer in place of an agent's models, and its samples would be copies: switch the "
            "cache off with set_llm_cache(None)."
        )
    try:
        yield
    except ParentCommand as error:
        raise UsageError("An agent whose runs are samples cannot go on in the graph around it (Command.PARENT).") from error
    except GraphBubbleUp as error:
        raise UsageError(
            "An agent whose runs are samples cannot interrupt to ask a person: k of them would ask at once."
        ) from error
    except Exception as error:
        with suppress(AttributeError):  # an error may take no attributes
            error.used = used.usage  # type: ignore[attr-defined]  # read by `tokens_of`
        raise


def tokens_of(error: BaseException) -> UsageMetadata | None:
    """Return the tokens that the models of an agent used before it failed with `error`; None if they are not known."""
    used: UsageMetadata | None = getattr(error, "used", None)
    return used if isinstance(used, dict) else None


def _graph(runnable: Any) -> Pregel[Any, Any, Any, Any] | None:
    """Return the graph that a runnable is, or that is bound in it; None if there is no graph."""
    while isinstance(runnable, RunnableBindingBase):
        runnable = runnable.bound
    return runnable if isinstance(runnable, Pregel) else None


def _alone(runnable: Any) -> Runnable[Any, Any]:
    """Return a graph without its own checkpointer or that of the graph around it; anything else as it is."""
    if isinstance(runnable, RunnableBindingBase):
        bound: Runnable[Any, Any] = runnable.model_copy(update={"bound": _alone(runnable.bound)})
        return bound
    alone: Runnable[Any, Any] = (
        runnable.copy({"checkpointer": False, "cache": None}) if isinstance(runnable, Pregel) else runnable
    )
    return alone


def _own(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return copies of messages for one run, which may change them; each has an id by which it is recognised."""
    return [message.model_copy(update={"id": message.id or str(uuid4())}, deep=True) for message in messages]


def _input(runnable: Any, messages: list[BaseMessage]) -> Any:
    return {"messages": messages} if _graph(runnable) is not None else messages


def _config(
    runnable: Any, manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None, used: _Tokens
) -> RunnableConfig:
    """Return the config of a run within a sample: with its trace, a count of the tokens, and the caller's own limit."""
    config = RunnableConfig(callbacks=[used])
    if manager is not None:
        config["callbacks"] = callbacks_within(manager, used)
    around = (var_child_runnable_config.get() or {}).get("configurable", {})
    own, limited = _own_config(runnable)
    # What is passed takes precedence over what is bound, so what is bound is repeated here. The outer cache would make copies.
    config["configurable"] = {**around, **own, _CACHE: None}
    if not limited and around.get(CALLERS_LIMIT) is not None:
        config["recursion_limit"] = around[CALLERS_LIMIT]
    return config


def callbacks_within(
    manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun, *others: BaseCallbackHandler
) -> CallbackManager | AsyncCallbackManager:
    """Return the callbacks for a runnable within a call of a model: those of its trace, and `others`."""
    inner = AsyncCallbackManager if isinstance(manager, AsyncCallbackManagerForLLMRun) else CallbackManager
    child = inner(handlers=[], parent_run_id=manager.run_id)  # a call of a model has no handlers of its own
    child.set_handlers([*manager.inheritable_handlers, *others])
    child.add_tags(manager.inheritable_tags)
    child.add_metadata(manager.inheritable_metadata)
    return child


def _own_config(runnable: Any) -> tuple[dict[str, Any], bool]:
    """Return what all layers of a runnable bind as `configurable`, with the outer ones winning, and whether one sets a limit.

    LangChain's `merge_configs` would mix in the config of the outer graph.
    """
    configurable: dict[str, Any] = {}
    limited = False
    while runnable is not None:
        config: Mapping[str, Any] = getattr(runnable, "config", None) or {}
        configurable = {**(config.get("configurable") or {}), **configurable}
        limited = limited or "recursion_limit" in config
        runnable = runnable.bound if isinstance(runnable, RunnableBindingBase) else None
    return configurable, limited


def _result(returned: Any, given: list[BaseMessage], used: _Tokens) -> ChatResult:
    reply = _reply(returned, given)
    if used.usage is not None:
        metadata = {**reply.response_metadata, USED: used.usage}
        reply = reply.model_copy(update={"usage_metadata": None, "response_metadata": metadata})
    return ChatResult(generations=[ChatGeneration(message=reply)])


def _reply(returned: Any, given: list[BaseMessage]) -> AIMessage:
    """Return the reply in what a runnable returned.

    Raises:
        UsageError: there is no reply.
    """
    if isinstance(returned, str):
        return AIMessage(returned)
    if isinstance(returned, AIMessage):
        return returned
    if isinstance(returned, Mapping):
        structured = returned.get("structured_response")
        if structured is not None:
            return AIMessage(to_json(structured).decode())
        held = returned.get("messages")
        last = held[-1] if isinstance(held, list) and held else None
        if isinstance(last, BaseMessage) and last.id in {message.id for message in given}:
            last = None
        if isinstance(last, ToolMessage):  # from a tool that answers in the agent's place (`return_direct`)
            return AIMessage(last.text)
        if isinstance(last, AIMessage):
            return last
    raise UsageError(
        "A runnable that votes must return a text, a message of a model, or a state whose messages end with a new one, but "
        f"this one returned {type(returned).__name__}."
    )
