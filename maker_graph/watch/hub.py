"""One reader for all browsers: it looks at the runs, and tells everybody who listens what has changed.

Runs are read only while somebody listens. Each change has a number. A browser that comes back with the number of the last
change that it heard gets what has changed since; one that comes for the first time, or back to another server, gets all.
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
"""Seconds after which a listener hears from the hub, also if nothing has changed."""

A_ROUND = 1.0
"""Seconds that one look at all runs may take to catch up with their steps. The runs that somebody has chosen come first."""

MOST_RUNS = 200
"""So many runs are watched at most: the newest ones."""


class News(NamedTuple):
    """What a listener is told.

    Attributes:
        number: of the change, for who comes back.
        all: whether `runs` are all that there are, and not only those that have changed.
        runs: the key of each -> what stands in the list.
        chosen: what else is shown of the run that the listener has chosen; None if that has not changed.
        more: how many runs there are beside those that are watched.
    """

    number: str
    all: bool
    runs: dict[str, dict[str, Any]]
    chosen: dict[str, Any] | None
    more: int = 0


class Found(NamedTuple):
    """A run that is to be watched, and what was seen of it when it was found."""

    home: Home
    seen: Seen = Seen()


class Finding(NamedTuple):
    """The runs that are to be watched, the newest first, and how many there are beside them."""

    runs: Sequence[Found]
    more: int = 0


class _Run:
    """A run that is watched, with the numbers of its last changes."""

    def __init__(self, home: Home) -> None:
        self.followed = Followed(home)
        self.view = View({}, {})
        self.listed_at = self.detail_at = 0


def key_of(home: Home) -> str:
    """Return what a run is called in addresses: letters and digits that say nothing."""
    return hashlib.sha256(str(home).encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Hub:
    """The runs that are watched, and who listens."""

    def __init__(self, find: Callable[[], Finding]) -> None:
        """Watch the runs that `find` returns; it is asked at each look."""
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
        """Return where the run of this key is; None if none is watched that has it."""
        run = self._runs.get(key)
        return None if run is None else run.followed.home

    async def work(self) -> None:
        """Look at the runs as long as somebody listens; it never ends by itself."""
        told = 0
        while True:
            await self._wanted.wait()
            began = time.monotonic()
            with suppress(OSError):  # of who finds the runs; the next look may do better
                await asyncio.to_thread(self._look)
            if told != self._number:
                told = self._number
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(max(LOOKS - (time.monotonic() - began), 0.05))

    async def listen(self, chosen: str | None, heard: str | None = None) -> AsyncIterator[News | None]:
        """Yield what there is, then what changes; None where nothing has changed for a while.

        Args:
            chosen: the key of the run of which more is shown.
            heard: the number of the last change that the listener heard.
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
                now = self._number  # before anything is read: what changes meanwhile is told the next time
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
        """Wait until something is another than at the change `now`; return whether it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LIVES), self._changed:
                await self._changed.wait_for(lambda: self._number > now)
        return self._number > now

    def _number_of(self, heard: str | None) -> int | None:
        boot, _, number = (heard or "").partition("-")
        return int(number) if boot == self._boot and number.isascii() and number.isdigit() and len(number) < 19 else None

    def _since(self, seen: int | None, chosen: str | None, now: int) -> News | None:
        """Return what has changed since; None if nothing has."""
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
        for key in [key for key in runs if key not in found][: max(0, len(runs) - MOST_RUNS)]:  # newer ones take their places
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
        self._runs, self._more = (
            runs,
            len(all_.runs) + all_.more - len(found),
        )  # all at once, and only after they were looked at: who listens is in another thread
        if changed:
            self._number = number
