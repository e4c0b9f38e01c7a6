"""Cuts a task of independent items into slices: each slice is a task, and all of them in order make up the whole task.

`curate` and `records` of a file are cut by the rows of their table. The task of one slice is then made without reading the rest
of the table (`tasks/slices.py`). A user's own items tasks, and tasks of tables in memory, are made as a whole, and only the
items of the slice are used. Word problems are cut by problems.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from maker_graph.core import checks
from maker_graph.core.canonical import JSON
from maker_graph.core.guarding import AnyTask
from maker_graph.core.items import DecidedItem, Items, ItemSteps
from maker_graph.core.task import Prompt
from maker_graph.errors import UsageError
from maker_graph.tasks.curate.rows import FileRows, Rows
from maker_graph.tasks.curate.task import Curate
from maker_graph.tasks.slices import Slice
from maker_graph.tasks.word_problems.task import WordProblems

_FORWARDED = (
    *("parse", "key", "schema", "check", "verify", "rephrase", "variants", "truth", "rehearse", "rehearsal"),
    *("keep", "again", "inputs", "examples", "labelled", "place", "whole"),
)
"""The functions and attributes of a task that its slices take over."""


def even(number: int, slices: int) -> Iterator[tuple[int, int]]:
    """Yield where each of the slices of `number` rows begins, and how many rows it has; empty only if there are no rows.

    >>> list(even(7, 3)), list(even(2, 5)), list(even(0, 4))
    ([(0, 3), (3, 2), (5, 2)], [(0, 1), (1, 1)], [(0, 0)])
    """
    slices = max(1, min(slices, number))
    each, more = divmod(number, slices)
    first = 0
    for place in range(slices):
        rows = each + (place < more)
        yield first, rows
        first += rows


def cut(task: AnyTask, slices: int, table: Rows | None = None) -> list[Slice]:
    """Return the slices of a task, in order and of nearly the same size; fewer than asked for if it has fewer items.

    Args:
        task: an items task, or word problems.
        slices: how many slices, from 1.
        table: the rows of the file from which the task is made, if it can be made again from some of them.

    Raises:
        UsageError: the steps of the task depend on each other.
    """
    checks.whole("slices", slices)
    if isinstance(table, FileRows):
        return [table.slice(first, number) for first, number in even(len(table), slices)]
    return [Slice(first=first, rows=number) for first, number in even(number_of(task), slices)]


def some(task: AnyTask, only: Slice) -> AnyTask:
    """Return the task of a slice of `task`, which is the whole task, or that slice already. A whole task stays in memory.

    Raises:
        UsageError: the steps of the task depend on each other, or it has fewer items than when it was cut.
    """
    if _is(task, only):
        return task
    if (there := number_of(task)) < only.first + only.rows:
        raise UsageError(
            f"{type(task).__name__} has {there:,} items, but this slice of it ends with number {only.first + only.rows:,}: "
            "put its input back as it was, or start a new run."
        )
    return task.some(only.first, only.rows) if isinstance(task, WordProblems) else SomeItems(_items(task), only)


def _is(task: AnyTask, only: Slice) -> bool:
    """Say whether a task is the task of this slice already."""
    if isinstance(task, SomeItems):
        return task.slice == only
    if isinstance(task, WordProblems):
        return (task.first, task.problems) == (only.first, only.rows)
    rows = task.rows if isinstance(task, Curate) else None
    return isinstance(rows, FileRows) and (rows.first, len(rows)) == (only.first, only.rows)


def number_of(task: AnyTask) -> int:
    """Return the number of rows, items or problems by which a task is cut.

    Raises:
        UsageError: the steps of the task depend on each other.
    """
    if isinstance(task, WordProblems):
        return task.problems
    items = _items(task)
    return len(items.rows) if isinstance(items, Curate) else ItemSteps(items).total()


def _items(task: AnyTask) -> Items:
    if not isinstance(task, Items):
        raise UsageError(
            f"{type(task).__name__} cannot be cut, because each of its steps depends on the one before. Leave out --shards, or "
            "submit several runs with --runs FILE."
        )
    return task


class SomeItems(Items):
    """The task of consecutive items of another task, which is made and read as a whole.

    If each row has several items (`--per-field`), a slice has whole rows.

    Attributes:
        slice: the slice of these items.
    """

    def __init__(self, task: Items, only: Slice) -> None:
        """Take the items of a slice of `task`."""
        each = len(task.items) // len(task.rows) if isinstance(task, Curate) else 1
        self._task = task
        self.slice = only
        self._first = only.first * each
        self.items = _Some(task.items, self._first, only.rows * each)
        for name in _FORWARDED:
            if (found := getattr(task, name, None)) is not None:
                setattr(self, name, found)

    def given(self, item: Any, /) -> JSON:
        """Return the answer of the task's program."""
        return self._task.given(item)

    def prompt(self, item: Any, /) -> Prompt:
        """Return what the task asks about an item."""
        return self._task.prompt(item)

    def outputs(self, out: Path, /) -> Sequence[Path]:
        """Return the files that the task writes."""
        return self._task.outputs(out)

    def write(self, decided: Iterable[DecidedItem], out: Path, /) -> int | None:
        """Write the results of these items, with their numbers in the whole task."""
        return self._task.write((each._replace(number=self._first + each.number) for each in decided), out)


class _Some(Sequence[Any]):
    """Consecutive entries of a sequence, each read when it is asked for."""

    def __init__(self, items: Any, first: int, number: int) -> None:
        self._items, self._first, self._number = items, first, number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, place: Any) -> Any:
        if not 0 <= place < self._number:
            raise IndexError(place)
        return self._items[self._first + place]
