"""Served as `hanoi`: the outer machine on the Towers of Hanoi, with an undecided step put to a person."""

from typing import Any

from langgraph.graph import StateGraph
from langgraph_sdk.runtime import ServerRuntime
from pydantic import BaseModel, ConfigDict, Field

from maker_graph import create_maker
from maker_graph.graph.served import settings_of
from maker_graph.tasks import Hanoi


class HanoiContext(BaseModel):
    """What to solve, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)

    disks: int = Field(5, ge=1, le=20, description="Disks of the tower: 2^disks - 1 dependent steps.")
    model: str = Field(
        "sim:gpt-oss-20b",
        description="provider:model. No API key is needed by sim:PROFILE, which is simulated, and tiny, which ships.",
    )
    k: int = Field(4, ge=1, le=100, description="The lead in votes that decides a step.")
    check: bool = Field(True, description="Discard answers that break the rules of the puzzle.")
    max_samples: int = Field(100, ge=1, description="A step that needs more samples is put to a person.")
    max_tokens: int = Field(2048, ge=1, description="Output cap of a sample, in tokens.")
    seed: int | None = Field(1, description="For samples that can be repeated; null sends no seed.")


def create_graph(runtime: ServerRuntime[HanoiContext]) -> StateGraph[Any, Any, Any, Any]:
    """Return the machine for the settings of the run or the assistant."""
    settings = settings_of(runtime, HanoiContext)
    return create_maker(
        Hanoi(settings.disks),
        model=settings.model,
        k=settings.k,
        check=settings.check,
        max_samples=settings.max_samples,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        on_undecided="interrupt",
        context_schema=HanoiContext,
    )
