"""What an items task leaves behind: the task writes its files aside, and they are moved into place when all are whole."""

import errno
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maker_graph.core.checks import failed
from maker_graph.core.items import DecidedItem, Items
from maker_graph.errors import LimitReached, MakerError, UsageError
from maker_graph.files import OwnFiles, is_there

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a full disk says; any other error is one of the task."""

OPEN: Any = object()
"""Stands for the answer of an item that is open: None is an answer."""


def see_out(task: Items, out: Path, own: OwnFiles, *, sources: Iterable[Path] = (), force: bool = False) -> None:
    """See, before anything is paid for, that results can be written to `out` and that nothing is lost by it.

    Args:
        task: whose results they are.
        out: the file that was asked for.
        own: which files the run has written.
        sources: the input files of the task.
        force: whether files of the user's may be replaced; see `OwnFiles.see`.

    Raises:
        UsageError: a file cannot be written, is the user's, or is an input of the task.
    """
    outputs = _outputs(task, out)
    for source in filter(is_there, sources):
        for path in outputs:
            if is_there(path) and source.samefile(path):
                raise UsageError(f"--out {out} would overwrite the input: give another file.")
    own.see(*outputs, force=force)


def write_out(task: Items, out: Path, answers: Iterable[Any], own: OwnFiles) -> int:
    """Write the results of `task` to `out`; return how many items are open.

    `answers` has one answer, or `OPEN`, for each of the first items. Files are there whole or not at all, and the same answers
    make the same files, however often they are written.

    Raises:
        UsageError: a file is the user's, or the task cannot write; then nothing is changed.
        LimitReached: there is no room, or no access.
    """
    outputs, count = _outputs(task, out), _Count()
    if not out.absolute().parent.is_dir():
        own.see(*outputs)  # which says so
    try:
        with TemporaryDirectory(prefix=".results-", dir=out.absolute().parent) as folder:
            draft = Path(folder) / out.name
            _written(task, count.decided(task, answers), draft)
            _see_written(task, draft, outputs)
            own.place({path: file if (file := draft.with_name(path.name)).is_file() else None for path in outputs})
    except OSError as error:
        raise LimitReached(f"{out} cannot be written ({error.strerror}): make room, or give access, and go on.") from None
    return count.open


def _written(task: Items, decided: Iterator[DecidedItem], draft: Path) -> None:
    """Let the task write, and take all that it was given, so that the open items are counted.

    Raises:
        UsageError: it fails.
        OSError: the disk is full.
    """
    try:
        task.write(decided, draft)
    except MakerError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        raise failed(f"{type(task).__name__}.write", error) from error
    for _ in decided:
        pass


def _see_written(task: Items, draft: Path, outputs: Iterable[Path]) -> None:
    """See that the task has written the file that it was given, and no others than it said.

    Raises:
        UsageError: it has not; another file would be lost, and nobody would know.
    """
    name, named = type(task).__name__, {path.name for path in outputs}
    if not draft.is_file():
        raise UsageError(f"{name}.write has not written the file that it was given.")
    for path in draft.parent.iterdir():
        if path.name not in named or not path.is_file():
            raise UsageError(f"{name}.write has written {path.name}, which is no file that {name}.outputs names.")


class _Count:
    """How many items are open, as far as they were read."""

    def __init__(self) -> None:
        self.open = 0

    def decided(self, task: Items, answers: Iterable[Any]) -> Iterator[DecidedItem]:
        """Yield how each item ended."""
        for number, answer in enumerate(answers, start=1):
            if answer is OPEN or number in task.refused:
                self.open += 1
                yield DecidedItem(number, task.items[number - 1], "open", None)
            else:
                yield DecidedItem(number, task.items[number - 1], "decided", answer)


def _outputs(task: Items, out: Path) -> list[Path]:
    """Return the files that the task writes.

    Raises:
        UsageError: it fails, or returns something else than `out` and files in its folder.
    """
    name = f"{type(task).__name__}.outputs"
    try:
        found = task.outputs(out)
    except MakerError:
        raise
    except Exception as error:
        raise failed(name, error) from error
    outputs = [*found] if isinstance(found, Iterable) else [found]
    beside = all(isinstance(path, Path) and path.parent == out.parent for path in outputs)
    if not isinstance(found, Iterable) or not beside or out not in outputs:
        raise UsageError(f"{name} must return `out` and files beside it as a list, not {found!r}.")
    return outputs
