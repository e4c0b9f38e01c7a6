"""A task behind a guard: its functions get copies, so that one that changes what it is given changes nothing else.

Functions of a task should be pure. A common slip is an `apply` that changes the state in place and returns it. Lookahead
applies an answer twice, once to see what follows and once to commit it, so such a task would skip steps. Behind the guard it
does not: each call gets lists and objects of its own. `maker-graph check-task` tells of such slips, and of those that no copy
mends: a clock, chance, a set's order, a counter in the task itself.
"""

import functools
from collections.abc import Callable
from typing import Any, cast

from maker_graph.core import checks
from maker_graph.core.canonical import copied
from maker_graph.core.task import Task
from maker_graph.errors import UsageError

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "start": (),
    "done": ("state",),
    "prompt": ("state",),
    "parse": ("text",),
    "apply": ("state", "answer"),
    "check": ("state", "answer"),
    "key": ("answer",),
    "total": (),
    "rephrase": ("state", "attempt"),
    "draft": ("state", "n"),
    "draft_prompt": ("state", "n"),
    "parse_draft": ("text",),
    "skip": ("state",),
    "state_at": ("step",),
    "truth": ("state",),
    "goal": ("state",),
}
"""All functions of a task, with what each is called with; those after `apply` are optional, see `core/task.py`."""


class _Guarded:
    """A task whose functions get copies of what they are called with."""

    def __init__(self, task: object) -> None:
        for name in ARGUMENTS:
            if (function := getattr(task, name, None)) is not None:
                setattr(self, name, _on_copies(function))


def guarded(task: Task) -> Task:
    """Return `task` behind the guard; it has the same functions, and nothing else."""
    return task if isinstance(task, _Guarded) else cast("Task", _Guarded(task))


def see_task(task: object) -> None:
    """See that `task` is one: an instance whose functions can be called as they will be.

    Raises:
        UsageError: it lacks a function, or one takes other arguments.
    """
    if isinstance(task, type):
        raise UsageError(f"A task is an instance, and {task.__name__} is a class: call it.")
    if not isinstance(task, Task):
        raise UsageError(f"{type(task).__name__} is no task: it needs the functions start, done, prompt, parse and apply.")
    for name, takes in ARGUMENTS.items():
        if (function := getattr(task, name, None)) is not None:
            checks.function(f"{type(task).__name__}.{name}", function, *takes, lazy="draft" in name)


def _on_copies(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*given: Any) -> Any:
        return function(*map(copied, given))

    return call
