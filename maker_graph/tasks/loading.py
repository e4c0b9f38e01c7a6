"""Finds and makes tasks by their names, both those that ship and those of a user."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import JSON
from maker_graph.core.guarding import AnyTask, is_task, why_no_task
from maker_graph.core.task import Keeps
from maker_graph.errors import MakerError, UnknownTask, UsageError
from maker_graph.tasks.code import file_of, find_module
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
    """A task with its name and the options from which it was made.

    Attributes:
        name: `hanoi`, `records`, `decompose`, `curate`, `migrate`, `word-problems`, or `package.module:name`.
        options: the options with which the task was made, as plain JSON.
        task: the task.
        inputs: name -> digest, for the files among its options and for the inputs that it declares.
        slice: the slice of the items that the task has; None for all of them.
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
    """Return the task with this name and these options.

    `package.module:name` is a task, or makes a task when it is called with `options`. Its module is imported.

    Args:
        name: the name of the task.
        options: the options with which it is made, as plain JSON.
        began: the inputs with which a run of it began. They are compared with those of now; files before the task is made.
        kept: the text that the task gave its run to keep; see `Keeps`.
        only: the slice of the task's items to take. The rest of a table of `curate` or `records` is not read.

    Raises:
        UnknownTask: there is no such task; the error says which tasks there are.
        UsageError: it cannot be made with these options.
        UnusableRun: an input is no longer the one with which the run began.
    """
    options, known = _as_now(name, options)
    table = of_table(name, only)
    see_files(name, {**known, **(began or {})}, options, table)
    make = _maker_of(name)
    if is_task(make) and options:
        raise UsageError(
            f"{name} is an instance, so its option {next(iter(options))!r} cannot be set: name the class of the task instead."
        )
    values = {} if is_task(make) else Options(name, make).values(options)
    examples = values.get(OPTION) if not is_task(make) and takes_examples(make) else None
    files = files_of(values, table)  # before the task reads them, so that a resume notices what changes meanwhile
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
    """Return `only` if a task of this name is made from its slice alone, without the rest of the table; else None."""
    return only if name in OF_SLICE else None


def cut_task(loaded: LoadedTask, slices: int) -> Iterator[LoadedTask]:
    """Cut a task into `slices` slices of nearly the same size, or fewer if it has fewer items, and yield the task of each.

    Each can be made again from its name, its options and its slice. All of them share the one `loaded` task in memory.

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
    """Return the options of the task `name` that `texts` give, each as `name=value`; `source` is its input file.

    Raises:
        UsageError: there is no such task, or an option is given twice, is not known, or does not fit.
    """
    make = _maker_of(name)
    if not is_task(make):
        return read_options(Options(name, make), texts, source)
    if source is not None or [*texts]:
        raise UsageError(f"{name} is an instance and takes no settings: leave out --set and --input, or name its class.")
    return {}


def options_of(name: str) -> Mapping[str, Option]:
    """Return the options of the task `name` by their names; a name that stands for an instance has none.

    Raises:
        UnknownTask: there is no such task.
    """
    make = _maker_of(name)
    return {} if is_task(make) else Options(name, make).known


def described(task: AnyTask | LoadedTask) -> LoadedTask:
    """Return `task` with the name and the options with which it can be made again, and with its inputs.

    A user's own task has the name `package.module:Class`. To open its run, the task must be given again.

    >>> described(Hanoi(disks=4)).options
    {'disks': 4}

    Raises:
        UsageError: the inputs that it declares cannot be digested.
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
    """Return options in today's form, and the inputs among them: `records` once kept the digest of its file there."""
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
"""The tasks that come with this package. Any other name stands for a user's code."""


OF_SLICE: Mapping[str, Callable[..., AnyTask]] = {"curate": curate_slice, "records": records_of_slice}
"""Tasks of a table -> the function that makes the task of a slice, from the slice and the options."""

_WITH_OPTIONS = {Migrate: "migrate", WordProblems: "word-problems"}
"""Tasks that know the options with which they were made -> their names."""


def runs_foreign_code(name: str, options: Mapping[str, Any]) -> bool:
    """Return whether the name of a task, or one of its options, runs code that does not come with this package.

    >>> runs_foreign_code("hanoi", {}), runs_foreign_code("curate", {"schema": "orders:Order"})
    (False, True)
    """
    if name not in SHIPPED:
        return True
    return (name == "curate" and names_code(options)) or Options(name, SHIPPED[name]).are_code(options)


def _maker_of(name: str) -> Any:
    """Return the callable that makes the task of this name, or the task itself; a user's module is imported for it.

    Raises:
        UnknownTask: there is no such task.
    """
    if name in SHIPPED:
        return SHIPPED[name]
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise UnknownTask(_no_task(name))
    if (path := file_of(name)) is not None:
        raise UnknownTask(
            f"{name!r} names a file, but a task is named by its module: go to the folder of the file and write "
            f"{path.stem}:{attribute}."
        )
    try:
        return reduce(getattr, attribute.split("."), find_module(module_name))
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0]:
            raise _not_made(name, error) from error  # the module is there, and imports one that is not
        raise UnknownTask(
            f"There is no module {error.name} for the task {name!r}: modules are looked for in the current folder, "
            f"{Path.cwd()}, and among the installed packages."
        ) from error
    except Exception as error:
        raise _not_made(name, error) from error


def _no_task(name: str) -> str:
    """Return the text of the error for a name that is neither that of a task that ships nor of a module."""
    path = Path(name)
    if path.suffix == ".py" or Path(f"{name}.py").is_file():
        where = f"If your task is the class Mine in {path.stem}.py, go to the folder of this file and write {path.stem}:Mine"
        return f"There is no task {name!r}. {where}."
    meant = difflib.get_close_matches(name, SHIPPED, n=1)
    hint = f" (did you mean {meant[0]}?)" if meant else ""
    return f"There is no task {name!r}{hint}: give {', '.join(SHIPPED)}, or your own task as package.module:name."


def _made(name: str, make: Callable[..., Any], values: Mapping[str, Any]) -> AnyTask:
    """Return the task that `make` makes.

    Raises:
        UnknownTask: `make` fails, or makes something else.
    """
    try:
        made = make(**values)
    except MakerError:
        raise
    except Exception as error:
        raise _not_made(name, error) from error
    if not is_task(made):
        raise UnknownTask(f"{name!r} is not a task: {why_no_task(made)}.")
    return made  # type: ignore[no-any-return]  # is_task has checked it


def _not_made(name: str, error: Exception) -> UnknownTask:
    return UnknownTask(f"The task {name!r} cannot be made: {type(error).__name__}: {error}.")
