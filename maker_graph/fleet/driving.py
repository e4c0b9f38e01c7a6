"""One run of a fleet is gone on with, by whoever an engine gives it to."""

import os
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from maker_graph.core.machine import Committed
from maker_graph.errors import (
    LimitReached,
    MakerError,
    OlderJournal,
    OutOfReach,
    ProviderFailure,
    StaleStep,
    TakenOver,
    Undecided,
    UsageError,
)
from maker_graph.fleet.gate import FleetGate
from maker_graph.fleet.standing import Standing
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import Fleet
from maker_graph.journal.postgres.journal import LEASE
from maker_graph.models.gate import Gate
from maker_graph.models.names import PATIENCE
from maker_graph.run.remote import Remote
from maker_graph.run.session import Said
from maker_graph.runs import Run
from maker_graph.tasks.loading import load_task

FIRST = "-00000"
"""How the name of the first run of a fleet ends."""


@dataclass(frozen=True, slots=True)
class Driving:
    """How a worker goes on with runs: plain data, which an engine may hand to another process.

    Attributes:
        address: of the journal.
        fleet: its name.
        lease: seconds for which it may be silent before another one takes its runs.
        task: the name of the fleet's task, if that is code of the user's own which is to be imported.
        trust: import the task by the name that stands in the journal.
        concurrency: samples in flight at once, of each run; None is no limit.
        timeout: seconds after which a request is given up and made again; "auto" follows what replies take.
        patience: seconds for which an outage of the provider is waited out.
        batch: ask for the samples of a round in one request, where a model takes that.
        probe: ask a real model three small questions before the first step of the first run.
    """

    address: str
    fleet: str
    lease: float = LEASE
    task: str | None = None
    trust: bool = False
    concurrency: int | None = None
    timeout: float | Literal["auto"] = "auto"
    patience: float = PATIENCE
    batch: bool = False
    probe: bool = True


class Told(NamedTuple):
    """Who is told of a worker while it works.

    Attributes:
        stands: of how the fleet stands, every now and then.
        decided: of each committed step, with the name of its run.
        warn: of what went wrong without stopping the worker.
    """

    stands: Callable[[Standing], None] = lambda _: None
    decided: Callable[[str, Committed], None] = lambda _, __: None
    warn: Callable[[str], None] = lambda _: None


NOBODY = Told()


class Driver:
    """Goes on with the runs of a fleet, one after the other or several at once, in one process.

    Attributes:
        how: the fleet, and how its runs are gone on with.
        told: who is told of it.
    """

    def __init__(self, how: Driving, told: Told = NOBODY) -> None:
        """Stand for it; nothing is connected yet."""
        self.how, self.told = how, told
        self._gate = FleetGate(how.address, how.fleet, notice=told.warn)

    async def __call__(self, run: str) -> None:
        """Go on with a run, as `drive` does."""
        await drive(run, self.how, self.told, self._gate)

    def close(self) -> None:
        """Close what stands before the requests of all runs."""
        self._gate.close()


async def drive(name: str, how: Driving, told: Told = NOBODY, gate: Gate | None = None) -> None:
    """Go on with a run to its end, whoever had it before, unless another worker takes it.

    Returns also when the run waits for a person, a cure or a higher limit: its state in the journal says so.

    Args:
        name: of the run.
        how: the fleet, and how its runs are gone on with.
        told: who is told of it.
        gate: before which the requests of all runs of this worker wait.

    Raises:
        UsageError: this machine lacks what the run needs: a file, a key, the code of its task. A run that is gone is warned of.
        ProviderFailure: the provider refuses this worker, whatever is asked.
        OlderJournal: this machine knows of more than the journal.
    """
    try:
        with _opened(name, how) as run:
            await run.drive(
                partial(told.decided, name),
                gate=gate or Gate(notice=told.warn),
                concurrency=how.concurrency,
                timeout=how.timeout,
                patience=how.patience,
                batch=how.batch,
                probe=how.probe and name.endswith(FIRST),
                warn=lambda text: told.warn(f"{name}: {text}"),
            )
    except (TakenOver, StaleStep):
        return
    except (Undecided, LimitReached, OutOfReach) as error:
        told.warn(f"{name}: {error}")
    except (UsageError, OlderJournal) as error:
        if not _is_gone(name, how):
            raise
        told.warn(f"{name}: {error}")
    except ProviderFailure as error:
        if error.scope == "run":
            raise
        _fail(name, how, told, str(error))
    except MakerError as error:
        _fail(name, how, told, str(error))
    except Exception as error:  # noqa: BLE001  in the task of a user's own: the others go on
        _fail(name, how, told, f"It ended with {type(error).__name__}.")


def _is_gone(name: str, how: Driving) -> bool:
    """Return whether somebody has deleted the run: that is not a fault of this machine, and the others go on."""
    with suppress(OutOfReach), closing(Connection(how.address)) as connection:
        return not Remote(name, connection).is_there()
    return False


def _fail(name: str, how: Driving, told: Told, why: str) -> None:
    """Keep that no worker can go on with a run, or they would take it again and again."""
    told.warn(f"{name}: {why}")
    said = Said(epoch=0, pid=os.getpid(), state="failed", why=why)
    with suppress(OutOfReach), closing(Connection(how.address)) as connection:
        Fleet(connection, how.fleet).fail(name, said.model_dump_json())


def _opened(name: str, how: Driving) -> Run:
    """Return the run of this name, opened, with its task."""
    home = Remote(name, Connection(how.address), lease=how.lease)
    task = None
    try:
        if how.task is not None:
            settings = home.settings()
            task = load_task(how.task, settings.options, settings.began, home.kept(), settings.slice)
    except BaseException:
        home.close()
        raise
    return Run.at(home, task=task, trust=how.trust)
