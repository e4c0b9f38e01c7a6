"""One reader for all browsers. It looks at the runs, and tells each listener what has changed.

Runs are read only while somebody listens. Each change has a number. A browser that connects again sends the number of the
last change that it heard, and gets what has changed since. One that connects for the first time, or to a server that was
started again, gets everything.
"""

import asyncio
import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from maker_graph.run.home import Home
from maker_graph.watch.following import A_LOOK, Followed, Seen, View

LOOKS = 0.5
"""Seconds between two looks at the runs."""

LIVES = 15.0
"""Seconds after which a listener hears from the hub even if nothing has changed."""

A_ROUND = 1.0
"""The most seconds for which one look at all runs reads their new steps. Runs that a listener has chosen come first."""

MOST_RUNS = 200
"""The most runs that are watched. They are the newest ones."""


class News(NamedTuple):
    """What a listener is told.

    Attributes:
        number: the number of the change. A listener that connects again sends it.
        all: whether `runs` has all runs, and not only those that have changed.
        runs: key -> what the list of runs shows.
        chosen: the details of the run that the listener has chosen; None if they have not changed.
        more: how many runs are not watched, because there are too many.
    """

    number: str
    all: bool
    runs: dict[str, dict[str, Any]]
    chosen: dict[str, Any] | None
    more: int = 0


class Found(NamedTuple):
    """A run to watch, and what the finder knows about it."""

    home: Home
    seen: Seen = Seen()


class Finding(NamedTuple):
    """The runs to watch, the newest first, and how many more runs there are."""

    runs: Sequence[Found]
    more: int = 0


class _Run:
    """A watched run, with the numbers of its last changes."""

    def __init__(self, home: Home) -> None:
        self.followed = Followed(home)
        self.view = View({}, {})
        self.listed_at = self.detail_at = 0


def key_of(home: Home) -> str:
    """Return the key of a run in addresses: 16 hexadecimal digits, which do not tell its name."""
    return hashlib.sha256(str(home).encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Hub:
    """The watched runs, and the listeners."""

    def __init__(self, find: Callable[[], Finding]) -> None:
        """Watch the runs that `find` returns. It is called at each look."""
        self._find = find
        self._runs: dict[str, _Run] = {}
        self._chosen: Counter[str] = Counter()
        self._more = self._dropped_at = 0
        self._boot = secrets.token_hex(4)
        self._number = 1
        self._changed = asyncio.Condition()
        self._listeners = 0
        self._looking = threading.Lock()
        self._wanted = asyncio.Event()

    def home(self, key: str) -> Home | None:
        """Return the home of the watched run with this key; None if there is none."""
        run = self._runs.get(key)
        return None if run is None else run.followed.home

    async def work(self) -> None:
        """Look at the runs as long as somebody listens; it never ends by itself."""
        told = 0
        while True:
            await self._wanted.wait()
            began = time.monotonic()
            with suppress(OSError):  # from the finder: the next look may succeed
                await asyncio.to_thread(self._look)
            if told != self._number:
                told = self._number
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(max(LOOKS - (time.monotonic() - began), 0.05))

    async def listen(self, chosen: str | None, heard: str | None = None) -> AsyncIterator[News | None]:
        """Yield how things stand, and then each change; None after `LIVES` seconds without one.

        Args:
            chosen: the key of the run whose details are wanted; None: of no run.
            heard: the number of the last change that the listener heard; None: it is new.
        """
        self._listeners += 1
        self._chosen.update([] if chosen is None else [chosen])
        try:
            if self._listeners == 1 or not self._runs:  # nobody has looked for a while
                with suppress(OSError):
                    await asyncio.to_thread(self._look)
            self._wanted.set()
            seen = self._number_of(heard)
            while True:
                now = self._number  # taken before anything is read: a change meanwhile is told the next time
                news, seen = self._since(seen, chosen, now), now
                if news is not None:
                    yield news
                elif not await self._changes(now):
                    yield None
        finally:
            self._listeners -= 1
            self._chosen = self._chosen - Counter([] if chosen is None else [chosen])
            if not self._listeners:
                self._wanted.clear()

    async def _changes(self, now: int) -> bool:
        """Wait at most `LIVES` seconds for a change after the one with the number `now`; return whether it came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LIVES), self._changed:
                await self._changed.wait_for(lambda: self._number > now)
        return self._number > now

    def _number_of(self, heard: str | None) -> int | None:
        boot, _, number = (heard or "").partition("-")
        return int(number) if boot == self._boot and number.isascii() and number.isdigit() and len(number) < 19 else None

    def _since(self, seen: int | None, chosen: str | None, now: int) -> News | None:
        """Return what has changed after the change `seen`; everything if that is None or unknown; None if nothing has."""
        every = seen is None or seen > now or seen < self._dropped_at
        since = 0 if every or seen is None else seen
        runs = {key: run.view.listed for key, run in self._runs.items() if every or run.listed_at > since}
        found = None if chosen is None else self._runs.get(chosen)
        detail = found.view.detail if found is not None and (every or found.detail_at > since) else None
        if not (every or runs or detail is not None):
            return None
        return News(f"{self._boot}-{now}", every, runs, detail, self._more)

    def _look(self) -> None:
        """Look at all runs, in one thread at a time."""
        with self._looking:
            self._look_at_all()

    def _look_at_all(self) -> None:
        all_ = self._find()
        found = {key_of(each.home): each for each in all_.runs[:MOST_RUNS]}
        runs = {**self._runs, **{key: _Run(each.home) for key, each in found.items() if key not in self._runs}}
        number, changed = self._number + 1, False
        gone = [key for key in runs if key not in found]
        for key in gone[: max(0, len(runs) - MOST_RUNS)]:  # newer runs take their places
            del runs[key]
            self._dropped_at, changed = number, True
        until = time.monotonic() + A_ROUND
        for key, run in sorted(runs.items(), key=lambda each: each[0] not in self._chosen):
            now = time.monotonic()
            seen = found[key].seen if key in found else Seen()
            view = run.followed.look(now, min(A_LOOK, max(0.0, until - now)), seen)
            if view.listed != run.view.listed:
                run.listed_at, changed = number, True
            if view.detail != run.view.detail:
                run.detail_at, changed = number, True
            run.view = view
        # Assigned in one go, after all runs were looked at: listeners are in another thread.
        self._runs, self._more = runs, len(all_.runs) + all_.more - len(found)
        if changed:
            self._number = number
