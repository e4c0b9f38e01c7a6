"""A journal that may be out of reach for a while: its database is down, or the network is.

A run waits for it as it waits for a provider, and then goes on from its last committed step. Nothing that was committed is lost
or paid for again; the votes in flight are. If another process has gone on with the run meanwhile, this one stops.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from maker_graph.errors import MakerError, OutOfReach
from maker_graph.journal.protocol import Journal

FIRST = 0.5
"""Seconds to the first look whether the journal can be reached again; each later wait is twice as long."""

LONGEST = 10.0
"""Seconds from one look to the next at most."""


async def in_reach(
    solved: Callable[[str | None], Awaitable[None]],
    answer: str | None,
    journal: Journal,
    *,
    patience: float,
    warn: Callable[[str], None],
) -> None:
    """Go on with a run by `solved`, and again whenever its journal was out of reach.

    Args:
        solved: goes on from the last committed step, with an answer to the step that is stuck.
        answer: for its first call, and for later ones as long as no step was committed.
        journal: of the run.
        patience: seconds for which one outage is waited out.
        warn: told that it is waited.

    Raises:
        OutOfReach: it lasts longer, or it was there before this process became the owner of the run.
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
            warn(f"{error} The run waits for it, and goes on then.")
            await _reached(journal, error, patience)
            warn("The journal can be reached again: the run goes on.")
            if journal.account().steps != before:
                answer = None
        else:
            return


async def _reached(journal: Journal, error: OutOfReach, patience: float) -> None:
    """Return when the journal can be reached again, and this process is still its owner."""
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
    """Say that the owner of a run lives, as long as the event loop turns, where others wait to hear it."""
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
            with suppress(MakerError):  # whoever commits or pays next meets it too
                await asyncio.to_thread(journal.beat)
