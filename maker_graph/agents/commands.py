"""What middleware further in writes into the agent's state beside its response: that of the winner counts, and no other's.

LangChain gathers these commands in a list within the handler that a middleware is given, and empties it when the handler is
called once more, for a middleware that tries again. A vote calls it several times at once: the list would hold the commands of
the losers too. So each sample has a handler with a list of its own, and at last the winner's are put into the handler's.

The list has no public name. `test_commands.py` sees that it is where it is looked for; where it is not, nothing is changed.
"""

from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

_NAME = "accumulated_commands"


def apart(handler: Callable[..., Any]) -> tuple[Callable[..., Any], list[Any]]:
    """Return a copy of a handler that gathers commands for itself, and the list of them."""
    commands: list[Any] = []
    if not isinstance(handler, FunctionType) or _gathered(handler) is None:
        return handler, commands
    cells = zip(handler.__code__.co_freevars, handler.__closure__ or (), strict=True)
    closure = tuple(CellType(commands) if name == _NAME else cell for name, cell in cells)
    copy = FunctionType(handler.__code__, handler.__globals__, handler.__name__, handler.__defaults__, closure)
    copy.__kwdefaults__ = handler.__kwdefaults__
    return copy, commands


def put(handler: Callable[..., Any], commands: list[Any]) -> None:
    """See that a handler has gathered these commands, and nothing else."""
    gathered = _gathered(handler)
    if gathered is not None:
        gathered[:] = commands


def _gathered(handler: Any) -> list[Any] | None:
    """Return the list in which a handler gathers commands; None if it has none."""
    code, closure = getattr(handler, "__code__", None), getattr(handler, "__closure__", None) or ()
    found = dict(zip(code.co_freevars, closure, strict=True)).get(_NAME) if code is not None else None
    gathered = None if found is None else found.cell_contents
    return gathered if isinstance(gathered, list) else None
