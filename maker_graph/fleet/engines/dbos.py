"""DBOS Transact as the engine. Each run is a workflow in the queue of its fleet, in the database of the journal.

DBOS gives an open run to one worker, and records when it has ended. A worker that has lost its run to another one
cannot overwrite that record. The open-source library does not notice by itself that a worker is dead. So `submit` does:
it queues the workflows of dead workers again, also those that such a worker had not begun.

DBOS's tables hold only names, and nothing in them decides what is committed. All workers use the version "1", because
DBOS gives no workflow to a worker of another version.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from uuid import uuid4

from dbos import DBOS, DBOSClient, DBOSConfig
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import DBAPIError

from maker_graph.errors import LimitReached, MakerError, OutOfReach
from maker_graph.fleet.engines.protocol import Drive, Ended

POLL = 0.25
"""Seconds between two looks of a worker into the queue."""

LOST = 10.0
"""Seconds until a run is queued again that DBOS gave to this worker, and that did not arrive because the database died."""

POOL = 4
"""The number of connections that DBOS keeps for a worker."""

ATTEMPTS = 1_000_000
"""The most attempts at a run. Each worker that dies during a run costs one, so there is practically no limit."""

_NAME = "maker-graph"

_WORKFLOW = "drive"


class DbosEngine:
    """The engine DBOS, for one worker of one fleet."""

    def __init__(self, address: str, fleet: str, worker: str) -> None:
        """Keep the names. Nothing is connected yet.

        Args:
            address: the address of the database.
            fleet: the name of the fleet.
            worker: the name of the worker.
        """
        self._address, self._queue, self._worker = address, f"fleet:{fleet}", worker
        self._client: DBOSClient | None = None
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._unheard: dict[str, float] = {}

    @asynccontextmanager
    async def work(self, drive: Drive, at_once: int, ended: Ended) -> AsyncIterator[None]:
        """Let this worker drive runs until the block ends; see `Engine.work`. DBOS keeps one `at_once` for all workers.

        Raises:
            OutOfReach: the database cannot be reached when the block begins.
            LimitReached: this user may not make or use the tables of DBOS.
        """
        closing = False

        @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=ATTEMPTS)
        async def driven(run: str) -> None:
            if closing:
                return  # the run is still open in the journal, so it is queued again
            task = asyncio.current_task()
            assert task is not None and DBOS.workflow_id is not None  # noqa: S101, PT018  this is a workflow
            self._tasks[task] = DBOS.workflow_id
            try:
                await drive(run)
                ended(None)
            except MakerError as error:
                ended(error)  # DBOS need not know it: the journal says how the run stands
            finally:
                del self._tasks[task]

        config: DBOSConfig = {
            "name": _NAME,
            "system_database_url": self._address,
            "sys_db_pool_size": POOL,
            "executor_id": self._worker,
            "application_version": "1",
            "log_level": "CRITICAL",
            "use_listen_notify": False,
        }
        try:
            with _reached():
                await self._launch(config, at_once)
            yield
        finally:
            closing = True
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._client is not None:
                await asyncio.to_thread(self._client.destroy)
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

    async def _launch(self, config: DBOSConfig, at_once: int) -> None:
        DBOS(config=config)
        DBOS.listen_queues([self._queue])
        DBOS.launch()  # here, so that workflows are tasks of this event loop
        await DBOS.register_queue_async(
            self._queue, worker_concurrency=at_once, polling_interval_sec=POLL, on_conflict="always_update"
        )
        self._client = DBOSClient(
            system_database_url=self._address,
            system_database_pool_size=1,
            application_name=_NAME,
            retry_connection_errors=False,
        )

    def submit(self, runs: Sequence[str], living: Collection[str]) -> None:
        """Queue the runs that have no workflow, and again the workflows of dead workers; see `Engine.submit`.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        assert self._client is not None  # noqa: S101  it is called within `work`
        with _reached():
            there = self._client.list_workflows(
                queue_name=self._queue, status=["ENQUEUED", "PENDING"], load_input=False, load_output=False
            )
            pending = [each for each in there if each.status == "PENDING"]
            mine = {each.workflow_id for each in pending if each.executor_id == self._worker} - {*list(self._tasks.values())}
            now = time.monotonic()
            self._unheard = {each: self._unheard.get(each, now) for each in mine}
            lost = {each for each, since in self._unheard.items() if now - since > LOST}
            dead = [each.workflow_id for each in pending if each.executor_id not in living or each.workflow_id in lost]
            if dead:
                self._client.resume_workflows(dead, queue_name=self._queue)
            known = {each.workflow_id.rpartition("/")[0] for each in there}
            for run in runs:
                if run not in known:
                    identity = f"{run}/{uuid4().hex}"
                    self._client.enqueue({"workflow_name": _WORKFLOW, "queue_name": self._queue, "workflow_id": identity}, run)


@contextmanager
def _reached() -> Iterator[None]:
    """Turn the errors of DBOS's database into those of maker_graph.

    Raises:
        OutOfReach: the database cannot be reached.
        LimitReached: this user may not make or use the tables of DBOS.
    """
    try:
        yield
    except DBAPIError as error:
        why = str(error.orig).strip().partition("\n")[0]
        if isinstance(error.orig, InsufficientPrivilege):
            raise LimitReached(
                f"DBOS is not allowed to make or use its tables ({why}): allow it with GRANT CREATE ON DATABASE, or start the "
                "first worker as the owner of the database. Then start this worker again."
            ) from error
        raise OutOfReach(f"DBOS cannot reach its tables ({why}).") from error
