"""The rest of an agent's model call as a chat model, so that a microstep can sample it.

A sample is a whole model call: all inner middleware, and the model. The model is copied with the settings of a vote, as in any
microstep; `models/configured.py` says what that changes.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from typing import Any, NamedTuple, NoReturn

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain.agents.structured_output import StructuredOutputError
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables.config import RunnableConfig, patch_config, var_child_runnable_config
from langgraph.errors import GraphBubbleUp
from pydantic import ConfigDict, Field

from maker_graph.agents.answers import reply_of
from maker_graph.agents.commands import apart
from maker_graph.core.canonical import sorted_json
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.models.agents import callbacks_within
from maker_graph.models.configured import Configured, configured, model_name
from maker_graph.models.names import with_bound
from maker_graph.models.wrapped import Bound, Chain, chain_of

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]

SEED = "seed"
"""The name by which a sampler gives a seed to a sample of this model."""


class Kept(NamedTuple):
    """What a sample holds beside its text: the response, and what inner middleware writes into the agent's state."""

    response: ModelResponse[Any]
    commands: list[Any]


class HandlerModel(BaseChatModel):
    """What comes after a middleware, as a chat model; see the top of the file.

    Attributes:
        request: the agent's request.
        handler: what comes after the middleware; `ahandler` is the awaited one.
        kept: the text of each sample -> what else the sample holds.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    # LangChain writes the repr of a model into each trace, and the repr of a conversation takes longer than the whole vote.
    request: Any = Field(repr=False)
    handler: Any = Field(default=None, repr=False)
    ahandler: Any = Field(default=None, repr=False)
    kept: Any = Field(default=None, repr=False)
    temperature: float | None = None
    max_tokens: int | None = None

    @property
    def _llm_type(self) -> str:
        return "agent-model-call"

    @property
    def model_name(self) -> str:
        """The name of the agent's model."""
        return model_name(asked_by(self.request).links[0].model)

    def _generate(
        self,
        messages: list[BaseMessage],  # noqa: ARG002  those of the request
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        config, request = self._within(run_manager), self._request(kwargs)
        handler, commands = apart(self.handler)

        def called() -> ModelResponse[Any]:
            var_child_runnable_config.set(config)
            response: ModelResponse[Any] = handler(request)
            return response

        try:
            return self._result(copy_context().run(called), commands)
        except StructuredOutputError as error:
            return _refused(error, request)
        except GraphBubbleUp as error:
            _see_alone(error)

    async def _agenerate(
        self,
        messages: list[BaseMessage],  # noqa: ARG002  those of the request
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(kwargs)
        handler, commands = apart(self.ahandler)
        before = var_child_runnable_config.set(self._within(run_manager))
        try:
            return self._result(await handler(request), commands)
        except StructuredOutputError as error:
            return _refused(error, request)
        except GraphBubbleUp as error:
            _see_alone(error)
        finally:
            var_child_runnable_config.reset(before)

    def _request(self, kwargs: dict[str, Any]) -> ModelRequest[Any]:
        """Return the request with the settings of this sample."""
        request: ModelRequest[Any] = self.request
        chain = asked_by(request)
        first, *others = [configured(link, self.temperature, self.max_tokens) for link in chain.links]
        if not others:
            return request.override(model=first.model, model_settings=_settings(first, kwargs))
        bound = [each.model.bind(**_settings(each, kwargs)) for each in (first, *others)]
        model: Any = bound[0].with_fallbacks(bound[1:], exceptions_to_handle=chain.handled)
        return request.override(model=model, model_settings={})

    def _within(self, manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> RunnableConfig:
        """Return the config with which the model is called: in this sample's trace, and not in the caller's stream."""
        around = var_child_runnable_config.get() or RunnableConfig()
        child = None if manager is None else callbacks_within(manager)
        return {**patch_config(around, callbacks=child), "tags": [*(around.get("tags") or ()), "nostream"]}

    def _result(self, response: ModelResponse[Any], commands: list[Any]) -> ChatResult:
        reply = reply_of(response, self.request)
        self.kept.setdefault(visible(str(reply.content)), Kept(response, commands))
        return ChatResult(generations=[ChatGeneration(message=reply)])


def asked_by(request: ModelRequest[Any]) -> Chain:
    """Return the models that a request asks; its settings are bound to each model, as if the user had done so.

    Raises:
        UsageError: the model cannot be sampled honestly.
    """
    chain = chain_of(request.model)
    if not request.model_settings:
        return chain
    folded = [(with_bound(link.model, request.model_settings), link) for link in chain.links]
    links = [Bound(model, {**link.kwargs, **rest}, link.config) for (model, rest), link in folded]
    return Chain(tuple(links), chain.handled)


def _settings(setting: Configured, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a request; a sample's seed has the name that the model has for it, and is left out if none."""
    own = {name: value for name, value in kwargs.items() if name != SEED}
    seed = {} if setting.seed is None or SEED not in kwargs else {setting.seed: kwargs[SEED]}
    return {**setting.kwargs, **own, **seed}


def _see_alone(error: GraphBubbleUp) -> NoReturn:
    """Raise an error, because middleware that stops the agent's graph stands in the wrong place.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "Middleware after the vote in the list runs once for each sample, so it can neither interrupt to ask a person nor "
        "leave the graph: put it before the vote."
    ) from error


def _refused(error: StructuredOutputError, request: ModelRequest[Any]) -> ChatResult:
    """Return the sample whose structured response LangChain refused: it is malformed, and does not vote."""
    said: AIMessage = error.ai_message
    text = sorted_json({"error": visible(str(error))[:300]})
    reply = reply_of(ModelResponse([said]), request).model_copy(update={"content": text})
    return ChatResult(generations=[ChatGeneration(message=reply)])
