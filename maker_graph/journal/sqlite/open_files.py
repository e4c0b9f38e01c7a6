"""Finds out whether an open journal is still the one on the disk.

A process that has a file open can go on writing to it after its name is gone: after `rm -r`, or after a backup or a snapshot
was put back. Nobody could ever find what it writes, and the calls would be paid for in vain. So the names are looked up before
each call that costs money, and around each commit. Two things are compared:

- The names must still belong to the files that are open: same device, same inode.
- Only SQLite may have written to them. A copy that is written over a file keeps its inode, but not its size or its time.

The files are never opened here. Closing a file of a database would drop all locks that this process holds on it.
"""

import os
from enum import Enum, auto
from pathlib import Path
from typing import TypeAlias


class Found(Enum):
    """What happened to open files."""

    SAME = auto()
    WRITTEN = auto()
    """They are the same files, but somebody has written to the database or its log."""
    GONE = auto()
    """One of them was deleted, moved or replaced."""


_WHICH = 2
"""How many values of a state say which file it is."""

State: TypeAlias = "tuple[int, ...] | None"
"""The device and the inode of the file with a name, for some files also its size and when it was written (nanoseconds).

It is None if there is no such file.
"""


class OpenFiles:
    """The database of a journal, the two files that SQLite keeps beside it, and other files that are added.

    The database and its log are written by commits only, so their sizes and times are compared. The other files are written at
    any time, so theirs are not.

    Attributes:
        path: the absolute path of the database, because the process may change its working directory.
    """

    def __init__(self, path: Path) -> None:
        """Look at the database with this path, before it is opened."""
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  pathlib's `absolute` leaves the dots, `resolve` follows links
        self._content = [f"{self.path}", f"{self.path}-wal"]
        self._others = [f"{self.path}-shm"]
        self._known = [_with_content(self._content[0])]

    def opened(self) -> Found:
        """Accept the files as they are now, after they were opened. Return GONE if another file got the name meanwhile."""
        began, self._known = self._known[0], self._states()
        now = self._known[0]
        return Found.SAME if began is not None and now is not None and began[:_WHICH] == now[:_WHICH] else Found.GONE

    def add(self, path: Path) -> None:
        """Watch one more file."""
        name = os.path.abspath(path)  # noqa: PTH100  as above
        if name not in self._others:
            self._others.append(name)
            self._known.append(_which(name))

    def look(self) -> Found:
        """Return what happened to the files since they were accepted."""
        return self._compare(self._states())

    def know(self) -> Found:
        """Return what happened to the files, and accept them as they are now, because this process has just written to them."""
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
