"""What a fleet asks of an engine, which hands the open runs to living workers."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from maker_graph.errors import MakerError
from maker_graph.fleet.driving import Driver

Drive = Callable[[str], Awaitable[None]]
"""Goes on with the run of this name until it ends, waits, or is taken by another worker. Its errors end the worker."""

Ended = Callable[[MakerError | None], None]
"""Called when this worker has stopped working on a run, with the error that ends the worker, or None."""


class Engine(Protocol):
    """Hands each open run to a living worker. It may hand one run to two workers: then the journal refuses one of them."""

    def work(self, drive: Driver, at_once: int, ended: Ended) -> AbstractAsyncContextManager[None]:
        """Let this worker drive runs until the block ends. Runs that are not finished then are free for other workers.

        Args:
            drive: goes on with a run.
            at_once: how many runs are driven at once.
            ended: called whenever this worker has stopped working on a run.

        Raises:
            OutOfReach: the database of the engine cannot be reached when the block begins.
            LimitReached: this user may not use that database.
        """

    def submit(self, runs: Sequence[str], living: Collection[str]) -> None:
        """Take over the open runs that the engine does not have yet, and again those of its runs whose worker is dead.

        It is called in a thread.

        Args:
            runs: the names of runs that can go on and have no living owner.
            living: the names of the living workers.

        Raises:
            OutOfReach: the database of the engine cannot be reached.
        """
