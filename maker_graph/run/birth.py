"""Where a run is made: a directory beside its own, under a name that no run can have, until all of it is there.

A process that is killed while it makes a run leaves such a directory. Whoever makes a run of that name next removes it. The
directory of a process that is still at work is locked, and left alone.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from maker_graph.errors import UnusableRun


def _prefix(directory: Path) -> str:
    return f".{directory.name}.making-"


@contextmanager
def cradle(directory: Path) -> Iterator[Path]:
    """Yield a new directory beside `directory`, for its owner alone; it is removed at the end, unless it was renamed.

    Raises:
        UnusableRun: it cannot be made.
    """
    _remove_leftovers(directory)
    while True:
        try:
            made = Path(tempfile.mkdtemp(prefix=_prefix(directory), dir=directory.parent))
        except OSError as error:
            raise UnusableRun(f"{directory} cannot be made: {error.strerror}.") from None
        if (lock := _lock(made)) is not None:
            break  # else somebody took it for a leftover, in the moment before it was locked
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def _remove_leftovers(directory: Path) -> None:
    """Remove what processes left that were killed while they made a run of this name."""
    for left in directory.parent.glob(f"{_prefix(directory)}*"):
        if (lock := _lock(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


def _lock(directory: Path) -> int | None:
    """Return the lock on a directory, which ends with this process; None if another process has it, or it is gone."""
    with suppress(OSError):
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), directory.stat()):
                return lock
        except OSError:
            os.close(lock)
            raise
        os.close(lock)
    return None
