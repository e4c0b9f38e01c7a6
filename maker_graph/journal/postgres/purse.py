"""The purse of a fleet: what its runs may spend together, and how they take it.

- Before a run makes calls, it takes calls and USD from the purse, in portions. It gets no more than the limits leave (`GRANT`).
- The grant of a run is never less than what it has spent, reserved and left unsettled. If calls cost more than was estimated,
  the owner books more than the grant. The same statement charges the difference to the purse, whatever the limits say.
- `calls` and `cost` of the fleet are the sums of the grants of its runs. So they are never less than what was really spent.
- When a session says how it stands (`SAY`), at its end at the latest, what was granted and not used goes back to the purse.
  Workers then open the runs again that had found the purse empty (`REFILLED`).

Only the owner of a run changes what is left of its grant. A statement locks the row of the run before the row of the fleet.
"""

from maker_graph.journal.postgres.schema import STANDING

CALLS_AT_ONCE = 100
"""How many calls a run takes at once, as long as the purse has many times as much."""

TIMES = 10
"""A run takes this many times the USD that it needs now, as long as the purse is far from empty."""

PART = 8
"""Unless a run needs more, its portion is at most the rest of the purse divided by this.

So near the end, little stays with runs that do not need it.
"""

EMPTY = (
    "The purse that this run shares with the other runs of its fleet is empty: submit the fleet again with a higher --max-cost "
    "or --max-calls, and go on."
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
"""Take `calls`, `cost` and some more from the purse for this run, or the rest of the purse.

It takes nothing if the rest is less than the least. It also takes nothing if it arrives late, when the run is done, because
nobody would give it back.
"""

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
"""Record the state of the owner's session, and give back what was granted and not used, in one statement.

If a run ends because the purse was empty, it records how much is still taken from it afterwards (`dry_calls`, `dry_cost`).
"""

TAKEN = "SELECT calls, cost FROM maker_graph.fleets WHERE name = %(fleet)s"
"""How many calls and USD are taken from the purse."""

REFILLED = """
UPDATE maker_graph.runs AS r SET state = 'open', dry_calls = NULL, dry_cost = NULL FROM maker_graph.fleets AS f
WHERE f.name = %(fleet)s AND r.fleet = f.name AND r.state = 'limit' AND (f.calls < r.dry_calls OR f.cost < r.dry_cost - 1e-9)
RETURNING 1
"""
"""Open the runs again that stopped because the purse was empty, if others have given something back.

Each time a run stops in this way, less had been taken than the time before, and never less than what was really spent. So it is
not opened again for ever.
"""
