"""Fleets in a database of journals: many runs that share a purse, a rate and workers.

A fleet and its workers are rows beside the runs. What may be lost or doubled stands in the journals of the runs alone: here is
what a worker needs to find the runs that nobody works on, and what a person asks about all of them.
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
"""States of runs that a worker goes on with; in any other one a run is done, or waits for a person or for a higher limit."""


MOST_CALLS = 2**63 - 1
"""Calls of a fleet at most: the database counts no further."""

MOST_RPM = 1e9
"""Requests a minute of a fleet at most: faster is no limit."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,57}")


def see_name(fleet: str) -> None:
    """See that a fleet can have this name.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(fleet):
        raise UsageError(
            f"{fleet!r} is not a name for a fleet: use at most 58 letters, digits, dots, dashes and underscores, and "
            f"begin with a "
            "letter or a digit."
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
        """See that the database can keep them, and that a worker can keep to them.

        Raises:
            UsageError: it cannot.
        """
        if self.max_calls is not None and not 0 <= self.max_calls <= MOST_CALLS:
            raise UsageError(f"--max-calls is 0 to {MOST_CALLS:,}, not {self.max_calls:,}. Leave it out for no limit.")
        if self.max_cost is not None and not (isfinite(self.max_cost) and self.max_cost >= 0):
            raise UsageError(f"--max-cost is a number of USD from 0, not {self.max_cost}. Leave it out for no limit.")
        if self.rpm is not None and not 0 < self.rpm <= MOST_RPM:
            raise UsageError(
                f"--rpm is a number of requests above 0, at most {MOST_RPM:,.0f}, not {self.rpm}. Leave it out for no limit."
            )


class FoundFleet(NamedTuple):
    """A fleet that was found in a database.

    Attributes:
        submission: what was asked for, as it was written.
        limits: what its runs may do together.
        calls: that were taken from its purse: made, or granted to a run that is at work.
        cost: the same in USD.
        shut_until: when its provider may be asked again, if it said so and that is yet to come.
        shut_why: what it said.
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
        runs: how many there are.
        steps: that they have committed.
        total: steps of their tasks; None if one of them does not know.
        samples: replies.
        calls: requests that were made, or may have been.
        cost: USD that were spent, or may have been.
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
        name: of the run.
        state: a word of `run/session.py`.
        said: what its last session said, as it was written.
    """

    name: str
    state: str
    said: str | None


class Worker(NamedTuple):
    """A worker of a fleet.

    Attributes:
        name: of the worker.
        silent: seconds since it was last heard.
        lives: whether it was heard within its lease.
    """

    name: str
    silent: float
    lives: bool


class Fleet:
    """A fleet in a database: its runs and its workers."""

    def __init__(self, connection: Connection, name: str) -> None:
        """Take the name of a fleet, which need not exist yet."""
        self.name = name
        self._db = connection

    def make(self, submission: str, limits: Limits) -> bool:
        """Make it; return whether it was not there before. To be called within a transaction."""
        return bool(self._db.once(_MAKE, {"fleet": self.name, "submission": submission, **limits._asdict()}))

    def found(self) -> FoundFleet:
        """Return what is known of it.

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
        """Let its runs do so much together from now on."""
        self._db.once(_LIMIT, {"fleet": self.name, **limits._asdict()})

    def reopen(self, states: Sequence[str]) -> int:
        """Open the runs that are in these states to workers again; return how many there were."""
        return len(self._db.once(_REOPEN, {"fleet": self.name, "states": list(states)}))

    def refilled(self) -> int:
        """Open the runs that stopped because the purse was empty, if others gave something back since; return how many."""
        return len(self._db.rows(REFILLED, {"fleet": self.name}))

    def fail(self, run: str, said: str) -> None:
        """Say that no worker can go on with a run, unless one is at work on it; `said` is what its session says."""
        self._db.rows(_FAIL, {"run": run, "said": said, "states": list(GOES_ON)})

    def settings(self) -> list[tuple[str, str]]:
        """Return its runs in order: of each its name, and what it was asked for as it was written."""
        return [(name, settings) for name, settings in self._db.rows(_SETTINGS, {"fleet": self.name})]

    def by_state(self) -> list[StateOfRuns]:
        """Return its runs by state."""
        return [StateOfRuns(*row) for row in self._db.rows(_BY_STATE, {"fleet": self.name})]

    def open_runs(self, most: int) -> list[str]:
        """Return in order the runs that can go on and have no living owner, at most this many."""
        values = {"fleet": self.name, "states": list(GOES_ON), "most": most}
        return [name for (name,) in self._db.rows(_OPEN, values)]

    def waiting(self, most: int) -> list[Waiting]:
        """Return in order the runs that no worker can go on with by itself, at most this many."""
        values = {"fleet": self.name, "states": [*GOES_ON, "done"], "most": most}
        return [Waiting(*row) for row in self._db.rows(_WAITING, values)]

    def beat(self, worker: str, lease: float) -> None:
        """Say that a worker lives; who has not said so for `lease` seconds is taken for dead.

        Raises:
            UnusableRun: there is no such fleet any more.
        """
        if not self._db.rows(_BEAT, {"worker": worker, "fleet": self.name, "lease": lease}):
            self.found()  # says so

    def gone(self, worker: str) -> None:
        """Say that a worker has ended."""
        self._db.rows(_GONE, {"worker": worker})

    def workers(self) -> list[Worker]:
        """Return its workers, those that were heard last first."""
        return [Worker(*row) for row in self._db.rows(_WORKERS, {"fleet": self.name})]

    @contextmanager
    def alone(self, lease: float) -> Iterator[bool]:
        """Yield whether this process alone may do the work of the block for this fleet.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        done = False
        with closing(Connection(self._db.address)) as lock:  # what is done within is not one transaction
            try:
                with lock.transaction():
                    lock.once(_LETS_GO, {"lease": f"{lease * 1000:.0f}"})
                    yield bool(lock.once(_ALONE, {"fleet": self.name})[0][0])
                    done = True
            except OutOfReach:
                if not done:  # else it was let go of before its end
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
