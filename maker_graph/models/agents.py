"""Any runnable as who answers: an agent, a graph of messages, a chain, a function. Each sample is a whole run of it.

It is given the messages of the prompt, a graph as its `messages`. It returns a text or a message, or a state whose last message
of a model's is the reply; a state with a `structured_response`, as `create_agent` has with `response_format`, replies with
that, as JSON.

The tokens of all models that it asked are those of the sample. Temperature, output cap and seed are its own business. It has no
memory between samples: its checkpointer is taken off, for samples that know of each other are no votes.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.pregel import Pregel
from pydantic import BaseModel, ConfigDict

from maker_graph.errors import UsageError


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
        """The name that the runnable goes by."""
        return str(self.runnable.get_name())

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002  LangChain's signature
    ) -> ChatResult:
        used = _Tokens()
        try:
            returned = _alone(self.runnable).invoke(_given(self.runnable, messages), _config(run_manager, used))
        except GraphBubbleUp as error:
            raise _asks() from error
        return _result(returned, messages, used)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002  LangChain's signature
    ) -> ChatResult:
        used = _Tokens()
        try:
            returned = await _alone(self.runnable).ainvoke(_given(self.runnable, messages), _config(run_manager, used))
        except GraphBubbleUp as error:
            raise _asks() from error
        return _result(returned, messages, used)


def _alone(runnable: Any) -> Runnable[Any, Any]:
    """Return a graph without a checkpointer, its own or that of the graph around; anything else as it is."""
    alone: Runnable[Any, Any] = runnable.copy({"checkpointer": False}) if isinstance(runnable, Pregel) else runnable
    return alone


def _given(runnable: Any, messages: list[BaseMessage]) -> Any:
    return {"messages": messages} if isinstance(runnable, Pregel) else messages


def _config(manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None, used: _Tokens) -> Any:
    """Return the config of a run within a sample: in its trace, and with a count of the tokens."""
    if manager is None:
        return RunnableConfig(callbacks=[used])
    inner = AsyncCallbackManager if isinstance(manager, AsyncCallbackManagerForLLMRun) else CallbackManager
    child = inner(handlers=[], parent_run_id=manager.run_id)  # a call of a model has none of its own
    child.set_handlers([*manager.inheritable_handlers, used])
    child.add_tags(manager.inheritable_tags)
    child.add_metadata(manager.inheritable_metadata)
    return RunnableConfig(callbacks=child)


def _asks() -> UsageError:
    return UsageError("An agent whose runs are samples cannot interrupt to ask a person: k of them would ask at once.")


def _result(returned: Any, messages: list[BaseMessage], used: _Tokens) -> ChatResult:
    reply = _reply(returned, messages)
    reply = reply.model_copy(update={"usage_metadata": used.usage or reply.usage_metadata})
    return ChatResult(generations=[ChatGeneration(message=reply)])


def _reply(returned: Any, messages: list[BaseMessage]) -> AIMessage:
    """Return the reply in what a runnable returned.

    Raises:
        UsageError: there is none.
    """
    if isinstance(returned, str):
        return AIMessage(returned)
    if isinstance(returned, AIMessage):
        return returned
    if isinstance(returned, Mapping):
        structured = returned.get("structured_response")
        if structured is not None:
            return AIMessage(structured.model_dump_json() if isinstance(structured, BaseModel) else json.dumps(structured))
        asked = {id(message) for message in messages} | {message.id for message in messages if message.id}
        held = returned.get("messages")
        for message in reversed(held if isinstance(held, list) else []):
            if isinstance(message, AIMessage) and id(message) not in asked and message.id not in asked:
                return message
    raise UsageError(
        "A runnable that votes returns a text, a message of a model's, or a state whose messages end with one, and this one "
        f"returned {type(returned).__name__}."
    )
