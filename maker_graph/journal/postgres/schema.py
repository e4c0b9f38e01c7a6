"""The tables of the journals of many runs, and the statements on them. The tables are in a schema of their own.

A run is one row of `runs`, with its rows in `steps`, `amendments` and `notes`. A fleet is many runs that share a purse and a
rate. The purse is what they may spend together. The rate is how fast they may ask the provider.
"""

FORM = 1
"""The version of the form of the tables. A journal of another form is refused."""

_TABLES = """
CREATE SCHEMA IF NOT EXISTS maker_graph;
CREATE TABLE maker_graph.form (form integer NOT NULL);
CREATE TABLE maker_graph.fleets (
  name text PRIMARY KEY,
  submission text NOT NULL,
  made timestamptz NOT NULL DEFAULT clock_timestamp(),
  max_calls bigint,
  max_cost double precision,
  calls bigint NOT NULL DEFAULT 0,
  cost double precision NOT NULL DEFAULT 0,
  rpm double precision,
  next timestamptz NOT NULL DEFAULT clock_timestamp(),
  shut_until timestamptz,
  shuts integer NOT NULL DEFAULT 0,
  down boolean NOT NULL DEFAULT false,
  shut_why text);
CREATE TABLE maker_graph.runs (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  fleet text REFERENCES maker_graph.fleets ON DELETE CASCADE,
  place integer NOT NULL DEFAULT 0,
  settings text NOT NULL,
  kept bytea,
  total bigint,
  origin bytea NOT NULL,
  epoch bigint NOT NULL DEFAULT 0,
  step bigint NOT NULL DEFAULT 0,
  head bytea NOT NULL,
  amended bigint NOT NULL DEFAULT 0,
  amended_head bytea,
  spent double precision[] NOT NULL,
  reserved double precision[] NOT NULL DEFAULT '{0,0}',
  unsettled double precision[] NOT NULL DEFAULT '{0,0}',
  serial bigint NOT NULL DEFAULT 1,
  booked uuid,
  booked_late uuid,
  granted_calls bigint NOT NULL DEFAULT 0,
  granted_cost double precision NOT NULL DEFAULT 0,
  dry_calls bigint,
  dry_cost double precision,
  state text NOT NULL DEFAULT 'open',
  said text,
  owner text NOT NULL DEFAULT '',
  lease double precision NOT NULL DEFAULT 15,
  beat timestamptz NOT NULL DEFAULT clock_timestamp()) WITH (fillfactor = 50);
CREATE INDEX ON maker_graph.runs (fleet, place);
CREATE TABLE maker_graph.steps (
  run bigint NOT NULL REFERENCES maker_graph.runs ON DELETE CASCADE,
  step bigint NOT NULL,
  entry text NOT NULL,
  mark bytea NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (run, step));
CREATE TABLE maker_graph.amendments (
  run bigint NOT NULL REFERENCES maker_graph.runs ON DELETE CASCADE,
  number bigint NOT NULL,
  step bigint NOT NULL,
  entry text NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (run, number));
CREATE TABLE maker_graph.notes (
  run bigint NOT NULL REFERENCES maker_graph.runs ON DELETE CASCADE,
  name text NOT NULL,
  value text NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (run, name));
CREATE TABLE maker_graph.answers (
  run bigint NOT NULL REFERENCES maker_graph.runs ON DELETE CASCADE,
  step bigint NOT NULL,
  answer text NOT NULL,
  left_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run, step));
CREATE TABLE maker_graph.replies (
  run bigint NOT NULL REFERENCES maker_graph.runs ON DELETE CASCADE,
  step bigint NOT NULL,
  replies text NOT NULL,
  PRIMARY KEY (run, step));
CREATE TABLE maker_graph.workers (
  name text PRIMARY KEY,
  fleet text NOT NULL REFERENCES maker_graph.fleets ON DELETE CASCADE,
  beat timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease interval NOT NULL);
"""

TABLES = f"{_TABLES}INSERT INTO maker_graph.form VALUES ({FORM});"
"""The statements that make the tables. Some columns of `runs` and `steps`:

- `mark` is the digest of the state of the machine after the step.
- `spent`, `reserved` and `unsettled` are the parts of the account (`core/spending.py`). The database adds to `spent` itself, so
  what a former owner books late is added to what the new owner has booked.
- `booked` is the name of the last change. A process that lost the connection in the middle of a change sees by it whether the
  change was made. A change that reaches the server twice is made once.
- `booked_late` is the same for what was last booked by a process that is not the owner. So neither of the two hides the other.
"""

_ADDED = "(SELECT array_agg(a + b ORDER BY place) FROM unnest(r.spent, %(spent)s::float8[]) WITH ORDINALITY AS t (a, b, place))"
_BOOKED = "serial = r.serial + 1, booked = %(booked)s::uuid, beat = clock_timestamp()"
_NEW = "r.booked IS DISTINCT FROM %(booked)s::uuid"
STANDING = (
    "r.epoch, r.step, r.head, r.amended, r.amended_head, r.spent, r.reserved, r.unsettled, r.serial, r.granted_calls, "
    "r.granted_cost"
)
"""The columns that say how a run stands; see `STANDS`."""

_GRANTED = "granted_calls = r.granted_calls + %(over_calls)s::bigint, granted_cost = r.granted_cost + %(over_cost)s::float8"
_CHARGED = """charged AS (
  UPDATE maker_graph.fleets AS f SET calls = f.calls + %(over_calls)s::bigint, cost = f.cost + %(over_cost)s::float8 FROM won
  WHERE f.name = %(fleet)s::text AND (%(over_calls)s::bigint > 0 OR %(over_cost)s::float8 > 0))"""
_NOTED = """noted AS (
  INSERT INTO maker_graph.notes (run, name, value, hash)
  SELECT %(run)s, u.name, u.value, u.hash FROM won, unnest(%(names)s::text[], %(values)s::text[], %(seals)s::bytea[])
    AS u (name, value, hash)
  ON CONFLICT (run, name) DO UPDATE SET value = excluded.value, hash = excluded.hash)"""

STANDS = f"SELECT {STANDING} FROM maker_graph.runs AS r WHERE r.number = %(run)s"
"""How a run stands: its epoch, its last step and the hash of that step, the number of amendments and the hash of the last one,
the account, and the grant.

Statements that book more than the grant also charge the difference to the purse (`over_calls`, `over_cost`): see `purse.py`.
"""

IF_BOOKED = f"{STANDS} AND %(booked)s::uuid IN (r.booked, r.booked_late)"
"""How a run stands, if the change of this name was made."""

CLAIM = f"""
WITH won AS (
  UPDATE maker_graph.runs AS r SET epoch = greatest(r.epoch, %(epoch)s) + 1, owner = %(owner)s, lease = %(lease)s,
    state = CASE WHEN %(owner)s = '' THEN r.state ELSE 'at work' END, said = CASE WHEN %(owner)s = '' THEN r.said END,
    spent = %(spent)s::float8[], reserved = '{{0,0}}', unsettled = %(unsettled)s::float8[], {_GRANTED},
    serial = greatest(r.serial, %(known)s) + 1, booked = %(booked)s::uuid, beat = clock_timestamp()
  WHERE r.number = %(run)s AND r.serial = %(serial)s RETURNING {STANDING}),
{_CHARGED}
SELECT * FROM won
"""
"""Become the owner. Nothing happens if anything was booked since the account was read.

An owner without a name only answers open steps. Then what the last session said stays as it was.
"""

APPEND = f"""
WITH won AS (
  UPDATE maker_graph.runs AS r SET step = %(last)s, head = %(after)s, reserved = %(reserved)s::float8[], spent = {_ADDED},
    {_GRANTED}, {_BOOKED}
  WHERE r.number = %(run)s AND r.epoch = %(epoch)s AND r.step = %(before)s AND r.head = %(head)s RETURNING {STANDING}),
{_CHARGED},
{_NOTED},
new AS (
  INSERT INTO maker_graph.steps (run, step, entry, mark, hash)
  SELECT %(run)s, u.step, u.entry, u.mark, u.hash
  FROM won, unnest(%(steps)s::bigint[], %(entries)s::text[], %(marks)s::bytea[], %(hashes)s::bytea[])
    AS u (step, entry, mark, hash))
SELECT * FROM won
"""
"""Commit steps.

The row of the run is changed only by its owner, and only if it stands at the step and the hash that the owner knows. Steps and
notes are added only if that row was changed.
"""

SPEND = f"""
WITH won AS (
  UPDATE maker_graph.runs AS r SET reserved = %(reserved)s::float8[], spent = {_ADDED}, {_GRANTED}, {_BOOKED}
  WHERE r.number = %(run)s AND r.epoch = %(epoch)s AND {_NEW} RETURNING {STANDING}),
{_CHARGED},
{_NOTED}
SELECT * FROM won
"""
"""Book what the owner has spent on steps that were not committed, and store notes."""

SPEND_LATE = f"""
WITH settled AS (
  SELECT r.number, least(r.unsettled[1], %(settles_cost)s::float8) AS cost,
    least(r.unsettled[2], %(settles_calls)s::float8) AS calls
  FROM maker_graph.runs AS r
  WHERE r.number = %(run)s AND r.epoch IS DISTINCT FROM %(epoch)s::bigint
    AND r.booked_late IS DISTINCT FROM %(booked)s::uuid FOR UPDATE),
late AS (
  UPDATE maker_graph.runs AS r SET spent = {_ADDED}, serial = r.serial + 1, booked_late = %(booked)s::uuid,
    unsettled = ARRAY[r.unsettled[1] - settled.cost, r.unsettled[2] - settled.calls],
    granted_calls = r.granted_calls + %(calls)s::bigint - settled.calls::bigint,
    granted_cost = r.granted_cost + %(cost)s::float8 - settled.cost
  FROM settled WHERE r.number = settled.number RETURNING {STANDING}, r.fleet),
charged AS (
  UPDATE maker_graph.fleets AS f SET calls = f.calls + %(calls)s::bigint - settled.calls::bigint,
    cost = f.cost + %(cost)s::float8 - settled.cost
  FROM late, settled WHERE f.name = late.fleet)
SELECT {STANDING} FROM late AS r
"""
"""Book what was spent by a process that is not the owner.

What this process had reserved became unsettled when another one took over. What it books now replaces that, so that it is
counted once. The same statement charges the rest to the purse, because the owner of the run does not know of it.
"""

AMEND = f"""
WITH won AS (
  UPDATE maker_graph.runs AS r SET amended = %(last)s, amended_head = %(after)s, reserved = %(reserved)s::float8[],
    spent = {_ADDED}, {_GRANTED}, {_BOOKED}
  WHERE r.number = %(run)s AND r.epoch = %(epoch)s AND r.amended = %(before)s RETURNING {STANDING}),
{_CHARGED},
new AS (
  INSERT INTO maker_graph.amendments (run, number, step, entry, hash)
  SELECT %(run)s, u.number, u.step, u.entry, u.hash
  FROM won, unnest(%(numbers)s::bigint[], %(steps)s::bigint[], %(entries)s::text[], %(hashes)s::bytea[])
    AS u (number, step, entry, hash))
SELECT * FROM won
"""

NOTE = """
INSERT INTO maker_graph.notes (run, name, value, hash) VALUES (%(run)s, %(name)s, %(value)s, %(seal)s)
ON CONFLICT (run, name) DO UPDATE SET value = excluded.value, hash = excluded.hash RETURNING 1
"""

OWN_NOTE = """
INSERT INTO maker_graph.notes (run, name, value, hash)
SELECT %(run)s, %(name)s, %(value)s, %(seal)s FROM maker_graph.runs AS r
WHERE r.number = %(run)s AND r.epoch = %(epoch)s AND r.step = %(step)s FOR UPDATE
ON CONFLICT (run, name) DO UPDATE SET value = excluded.value, hash = excluded.hash RETURNING 1
"""
"""Store a note, if this process is the owner and the run is at this step."""

BEAT = "UPDATE maker_graph.runs SET beat = clock_timestamp() WHERE number = %(run)s AND epoch = %(epoch)s RETURNING 1"

FIND = f"""
SELECT r.number, r.settings, r.kept, r.origin, r.fleet, {STANDING} FROM maker_graph.runs AS r WHERE r.name = %(name)s
"""

ROWS = """
SELECT step, entry, mark, hash FROM maker_graph.steps
WHERE run = %(run)s AND step BETWEEN %(first)s AND %(last)s ORDER BY step LIMIT %(most)s
"""

MAYBE_OPEN = """
SELECT step, entry FROM maker_graph.steps
WHERE run = %(run)s AND step > %(after)s AND position(%(text)s in entry) > 0 ORDER BY step LIMIT %(most)s
"""

AMENDMENTS = "SELECT number, step, entry, hash FROM maker_graph.amendments WHERE run = %(run)s ORDER BY number"

AMENDMENT_HASH = "SELECT hash FROM maker_graph.amendments WHERE run = %(run)s AND number = %(number)s"

READ_NOTE = "SELECT value, hash FROM maker_graph.notes WHERE run = %(run)s AND name = %(name)s"

MAKE = """
INSERT INTO maker_graph.runs (name, fleet, place, settings, kept, total, origin, head, spent)
VALUES (%(name)s, %(fleet)s, %(place)s, %(settings)s, %(kept)s, %(total)s, %(origin)s, %(origin)s, %(spent)s::float8[])
ON CONFLICT (name) DO NOTHING RETURNING number
"""

SESSION = """
SELECT said, state IN ('at work', 'waits') AND clock_timestamp() - beat < make_interval(secs => lease)
FROM maker_graph.runs WHERE name = %(name)s
"""
"""What the last session said, and whether its process is alive: its lease has not ended."""

_RUN = "(SELECT number FROM maker_graph.runs WHERE name = %(name)s)"

_STAMP = """r.name, extract(epoch FROM r.beat)::float8, r.number, r.epoch, r.serial, r.state, md5(coalesce(r.said, '')),
  (SELECT md5(string_agg(a.left_at::text || a.answer, ' ' ORDER BY a.step)) FROM maker_graph.answers AS a
    WHERE a.run = r.number)"""

STAMP = f"SELECT {_STAMP} FROM maker_graph.runs AS r WHERE r.name = %(name)s"
"""The name, the time of the last sign of life, and values of which one differs as soon as anything in the run has changed."""

STAMPS = f"SELECT {_STAMP} FROM maker_graph.runs AS r ORDER BY r.beat DESC, r.number DESC LIMIT %(most)s"

HOW_MANY = "SELECT count(*) FROM maker_graph.runs"

KEEP_REPLIES = f"""
INSERT INTO maker_graph.replies (run, step, replies)
SELECT {_RUN}, u.step, u.replies FROM unnest(%(steps)s::bigint[], %(replies)s::text[]) AS u (step, replies)
ON CONFLICT (run, step) DO UPDATE SET replies = excluded.replies RETURNING 1
"""

REPLIES = f"SELECT step, replies FROM maker_graph.replies WHERE run = {_RUN} AND step = ANY(%(steps)s::bigint[])"

LEAVE_ANSWER = """
INSERT INTO maker_graph.answers (run, step, answer) SELECT number, %(step)s, %(answer)s FROM maker_graph.runs
WHERE name = %(name)s
ON CONFLICT (run, step) DO UPDATE SET answer = excluded.answer, left_at = clock_timestamp() RETURNING 1
"""

ANSWERS = f"""
SELECT step::text || ' ' || left_at::text, answer FROM maker_graph.answers WHERE run = {_RUN}
ORDER BY step LIMIT %(most)s
"""
"""The answers that people have left. The key of each is its step and the time at which it was left."""

_THIS = f"run = {_RUN} AND step::text || ' ' || left_at::text = %(key)s"

REMOVE_ANSWER = f"DELETE FROM maker_graph.answers WHERE {_THIS} RETURNING 1"

REFUSE_ANSWER = f"UPDATE maker_graph.answers SET answer = %(answer)s WHERE {_THIS} RETURNING 1"
