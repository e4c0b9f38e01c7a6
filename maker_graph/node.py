"""A graph node, or a router, that serves `invoke` and `ainvoke`.

LangGraph takes a plain function too, but under `ainvoke` it sends each call of it through a thread pool (measured: 4 ms of
the 8 ms of a microstep), and a pair of functions wrapped in a RunnableLambda shows up twice in every trace.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig


class Node(Runnable[Any, Any]):
    """`call` as a node; `acall` in its place under `ainvoke`, if it waits for something."""

    def __init__(
        self,
        call: Callable[[Any], Any],
        acall: Callable[[Any], Awaitable[Any]] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        self.name = name or call.__name__
        self._call = call
        self._acall = acall

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        return self._call(input)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        return self._call(input) if self._acall is None else await self._acall(input)
