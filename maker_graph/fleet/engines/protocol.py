"""What a fleet asks of an engine."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

Drive = Callable[[str], Awaitable[None]]
"""Goes on with the run of a name until it ends, or is another worker's."""


class Engine(Protocol):
    """Keeps a living worker on each run that was handed over; it may hand the same run to two, and the journal decides."""

    def work(self, drive: Drive, at_once: int) -> AbstractAsyncContextManager[None]:
        """Let this worker drive so many runs at once, until the block ends; those that it leaves unfinished are free then."""

    def submit(self, runs: Sequence[str], living: Collection[str]) -> None:
        """Hand over runs that it does not have, and those again whose worker is none of the living.

        It is called in a thread.

        Raises:
            OutOfReach: what it keeps its records in cannot be reached.
        """
