"""A worker of a fleet: it takes runs that nobody works on, drives each to its end, and sees to those of workers that died."""

import asyncio
import os
import socket
import time
from contextlib import closing, suppress
from importlib import import_module
from typing import Literal
from uuid import uuid4

from maker_graph.errors import MakerError, OutOfReach
from maker_graph.extras import need_extra
from maker_graph.fleet.driving import NOBODY, Driver, Driving, Told
from maker_graph.fleet.engines.protocol import Engine
from maker_graph.fleet.standing import Standing, standing
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import Fleet

EngineName = Literal["dbos", "ray"]

AT_ONCE = 4
"""Runs that a worker drives at once, unless it is told otherwise."""

AHEAD = 500
"""Runs that an engine is given at most before some of them are begun."""

BEATS = 4
"""How often a worker is heard within its lease."""


SOONEST = 0.2
"""Seconds between two looks at the fleet at least."""


async def work(
    how: Driving,
    *,
    engine: EngineName = "dbos",
    at_once: int = AT_ONCE,
    stay: bool = False,
    told: Told = NOBODY,
) -> Standing:
    """Work on a fleet until none of its runs can be gone on with; return how it stands then.

    Args:
        how: the fleet, and how its runs are gone on with.
        engine: that keeps a living worker on each run.
        at_once: runs that this worker drives at once.
        stay: wait for more when nothing is left.
        told: who is told of it.

    Raises:
        UsageError: the extra is missing, or this machine lacks what the runs need.
        UnusableRun: there is no such fleet.
        ProviderFailure: the provider refuses this worker.
        OutOfReach: the database cannot be reached when it begins.
    """
    worker = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:4]}"
    keeps = _engine(engine, how, worker)
    with closing(Connection(how.address)) as connection, closing(Driver(how, told)) as driver:
        fleet = Fleet(connection, how.fleet)
        connection.see_tables()
        fleet.found()
        await asyncio.to_thread(import_module, "maker_graph.run.solving")  # LangGraph, for which no run shall wait
        found = _Worker(fleet, worker, keeps, driver)
        fleet.beat(worker, how.lease)
        try:
            async with keeps.work(driver, at_once, found.ended):
                return await found.worked(stay=stay)
        finally:
            with suppress(MakerError):
                fleet.gone(worker)


class _Worker:
    """A worker while it works."""

    def __init__(self, fleet: Fleet, name: str, engine: Engine, driver: Driver) -> None:
        self._fleet, self._name, self._engine = fleet, name, engine
        self._how, self._told = driver.how, driver.told
        self._look_again = asyncio.Event()
        self._stopped: MakerError | None = None
        self._away = False

    def ended(self, error: MakerError | None) -> None:
        """Take note that this worker goes on with a run no longer; with an error, it ends."""
        self._stopped = self._stopped or error
        self._look_again.set()

    async def worked(self, *, stay: bool) -> Standing:
        """Look after the fleet until nothing of it is left, or this worker is stopped."""
        while True:
            began = time.monotonic()
            self._look_again.clear()
            try:
                now = await asyncio.to_thread(self._look)
                if self._away:
                    self._told.warn("The journal can be reached again.")
                self._away = False
                self._told.stands(now)
                if not now.goes_on and not stay:
                    return now
            except OutOfReach as error:
                if not self._away:
                    self._told.warn(f"{error} This worker waits for it.")
                self._away = True
            with suppress(TimeoutError):
                async with asyncio.timeout(max(SOONEST, self._how.lease / BEATS - (time.monotonic() - began))):
                    await self._look_again.wait()
            if self._stopped is not None:
                raise self._stopped
            await asyncio.sleep(SOONEST)  # several runs may end together

    def _look(self) -> Standing:
        """Say that this worker lives, and hand to the engine what nobody works on; return how the fleet stands."""
        self._fleet.beat(self._name, self._how.lease)
        now = standing(self._fleet)
        if self._fleet.refilled():  # after the look: when nobody was at work then, all has come back by now
            now = standing(self._fleet)
        with self._fleet.alone(self._how.lease) as alone:
            if alone:
                self._engine.submit(self._fleet.open_runs(AHEAD), now.living)
        return now


def _engine(name: EngineName, how: Driving, worker: str) -> Engine:
    """Return the engine of this name.

    Raises:
        UsageError: its extra is missing.
    """
    if name == "dbos":
        need_extra("fleet", "The engine DBOS", "dbos")
        from maker_graph.fleet.engines.dbos import DbosEngine  # noqa: PLC0415  an extra

        return DbosEngine(how.address, how.fleet, worker)
    need_extra("ray", "The engine Ray", "ray")
    from maker_graph.fleet.engines.ray import RayEngine  # noqa: PLC0415  an extra

    return RayEngine()
