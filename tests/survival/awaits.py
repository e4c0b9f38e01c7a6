"""Cancelling at the n-th await, whichever task of the run awaits."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine that tells each time that it hands control back to the loop: each await that has to wait."""

    def __init__(self, inner: Coroutine[Any, Any, Any], awaiting: Callable[[], None]) -> None:
        self._inner, self._awaiting = inner, awaiting

    def send(self, value: Any) -> Any:
        handed_back = self._inner.send(value)
        self._awaiting()
        return handed_back

    def throw(self, *error: Any) -> Any:
        handed_back = self._inner.throw(*error)
        self._awaiting()
        return handed_back

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


def cancel_at(number: int, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Run `work`, cancel it at await `number`, counted over all its tasks, and return whether that ended it."""
    awaits, main = 0, None

    def awaiting() -> None:
        nonlocal awaits
        awaits += 1
        if awaits == number and main is not None:
            asyncio.get_running_loop().call_soon(main.cancel)

    def factory(
        loop: asyncio.AbstractEventLoop, inner: Any, *, context: Context | None = None, **settings: Any
    ) -> "asyncio.Task[Any]":
        return asyncio.Task(_Counted(inner, awaiting), loop=loop, context=context, **settings)

    async def watched() -> bool:
        nonlocal main
        asyncio.get_running_loop().set_task_factory(factory)  # asyncio's own hook: LangGraph's tasks are made by it as well
        main = asyncio.ensure_future(work())
        try:
            await main
        except asyncio.CancelledError:
            return True
        return False

    return asyncio.run(watched())
