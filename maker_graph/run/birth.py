"""A run is made in a directory beside its own, under a name that no run can have, until all of it is there.

A process that is killed while it makes a run leaves such a directory. Whoever makes a run of that name next removes it. The
directory of a process that still works is locked, and is left alone. If directories cannot be locked, all are left alone.

The journal is made there with its first notes, so that a run has its limits from its first moment.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
    for left in directory.parent.glob(f"{_prefix(directory)}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left, ignore_errors=True)
    with ExitStack() as stack:
        yield _made(directory, stack)


def _made(directory: Path, stack: ExitStack) -> Path:
    """Return a new directory, which is locked, and removed at the end of `stack`."""
    while True:
        try:
            made = Path(tempfile.mkdtemp(prefix=_prefix(directory), dir=directory.parent))
        except OSError as error:
            raise UnusableRun(f"{directory} cannot be made: {error.strerror}.") from None
        with suppress(FileNotFoundError):
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            stack.enter_context(_locked(made, must=False))
            if made.exists():
                return made
        # Another process took it for a leftover, in the moment before it was locked.


@contextmanager
def _locked(directory: Path, *, must: bool = True) -> Iterator[None]:
    """Keep a directory for this process; the lock ends with it, however it ends.

    Raises:
        OSError: another process has it; or it cannot be locked at all, and it `must` be.
    """
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if must:
                raise
        yield
    finally:
        os.close(file)
