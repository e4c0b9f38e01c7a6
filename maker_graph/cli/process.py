"""A run as a process: told to stop by a signal, it ends in time and with its exit code."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from maker_graph.cli.app import INTERRUPTED

EXIT_SECONDS = 4.5
"""How long a run that was told to stop may take to do so; every committed step is on disk long before."""


def until_signal(work: Coroutine[Any, Any, None], *, hung: Callable[[], None] = lambda: None) -> bool:
    """Do `work` in an event loop of its own; return False if Ctrl-C or SIGTERM ended it before its end.

    `hung` is called where it could not be ended in time: then the process ends at once.
    """
    gc.collect()
    gc.freeze()  # what was imported and opened stays to the end: a tenth of all work was going over it again and again
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
        signal.signal(signal.SIGTERM, before)  # the loop leaves it at its default, which ends without a word
    return True
