"""Runs work until a signal: after Ctrl-C or SIGTERM the process ends in time, with its exit code."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from maker_graph.cli.app import INTERRUPTED

EXIT_SECONDS = 4.5
"""Seconds that an interrupted run may take to end. Every committed step is on the disk before that."""


def until_signal(work: Coroutine[Any, Any, None], *, hung: Callable[[], None] = lambda: None) -> bool:
    """Do `work` in an event loop of its own. Return False if Ctrl-C or SIGTERM ended it early.

    If it cannot be ended in time, `hung` is called and the process ends at once.
    """
    gc.collect()
    gc.freeze()  # else each collection goes over all imported modules again, which was a tenth of all work
    gc.set_threshold(20_000, 50, 100)

    async def main() -> None:
        task = asyncio.ensure_future(work)

        def stop() -> None:
            task.cancel()
            # A call that cannot be cancelled (a model without an async client, in a thread) must not keep the process.
            watchdog = threading.Timer(EXIT_SECONDS, give_up)
            watchdog.daemon = True
            watchdog.start()

        def give_up() -> None:
            try:
                hung()
            finally:
                os._exit(INTERRUPTED)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        await task

    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        return False
    finally:
        signal.signal(signal.SIGTERM, before)  # the loop leaves the default handler, which ends the process without a message
    return True
