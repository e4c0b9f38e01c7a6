"""Work that outlives a superstep: it lives as long as an invocation of the graph, and is cancelled at its end.

What is under way is kept in one object for each invocation: a `Window` of lookahead, or the `Slots` of independent items.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.config import get_config

from maker_graph.graph.runnables import BoundedGraph
from maker_graph.models.callbacks import nobody_listens

_KEY = "__maker_window"

THREADS = 256
"""The most threads under `invoke`; each is made when it is needed."""


class UnderWay(Protocol):
    """What is under way in one invocation.

    Attributes:
        executor: the threads, under `invoke`.
    """

    executor: ThreadPoolExecutor | None

    def close(self) -> "Sequence[asyncio.Future[Any] | Future[Any]]":
        """Cancel what is in flight; return all that is still ending, to be awaited."""
        ...


def detached(own: RunnableConfig) -> RunnableConfig:
    """Return the config of work that outlives the superstep in which it begins.

    It has the traces of the graph around it and the limit on parallel work, but neither the checkpoints nor the streams.
    """
    ambient = get_config()
    config = RunnableConfig()
    if ambient.get("max_concurrency"):
        config["max_concurrency"] = ambient["max_concurrency"]
    return config if nobody_listens() else {**config, **own, "callbacks": ambient.get("callbacks")}


def context_of(config: RunnableConfig) -> contextvars.Context:
    """Return a context in which called code finds `config` as the config around it."""
    context = contextvars.copy_context()
    context.run(var_child_runnable_config.set, config)
    return context


def current_window() -> Any:
    """Return the window of the invocation that calls."""
    return get_config()["configurable"][_KEY]


class WindowedGraph(BoundedGraph):
    """A compiled graph. Each invocation has a window, which is closed when the invocation ends, in whatever way it ends."""

    def __init__(self, *, window: Callable[[], UnderWay], **compiled: Any) -> None:
        super().__init__(**compiled)
        self.window = window

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and invoke; see `Pregel.stream`."""
        window = self.window()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="maker-graph") as window.executor:
            try:
                yield from super().stream(input, _with_window(config, window), **kwargs)
            finally:
                window.close()

    async def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and ainvoke; see `Pregel.astream`."""
        window = self.window()
        try:
            stream: Any = super().astream(input, _with_window(config, window), **kwargs)
            async with aclosing(stream) as chunks:  # closed before the window is, also if nobody takes the rest
                async for chunk in chunks:
                    yield chunk
        finally:
            await asyncio.gather(*window.close(), return_exceptions=True)  # type: ignore[arg-type]  # tasks of this loop


def _with_window(config: RunnableConfig | None, window: UnderWay) -> RunnableConfig:
    around = ensure_config(config).get("configurable", {})  # what a graph around this one hands down stays
    return {**(config or RunnableConfig()), "configurable": {**around, _KEY: window}}
