"""From a name to a task: those that ship, and those of a user's own."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import JSON
from maker_graph.core.guarding import AnyTask, is_task
from maker_graph.core.task import Keeps
from maker_graph.errors import MakerError, UnknownTask, UsageError
from maker_graph.tasks.code import find_module
from maker_graph.tasks.curate.making import curate, curate_slice, names_code, see_cut
from maker_graph.tasks.curate.rows import FileRows
from maker_graph.tasks.curate.task import Curate
from maker_graph.tasks.decompose import Decompose
from maker_graph.tasks.examples import OPTION, takes_examples, with_examples
from maker_graph.tasks.hanoi import Hanoi
from maker_graph.tasks.inputs import declared, digests_of, files_of, see_declared, see_files
from maker_graph.tasks.migrate.task import Migrate
from maker_graph.tasks.options import FILE, Option, Options, read_options
from maker_graph.tasks.records import records, records_of_slice
from maker_graph.tasks.slices import Slice
from maker_graph.tasks.slicing import cut, some
from maker_graph.tasks.word_problems.task import WordProblems


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A task with what it was made from. It is made once and handed on.

    Attributes:
        name: `hanoi`, `records`, `decompose`, `curate`, `migrate`, `word-problems`, or `package.module:name`.
        options: what the task was made with, as plain JSON.
        task: the task.
        inputs: name -> digest, of the files among its options, and of what it declares as its inputs.
        slice: the items of the task of these options that it has; None is all of them.
    """

    name: str
    options: dict[str, Any]
    task: AnyTask
    inputs: dict[str, str] = field(default_factory=dict)
    slice: Slice | None = None


def load_task(
    name: str,
    options: Mapping[str, Any],
    began: Mapping[str, str] | None = None,
    kept: str | None = None,
    only: Slice | None = None,
) -> LoadedTask:
    """Return the task that `name` and `options` stand for.

    `package.module:name` is a task, or makes one when it is called with `options`; it imports that module.

    Args:
        name: of the task.
        options: what it is made with, as plain JSON.
        began: the inputs with which a run of it began, to be held against those of today: files before the task is made.
        kept: what the task gave its run to keep; see `Keeps`.
        only: the slice of it that the task is. Of a table of `curate` or `records`, the rest is not read.

    Raises:
        UnknownTask: there is none; the text says what there is.
        UsageError: it cannot be made with these options.
        UnusableRun: an input is no longer the one with which the run began.
    """
    options, known = _as_now(name, options)
    table = of_table(name, only)
    see_files(name, {**known, **(began or {})}, options, table)
    make = _maker_of(name)
    if is_task(make) and options:
        raise UsageError(f"{name} is made already and has no option {next(iter(options))!r}: name its class to set it.")
    values = {} if is_task(make) else Options(name, make).values(options)
    examples = values.get(OPTION) if not is_task(make) and takes_examples(make) else None
    files = files_of(values, table)  # before the task reads them: what changes meanwhile is noticed when the run goes on
    own = {each: value for each, value in values.items() if each != OPTION or examples is None}
    again = partial(make.again, kept) if kept is not None and isinstance(make, Keeps) else make
    again = again if table is None else partial(OF_SLICE[name], table)
    made = make if is_task(make) else _made(name, again, own)
    if examples is not None:
        with_examples(made, examples)
    if began is not None:
        see_declared(name, began, options, made)
    inputs = digests_of({**files, **declared(made)})
    return LoadedTask(name, options, made if only is None or table is not None else some(made, only), inputs, only)


def of_table(name: str, only: Slice | None) -> Slice | None:
    """Return the slice of a task of this name if it is made of it without the rest of the table, else None."""
    return only if name in OF_SLICE else None


def cut_task(loaded: LoadedTask, slices: int) -> Iterator[LoadedTask]:
    """Yield the tasks of so many slices of a task, in order, as even as possible; fewer if it has fewer items.

    Each can be made again by its name, its options and its slice. `loaded` is in memory once, however many there are.

    Raises:
        UsageError: the steps of the task depend on each other, it is a slice itself, or its table was changed meanwhile.
    """
    if loaded.slice is not None:
        raise UsageError(f"This is a slice of {loaded.name} already: cut the whole task.")
    table = loaded.task.rows if loaded.name in OF_SLICE and isinstance(loaded.task, Curate) else None
    if loaded.name == "curate" and isinstance(loaded.task, Curate):
        see_cut(loaded.task, loaded.options)
    for only in cut(loaded.task, slices, table):
        inputs = {**loaded.inputs, **({FILE: table.digest(only)} if isinstance(table, FileRows) else {})}
        yield replace(loaded, task=some(loaded.task, only), inputs=inputs, slice=only)


def options_named(name: str, texts: Iterable[str], source: Path | None = None) -> dict[str, JSON]:
    """Return the options of the task `name` that stand in `texts`, each `name=value`; `source` is its input file.

    Raises:
        UsageError: there is no such task, or an option is given twice, is not known, or does not fit.
    """
    make = _maker_of(name)
    if not is_task(make):
        return read_options(Options(name, make), texts, source)
    if source is not None or [*texts]:
        raise UsageError(f"{name} is made already and takes no settings: leave out --set and --input, or name its class.")
    return {}


def options_of(name: str) -> Mapping[str, Option]:
    """Return the options of the task `name` by their names; one that is made already has none.

    Raises:
        UnknownTask: there is no such task.
    """
    make = _maker_of(name)
    return {} if is_task(make) else Options(name, make).known


def described(task: AnyTask | LoadedTask) -> LoadedTask:
    """Return `task` with the name and the options by which it can be made again, and what it declares as its inputs.

    A task of the user's own goes by `package.module:Class`; whoever opens its run hands the task in again.

    >>> described(Hanoi(disks=4)).options
    {'disks': 4}

    Raises:
        UsageError: what it declares cannot be digested.
    """
    if isinstance(task, LoadedTask):
        return task
    if isinstance(task, Curate) and task.options is not None:
        return LoadedTask("curate", dict(task.options), task, digests_of(declared(task)))
    if type(task) is Hanoi:
        pegs = {} if (task.source, task.target) == (0, 2) else {"source": task.source, "target": task.target}
        return LoadedTask("hanoi", {"disks": task.disks, **pegs}, task)
    if isinstance(task, Migrate | WordProblems) and type(task) in _WITH_OPTIONS:
        return LoadedTask(_WITH_OPTIONS[type(task)], task.options, task, digests_of(declared(task)))
    if type(task) is Decompose:
        bounds = {"max_depth": task.max_depth, "max_nodes": task.max_nodes}
        return LoadedTask("decompose", {"problem": task.problem, **bounds}, task)
    return LoadedTask(f"{type(task).__module__}:{type(task).__qualname__}", {}, task, digests_of(declared(task)))


def _as_now(name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return options as they are kept now, and the inputs among them: before, records had the digest of its file there."""
    if name != "records" or "digest" not in options:
        return dict(options), {}
    return {each: value for each, value in options.items() if each != "digest"}, {"input": options["digest"]}


SHIPPED: Mapping[str, Callable[..., AnyTask]] = {
    "hanoi": Hanoi,
    "records": records,
    "decompose": Decompose,
    "curate": curate,
    "migrate": Migrate,
    "word-problems": WordProblems,
}
"""The tasks that come with this package. Any other name is code of the user's own."""


OF_SLICE: Mapping[str, Callable[..., AnyTask]] = {"curate": curate_slice, "records": records_of_slice}
"""Tasks of a table, with what makes one of a slice of it: the slice, and the options."""

_WITH_OPTIONS = {Migrate: "migrate", WordProblems: "word-problems"}
"""Tasks that say with which options they were made."""


def runs_foreign_code(name: str, options: Mapping[str, Any]) -> bool:
    """Return whether a task is made by code that does not come with this package: by its name, or by one of its options.

    >>> runs_foreign_code("hanoi", {}), runs_foreign_code("curate", {"schema": "orders:Order"})
    (False, True)
    """
    if name not in SHIPPED:
        return True
    return (name == "curate" and names_code(options)) or Options(name, SHIPPED[name]).are_code(options)


def _maker_of(name: str) -> Any:
    """Return what makes the task of this name when it is called, or the task itself; it imports the module of a user's own.

    Raises:
        UnknownTask: there is none.
    """
    if name in SHIPPED:
        return SHIPPED[name]
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise UnknownTask(f"There is no task {name!r}: there are {', '.join(SHIPPED)}, and your own as package.module:name.")
    try:
        return reduce(getattr, attribute.split("."), find_module(module_name))
    except Exception as error:
        raise _not_made(name, error) from error


def _made(name: str, make: Callable[..., Any], values: Mapping[str, Any]) -> AnyTask:
    """Return the task that `make` makes.

    Raises:
        UnknownTask: it fails, or makes something else.
    """
    try:
        made = make(**values)
    except MakerError:
        raise
    except Exception as error:
        raise _not_made(name, error) from error
    if not is_task(made):
        raise UnknownTask(
            f"{name!r} is no task: it needs the functions start, done, prompt, parse and apply, or parts, start, part and "
            "apply, or to be a subclass of Items."
        )
    return made  # type: ignore[no-any-return]  # it was seen to be one


def _not_made(name: str, error: Exception) -> UnknownTask:
    return UnknownTask(f"The task {name!r} cannot be made: {type(error).__name__}: {error}.")
