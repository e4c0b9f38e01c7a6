"""A graph node, or a router, that serves `invoke` and `ainvoke`.

LangGraph takes a plain function too, but under `ainvoke` it sends each call of it through a thread pool (measured: 4 ms of
the 8 ms of a microstep); a pair of functions in a RunnableLambda shows up twice in every trace.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import RunnableConfig, RunnableLambda


class Node(RunnableLambda[Any, Any]):
    """`call` as a node; `acall` in its place under `ainvoke`, if it waits for something.

    It is a RunnableLambda so that LangGraph finds the graphs that `call` uses, for drawings and for the state of subgraphs.
    """

    def __init__(
        self, call: Callable[[Any], Any], acall: Callable[[Any], Awaitable[Any]] | None = None, name: str | None = None
    ) -> None:
        super().__init__(call, acall, name=name or call.__name__)
        self._call = call
        self._acall = acall

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        return self._call(input)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002  Runnable's names
        """Return what the function makes of `input`."""
        return self._call(input) if self._acall is None else await self._acall(input)
