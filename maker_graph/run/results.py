"""What an items task leaves behind: the task writes its files aside, and they are moved into place when all are whole."""

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
"""What a full disk says; any other error is one of the task."""

_NO_VOTE = {"program", "world", "person"}
"""Who decides without a vote."""


class Trail(Protocol):
    """What tells of each item how it ended, beside the results.

    Attributes:
        path: the file.
    """

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def line(self, number: int, decision: Decision, /) -> str:
        """Return the line of an item, with its end."""
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
    """See, before anything is paid for, that results can be written to `out` and that nothing is lost by it.

    Args:
        task: whose results they are.
        out: the file that was asked for, if one was.
        provenance: the file that was asked for of how each item ended, if one was.
        own: which files the run has written.
        sources: the input files of the task.
        force: whether files of the user's may be replaced; see `OwnFiles.see`.

    Raises:
        UsageError: a file cannot be written, is the user's, or is an input of the task.
    """
    outputs = [] if out is None else _outputs(task, out)
    if provenance is not None:
        if any(_same(provenance, path) for path in outputs):
            raise UsageError(f"--provenance {provenance} is a file of the results: give another one.")
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
    """Write the results of `task` to `out`, and the trail of each; return how many items are open.

    `decisions` has those of the first items, in order. Files are there whole or not at all, and the same decisions make the
    same files, however often they are written.

    Raises:
        UsageError: a file is the user's, or the task cannot write; then nothing is changed.
        LimitReached: there is no room, or no access.
    """
    outputs = [] if out is None else _outputs(task, out)
    paths = [*outputs, *([] if trail is None else [trail.path])]
    if not all(path.absolute().parent.is_dir() for path in paths):
        own.see(*paths)  # which says so
    try:
        with ExitStack() as stack:
            drafts = {
                path: _folder(stack, path) / path.name for path in [*([] if out is None else [out]), *paths[len(outputs) :]]
            }
            count = _Count(
                None if trail is None else stack.enter_context(drafts[trail.path].open("w", encoding="utf-8")), trail
            )
            decided = count.decided(task, decisions)
            if out is not None:
                more = _written(task, decided, drafts[out])
                count.open += more  # it counts itself meanwhile
                _see_written(task, drafts[out], outputs)
            for _ in decided:
                pass
            count.close()
            made = {path: drafts[out].with_name(path.name) for path in outputs} if out is not None else {}
            made |= {} if trail is None else {trail.path: drafts[trail.path]}
            own.place({path: draft if draft.is_file() else None for path, draft in made.items()})
    except OSError as error:
        where = " or ".join(map(str, (out or paths[0], *paths[len(outputs) :][: 1 if out else 0])))
        raise LimitReached(f"{where} cannot be written ({error.strerror}): make room, or give access, and go on.") from None
    return count.open


def _folder(stack: ExitStack, path: Path) -> Path:
    """Return a folder beside `path` to write it aside; what a killed process has left of an earlier one goes."""
    beside = path.absolute().parent
    prefix = f".results-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"
    for left in beside.iterdir():
        if left.name.startswith(prefix):
            shutil.rmtree(left, ignore_errors=True)
    return Path(stack.enter_context(TemporaryDirectory(prefix=prefix, dir=beside)))


def _written(task: Items, decided: Iterator[DecidedItem], draft: Path) -> int:
    """Let the task write, and take all that it was given, so that the open items are counted; return what it left open beside.

    Raises:
        UsageError: it fails.
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
    """How many items are open, as far as they were read; what passes leaves its trail."""

    def __init__(self, file: IO[str] | None, trail: Trail | None) -> None:
        self.open = 0
        self._file = file
        self._trail = trail

    def decided(self, task: Items, decisions: Iterable[Decision]) -> Iterator[DecidedItem]:
        """Yield how each item ended."""
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
        """See that the trail is in its file."""
        if self._file is not None:
            self._file.close()


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
