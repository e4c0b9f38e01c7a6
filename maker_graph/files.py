"""Files that are there whole or not at all.

A file is written beside its place, under a name that no other process has, and moved to its place once all of it is on the
disk. Whoever reads meanwhile, and whoever looks after a crash, finds what was there before or all that is new.

What stands at the place decides what is written:

- nothing: a new file.
- a regular file: it is replaced, and the new one has its mode.
- a symbolic link: the link stays, and the file that it points to is written.
- anything else, as a folder, a device or a pipe: it is refused. It cannot be replaced by a file, and to write into it would not
  be whole or not at all.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from maker_graph.errors import UsageError

PRIVATE = 0o600
"""The mode of a file that its owner alone may read and write."""

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def destination(path: Path) -> Path:
    """Return the file that is written if `path` is asked for: itself, or what it links to, which need not be there yet.

    Raises:
        UsageError: there is something else than a regular file; the text says what.
        OSError: nobody can tell what is there.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:  # a link that points to nothing is such a case
        mode = stat.S_IFREG
    if not stat.S_ISREG(mode):
        kind = next((name for holds, name in _KINDS if holds(mode)), "no regular file")
        raise UsageError(f"{path} is {kind} and cannot be replaced by a file: give the name of a regular file.")
    return Path(os.path.realpath(path))


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[TextIO]:
    """Yield a file to be written, UTF-8 with line ends as they are given; at the end it stands at `path`, and is on the disk.

    If the block raises, nothing has changed. A new file has the mode that the process gives to its files, or `PRIVATE`.

    Raises:
        UsageError: there is something else than a regular file.
        OSError: it cannot be written.
    """
    target = destination(path)
    mode = PRIVATE if private else _mode(target)
    draft = target.with_name(f".{os.urandom(8).hex()}.draft")  # short, however long the name of the file is

    def create(name: str, flags: int) -> int:
        return os.open(name, flags, 0o666 if mode is None else mode)  # nobody else can open it before it has its mode

    try:
        with open(draft, "x", encoding="utf-8", newline="", opener=create) as file:
            if mode is not None:
                draft.chmod(mode)  # what the process takes from the mode of its files is given back
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    _sync(target.parent)


def write_whole(path: Path, content: str | bytes, *, private: bool = False) -> Path:
    """Write a file whole or not at all, as `replacing` does; return `path`.

    Raises:
        UsageError: there is something else than a regular file.
        OSError: it cannot be written.
    """
    with replacing(path, private=private) as file:
        if isinstance(content, str):
            file.write(content)
        else:
            file.buffer.write(content)
    return path


def _mode(path: Path) -> int | None:
    """Return the mode of a file, or None if there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    """See that a new name in `folder` is on the disk, where the file system can do that."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
