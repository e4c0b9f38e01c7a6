"""Fleets in a database of journals: many runs that share a purse, a rate and workers.

A fleet and its workers have rows of their own beside the runs. By them, a worker finds the runs that nobody works on, and a
person sees how all of them stand. Whatever must not be lost or doubled is in the journals of the runs only.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from math import isfinite
from typing import NamedTuple

from maker_graph.errors import OutOfReach, UnusableRun, UsageError
from maker_graph.journal.postgres.connection import Connection, shown
from maker_graph.journal.postgres.purse import REFILLED

GOES_ON = ("open", "interrupted", "provider", "at work")
"""The states of runs with which a worker goes on. In any other state a run is done, or waits for a person or a higher limit."""

MOST_CALLS = 2**63 - 1
"""The highest limit on calls, because the database cannot count further."""

MOST_RPM = 1e9
"""The highest limit on requests per minute. A higher one would limit nothing."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,57}")


def see_name(fleet: str) -> None:
    """Make sure that a fleet can have this name.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(fleet):
        raise UsageError(
            f"{fleet!r} is not a name for a fleet: use at most 58 letters, digits, dots, dashes and underscores, and "
            "begin with a letter or a digit."
        )


class Limits(NamedTuple):
    """What all runs of a fleet may do together.

    Attributes:
        max_calls: requests, failed ones included; None is no limit.
        max_cost: USD; None is no limit.
        rpm: requests per minute; None is no limit.
    """

    max_calls: int | None = None
    max_cost: float | None = None
    rpm: float | None = None

    def see(self) -> None:
        """Make sure that each limit is in range.

        Raises:
            UsageError: one is not.
        """
        if self.max_calls is not None and not 0 <= self.max_calls <= MOST_CALLS:
            raise UsageError(f"--max-calls must be 0 to {MOST_CALLS:,}, not {self.max_calls:,}. Leave it out for no limit.")
        if self.max_cost is not None and not (isfinite(self.max_cost) and self.max_cost >= 0):
            raise UsageError(f"--max-cost must be a number of USD from 0, not {self.max_cost}. Leave it out for no limit.")
        if self.rpm is not None and not 0 < self.rpm <= MOST_RPM:
            raise UsageError(
                f"--rpm must be a number above 0 and at most {MOST_RPM:,.0f}, not {self.rpm}. Leave it out for no limit."
            )


class FoundFleet(NamedTuple):
    """A fleet that was found in a database.

    Attributes:
        submission: the text of its submission.
        limits: what its runs may do together.
        calls: how many calls were taken from its purse: calls that were made, and calls granted to a run that is at work.
        cost: the same in USD.
        shut_until: the time until which the provider must not be asked; None if it may be asked now.
        shut_why: what the provider said.
    """

    submission: str
    limits: Limits
    calls: int
    cost: float
    shut_until: datetime | None
    shut_why: str | None


class StateOfRuns(NamedTuple):
    """The runs of a fleet that are in one state.

    Attributes:
        state: a word of `run/session.py`, or "open" if no worker has begun.
        runs: how many runs.
        steps: how many steps they have committed.
        total: the steps of their tasks; None if one of the tasks does not know.
        samples: how many replies.
        calls: requests that were made or may have been made.
        cost: USD that were spent or may have been spent.
    """

    state: str
    runs: int
    steps: int
    total: int | None
    samples: int
    calls: int
    cost: float


class Waiting(NamedTuple):
    """A run that no worker can go on with by itself.

    Attributes:
        name: the name of the run.
        state: a word of `run/session.py`.
        said: the message of its last session.
    """

    name: str
    state: str
    said: str | None


class Worker(NamedTuple):
    """A worker of a fleet.

    Attributes:
        name: the name of the worker.
        silent: seconds since its last sign of life.
        lives: whether its lease has not ended.
    """

    name: str
    silent: float
    lives: bool


class Fleet:
    """A fleet in a database: its runs and its workers."""

    def __init__(self, connection: Connection, name: str) -> None:
        """Name a fleet, which need not exist yet."""
        self.name = name
        self._db = connection

    def make(self, submission: str, limits: Limits) -> bool:
        """Make the fleet, and return True; False if it exists already. It must be called within a transaction."""
        return bool(self._db.once(_MAKE, {"fleet": self.name, "submission": submission, **limits._asdict()}))

    def found(self) -> FoundFleet:
        """Return the fleet as it is now.

        Raises:
            UsageError: no fleet can have this name.
            UnusableRun: there is no such fleet.
            OutOfReach: the database cannot be reached.
        """
        see_name(self.name)
        row = self._db.row(_FIND, {"fleet": self.name})
        if row is None:
            where = shown(self._db.address)
            raise UnusableRun(f"There is no fleet {self.name} at {where}: maker-graph submit --fleet {self.name} makes one.")
        submission, max_calls, max_cost, rpm, *rest = row
        return FoundFleet(submission, Limits(max_calls, max_cost, rpm), *rest)

    def limit(self, limits: Limits) -> None:
        """Change the limits of the fleet."""
        self._db.once(_LIMIT, {"fleet": self.name, **limits._asdict()})

    def reopen(self, states: Sequence[str]) -> int:
        """Open the runs in these states to workers again. Return how many there were."""
        return len(self._db.once(_REOPEN, {"fleet": self.name, "states": list(states)}))

    def refilled(self) -> int:
        """Open the runs that stopped because the purse was empty, if others have given something back. Return how many."""
        return len(self._db.rows(REFILLED, {"fleet": self.name}))

    def fail(self, run: str, said: str) -> None:
        """Mark a run as failed, unless a worker is at work on it. `said` is the message for its session."""
        self._db.rows(_FAIL, {"run": run, "said": said, "states": list(GOES_ON)})

    def settings(self) -> list[tuple[str, str]]:
        """Return the name and the text of the settings of each run, in order."""
        return [(name, settings) for name, settings in self._db.rows(_SETTINGS, {"fleet": self.name})]

    def by_state(self) -> list[StateOfRuns]:
        """Return the figures of the runs, by state."""
        return [StateOfRuns(*row) for row in self._db.rows(_BY_STATE, {"fleet": self.name})]

    def open_runs(self, most: int) -> list[str]:
        """Return the names of at most `most` runs that can go on and have no living owner, in order."""
        values = {"fleet": self.name, "states": list(GOES_ON), "most": most}
        return [name for (name,) in self._db.rows(_OPEN, values)]

    def waiting(self, most: int) -> list[Waiting]:
        """Return at most `most` runs with which no worker can go on by itself, in order."""
        values = {"fleet": self.name, "states": [*GOES_ON, "done"], "most": most}
        return [Waiting(*row) for row in self._db.rows(_WAITING, values)]

    def beat(self, worker: str, lease: float) -> None:
        """Record a sign of life of a worker. Without one for `lease` seconds, the worker counts as dead.

        Raises:
            UnusableRun: the fleet does not exist any more.
        """
        if not self._db.rows(_BEAT, {"worker": worker, "fleet": self.name, "lease": lease}):
            self.found()  # raises the error

    def gone(self, worker: str) -> None:
        """Record that a worker has ended."""
        self._db.rows(_GONE, {"worker": worker})

    def workers(self) -> list[Worker]:
        """Return the workers. The one with the latest sign of life comes first."""
        return [Worker(*row) for row in self._db.rows(_WORKERS, {"fleet": self.name})]

    @contextmanager
    def alone(self, lease: float) -> Iterator[bool]:
        """Yield True if this process may do the work of the block; False if another one is doing it for this fleet.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        done = False
        with closing(Connection(self._db.address)) as lock:  # a connection of its own, because the block is not one transaction
            try:
                with lock.transaction():
                    lock.once(_LETS_GO, {"lease": f"{lease * 1000:.0f}"})
                    yield bool(lock.once(_ALONE, {"fleet": self.name})[0][0])
                    done = True
            except OutOfReach:
                if not done:  # after the block, only the lock was lost, and earlier than it should have been
                    raise


_MAKE = """
INSERT INTO maker_graph.fleets (name, submission, max_calls, max_cost, rpm)
VALUES (%(fleet)s, %(submission)s, %(max_calls)s, %(max_cost)s, %(rpm)s) ON CONFLICT (name) DO NOTHING RETURNING 1
"""

_FIND = """
SELECT submission, max_calls, max_cost, rpm, calls, cost,
  CASE WHEN shut_until > clock_timestamp() THEN shut_until END, shut_why
FROM maker_graph.fleets WHERE name = %(fleet)s
"""

_LIMIT = """
UPDATE maker_graph.fleets SET max_calls = %(max_calls)s, max_cost = %(max_cost)s, rpm = %(rpm)s
WHERE name = %(fleet)s RETURNING 1
"""

_REOPEN = """
UPDATE maker_graph.runs SET state = 'open' WHERE fleet = %(fleet)s AND state = ANY(%(states)s) RETURNING 1
"""

_FREE = "state = ANY(%(states)s) AND (state <> 'at work' OR beat < clock_timestamp() - make_interval(secs => lease))"

_FAIL = f"UPDATE maker_graph.runs SET state = 'failed', said = %(said)s WHERE name = %(run)s AND {_FREE} RETURNING 1"

_SETTINGS = "SELECT name, settings FROM maker_graph.runs WHERE fleet = %(fleet)s ORDER BY place"

_BY_STATE = """
SELECT state, count(*), sum(step)::bigint, CASE WHEN bool_and(total IS NOT NULL) THEN sum(total)::bigint END,
  sum(spent[4])::bigint, sum(spent[3] + reserved[2] + unsettled[2])::bigint, sum(spent[1] + reserved[1] + unsettled[1])
FROM maker_graph.runs WHERE fleet = %(fleet)s GROUP BY state ORDER BY state
"""

_OPEN = f"SELECT name FROM maker_graph.runs WHERE fleet = %(fleet)s AND {_FREE} ORDER BY place LIMIT %(most)s"

_WAITING = """
SELECT name, state, said FROM maker_graph.runs
WHERE fleet = %(fleet)s AND NOT state = ANY(%(states)s) ORDER BY place LIMIT %(most)s
"""

_BEAT = """
INSERT INTO maker_graph.workers (name, fleet, lease)
SELECT %(worker)s, f.name, make_interval(secs => %(lease)s) FROM maker_graph.fleets AS f WHERE f.name = %(fleet)s
ON CONFLICT (name) DO UPDATE SET beat = clock_timestamp() RETURNING 1
"""

_GONE = "DELETE FROM maker_graph.workers WHERE name = %(worker)s RETURNING 1"

_WORKERS = """
SELECT name, extract(epoch FROM clock_timestamp() - beat)::float8, beat > clock_timestamp() - lease
FROM maker_graph.workers WHERE fleet = %(fleet)s ORDER BY beat DESC
"""

_LETS_GO = "SELECT set_config('idle_in_transaction_session_timeout', %(lease)s, true)"

_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('maker_graph fleet ' || %(fleet)s, 0))"
