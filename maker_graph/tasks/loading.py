"""From a name to a task: those that ship, and those of a user's own."""

import hashlib
import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maker_graph.core.guarding import AnyTask, is_task
from maker_graph.errors import UnknownTask, UnusableRun, UsageError
from maker_graph.files import file_named, is_there
from maker_graph.tasks.hanoi import Hanoi
from maker_graph.tasks.records import Records
from maker_graph.tasks.tables import read_rows

SHIPPED = ("hanoi", "records")
"""The names of the tasks that come with this package. Any other name is code of the user's own."""


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A task with what it was made from. It is made once and handed on.

    Attributes:
        name: `hanoi`, `records`, or `package.module:name`.
        options: what the task was made with, as plain JSON.
        task: the task.
    """

    name: str
    options: dict[str, Any]
    task: AnyTask


def load_task(name: str, options: Mapping[str, Any]) -> LoadedTask:
    """Return the task that `name` and `options` stand for.

    `package.module:name` is a task, or makes one when it is called without arguments; it imports that module.

    Raises:
        UnknownTask: there is none; the text says what there is.
        UsageError: it cannot be made with these options.
        UnusableRun: its input is no longer the file whose digest is among `options`.
    """
    if name == "hanoi":
        return LoadedTask(name, dict(options), Hanoi(**options))
    if name == "records":
        return _load_records(options)
    return LoadedTask(name, dict(options), _load_own(name))


def described(task: AnyTask | LoadedTask) -> LoadedTask:
    """Return `task` with the name and the options by which it can be made again.

    A task of the user's own goes by `package.module:Class`; whoever opens its run hands the task in again.

    >>> described(Hanoi(disks=4)).options
    {'disks': 4}
    """
    if isinstance(task, LoadedTask):
        return task
    if type(task) is Hanoi:
        pegs = {} if (task.source, task.target) == (0, 2) else {"source": task.source, "target": task.target}
        return LoadedTask("hanoi", {"disks": task.disks, **pegs}, task)
    return LoadedTask(f"{type(task).__module__}:{type(task).__qualname__}", {}, task)


def _load_records(options: Mapping[str, Any]) -> LoadedTask:
    path = file_named(options["input"])
    if is_there(path) and not path.is_file():
        raise UsageError(f"{path} is no regular file: rows are read again at each resume, so put them into one.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    digest = hashlib.sha256(content).hexdigest()
    if options.get("digest", digest) != digest:
        raise UnusableRun(f"{path} is no longer the file that this run began with: put that one back.")
    return LoadedTask("records", {**options, "digest": digest}, Records(read_rows(content, str(path))))


def _load_own(name: str) -> AnyTask:
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise UnknownTask(f"There is no task {name!r}: there are {', '.join(SHIPPED)}, and your own as package.module:name.")
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109  sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  sys.path holds strings
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        made = found() if isinstance(found, type) or not is_task(found) else found
    except Exception as error:
        raise UnknownTask(f"The task {name!r} cannot be made: {type(error).__name__}: {error}.") from error
    if not is_task(made):
        raise UnknownTask(
            f"{name!r} is no task: it needs the functions start, done, prompt, parse and apply, or parts, start, part and "
            "apply, or to be a subclass of Items."
        )
    return made  # type: ignore[no-any-return]  # it was seen to be one
