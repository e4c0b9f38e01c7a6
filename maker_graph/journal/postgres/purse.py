"""The purse of a fleet: what its runs may spend together, and how they take it.

- A run takes calls and USD from the purse before it makes calls, in portions, and no more than the limits leave (`GRANT`).
- What a run was granted is never less than what it has spent, reserved and left unsettled. What its owner books beyond that is
  charged to the purse in the statement that books it, whatever the limits say: calls that cost more than was estimated.
- `calls` and `cost` of the fleet are the sums of what its runs were granted: the purse is never below what was really called.
- What was granted and not used goes back when the end of the run is said (`SAY`), whoever had taken it. Workers then open the
  runs again that had found the purse empty (`REFILLED`).

Nobody but its owner changes what is left of the grant of a run. A statement locks the row of the run before that of the fleet.
"""

from maker_graph.journal.postgres.schema import STANDING

CALLS_AT_ONCE = 100
"""Calls that a run takes at once, while the purse has many times as much."""

TIMES = 10
"""A run takes this many times the USD that it needs, as long as the purse is far from empty."""

PART = 8
"""A portion is at most what is left divided by this, so that near the end little stays with runs that do not need it."""

EMPTY = (
    "The purse that this run shares with the others of its fleet is empty: submit the fleet again with a higher --max-cost or "
    "--max-calls, and go on."
)

GRANT = f"""
WITH mine AS (
  SELECT r.number, r.fleet FROM maker_graph.runs AS r
  WHERE r.number = %(run)s AND r.epoch = %(epoch)s AND r.state <> 'done' FOR UPDATE),
purse AS (
  SELECT f.name, coalesce(f.max_calls - f.calls, 1000000000000) AS calls, coalesce(f.max_cost - f.cost, 1e12) AS cost
  FROM maker_graph.fleets AS f JOIN mine ON mine.fleet = f.name FOR NO KEY UPDATE OF f),
portion AS (
  SELECT name,
    CASE WHEN %(calls)s::bigint = 0 THEN 0
      ELSE least(calls, greatest(%(calls)s::bigint, least({CALLS_AT_ONCE}, calls / {PART}))) END AS calls,
    CASE WHEN %(cost)s::float8 = 0 THEN 0
      ELSE least(cost, greatest(%(cost)s::float8, least({TIMES} * %(cost)s::float8, cost / {PART}))) END AS cost
  FROM purse),
paid AS (
  UPDATE maker_graph.fleets AS f SET calls = f.calls + portion.calls, cost = f.cost + portion.cost FROM portion
  WHERE f.name = portion.name AND portion.calls >= %(least_calls)s::bigint AND portion.cost >= %(least_cost)s::float8
  RETURNING portion.calls, portion.cost)
UPDATE maker_graph.runs AS r SET granted_calls = r.granted_calls + paid.calls, granted_cost = r.granted_cost + paid.cost
FROM mine, paid WHERE r.number = mine.number RETURNING {STANDING}
"""
"""Take `calls`, `cost` and some more from the purse for this run, or what is left; nothing if that is less than the least. One
that arrives late, when the run is done, takes nothing, because it would never be given back."""

SAY = f"""
WITH mine AS (
  SELECT r.number, r.fleet,
    greatest(0, r.granted_calls - ceil(r.spent[3] + r.reserved[2] + r.unsettled[2])::bigint) AS calls,
    greatest(0, r.granted_cost - (r.spent[1] + r.reserved[1] + r.unsettled[1])) AS cost
  FROM maker_graph.runs AS r WHERE r.number = %(run)s AND r.epoch = %(epoch)s FOR UPDATE),
back AS (
  UPDATE maker_graph.fleets AS f SET calls = f.calls - mine.calls, cost = f.cost - mine.cost FROM mine
  WHERE f.name = mine.fleet)
UPDATE maker_graph.runs AS r SET state = %(state)s, said = %(said)s, granted_calls = r.granted_calls - mine.calls,
  granted_cost = r.granted_cost - mine.cost, beat = clock_timestamp(),
  dry_calls = %(dry_calls)s::bigint - mine.calls, dry_cost = %(dry_cost)s::float8 - mine.cost
FROM mine WHERE r.number = mine.number RETURNING {STANDING}
"""
"""Say how the owner's session stands; what was granted to it and not used goes back to the purse in the same statement.
A run that ends because the purse was empty keeps how much others had taken from it then (`dry_calls`, `dry_cost`)."""

TAKEN = "SELECT calls, cost FROM maker_graph.fleets WHERE name = %(fleet)s"

REFILLED = """
UPDATE maker_graph.runs AS r SET state = 'open', dry_calls = NULL, dry_cost = NULL FROM maker_graph.fleets AS f
WHERE f.name = %(fleet)s AND r.fleet = f.name AND r.state = 'limit' AND (f.calls < r.dry_calls OR f.cost < r.dry_cost - 1e-9)
RETURNING 1
"""
"""Open the runs again that stopped because the purse was empty, if others have given something back since. Each time a run
stops so, less was taken than the time before, and never less than what was called: so it is not opened for ever."""
