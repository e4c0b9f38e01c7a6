"""Waiting for a journal that is out of reach for a while, because its database or the network is down.

The run waits, and then goes on from its last committed step. No committed step is lost or paid for again. The votes in
flight are lost: they are sampled again. If another process has gone on with the run meanwhile, this one stops.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from maker_graph.errors import MakerError, OutOfReach
from maker_graph.journal.protocol import Journal

FIRST = 0.5
"""Seconds until the journal is tried again for the first time; each later wait is twice as long."""

LONGEST = 10.0
"""The longest wait between two tries, in seconds."""


async def in_reach(
    solved: Callable[[str | None], Awaitable[None]],
    answer: str | None,
    journal: Journal,
    *,
    patience: float,
    warn: Callable[[str], None],
) -> None:
    """Call `solved` to go on with a run, and call it again after each time that the journal was out of reach.

    Args:
        solved: goes on from the last committed step. It takes an answer to the step that is stuck, or None.
        answer: the answer for the first call. Later calls get it too, until a step is committed.
        journal: the journal of the run.
        patience: how many seconds one outage may last.
        warn: told when the wait begins and when it ends.

    Raises:
        OutOfReach: the outage lasts longer, or it began before this process became the owner of the run.
        TakenOver: another process has gone on with the run.
        MakerError: what `solved` raises.
    """
    while True:
        before = journal.step
        try:
            await solved(answer)
        except OutOfReach as error:
            if journal.epoch is None:
                raise
            warn(f"{error} The run waits until it can be reached, and then goes on.")
            await _reached(journal, error, patience)
            warn("The journal can be reached again: the run goes on.")
            if journal.account().steps != before:
                answer = None
        else:
            return


async def _reached(journal: Journal, error: OutOfReach, patience: float) -> None:
    """Return when the journal can be reached again and this process is still the owner of the run.

    Raises:
        OutOfReach: it cannot be reached for `patience` seconds; the newest error.
        TakenOver: another process is the owner now.
    """
    until, wait = time.monotonic() + patience, FIRST
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise error
        await asyncio.sleep(min(wait, left))
        wait = min(2 * wait, LONGEST)
        try:
            await asyncio.to_thread(journal.beat)
        except OutOfReach as newer:
            error = newer
        else:
            return


@asynccontextmanager
async def beating(journal: Journal) -> AsyncIterator[None]:
    """Report to the journal, at intervals, that the owner of the run is alive, if the journal has a lease."""
    if journal.lease is None:
        yield
        return
    work = asyncio.ensure_future(_beats(journal, journal.lease / 4))
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def _beats(journal: Journal, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        if journal.epoch is not None:
            with suppress(MakerError):  # the next commit or payment raises it too
                await asyncio.to_thread(journal.beat)
