"""A node that serves `invoke` and `ainvoke`, and a graph that LangGraph's limit on supersteps does not stop.

LangGraph takes a plain function as a node too, but under `ainvoke` it sends each call of it through a thread pool (measured:
4 ms of the 8 ms of a microstep); a pair of functions in a RunnableLambda shows up twice in every trace.

A vote ends at its sample cap and a task at its last step, so they do not need LangGraph's limit on supersteps. But a child
inherits the limit of its parent. `batch` and `abatch` bring a limit of 25, LangChain's default, which LangGraph takes as the
caller's wish. A vote would end in a GraphRecursionError after eight rounds, and a task after twelve steps.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from copy import copy
from inspect import getclosurevars
from typing import Any, Self, TypeAlias

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, ensure_config
from langchain_core.runnables.config import merge_configs
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from maker_graph.graph.serializer import refuse_permissive

Durable: TypeAlias = Callable[[RunnableConfig | None, object, object], str]
"""A function from the config, the checkpointer and the durability that a graph is called with to the durability it gets."""


class Node(RunnableLambda[Any, Any]):
    """A node that calls `call`; under `ainvoke` it calls `acall`, if that is given.

    Attributes:
        see: a function that is called with the input first. The node raises what it raises, and returns what it returns.

    It is a RunnableLambda so that LangGraph finds the graphs that `call` uses, for drawings and for the state of subgraphs.
    LangChain finds them by a search whose cache keeps the last 256 functions with all that they hold. A worker that
    goes on with one run after the other would keep dozens of finished runs in memory. So a node looks for them itself.
    """

    def __init__(
        self, call: Callable[[Any], Any], acall: Callable[[Any], Awaitable[Any]] | None = None, name: str | None = None
    ) -> None:
        super().__init__(call, acall, name=name or call.__name__)
        self._call = call
        self._acall = acall
        self.see: Callable[[Any], Any] = _all_is_well

    @property
    def deps(self) -> list[Runnable[Any, Any]]:
        """The graphs and models that the function refers to."""
        found = getclosurevars(self._call).nonlocals.values()
        owners = (getattr(each, "__self__", each) for each in found)
        return [each for each in owners if isinstance(each, Runnable)]

    def after(self, see: Callable[[Any], Any]) -> Self:
        """Return this node with `see` called on its input first.

        The node raises what `see` raises. If `see` returns something other than None, the node returns that, and calls nothing.
        """
        node = copy(self)
        node.see = see
        return node

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        return self._call(input) if (instead := self.see(input)) is None else instead

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        if (instead := self.see(input)) is not None:
            return instead
        return self._call(input) if self._acall is None else await self._acall(input)


def _all_is_well(_: Any) -> None:
    """Accept any input."""


class ConfiguredNode(Node):
    """A node of functions that also take the config: in an edge, `get_config` returns that of the outer graph."""

    def __init__(
        self,
        call: Callable[[Any, RunnableConfig], Any],
        acall: Callable[[Any, RunnableConfig], Awaitable[Any]] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(call, acall, name=name)  # type: ignore[arg-type]  # a RunnableLambda takes both kinds
        self._with_config = call
        self._awith_config = acall

    @property
    def deps(self) -> list[Runnable[Any, Any]]:
        """No graphs. To look for them in the functions would take longer than all else in building a graph."""
        return []

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        if (instead := self.see(input)) is not None:
            return instead
        return self._with_config(input, config or RunnableConfig())

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        if (instead := self.see(input)) is not None:
            return instead
        config = config or RunnableConfig()
        return self._with_config(input, config) if self._awith_config is None else await self._awith_config(input, config)


class BoundedGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph that may take at least `supersteps`, whatever limit it is called with.

    Unless it is `trusting`, it refuses a checkpointer that may run code from its database, its own and that of a graph around
    it. `durable`, if it is given, says how durable the checkpoints must be.
    """

    def __init__(self, *, supersteps: int, trusting: bool = True, durable: Durable | None = None, **compiled: Any) -> None:
        super().__init__(**compiled)
        self.supersteps = supersteps
        self.trusting = trusting
        self.durable = durable

    @classmethod
    def of(cls, graph: CompiledStateGraph[Any, Any, Any, Any], supersteps: int, **more: Any) -> "BoundedGraph":
        """Return a copy of `graph` that may take `supersteps`, with the other arguments of the class."""
        copied = {name: value for name, value in vars(graph).items() if name != "__orig_class__"}
        return cls(supersteps=supersteps, **more, **copied)

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and invoke, with enough supersteps; see `Pregel.stream`."""
        return super().stream(input, self._prepared(input, config), **self._durably(config, kwargs))

    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and ainvoke, with enough supersteps; see `Pregel.astream`."""
        return super().astream(input, self._prepared(input, config), **self._durably(config, kwargs))

    def _durably(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> dict[str, Any]:
        if self.durable is None:
            return kwargs
        return {**kwargs, "durability": self.durable(config, self.checkpointer, kwargs.get("durability"))}

    def _prepared(self, input: Any, config: RunnableConfig | None) -> RunnableConfig:  # noqa: A002, ARG002  Pregel's name
        """Return the config with which the graph takes `input`; a subclass may look at the input."""
        if not self.trusting and self.checkpointer is not False:
            self._see_checkpointers(config)
        given = config or RunnableConfig()
        return {**given, "recursion_limit": max(self.supersteps, given.get("recursion_limit", 0))}

    def _see_checkpointers(self, config: RunnableConfig | None) -> None:
        """Make sure that no checkpointer may run code from its database: the graph's own, or that of a graph around it."""
        handed = ensure_config(merge_configs(self.config, config)).get("configurable", {}).values()
        for each in (self.checkpointer, *handed):
            if isinstance(each, BaseCheckpointSaver):
                refuse_permissive(each)
