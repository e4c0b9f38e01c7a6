"""The rest of an agent's model call as a chat model, so that a microstep can sample it.

A sample is a whole model call: all middleware further in, and the model. The model is copied with the settings of a vote, as a
microstep's own: `models/configured.py` says what that changes.
"""

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain.agents.structured_output import StructuredOutputError
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables.config import RunnableConfig, patch_config, var_child_runnable_config
from pydantic import ConfigDict

from maker_graph.agents.answers import reply_of
from maker_graph.core.canonical import sorted_json
from maker_graph.core.characters import visible
from maker_graph.models.agents import callbacks_within
from maker_graph.models.configured import configured, model_name
from maker_graph.models.wrapped import chain_of

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


class HandlerModel(BaseChatModel):
    """What comes after a middleware, as a chat model; see the top of the file.

    Attributes:
        request: the agent's request.
        handler: what comes after the middleware; `ahandler` where that is awaited.
        kept: the text of each sample -> the response that it is of.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    request: Any
    handler: Any = None
    ahandler: Any = None
    kept: Any = None
    temperature: float | None = None
    max_tokens: int | None = None

    @property
    def _llm_type(self) -> str:
        return "agent-model-call"

    @property
    def model_name(self) -> str:
        """The name of the agent's model."""
        return model_name(chain_of(self.request.model).links[0].model)

    def _generate(
        self,
        messages: list[BaseMessage],  # noqa: ARG002  those of the request
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        config, request = self._within(run_manager), self._request(kwargs)

        def called() -> ModelResponse[Any]:
            var_child_runnable_config.set(config)
            response: ModelResponse[Any] = self.handler(request)
            return response

        try:
            return self._result(copy_context().run(called))
        except StructuredOutputError as error:
            return _refused(error)

    async def _agenerate(
        self,
        messages: list[BaseMessage],  # noqa: ARG002  those of the request
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        before = var_child_runnable_config.set(self._within(run_manager))
        try:
            return self._result(await self.ahandler(self._request(kwargs)))
        except StructuredOutputError as error:
            return _refused(error)
        finally:
            var_child_runnable_config.reset(before)

    def _request(self, kwargs: dict[str, Any]) -> ModelRequest[Any]:
        """Return the request with the settings of this sample."""
        request: ModelRequest[Any] = self.request
        setting = configured(chain_of(request.model).links[0], self.temperature, self.max_tokens)
        settings = {**setting.kwargs, **request.model_settings, **kwargs}
        return request.override(model=setting.model, model_settings=settings)

    def _within(self, manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> RunnableConfig:
        """Return the config under which the model is called: within this sample's trace, and out of the caller's stream."""
        around = var_child_runnable_config.get() or RunnableConfig()
        child = None if manager is None else callbacks_within(manager)
        return {**patch_config(around, callbacks=child), "tags": [*(around.get("tags") or ()), "nostream"]}

    def _result(self, response: ModelResponse[Any]) -> ChatResult:
        reply = reply_of(response)
        self.kept[visible(str(reply.content))] = response
        return ChatResult(generations=[ChatGeneration(message=reply)])


def _refused(error: StructuredOutputError) -> ChatResult:
    """Return the sample whose structured response was not taken: it is malformed, and votes for nothing."""
    said: AIMessage = error.ai_message
    reply = reply_of(ModelResponse([said])).model_copy(update={"content": sorted_json({"error": str(error)[:300]})})
    return ChatResult(generations=[ChatGeneration(message=reply)])
