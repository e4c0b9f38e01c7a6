"""A network between a test and a server on this machine, which loses connections at the byte that the test names."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Way = Literal["up", "down"]
"""To the server, or from it."""


@dataclass(slots=True)
class _Pair:
    """A connection: the client's end and the server's."""

    client: socket.socket
    server: socket.socket
    late: bytearray = field(default_factory=bytearray)

    def close(self) -> None:
        for each in (self.client, self.server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Proxy:
    """Passes bytes on between a port of its own and another.

    Attributes:
        port: its own.
        passed: bytes that have passed in each way since `cut` or the beginning.
        connections: how many were made.
        refuses: whether no more are taken.
    """

    def __init__(self, port: int) -> None:
        """Stand before a port of 127.0.0.1."""
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        self.connections = 0
        self.refuses = False
        self._left: dict[Way, int | None] = {"up": None, "down": None}
        self._delays, self._closed = False, False
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._late: list[_Pair] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self, way: Way, after: int, *, delays: bool = False) -> None:
        """Lose the connection when so many more bytes have passed in one way, once.

        With `delays`, what the client had sent by then and after it reaches the server when the test says so (`deliver`): the
        client has lost its connection, and knows nothing of it.
        """
        with self._lock:
            self.passed = {"up": 0, "down": 0}
            self._left = {"up": None, "down": None, way: after}
            self._delays = delays

    def heal(self) -> None:
        """Lose nothing any more, and take connections again."""
        self.refuses = False
        with self._lock:
            self._left = {"up": None, "down": None}

    def deliver(self) -> int:
        """Let the server have what was on its way to it; return how many bytes."""
        count = 0
        for pair in self._late:
            with suppress(OSError):
                pair.server.sendall(pair.late)
                count += len(pair.late)
                pair.server.shutdown(socket.SHUT_WR)
                while pair.server.recv(65536):
                    pass
            pair.close()
        self._late.clear()
        return count

    def close(self) -> None:
        """Lose all connections, and take none any more."""
        self._closed = True
        for pair in [*self._pairs, *self._late]:
            pair.close()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                continue
            if self.refuses:
                client.close()
                continue
            try:
                pair = _Pair(client, socket.create_connection(("127.0.0.1", self._to)))
            except OSError:
                client.close()
                continue
            self.connections += 1
            self._pairs.append(pair)
            for way in ("up", "down"):
                self._threads.append(threading.Thread(target=self._pump, args=(pair, way)))
                self._threads[-1].start()

    def _pump(self, pair: _Pair, way: Way) -> None:
        source, target = (pair.client, pair.server) if way == "up" else (pair.server, pair.client)
        with suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    left = self._left[way]
                    kept = data if left is None else data[:left]
                    self.passed[way] += len(kept)
                    cuts = left is not None and len(data) >= left
                    self._left[way] = None if cuts or left is None else left - len(data)
                    if cuts and self._delays:
                        pair.late += data
                        self._late.append(pair)
                if cuts and self._delays:
                    pair.client.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(kept)
                if cuts:
                    break
        if pair not in self._late:
            pair.close()


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """Yield a proxy before a port."""
    found = Proxy(port)
    try:
        yield found
    finally:
        found.close()
