"""How a worker goes on with one run of a fleet, which an engine has handed to it."""

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
    """The settings with which a worker goes on with runs.

    They are plain data, so an engine can hand them to another process.

    Attributes:
        address: the address of the journal.
        fleet: the name of the fleet.
        lease: how many seconds the worker may be silent before another one takes its runs.
        task: the name of the fleet's task, which is imported. It is needed for the user's own code if `trust` is False.
        trust: whether to import the task by the name in the settings of a run.
        concurrency: the most samples that each run has in flight at once; None is no limit.
        timeout: seconds after which a request is given up and made again; "auto" adapts to how long replies take.
        patience: seconds to wait for a provider that does not answer, before a run stops.
        batch: whether to ask for all samples of a round in one request, if the model allows it.
        probe: whether a real model is first asked one small question three times. Only the first run of the fleet asks
            it.
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
    """The functions that a worker calls to tell what it does.

    Attributes:
        stands: called every now and then with how the fleet stands.
        decided: called after each commit with the name of the run and the step.
        warn: called with a text when something went wrong that does not stop the worker.
    """

    stands: Callable[[Standing], None] = lambda _: None
    decided: Callable[[str, Committed], None] = lambda _, __: None
    warn: Callable[[str], None] = lambda _: None


NOBODY = Told()


class Driver:
    """Goes on with the runs of a fleet in one process, one after the other or several at once.

    Attributes:
        how: the settings.
        told: the functions that are told of it.
    """

    def __init__(self, how: Driving, told: Told = NOBODY) -> None:
        """Keep the settings. Nothing is connected yet."""
        self.how, self.told = how, told
        self._gate = FleetGate(how.address, how.fleet, notice=told.warn)

    async def __call__(self, run: str) -> None:
        """Do what `drive` does with the run of this name."""
        await drive(run, self.how, self.told, self._gate)

    def close(self) -> None:
        """Close the gate through which the requests of all runs go."""
        self._gate.close()


async def drive(name: str, how: Driving, told: Told = NOBODY, gate: Gate | None = None) -> None:
    """Go on with a run to its end. This process becomes its owner.

    It also returns when another worker takes the run, when the run has been deleted, and when the run cannot go on by
    itself. Its state in the journal then says what it waits for: a person, a repair or a higher limit.

    Args:
        name: the name of the run.
        how: the settings.
        told: the functions that are told of it.
        gate: the gate through which the requests of all runs of this worker go; None makes one for this run.

    Raises:
        UsageError: this machine lacks what the run needs: a file, a key, the code of its task.
        ProviderFailure: the provider refuses every request of this worker.
        OlderJournal: the journal is an older copy: what was committed or paid for since is missing from it.
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
    except Exception as error:  # noqa: BLE001  a fault in the user's own task: the other runs go on
        _fail(name, how, told, f"It ended with {type(error).__name__}.")


def _is_gone(name: str, how: Driving) -> bool:
    """Say whether somebody has deleted the run. Then this machine is not at fault, and the other runs go on."""
    with suppress(OutOfReach), closing(Connection(how.address)) as connection:
        return not Remote(name, connection).is_there()
    return False


def _fail(name: str, how: Driving, told: Told, why: str) -> None:
    """Set the state of a run to "failed", so that workers do not take it again and again."""
    told.warn(f"{name}: {why}")
    said = Said(epoch=0, pid=os.getpid(), state="failed", why=why)
    with suppress(OutOfReach), closing(Connection(how.address)) as connection:
        Fleet(connection, how.fleet).fail(name, said.model_dump_json())


def _opened(name: str, how: Driving) -> Run:
    """Open the run of this name, with its task.

    Raises:
        UsageError: there is no such run, or this machine lacks a file or the code of its task.
        OlderJournal: the journal is an older copy: what was committed or paid for since is missing from it.
        OutOfReach: the database cannot be reached.
    """
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
