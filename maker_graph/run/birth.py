"""Makes the directory of a run under a name that no run can have, and renames it when all of it is there.

A process that is killed while it makes a run leaves such a directory. Whoever makes a run of the same name next removes
it. The directory of a process that is still at work is locked, and is left alone. If directories cannot be locked, all
are left alone.

The journal is made there together with its first notes. So a run has its limits from its first moment.
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
    """Yield a new directory beside `directory`, for its owner alone. Remove it at the end, unless it was renamed.

    Raises:
        UnusableRun: the directory cannot be made.
    """
    for left in directory.parent.glob(f"{_prefix(directory)}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left, ignore_errors=True)
    with ExitStack() as stack:
        yield _made(directory, stack)


def _made(directory: Path, stack: ExitStack) -> Path:
    """Return a new directory. It is locked, and `stack` unlocks and removes it at its end."""
    while True:
        try:
            made = Path(tempfile.mkdtemp(prefix=_prefix(directory), dir=directory.parent))
        except OSError as error:
            raise UnusableRun(f"{directory} cannot be made ({error.strerror}): give access, or another --run.") from None
        with suppress(FileNotFoundError):
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            stack.enter_context(_locked(made, must=False))
            if made.exists():
                return made
        # Another process took the directory for a leftover and removed it, just before it was locked.


@contextmanager
def _locked(directory: Path, *, must: bool = True) -> Iterator[None]:
    """Hold a lock on a directory. The lock ends with this process, however it ends.

    Raises:
        OSError: the directory `must` be locked and cannot be, because another process holds it, for example.
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
