"""The graph `microstep` of the server: one voted answer to chat messages. A person answers an undecided vote."""

from typing import Any

from langgraph.graph import START, MessagesState, StateGraph
from langgraph_sdk.runtime import ServerRuntime

from maker_graph import create_microstep
from maker_graph.graph.served import ServedContext, calls_for, see_question, settings_of
from maker_graph.models.resolving import resolve_model


class MicrostepContext(ServedContext):
    """The settings of a run: the model, and when a vote is decided."""


def create_graph(runtime: ServerRuntime[MicrostepContext]) -> StateGraph[Any, Any, Any, Any]:
    """Return a graph of messages with one voted node, for the settings of the run or the assistant."""
    settings = settings_of(runtime, MicrostepContext)
    node = create_microstep(
        resolve_model(settings.model, seed=settings.seed),
        k=settings.rule,
        max_samples=settings.max_samples,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        on_undecided="interrupt",
        calls=calls_for(settings.model),
    )

    def question(state: MessagesState) -> None:
        see_question(state["messages"], settings.model)

    return (
        StateGraph(MessagesState, context_schema=MicrostepContext)
        .add_node("question", question)
        .add_node("microstep", node)
        .add_edge(START, "question")
        .add_edge("question", "microstep")
    )
