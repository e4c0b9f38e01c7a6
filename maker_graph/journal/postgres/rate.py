"""The rate of a fleet: how fast its workers may ask the provider together, and when all of them wait.

Each call needs a slot, which is a point in time. Slots are far enough apart to keep to the rate. A worker takes slots from the
row of the fleet: as many as it has callers, and only slots of the near future. A slot that nobody took in time is lost, so no
burst follows a pause. If the provider asks one worker to wait, or does not answer it, this is recorded in the same row.

All times are those of the database's clock.
"""

from typing import NamedTuple

from maker_graph.errors import UnusableRun
from maker_graph.journal.postgres.connection import Connection, shown

AHEAD = 0.4
"""Slots are taken at most this many seconds ahead, because the provider may ask to wait, and taken slots do not move."""

LEAD = 0.02
"""A slot is at least this many seconds ahead when it is taken, because it takes a while to reach its caller."""

SPACING = 1.03
"""Slots are this many times as far apart as the rate asks for. This leaves room for a late caller (`LATE`)."""

LATE = 0.02
"""A slot may be used up to this many seconds late. The rate is still kept in each second, and in longer times."""

PROBING = 5.0
"""In an outage one call tries for all workers. No other call is made for this many seconds, unless its result is known."""


class Lease(NamedTuple):
    """Slots that were taken, and the state of the provider.

    Attributes:
        slots: when each call may be made, in seconds of the database's clock.
        limited: whether there is a rate. Without one, calls need no slots.
        wait: seconds after which more slots can be taken; 0 if as many were taken as were wanted.
        shut: seconds for which nobody may ask the provider.
        times: how often in a row the provider asked to wait.
        down: whether the provider does not answer.
        why: what the provider said.
    """

    slots: list[float]
    limited: bool
    wait: float
    shut: float
    times: int
    down: bool
    why: str


class Rate:
    """The rate of a fleet in a database."""

    def __init__(self, connection: Connection, fleet: str) -> None:
        """Name a fleet. The database is not asked yet."""
        self._db, self._fleet = connection, fleet

    def clock(self) -> float:
        """Return the time of the database's clock, in seconds.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        return float(self._db.rows("SELECT extract(epoch FROM clock_timestamp())::float8")[0][0])

    def lease(self, wanted: int, lead: float = LEAD) -> Lease:
        """Take at most `wanted` slots, each at least `lead` seconds ahead.

        Raises:
            UnusableRun: there is no such fleet.
            OutOfReach: the database cannot be reached. Slots that were taken are lost.
        """
        values = {"wanted": wanted, "ahead": max(AHEAD, lead), "lead": lead, "spacing": SPACING, "probing": PROBING}
        row = self._db.row(_LEASE, {"fleet": self._fleet, **values})
        if row is None:
            raise UnusableRun(f"There is no fleet {self._fleet} at {shown(self._db.address)}.")
        first, every, taken, *rest = row
        return Lease([first + number * every for number in range(taken)], *rest)

    def shut(self, seconds: float, times: int, why: str, *, down: bool) -> None:
        """Let no worker ask the provider for some time.

        Args:
            seconds: how long. In an outage (`down`), the last value counts. If the provider asks to wait, the longest counts.
            times: how often in a row this happened.
            why: what the provider said.
            down: whether the provider does not answer at all.
        """
        self._db.rows(_SHUT, {"fleet": self._fleet, "seconds": seconds, "times": times, "why": why, "down": down})

    def open(self) -> None:
        """Let all workers ask again, because the provider has answered."""
        self._db.rows(_OPEN, {"fleet": self._fleet})


_LEASE = """
WITH fleet AS (SELECT * FROM maker_graph.fleets WHERE name = %(fleet)s FOR NO KEY UPDATE),
at AS (SELECT *, clock_timestamp() AS now FROM fleet),
shut AS (
  SELECT *, greatest(0, coalesce(extract(epoch FROM shut_until - now), 0))::float8 AS shut,
    coalesce(60 * %(spacing)s::float8 / rpm, 0) AS every FROM at),
nearest AS (
  SELECT *, greatest(now + make_interval(secs => %(lead)s),
    least(next, now + make_interval(secs => %(ahead)s + every))) AS first FROM shut),
free AS (
  SELECT *, CASE WHEN shut > 0 THEN 0 WHEN down THEN 1 WHEN rpm IS NULL THEN 0
    ELSE greatest(0, 1 + floor((%(ahead)s - extract(epoch FROM first - now)::float8) / every))::bigint END AS free
  FROM nearest),
taken AS (SELECT *, least(%(wanted)s::bigint, free) AS taken FROM free),
kept AS (
  UPDATE maker_graph.fleets AS f SET next = taken.first + make_interval(secs => taken.taken * taken.every),
    shut_until = CASE WHEN f.down THEN taken.now + make_interval(secs => %(probing)s) ELSE f.shut_until END
  FROM taken WHERE f.name = taken.name AND taken.taken > 0)
SELECT extract(epoch FROM first)::float8, every, taken, rpm IS NOT NULL,
  CASE WHEN shut > 0 OR taken = %(wanted)s THEN 0
    ELSE greatest(0, extract(epoch FROM first - now)::float8 + taken * every - %(ahead)s / 2) END,
  shut, shuts, down, coalesce(shut_why, '')
FROM taken
"""
"""If the next slot is too far ahead, it is moved back: the clock of the database was set back, or the rate was raised."""

_SHUT = """
UPDATE maker_graph.fleets SET shuts = %(times)s, shut_why = %(why)s, down = %(down)s, shut_until = greatest(
  clock_timestamp() + make_interval(secs => %(seconds)s), CASE WHEN NOT %(down)s THEN shut_until END)
WHERE name = %(fleet)s RETURNING 1
"""

_OPEN = """
UPDATE maker_graph.fleets SET shut_until = NULL, shuts = 0, shut_why = NULL, down = false WHERE name = %(fleet)s RETURNING 1
"""
