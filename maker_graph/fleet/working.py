"""A worker of a fleet: it takes runs that nobody works on, also those of dead workers, and works on each to its end."""

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
"""The default number of runs that a worker drives at once."""

AHEAD = 500
"""The most open runs that are handed to an engine at a time."""

BEATS = 4
"""How often within its lease a worker says that it lives."""

SOONEST = 0.2
"""The least time, in seconds, between two looks at the fleet."""


async def work(
    how: Driving,
    *,
    engine: EngineName = "dbos",
    at_once: int = AT_ONCE,
    stay: bool = False,
    told: Told = NOBODY,
) -> Standing:
    """Work on a fleet until workers can go on with none of its runs. Return how the fleet stands then.

    Args:
        how: the fleet, and the settings with which its runs go on.
        engine: the engine that hands runs to workers.
        at_once: how many runs are driven at once: by this worker, or with Ray by each actor.
        stay: whether to wait for more runs when nothing is left to do.
        told: the functions that are told of it.

    Raises:
        UsageError: the extra is missing, or this machine lacks what the runs need.
        UnusableRun: there is no such fleet.
        ProviderFailure: the provider refuses every request of this worker.
        OlderJournal: the journal of a run is an older copy: what was committed or paid for since is missing from it.
        OutOfReach: the database cannot be reached when the work begins. Later the worker waits for it.
    """
    worker = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:4]}"
    keeps = _engine(engine, how, worker)
    with closing(Connection(how.address)) as connection, closing(Driver(how, told)) as driver:
        fleet = Fleet(connection, how.fleet)
        connection.see_tables()
        fleet.found()
        await asyncio.to_thread(import_module, "maker_graph.run.solving")  # LangGraph: no run shall wait for its import
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
        """Take note that this worker has stopped working on a run. An error ends the worker."""
        self._stopped = self._stopped or error
        self._look_again.set()

    async def worked(self, *, stay: bool) -> Standing:
        """Look after the fleet until nothing is left to do. Return how it stands then.

        Raises:
            MakerError: an error has ended this worker.
        """
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
        """Say that this worker lives, and hand the engine the runs that nobody works on. Return how the fleet stands."""
        self._fleet.beat(self._name, self._how.lease)
        now = standing(self._fleet)
        if self._fleet.refilled():  # after `now`: runs that were not at work then have given back what they did not use
            now = standing(self._fleet)
        with self._fleet.alone(self._how.lease) as alone:
            if alone:
                self._engine.submit(self._fleet.open_runs(AHEAD), now.living)
        return now


def _engine(name: EngineName, how: Driving, worker: str) -> Engine:
    """Return the engine of this name.

    Raises:
        UsageError: the extra of the engine is missing.
    """
    if name == "dbos":
        need_extra("fleet", "The engine DBOS", "dbos")
        from maker_graph.fleet.engines.dbos import DbosEngine  # noqa: PLC0415  an extra

        return DbosEngine(how.address, how.fleet, worker)
    need_extra("ray", "The engine Ray", "ray")
    from maker_graph.fleet.engines.ray import RayEngine  # noqa: PLC0415  an extra

    return RayEngine()
