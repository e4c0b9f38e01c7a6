"""The rest of an agent's model call as a chat model."""

from typing import Any

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage
from langchain_core.runnables.config import var_child_runnable_config

from maker_graph.agents.model import HandlerModel
from tests.agents.shop import in_turn


def test_each_call_is_the_handlers_with_the_settings_of_the_sample_and_out_of_the_stream() -> None:
    seen: list[Any] = []

    def handler(request: ModelRequest[Any]) -> ModelResponse[Any]:
        config = var_child_runnable_config.get() or {}
        seen.append((request.model.temperature, request.model_settings, config.get("tags")))  # type: ignore[attr-defined]  # Told has one
        return ModelResponse([AIMessage("Yes.")])

    own = in_turn("never asked")
    request: ModelRequest[Any] = ModelRequest(model=own, messages=[], model_settings={"top_p": 0.9})
    kept: dict[str, Any] = {}
    model = HandlerModel(request=request, handler=handler, kept=kept, temperature=0.5)
    reply = model.invoke("?", seed=3)
    assert seen == [(0.5, {"top_p": 0.9, "seed": 3}, ["nostream"])]
    assert [*kept] == [reply.content]
    assert (own.temperature, request.model_settings) == (None, {"top_p": 0.9})
