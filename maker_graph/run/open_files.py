"""Whether an open journal is still the one on the disk.

A process that has a file open goes on with it, whatever becomes of its name: after `rm -r`, after a backup is put back, after a
snapshot is rolled back, it writes into a file that nobody will ever find again, and pays for it. So the names are looked up
before each call that is paid for and around each commit. They must still stand for the very files that are open (device and
inode). And nobody may have written to them but SQLite: what is copied over a file keeps its inode, but not its size or time.

The files are looked at by name, never opened here: to close any file of a database would drop all locks that this process holds
on it.
"""

import os
from enum import Enum, auto
from pathlib import Path


class Found(Enum):
    """What became of open files."""

    SAME = auto()
    WRITTEN = auto()
    """The same files, and somebody has written to the database or its log since."""
    GONE = auto()
    """One of them was deleted, moved or replaced."""


_WHICH = 2
"""Of a state: the parts that say which file it is."""

_CONTENT = 2
"""Of the files: the database and its log, which are written by commits only; the others are written in passing."""


class OpenFiles:
    """The database of a journal, the two files that SQLite keeps beside it, and what else is added.

    Attributes:
        path: the database, by its whole name: the process may change its directory.
    """

    def __init__(self, path: Path) -> None:
        """Stand for the database in `path`; to be made before it is opened."""
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  pathlib's `absolute` leaves the dots, `resolve` follows links
        self._names = [f"{self.path}{ending}" for ending in ("", "-wal", "-shm")]
        self._database = _state(self._names[0])
        self._states: list[tuple[int, ...] | None] = []

    def opened(self) -> Found:
        """Take the files for the right ones, now that they are open; return GONE if the name was given to another meanwhile."""
        self._states = [_state(name) for name in self._names]
        began = self._database
        return (
            Found.SAME
            if began is not None and self._states[0] is not None and began[:_WHICH] == self._states[0][:_WHICH]
            else Found.GONE
        )

    def add(self, path: Path) -> None:
        """Look at one more file from now on."""
        name = os.path.abspath(path)  # noqa: PTH100  as above
        if name not in self._names:
            self._names.append(name)
            self._states.append(_state(name))

    def look(self) -> Found:
        """Return what became of the files since they were last known."""
        return self._compare([_state(name) for name in self._names])

    def know(self) -> Found:
        """Return what became of the files, and take what was written for right: this process has just written it."""
        states = [_state(name) for name in self._names]
        found = self._compare(states)
        if found is not Found.GONE:
            self._states = states
        return found

    def _compare(self, states: list[tuple[int, ...] | None]) -> Found:
        for now, known in zip(states, self._states, strict=True):
            if now is None or known is None or now[:_WHICH] != known[:_WHICH]:
                return Found.GONE
        return Found.SAME if states[:_CONTENT] == self._states[:_CONTENT] else Found.WRITTEN


def _state(name: str) -> tuple[int, ...] | None:
    """Return which file goes by this name (device, inode), its size and when it was written; None if there is none."""
    try:
        found = os.stat(name)  # noqa: PTH116  a Path costs as much as the call
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
