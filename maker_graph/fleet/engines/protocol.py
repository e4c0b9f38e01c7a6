"""What a fleet asks of an engine."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from maker_graph.errors import MakerError
from maker_graph.fleet.driving import Driver

Drive = Callable[[str], Awaitable[None]]
"""Goes on with the run of a name until it ends, waits, or is another worker's; it raises what ends the worker."""

Ended = Callable[[MakerError | None], None]
"""Told that this worker goes on with a run no longer, and what it was that ends the worker."""


class Engine(Protocol):
    """Keeps a living worker on each run that was handed over; it may hand the same run to two, and the journal decides."""

    def work(self, drive: Driver, at_once: int, ended: Ended) -> AbstractAsyncContextManager[None]:
        """Let this worker drive so many runs at once, until the block ends; those that it leaves unfinished are free then.

        Raises:
            OutOfReach: what it keeps its records in cannot be reached when it begins.
        """

    def submit(self, runs: Sequence[str], living: Collection[str]) -> None:
        """Hand over runs that it does not have, and those again whose worker is none of the living.

        It is called in a thread.

        Args:
            runs: that are to be gone on with and have no owner that lives.
            living: the names of workers.

        Raises:
            OutOfReach: what it keeps its records in cannot be reached.
        """
