"""The tiny language model as a LangChain chat model."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from maker_graph.models.tiny_lm.engine import Ask, Completion, shared_engine


class TinyChatModel(BaseChatModel):
    """A chat model that is a tiny transformer in numpy. It reads only the end of the last message.

    A reply depends only on the prompt, the temperature and the seed (`invoke(..., seed=1)`). Calls at the same time, from
    threads or event loops, are answered together, in one batch for all models of the process.
    """

    temperature: float | None = Field(default=None, ge=0)
    """The temperature; None means 1."""

    max_tokens: int | None = Field(default=None, ge=1)

    @property
    def model_name(self) -> str:
        """Return the name of the model."""
        return "tiny"

    @property
    def _llm_type(self) -> str:
        return "maker-graph-tiny"

    def ask(self, prompt: str, *, seed: int | None = None, stop: Sequence[str] | None = None) -> Future[Completion]:
        """Return a future with the reply to `prompt`, before LangChain makes a message of it."""
        temperature = 1.0 if self.temperature is None else self.temperature
        return shared_engine().submit(Ask(prompt, temperature, seed, self.max_tokens, stop or ()))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  BaseChatModel's signature
        *,
        seed: int | None = None,
        **kwargs: Any,  # noqa: ARG002  BaseChatModel's signature
    ) -> ChatResult:
        return _result(self.ask(_last(messages), seed=seed, stop=stop).result())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  BaseChatModel's signature
        *,
        seed: int | None = None,
        **kwargs: Any,  # noqa: ARG002  BaseChatModel's signature
    ) -> ChatResult:
        return _result(await asyncio.wrap_future(self.ask(_last(messages), seed=seed, stop=stop)))


def _last(messages: list[BaseMessage]) -> str:
    return str(messages[-1].text) if messages else ""


def _result(reply: Completion) -> ChatResult:
    usage = UsageMetadata(
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        total_tokens=reply.input_tokens + reply.output_tokens,
        input_token_details=InputTokenDetails(cache_read=0),
    )
    message = AIMessage(reply.text, response_metadata={"finish_reason": reply.finish}, usage_metadata=usage)
    return ChatResult(generations=[ChatGeneration(message=message)])
