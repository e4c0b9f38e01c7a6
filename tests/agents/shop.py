"""What the tests of agents share: a shop whose tools act, and a model that says what it is told."""

import threading
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import StructuredTool

ASK = {"messages": [("user", "Please refund order 7.")]}


class Told(BaseChatModel):
    """A chat model that replies what `says(number of the call, messages)` says; tools are bound to it and ignored.

    With `by_sample` the number is that of the sample, for calls that are made at once come in any order.
    """

    says: Callable[[int, list[BaseMessage]], AIMessage | str]
    asked: list[dict[str, Any]]
    temperature: float | None = None
    streaming: bool = False
    by_sample: bool = False
    lock: Any

    @property
    def _llm_type(self) -> str:
        return "told"

    def bind_tools(self, tools: Any, **settings: Any) -> Runnable[Any, Any]:
        return self.bind(tools=[tool.name if hasattr(tool, "name") else tool for tool in tools], **settings)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,
        **settings: Any,
    ) -> ChatResult:
        with self.lock:
            number = len(self.asked)
            self.asked.append({"temperature": self.temperature, "messages": messages, **settings})
        if self.by_sample and run_manager is not None:
            number = run_manager.metadata.get("sample", number)
        said = self.says(number, messages)
        message = AIMessage(said) if isinstance(said, str) else said.model_copy(deep=True)
        message.usage_metadata = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        return ChatResult(generations=[ChatGeneration(message=message)])


def told(says: Callable[[int, list[BaseMessage]], AIMessage | str], *, by_sample: bool = False) -> Told:
    return Told(says=says, asked=[], lock=threading.Lock(), by_sample=by_sample)


def in_turn(*replies: AIMessage | str, then: AIMessage | str = "It is done.") -> Told:
    """Return a model that gives `replies` to a person, one a sample and then the last, and `then` to the result of a tool."""

    def says(number: int, messages: list[BaseMessage]) -> AIMessage | str:
        return replies[min(number, len(replies) - 1)] if isinstance(messages[-1], HumanMessage) else then

    return told(says, by_sample=True)


def call(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"{name}-{args}"}])


class Shop:
    """A shop in which every action is written down."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    @property
    def tools(self) -> list[StructuredTool]:
        return [StructuredTool.from_function(each) for each in (self.refund, self.look_up, self.write)]

    def refund(self, order: int, amount: float = 0.0) -> str:
        """Give the money back."""
        self.done.append(("refund", order, amount))
        return "refunded"

    def look_up(self, order: int) -> str:
        """Look an order up."""
        self.done.append(("look_up", order))
        return "it was paid"

    def write(self, to: str, body: str) -> str:
        """Write a message."""
        self.done.append(("write", to, body))
        return "sent"


def results(messages: list[Any]) -> list[str]:
    return [str(each.text) for each in messages if isinstance(each, ToolMessage)]
