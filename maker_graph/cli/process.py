"""A run as a process: when a signal stops it, it ends soon and with its exit code."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from maker_graph.cli.app import INTERRUPTED

EXIT_SECONDS = 4.5
"""How many seconds a run may take to stop. Every committed step is on disk already."""


def until_signal(work: Coroutine[Any, Any, None], *, hung: Callable[[], None] = lambda: None) -> bool:
    """Do `work` in an event loop of its own; return False if Ctrl-C or SIGTERM stopped it.

    If it does not stop within `EXIT_SECONDS`, `hung` is called and the process ends at once.
    """
    gc.collect()
    gc.freeze()  # what is there now stays to the end: looking through it again and again took a tenth of all time
    gc.set_threshold(20_000, 50, 100)

    async def main() -> None:
        task = asyncio.ensure_future(work)

        def stop() -> None:
            task.cancel()
            # A call that cannot be cancelled (a model without an async client, in a thread) must not keep the process alive.
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
        signal.signal(signal.SIGTERM, before)  # the loop sets it to its default, which ends the process without a word
    return True
