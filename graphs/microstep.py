"""Served as `microstep`: one voted decision on chat messages, with an undecided vote put to a person."""

from typing import Any

from langgraph.graph import START, MessagesState, StateGraph
from langgraph_sdk.runtime import ServerRuntime
from pydantic import BaseModel, ConfigDict, Field

from maker_graph import create_microstep
from maker_graph.graph.served import settings_of
from maker_graph.models.resolving import resolve_model
from maker_graph.simulation import ChatRehearsal


class MicrostepContext(BaseModel):
    """Whom to ask, and when it is decided."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field("sim:gpt-oss-20b", description="provider:model; sim:PROFILE is simulated and needs no API key.")
    k: int = Field(3, ge=1, le=100, description="The lead in votes that decides.")
    max_samples: int = Field(100, ge=1, description="A vote that needs more samples is put to a person.")
    max_tokens: int = Field(2048, ge=1, description="Output cap of a sample, in tokens.")
    seed: int | None = Field(None, description="For samples that can be repeated; null sends no seed.")


def create_graph(runtime: ServerRuntime[MicrostepContext]) -> StateGraph[Any, Any, Any, Any]:
    """Return a graph of messages with one voted node, for the settings of the run or the assistant."""
    settings = settings_of(runtime, MicrostepContext)
    node = create_microstep(
        resolve_model(settings.model, seed=settings.seed, rehearsals=[ChatRehearsal()]),
        k=settings.k,
        max_samples=settings.max_samples,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        on_undecided="interrupt",
    )
    return StateGraph(MessagesState, context_schema=MicrostepContext).add_node("microstep", node).add_edge(START, "microstep")
