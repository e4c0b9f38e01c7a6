"""The results of an items task. The task writes its files aside, and they are moved into place when all are whole."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Protocol

from maker_graph.core.checks import failed
from maker_graph.core.decision import Decision
from maker_graph.core.items import DecidedItem, Items
from maker_graph.errors import LimitReached, MakerError, UsageError
from maker_graph.files import OwnFiles, is_there

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The errors of a full disk. Any other error in a task's `write` is the task's own."""

_NO_VOTE = {"program", "world", "person"}
"""Values of `by` for answers without a vote."""


class Trail(Protocol):
    """What writes how each item ended, one line an item, into a file beside the results.

    Attributes:
        path: the file.
    """

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def line(self, number: int, decision: Decision, /) -> str:
        """Return the line of an item, with its line end."""
        ...


def see_out(
    task: Items,
    out: Path | None,
    own: OwnFiles,
    *,
    provenance: Path | None = None,
    sources: Iterable[Path] = (),
    force: bool = False,
) -> None:
    """Make sure that the results can be written without the loss of a file. Call it before anything is paid for.

    Args:
        task: the task that writes the results.
        out: the file for the results; None: none.
        own: the files that the run has written itself.
        provenance: the file for how each item ended; None: none.
        sources: the input files of the task.
        force: whether files of the user's may be replaced; see `OwnFiles.see`.

    Raises:
        UsageError: a file cannot be written, is the user's, or is an input of the task.
    """
    outputs = [] if out is None else _outputs(task, out)
    if provenance is not None:
        if any(_same(provenance, path) for path in outputs):
            raise UsageError(f"--provenance {provenance} is a file of the results: give another file.")
        outputs.append(provenance)
    for source in filter(is_there, sources):
        for path in outputs:
            if is_there(path) and source.samefile(path):
                option = f"--provenance {provenance}" if path is provenance else f"--out {out}"
                raise UsageError(f"{option} would overwrite the input: give another file.")
    own.see(*outputs, force=force)


def _same(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def write_out(task: Items, out: Path | None, decisions: Iterable[Decision], own: OwnFiles, trail: Trail | None = None) -> int:
    """Write the results of `task` to `out`, and a line for each item to the file of `trail`; return how many items are open.

    `decisions` are those of the first items, in order. A file is written whole or not at all. The same decisions make the
    same files, however often they are written.

    Raises:
        UsageError: a file is the user's, or the task cannot write; then nothing is changed.
        LimitReached: there is no room, or no access.
    """
    outputs = [] if out is None else _outputs(task, out)
    trails = [] if trail is None else [trail.path]
    asked, paths = [*([] if out is None else [out]), *trails], [*outputs, *trails]
    if not all(path.absolute().parent.is_dir() for path in paths):
        own.see(*paths)  # raises the error
    try:
        with ExitStack() as stack:
            drafts = {path: _folder(stack, path) / path.name for path in asked}
            count = _Count(
                None if trail is None else stack.enter_context(drafts[trail.path].open("w", encoding="utf-8")), trail
            )
            decided = count.decided(task, decisions)
            if out is not None:
                more = _written(task, decided, drafts[out])
                count.open += more  # not in one line: `_written` changes `count.open` too
                _see_written(task, drafts[out], outputs)
            for _ in decided:
                pass
            count.close()
            made = {path: drafts[out].with_name(path.name) for path in outputs} if out is not None else {}
            made |= {} if trail is None else {trail.path: drafts[trail.path]}
            own.place({path: draft if draft.is_file() else None for path, draft in made.items()})
    except OSError as error:
        where = " or ".join(map(str, asked))
        raise LimitReached(f"{where} cannot be written ({error.strerror}): make room, or give access, and go on.") from None
    return count.open


def _folder(stack: ExitStack, path: Path) -> Path:
    """Return a new folder beside `path`, to write the file aside; folders that killed processes have left are deleted."""
    beside = path.absolute().parent
    prefix = f".results-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"
    for left in beside.iterdir():
        if left.name.startswith(prefix):
            shutil.rmtree(left, ignore_errors=True)
    return Path(stack.enter_context(TemporaryDirectory(prefix=prefix, dir=beside)))


def _written(task: Items, decided: Iterator[DecidedItem], draft: Path) -> int:
    """Have the task write its files; return how many more items it says are open.

    All of `decided` is read, also if the task stops early, so that the open items are counted.

    Raises:
        UsageError: the task's `write` fails.
        OSError: the disk is full.
    """
    try:
        more = task.write(decided, draft)
    except MakerError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        raise failed(f"{type(task).__name__}.write", error) from error
    for _ in decided:
        pass
    return more or 0


def _see_written(task: Items, draft: Path, outputs: Iterable[Path]) -> None:
    """Make sure that the task has written the file that it was given, and no file that `outputs` does not name.

    Raises:
        UsageError: it has not. A file without a name in `outputs` would be lost without a word.
    """
    name, named = type(task).__name__, {path.name for path in outputs}
    if not draft.is_file():
        raise UsageError(f"{name}.write has not written the file that it was given: have it write its second argument.")
    for path in draft.parent.iterdir():
        if path.name not in named or not path.is_file():
            raise UsageError(f"{name}.write has written {path.name}, which {name}.outputs does not name: name it there too.")


class _Count:
    """Counts the open items while the decisions are read, and writes the line of each item to the file of the trail."""

    def __init__(self, file: IO[str] | None, trail: Trail | None) -> None:
        self.open = 0
        self._file = file
        self._trail = trail

    def decided(self, task: Items, decisions: Iterable[Decision]) -> Iterator[DecidedItem]:
        """Yield each item with how it ended, and count it."""
        for number, decision in enumerate(decisions, start=1):
            if self._file is not None and self._trail is not None:
                self._file.write(self._trail.line(number, decision))
            if decision["status"] == "decided" and number not in task.refused:
                by = decision["by"] if decision["by"] in _NO_VOTE else "vote"
                yield DecidedItem(number, task.items[number - 1], "decided", decision["answer"], by)
            else:
                self.open += 1
                yield DecidedItem(number, task.items[number - 1], "open", None)

    def close(self) -> None:
        """Close the file of the trail, so that all of it is written."""
        if self._file is not None:
            self._file.close()


def _outputs(task: Items, out: Path) -> list[Path]:
    """Return the files that the task writes, by its `outputs`.

    Raises:
        UsageError: `outputs` fails, or returns something else than `out` and files in the same folder.
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
