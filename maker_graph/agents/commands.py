"""The commands with which inner middleware writes into the agent's state: only those of the winner are kept.

LangChain gathers these commands in a list inside the handler that a middleware is given. It empties the list when the handler
is called again, as a middleware that retries does. A vote calls the handler several times at once, so the list would hold the
commands of the losers too. So each sample has a handler with its own list, and at the end the winner's commands are put into
the list of the original handler.

The list has no public name. `test_commands.py` checks that it is in the expected place. If it is not there, nothing is changed.
"""

from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

_NAME = "accumulated_commands"


def apart(handler: Callable[..., Any]) -> tuple[Callable[..., Any], list[Any]]:
    """Return a copy of a handler that gathers its commands in a list of its own, and that list."""
    commands: list[Any] = []
    if not isinstance(handler, FunctionType) or _gathered(handler) is None:
        return handler, commands
    cells = zip(handler.__code__.co_freevars, handler.__closure__ or (), strict=True)
    closure = tuple(CellType(commands) if name == _NAME else cell for name, cell in cells)
    copy = FunctionType(handler.__code__, handler.__globals__, handler.__name__, handler.__defaults__, closure)
    copy.__kwdefaults__ = handler.__kwdefaults__
    return copy, commands


def put(handler: Callable[..., Any], commands: list[Any]) -> None:
    """Replace the commands that a handler has gathered."""
    gathered = _gathered(handler)
    if gathered is not None:
        gathered[:] = commands


def _gathered(handler: Any) -> list[Any] | None:
    """Return the list in which a handler gathers commands; None if it has none."""
    code, closure = getattr(handler, "__code__", None), getattr(handler, "__closure__", None) or ()
    found = dict(zip(code.co_freevars, closure, strict=True)).get(_NAME) if code is not None else None
    gathered = None if found is None else found.cell_contents
    return gathered if isinstance(gathered, list) else None
