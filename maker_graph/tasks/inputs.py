"""The inputs of a task, each as the digest of its content, so that a run notices if an input has changed since it began.

The digest of a file depends on its content and not on its name. The inputs are those options of a task that are paths of files,
and what the task declares itself with `inputs`, see `core/task.py`.
"""

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from maker_graph.core import checks
from maker_graph.core.canonical import plain, sorted_json
from maker_graph.errors import MakerError, UnusableRun, UsageError
from maker_graph.files import file_named, is_there
from maker_graph.tasks.options import FILE
from maker_graph.tasks.slices import Slice, digest_of_bytes


class Input(NamedTuple):
    """An input of a task.

    Attributes:
        digest: the digest of its content; None if the file is not there.
        path: the file, if it is a file.
    """

    digest: str | None
    path: Path | None = None


def file_input(path: Path, only: Slice | None = None) -> Input:
    """Return the file at `path` as an input; with `only`, a slice of the table that it holds.

    Raises:
        UsageError: the file is there but cannot be read.
    """
    try:
        if only is not None:
            return Input(_digest_of_slice(path, only), path)
        with path.open("rb") as file:
            return Input(hashlib.file_digest(file, "sha256").hexdigest(), path)
    except (FileNotFoundError, NotADirectoryError):
        return Input(None, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _digest_of_slice(path: Path, only: Slice) -> str:
    if only.span is not None:
        with path.open("rb") as file:
            return digest_of_bytes(file, only)
    parquet = importlib.import_module("maker_graph.tasks.curate.parquet")  # an extra, and heavy
    found: str = parquet.ParquetRows(path).digest(only)
    return found


def files_of(values: Mapping[str, Any], only: Slice | None = None) -> dict[str, Input]:
    """Return the inputs among the values of options that are regular files, by the names of the options.

    These are paths, and the text of the option that `--input` gives. With `only`, that one is the table of a slice.
    """
    paths = {name: value for name, value in values.items() if isinstance(value, Path)}
    if isinstance(text := values.get(FILE), str) and Path(text).is_absolute():
        paths[FILE] = Path(text)
    return {name: file_input(path, only if name == FILE else None) for name, path in paths.items() if path.is_file()}


def declared(task: object) -> dict[str, Input]:
    """Return what a task declares as its inputs: the attribute `inputs`, or what the function of this name returns.

    Raises:
        UsageError: `inputs` is not a mapping from names to files and plain JSON.
    """
    return {name: _declared(f"{type(task).__name__}.inputs[{name!r}]", value) for name, value in _inputs_of(task).items()}


def declared_files(task: object) -> list[Path]:
    """Return the files among the inputs that a task declares, without reading them.

    Raises:
        UsageError: as in `declared`.
    """
    return [value for value in _inputs_of(task).values() if isinstance(value, Path)]


def _inputs_of(task: object) -> Mapping[str, Any]:
    name = f"{type(task).__name__}.inputs"
    found = getattr(task, "inputs", {})
    if callable(found):
        checks.function(name, found)
        try:
            found = found()
        except MakerError:
            raise
        except Exception as error:
            raise checks.failed(name, error) from error
    if not isinstance(found, Mapping) or not all(isinstance(each, str) for each in found):
        raise UsageError(f"{name} must be a mapping from names to paths or plain JSON, or a function that returns one.")
    return found


def _declared(name: str, value: object) -> Input:
    if isinstance(value, Path):
        if is_there(value) and not value.is_file():
            raise UsageError(f"{name} is {value}, which is not a regular file: name the files that the task reads.")
        return file_input(value)
    try:
        return Input(hashlib.sha256(sorted_json(plain(value, own=True)).encode()).hexdigest())
    except ValueError as error:
        raise UsageError(f"{name} is neither a Path nor plain JSON: {error}.") from None


def digests_of(inputs: Mapping[str, Input]) -> dict[str, str]:
    """Return the digests of inputs, by their names.

    Raises:
        UsageError: a file is not there.
    """
    if missing := [str(each.path) for each in inputs.values() if each.digest is None]:
        raise UsageError(f"The task declares the input {missing[0]}, which is not there.")
    return {name: each.digest for name, each in inputs.items() if each.digest is not None}


def see_files(task: str, began: Mapping[str, str], options: Mapping[str, Any], only: Slice | None = None) -> None:
    """Make sure that the files among the options of a task hold what they held when its run began.

    Args:
        task: the name of the task.
        began: name -> digest of all inputs when the run began.
        options: the options of the task, as they are kept.
        only: the slice of the table in the input file, if only that counts.

    Raises:
        UnusableRun: a file has changed; the error says which.
    """
    for name, digest in began.items():
        if isinstance(text := options.get(name), str) and (path := file_named(text)).is_absolute():  # as paths are kept
            _see_same(task, name, digest, file_input(path, only if name == FILE else None))


def see_declared(
    name: str, began: Mapping[str, str], options: Mapping[str, Any], task: object, only: Slice | None = None
) -> None:
    """Make sure that a task declares the same inputs as when its run began; the other arguments are as in `see_files`.

    If only a slice of a table counts, the whole table is not compared.

    Raises:
        UnusableRun: an input has changed; the error says which.
    """
    now = declared(task)
    for each, digest in began.items():
        if (each in now or each not in options) and not (each == FILE and only is not None):
            _see_same(name, each, digest, now.get(each, Input(None)))
    if more := [each for each in now if each not in began]:
        raise UnusableRun(
            f"{name} declares the input {more[0]!r}, but did not when this run began: put the task's code back as it was, "
            "or start a new run."
        )


def _see_same(task: str, name: str, digest: str, now: Input) -> None:
    if now.digest == digest:
        return
    if now.path is None:
        raise UnusableRun(
            f"The input {name!r} of {task} is no longer what this run began with: put it back, or start a new run."
        )
    if now.digest is None:
        raise UnusableRun(f"{now.path}, with which this run began, is gone: put it back, or start a new run.")
    raise UnusableRun(f"{now.path} is no longer the file that this run began with: put that one back, or start a new run.")
