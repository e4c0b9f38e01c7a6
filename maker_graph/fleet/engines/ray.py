"""Ray as the engine: this process hands runs to actors, as many as the cluster has processors.

Ray keeps nothing of it. The process that hands out may be killed, and its actors with it: whoever is started next reads from
the journal which runs are open. An actor that dies is started again by Ray, and its runs are handed out at once. One that does
not answer loses them when the journal hears nothing of their owner any more.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import ray

from maker_graph.errors import MakerError
from maker_graph.fleet.driving import Driver, Driving, Told
from maker_graph.fleet.engines.protocol import Ended

LETS_GO = 3.0
"""Seconds that actors have to let go of their runs; an owner that does not is waited for until its lease ends."""


AGAIN = 1.0
"""Seconds for which an actor that is gone counts as busy: it is being started again."""


class RayActor:
    """Goes on with runs on some machine of the cluster. It begins to think of the database when it has a run."""

    def __init__(self, how: Driving) -> None:
        """Stand for the worker of an actor."""
        self._warned: list[str] = []
        self._driver = Driver(how, self.told())

    def told(self) -> Told:
        """Return who is told of the runs."""
        return Told(warn=self._warned.append)

    async def drive(self, run: str) -> tuple[list[str], MakerError | None]:
        """Go on with a run; return what was warned of, and what ends the worker."""
        error: MakerError | None = None
        try:
            await self._driver(run)
        except MakerError as raised:
            error = raised
        warned, self._warned[:] = list(self._warned), []
        return warned, error


class RayEngine:
    """Ray, for one process that hands out the runs of one fleet: to the cluster of RAY_ADDRESS, or to this machine alone.

    Attributes:
        actor: what is made on the machines of the cluster.
    """

    actor: ClassVar[type[RayActor]] = RayActor

    def __init__(self) -> None:
        """Stand for it; no cluster is connected yet."""
        self._free = deque[str]()
        self._busy: dict[str, float] = {}
        self._lease = 0.0
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def work(self, drive: Driver, at_once: int, ended: Ended) -> AsyncIterator[None]:
        """Let each actor drive so many runs at once, until the block ends."""
        self._loop, self._lease = asyncio.get_running_loop(), drive.how.lease
        if not ray.is_initialized():
            ray.init(include_dashboard=None, logging_level="error", log_to_driver=False, namespace="maker-graph")
        made: Any = ray.remote(num_cpus=1, max_restarts=-1)(self.actor)
        number = max(1, int(ray.cluster_resources().get("CPU", 1)))
        actors = [made.options(max_concurrency=at_once).remote(drive.how) for _ in range(number)]
        handing = asyncio.ensure_future(self._hand_out(actors, at_once, drive, ended))
        try:
            yield
        finally:
            handing.cancel()
            await asyncio.gather(handing, return_exceptions=True)
            for actor in actors:
                ray.kill(actor)
            await asyncio.to_thread(ray.shutdown)

    def submit(self, runs: Sequence[str], living: Collection[str]) -> None:  # noqa: ARG002  the journal knows who lives
        """Hand over runs that nobody has had for a lease."""
        now = time.monotonic()
        for run in runs:
            if run not in self._free and self._busy.get(run, 0.0) <= now - self._lease:
                self._free.append(run)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    async def _hand_out(self, actors: Sequence[Any], at_once: int, drive: Driver, ended: Ended) -> None:
        """Give free runs to actors that have room, for ever."""
        having = Counter[int](dict.fromkeys(range(len(actors)), 0))
        tasks: dict[asyncio.Task[None], Any] = {}
        closing = False

        async def had(run: str, place: int, answer: Any) -> None:
            try:
                warned, error = await answer
            except ray.exceptions.RayError as lost:
                if not closing:
                    drive.told.warn(f"{run}: the actor that had it is gone ({type(lost).__name__}). It goes on elsewhere.")
                    self._free.append(run)
                    self._news.set()
                    await asyncio.sleep(AGAIN)  # meanwhile others are asked first
            else:
                for text in warned:
                    drive.told.warn(text)
                ended(error)
            finally:
                having[place] -= 1
                self._busy.pop(run, None)
                self._news.set()

        try:
            while True:
                place, number = min(having.items(), key=lambda each: each[1])
                if not self._free or number >= at_once:
                    self._news.clear()
                    await self._news.wait()
                    continue
                run = self._free.popleft()
                having[place] += 1
                self._busy[run] = time.monotonic()
                answer = actors[place].drive.remote(run)
                task = asyncio.ensure_future(had(run, place, answer))
                tasks[task] = answer
                task.add_done_callback(tasks.pop)
        finally:
            closing = True
            for answer in tasks.values():
                ray.cancel(answer)
            if tasks:
                await asyncio.wait(list(tasks), timeout=LETS_GO)
            for task in list(tasks):
                task.cancel()
