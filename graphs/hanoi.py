"""The graph `hanoi` of the server: the outer machine on the Towers of Hanoi. A person answers an undecided step."""

from typing import Any

from langgraph.graph import StateGraph
from langgraph_sdk.runtime import ServerRuntime
from pydantic import Field

from maker_graph import create_maker
from maker_graph.graph.served import ServedContext, calls_for, settings_of
from maker_graph.tasks import Hanoi


class HanoiContext(ServedContext):
    """The settings of a run: the puzzle, and how its steps are voted on."""

    disks: int = Field(5, ge=1, le=20, description="Disks of the tower: 2^disks - 1 dependent steps.")
    k: int = Field(4, ge=1, le=100, description="The lead in votes that decides a step.")
    check: bool = Field(True, description="Discard answers that break the rules of the puzzle.")
    seed: int | None = Field(1, ge=0, lt=2**31, description="Makes the samples repeatable. null sends no seed.")


def create_graph(runtime: ServerRuntime[HanoiContext]) -> StateGraph[Any, Any, Any, Any]:
    """Return the outer machine for the settings of the run or the assistant."""
    settings = settings_of(runtime, HanoiContext)
    return create_maker(
        Hanoi(settings.disks),
        model=settings.model,
        k=settings.rule,
        check=settings.check,
        max_samples=settings.max_samples,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        on_undecided="interrupt",
        calls=calls_for(settings.model),
        context_schema=HanoiContext,
    )
