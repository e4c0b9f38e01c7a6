"""What middleware after the vote writes into the agent's state: only what the winner brought with it is written."""

import asyncio
import operator
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents import middleware as langchains
from langchain.agents.middleware import AgentMiddleware, AgentState, ModelResponse
from langgraph.types import Command

from maker_graph.agents import VotingMiddleware
from tests.agents.shop import ASK, Shop, call, in_turn

if not hasattr(langchains, "ExtendedModelResponse"):
    pytest.skip("the first versions of langchain 1 know no commands of wrap_model_call", allow_module_level=True)


class Written(AgentState[Any]):
    orders: Annotated[list[int], operator.add]
    last: int


class Writes(AgentMiddleware[Any, Any, Any]):
    """Writes which order a response is about to a key that adds; `last` also to one that holds a single value."""

    state_schema = Written

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def _with_command(self, response: ModelResponse[Any]) -> Any:
        calls = response.result[0].tool_calls  # type: ignore[attr-defined]  # it is the model's message
        orders = [each["args"]["order"] for each in calls]
        last = {"last": orders[0]} if orders and self.name == "last" else {}
        return langchains.ExtendedModelResponse(response, Command(update={"orders": orders, **last}))

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return self._with_command(handler(request))

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return self._with_command(await handler(request))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_only_the_winners_commands_are_applied(asynchronous: bool) -> None:
    wrong, right = call("refund", order=8), call("refund", order=7)
    for inner in (["last"], ["last", "innermost"]):
        middleware = [Writes("before"), VotingMiddleware(k=3), *map(Writes, inner)]
        agent: Any = create_agent(in_turn(wrong, right, wrong, right), Shop().tools, middleware=middleware)
        result = asyncio.run(agent.ainvoke(ASK)) if asynchronous else agent.invoke(ASK)
        assert (result["orders"], result["last"]) == ([7] * (1 + len(inner)), 7)
