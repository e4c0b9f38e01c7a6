"""The purse of a fleet: what its runs may spend together, and how they take it.

- A run takes calls and USD from the purse before it makes calls, in portions, and no more than the limits leave (`GRANT`).
- What a run was granted is never less than what it has spent, reserved and left unsettled. What its owner books beyond that is
  charged to the purse in the statement that books it, whatever the limits say: calls that cost more than was estimated.
- `calls` and `cost` of the fleet are the sums of what its runs were granted: the purse is never below what was really called.
- What was granted and not used goes back when somebody says how the run ended (`SAY`), whoever took it.

Nobody but its owner changes what is left of the grant of a run. A statement locks the row of the run before that of the fleet.
"""

from maker_graph.journal.postgres.schema import STANDING

CALLS_AT_ONCE = 100
"""Calls that a run takes at once, while the purse has many times as much."""

TIMES = 10
"""A run takes so many times the USD that it needs, while the purse has many times as much."""

PART = 8
"""A portion is at most one part in so many of what is left, so that near its end little stays with those who do not need it."""

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
that arrives late, when the run is done, takes nothing: nobody would give it back."""

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
  granted_cost = r.granted_cost - mine.cost, beat = clock_timestamp()
FROM mine WHERE r.number = mine.number RETURNING {STANDING}
"""
"""Say how the owner's session stands; what was granted to it and not used goes back to the purse in the same statement."""
