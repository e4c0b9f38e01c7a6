"""Cuts a connection whose server is silent for too long.

A server that was stopped, or a pooler that hangs, keeps its connections open and does not answer. The network does not notice
that, and psycopg has no time limit for an answer.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SILENCE = 60.0
"""How long to wait for an answer, in seconds."""

_LOOKS = 0.25
"""Seconds between two checks."""


class _Waits:
    """The answers that are awaited now, and the thread that watches them. A process has one, for all its connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[int, float] = {}
        self._looks_in = 0

    @contextmanager
    def on(self, file: int, seconds: float) -> Iterator[None]:
        """Shut the socket with the number `file` if the block takes longer than `seconds`."""
        with self._lock:
            self._until[file] = time.monotonic() + seconds
            begins, self._looks_in = self._looks_in != os.getpid(), os.getpid()  # a fork has no threads
        if begins:
            threading.Thread(target=self._look, name="maker-graph-silence", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._until.pop(file, None)

    def _look(self) -> None:
        while True:
            time.sleep(_LOOKS)
            with self._lock:  # while the lock is held, nobody closes the socket, so its number belongs to no other one
                now = time.monotonic()
                for file in [file for file, until in self._until.items() if until < now]:
                    del self._until[file]
                    with suppress(OSError):
                        _shut(file)


def _shut(file: int) -> None:
    other = socket.socket(fileno=os.dup(file))
    try:
        other.shutdown(socket.SHUT_RDWR)
    finally:
        other.close()


_WAITS = _Waits()


@contextmanager
def no_longer_than(seconds: float, file: int) -> Iterator[None]:
    """Shut a socket if the block takes too long. Then whoever waits for an answer on it gets an error.

    Args:
        seconds: how long the block may take.
        file: the number of the socket.
    """
    with _WAITS.on(file, seconds):
        yield
