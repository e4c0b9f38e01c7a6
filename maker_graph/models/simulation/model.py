"""The simulated model as a LangChain chat model."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict

from maker_graph.errors import UsageError
from maker_graph.models.callbacks import nobody_listens
from maker_graph.models.simulation.chat import Answers
from maker_graph.models.simulation.profiles import profile_of
from maker_graph.models.simulation.rehearsal import Replies
from maker_graph.models.simulation.simulator import Reply, Simulator


def simulated(profile: str, answers: Mapping[str, Sequence[str]], *, seed: int = 0) -> "SimulatedChatModel":
    """Return a simulated chat model that knows `answers`: part of a question -> the right reply, then wrong ones.

    `profile` is the part of a model's name that follows `sim:`.
    """
    return SimulatedChatModel(simulator=Simulator(profile_of(profile), seed=seed, rehearsals=[Answers(answers)]))


class SimulatedChatModel(BaseChatModel):
    """A chat model whose replies are made by a `Simulator`; the temperature has no effect."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    simulator: Simulator
    temperature: float | None = None
    max_tokens: int | None = None

    @property
    def model_name(self) -> str:
        """Return the name of the model, such as `sim:perfect`."""
        return f"sim:{self.simulator.profile.name}"

    @property
    def _llm_type(self) -> str:
        return "maker-graph-simulated"

    def knows(self, prompt: LanguageModelInput) -> None:
        """Make sure that the model has rehearsed `prompt`; if not, raise a UsageError that says what to do."""
        self.simulator.knows(_seen(self._convert_input(prompt).to_messages()))

    def learn(self, prompt: Sequence[BaseMessage], make: Callable[[], Replies]) -> None:
        """Remember that `make` returns the replies to `prompt`; see `Simulator.learn`."""
        self.simulator.learn(_seen(prompt), make)

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any) -> Any:  # noqa: ARG002  BaseChatModel's signature
        """Refuse tools, because a simulated model calls none.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "A simulated model calls no tools, so it cannot be the model of an agent. examples/voted_agent.py has a scripted "
            "model that can, and needs no key."
        )

    def reason(self, prompt: Sequence[BaseMessage], of: Sequence[BaseMessage]) -> None:
        """Remember that `prompt` asks to reason about the question in the prompt `of`; see `Simulator.reason`."""
        self.simulator.reason(_seen(prompt), _seen(of))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002  BaseChatModel's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the reply; if nothing listens, without LangChain's callbacks, which take longer than the reply."""
        if self.callbacks or not nobody_listens():
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        given = isinstance(input, list) and all(isinstance(each, BaseMessage) for each in input)
        messages: Any = input if given else self._convert_input(input).to_messages()
        reply = self._reply(messages, kwargs.get("seed"), stop)
        if reply.seconds:
            await asyncio.sleep(reply.seconds)
        return _message(reply)

    def _reply(self, messages: list[BaseMessage], seed: int | None, stop: Sequence[str] | None) -> Reply:
        return self.simulator.reply(_seen(messages), seed=seed, max_tokens=self.max_tokens, stop=stop or ())

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  BaseChatModel's signature
        *,
        seed: int | None = None,
        **kwargs: Any,  # noqa: ARG002  BaseChatModel's signature
    ) -> ChatResult:
        reply = self._reply(messages, seed, stop)
        if reply.seconds:
            time.sleep(reply.seconds)
        return _result(reply)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  BaseChatModel's signature
        *,
        seed: int | None = None,
        **kwargs: Any,  # noqa: ARG002  BaseChatModel's signature
    ) -> ChatResult:
        reply = self._reply(messages, seed, stop)
        if reply.seconds:
            await asyncio.sleep(reply.seconds)
        return _result(reply)


def _seen(messages: Sequence[BaseMessage]) -> list[tuple[str, str]]:
    return [(message.type, str(message.text)) for message in messages]


def _result(reply: Reply) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=_message(reply))])


def _message(reply: Reply) -> AIMessage:
    usage = UsageMetadata(
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        total_tokens=reply.input_tokens + reply.output_tokens,
        input_token_details=InputTokenDetails(cache_read=0),
    )
    return AIMessage(
        reply.text,
        additional_kwargs={"refusal": reply.refusal} if reply.refusal else {},
        response_metadata={"finish_reason": reply.finish},
        usage_metadata=usage,
    )
