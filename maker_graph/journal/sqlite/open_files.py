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
from typing import TypeAlias


class Found(Enum):
    """What became of open files."""

    SAME = auto()
    WRITTEN = auto()
    """The same files, and somebody has written to the database or its log since."""
    GONE = auto()
    """One of them was deleted, moved or replaced."""


_WHICH = 2
"""Of a state: the parts that say which file it is."""

State: TypeAlias = "tuple[int, ...] | None"
"""Which file goes by a name (device, inode), and for some its size and when it was written (nanoseconds); None if none does."""


class OpenFiles:
    """The database of a journal, the two files that SQLite keeps beside it, and what else is added.

    The database and its log are written by commits only, so their sizes and times tell; the others are written in passing.

    Attributes:
        path: the database, by its whole name: the process may change its directory.
    """

    def __init__(self, path: Path) -> None:
        """Take the path of a database, before it is opened."""
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  pathlib's `absolute` leaves the dots, `resolve` follows links
        self._content = [f"{self.path}", f"{self.path}-wal"]
        self._others = [f"{self.path}-shm"]
        self._known = [_with_content(self._content[0])]

    def opened(self) -> Found:
        """Take the files for the right ones, now that they are open; return GONE if the name was given to another meanwhile."""
        began, self._known = self._known[0], self._states()
        now = self._known[0]
        return Found.SAME if began is not None and now is not None and began[:_WHICH] == now[:_WHICH] else Found.GONE

    def add(self, path: Path) -> None:
        """Look at one more file from now on."""
        name = os.path.abspath(path)  # noqa: PTH100  as above
        if name not in self._others:
            self._others.append(name)
            self._known.append(_which(name))

    def look(self) -> Found:
        """Return what became of the files since they were last known."""
        return self._compare(self._states())

    def know(self) -> Found:
        """Return what became of the files, and take what was written for right: this process has just written it."""
        states = self._states()
        found = self._compare(states)
        if found is not Found.GONE:
            self._known = states
        return found

    def _states(self) -> list[State]:
        return [*map(_with_content, self._content), *map(_which, self._others)]

    def _compare(self, states: list[State]) -> Found:
        if None in states or None in self._known:
            return Found.GONE
        if states == self._known:
            return Found.SAME
        same = all(now[:_WHICH] == known[:_WHICH] for now, known in zip(states, self._known, strict=True) if now and known)
        return Found.WRITTEN if same else Found.GONE


def _which(name: str) -> State:
    try:
        found = os.stat(name)  # noqa: PTH116  a Path costs as much as the call
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _with_content(name: str) -> State:
    try:
        found = os.stat(name)  # noqa: PTH116  as above
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
