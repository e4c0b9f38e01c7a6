"""A compiled graph that ends by a rule of its own, and is not cut short by its caller's recursion limit.

A vote ends at its sample cap, a task at its last step: LangGraph's limit on supersteps has nothing to protect there. But a
child inherits the limit of its parent, and `batch` and `abatch` bring one of 25 (LangChain's default, which LangGraph takes for
the caller's wish): a vote would end in a GraphRecursionError after eight rounds, a task after twelve steps.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph


class BoundedGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph that may take at least `supersteps`, whatever limit it is called with."""

    def __init__(self, *, supersteps: int, **compiled: Any) -> None:
        super().__init__(**compiled)
        self.supersteps = supersteps

    @classmethod
    def of(cls, graph: CompiledStateGraph[Any, Any, Any, Any], supersteps: int, **more: Any) -> "BoundedGraph":
        """Return a copy of `graph` that may take so many supersteps, with what else the class needs."""
        copied = {name: value for name, value in vars(graph).items() if name != "__orig_class__"}
        return cls(supersteps=supersteps, **more, **copied)

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and invoke, with enough supersteps; see `Pregel.stream`."""
        return super().stream(input, self._enough(config), **kwargs)

    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and ainvoke, with enough supersteps; see `Pregel.astream`."""
        return super().astream(input, self._enough(config), **kwargs)

    def _enough(self, config: RunnableConfig | None) -> RunnableConfig:
        given = config or RunnableConfig()
        return {**given, "recursion_limit": max(self.supersteps, given.get("recursion_limit", 0))}
