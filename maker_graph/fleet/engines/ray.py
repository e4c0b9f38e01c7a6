"""Ray as the engine. This process hands runs to actors, one for each processor of the cluster.

Ray stores nothing about the runs. If this process is killed, its actors die with it. The next one that is started reads
from the journal which runs are open. If an actor dies, Ray starts it again, and its runs are handed out at once. If an
actor does not answer, its runs are handed out when their lease is over.
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
"""Seconds that actors have at the end to let go of their runs. The other runs are free when their lease is over."""

AGAIN = 1.0
"""Seconds for which an actor that is gone still counts as busy, because Ray is starting it again."""


class RayActor:
    """Goes on with runs on some machine of the cluster. It connects to the database when it gets its first run."""

    def __init__(self, how: Driving) -> None:
        """Keep the settings. Nothing is connected yet."""
        self._warned: list[str] = []
        self._driver = Driver(how, self.told())

    def told(self) -> Told:
        """Return the functions that are told of the runs."""
        return Told(warn=self._warned.append)

    async def drive(self, run: str) -> tuple[list[str], MakerError | None]:
        """Go on with a run. Return the warnings, and the error that ends the worker, or None."""
        error: MakerError | None = None
        try:
            await self._driver(run)
        except MakerError as raised:
            error = raised
        warned, self._warned[:] = list(self._warned), []
        return warned, error


class RayEngine:
    """The engine Ray, for one process that hands out the runs of one fleet.

    It uses the cluster that RAY_ADDRESS names, or the processors of this machine if the variable is not set.

    Attributes:
        actor: the class of the actors.
    """

    actor: ClassVar[type[RayActor]] = RayActor

    def __init__(self) -> None:
        """Begin with no runs. No cluster is connected yet."""
        self._free = deque[str]()
        self._busy: dict[str, float] = {}
        self._lease = 0.0
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def work(self, drive: Driver, at_once: int, ended: Ended) -> AsyncIterator[None]:
        """Let the actors drive runs until the block ends, each `at_once` runs at a time; see `Engine.work`."""
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
        """Add runs to the free ones, except those that an actor got less than a lease ago; see `Engine.submit`."""
        now = time.monotonic()
        for run in runs:
            if run not in self._free and self._busy.get(run, 0.0) <= now - self._lease:
                self._free.append(run)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    async def _hand_out(self, actors: Sequence[Any], at_once: int, drive: Driver, ended: Ended) -> None:
        """Give free runs to the actors that have room, until this task is cancelled."""
        having = Counter[int](dict.fromkeys(range(len(actors)), 0))
        tasks: dict[asyncio.Task[None], Any] = {}
        closing = False

        async def had(run: str, place: int, answer: Any) -> None:
            try:
                warned, error = await answer
            except ray.exceptions.RayError as lost:
                if not closing:
                    drive.told.warn(f"{run}: its actor is gone ({type(lost).__name__}). Another actor goes on with the run.")
                    self._free.append(run)
                    self._news.set()
                    await asyncio.sleep(AGAIN)  # meanwhile the other actors get runs first
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
