"""Cuts a connection whose server is silent for too long.

A server that was stopped, or a pooler that hangs, keeps its connections open and answers nothing. The network does not notice
it, and psycopg has no time limit of its own for an answer.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SILENCE = 60.0
"""Seconds for which an answer is waited for."""

_LOOKS = 0.25
"""Seconds between two looks."""


class _Waits:
    """The answers that are waited for just now, and a thread that looks after them: one for all connections of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[int, float] = {}
        self._looks_in = 0

    @contextmanager
    def on(self, file: int, seconds: float) -> Iterator[None]:
        """Shut the socket with this number if what is done within takes longer."""
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
            with self._lock:  # as long as it is held, nobody closes the socket, and its number is no other one's
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
    """Wait for an answer on a socket, and shut the socket if that takes longer: then the answer is an error.

    Args:
        seconds: how long.
        file: the number of the socket.
    """
    with _WAITS.on(file, seconds):
        yield
