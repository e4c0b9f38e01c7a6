"""One query on one database, within limits; `database.py` starts this file as a process of its own for each query.

    python -I -S limited.py shop.db < query.sql

It prints `{"columns": [...], "rows": [...]}`, or `{"error": "the reason"}`. A query is written by a model, so it is not
trusted:

- The file is opened read-only and as one that nobody changes (`mode=ro`, `immutable`), and `PRAGMA query_only` is on.
- The query is one statement, SELECT or WITH. Before it runs, SQLite asks `_Guard` about each action, table and function in it.
  What is not on the lists below is refused: there is no ATTACH, no PRAGMA, no writing, no extension and no other table.
- The same query has the same result on each day. So there is no `random()` and no `now`, and times are not local.
- A query that never ends is stopped after `MOST_STEPS` instructions of SQLite's machine. Texts, rows, their characters,
  the depth of expressions and the memory have limits too. The limit on memory holds for a whole process, so each query
  has its own process.
- The process ends itself after `MOST_SECONDS`, also if the process that started it is gone.

It needs only the standard library. It is started without an environment, so it knows no key.
"""

import json
import re
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

MOST_STEPS = 20_000_000
"""The most instructions of SQLite's machine. They take less than a second."""

MOST_SECONDS = 10
"""The limit on time. It stops what the limit on instructions does not see, such as a function that takes long."""

MOST_MEMORY = 64_000_000
"""The most bytes that SQLite may hold."""

MOST_ROWS = 500
"""The most rows of a result."""

MOST_CHARACTERS = 20_000
"""The most characters of a result, as JSON."""

EVERY = 10_000
"""The number of instructions between two checks of `MOST_STEPS`."""

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 100_000,  # bytes of a text, also of an intermediate one
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 4_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
"""What a query may do."""

TIMES = ("date", "time", "datetime", "julianday", "strftime", "unixepoch")
"""Functions that are replaced by those of `_Times`."""

FUNCTIONS = {
    *TIMES,
    *("count", "sum", "total", "avg", "min", "max", "group_concat", "string_agg"),
    *("abs", "round", "sign", "ceil", "ceiling", "floor", "sqrt", "pow", "power", "mod"),
    *("coalesce", "ifnull", "nullif", "iif", "if", "typeof"),
    *("length", "lower", "upper", "trim", "ltrim", "rtrim", "substr", "substring", "instr"),
    *("replace", "concat", "like", "glob"),
    *("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile"),
    *("lag", "lead", "first_value", "last_value", "nth_value"),
}
"""Functions that return the same for the same arguments, and reach nothing outside."""

TABLES = r"""SELECT name FROM sqlite_master WHERE (type = 'view' OR type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%')
AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"""
"""Finds the tables and views that a query may read. SQLite's own tables and virtual tables are not among them."""

QUERY = re.compile(r"(\s|--[^\n]*\n|/\*([^*]|\*(?!/))*\*/)*(SELECT|WITH)\b", re.IGNORECASE)
"""How a query begins. Comments may come before it."""

DAY = re.compile(r"[-+]?\d.*", re.ASCII | re.DOTALL)
"""A time that is written out, unlike `now`."""

MODIFIER = re.compile(
    r"[-+]?\d.*|start of (day|month|year)|weekday \d|unixepoch|julianday|auto|ceiling|floor|subsec(ond)?",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)
"""A change to a time that is the same everywhere, unlike `localtime`."""


class _Guard:
    """Says what a query may do. SQLite calls it while it reads the query.

    Attributes:
        why: the reason for the first refusal; empty if nothing was refused.
    """

    def __init__(self, tables: set[str]) -> None:
        self._tables = tables
        self.why = ""

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action not in ACTIONS:
            return self.refuse("a query may only read")
        if action == sqlite3.SQLITE_READ and first not in self._tables and not _named_in_query(first, second):
            return self.refuse(f"there is no table {first}")
        if action == sqlite3.SQLITE_FUNCTION and str(second).lower() not in FUNCTIONS:
            return self.refuse(f"the function {second} is not allowed")
        return sqlite3.SQLITE_OK

    def refuse(self, why: str) -> int:
        """Refuse, and keep the reason if it is the first one."""
        self.why = self.why or why
        return sqlite3.SQLITE_DENY


def _named_in_query(table: str | None, column: str | None) -> bool:
    """Say whether SQLite reports a table that the query itself names, which it does if no column of it is read."""
    return not column and not str(table).lower().startswith(("sqlite_", "pragma_"))


class _Times:
    """Replaces SQLite's functions of time by ones that refuse to look at the clock or at the machine's time zone."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._sqlite = sqlite3.connect(":memory:")

    def replace_in(self, connection: sqlite3.Connection) -> None:
        """Replace SQLite's own functions."""
        for name in TIMES:
            connection.create_function(name, -1, self._function(name), deterministic=True)

    def _function(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            time, *modifiers = (given[1:] if name == "strftime" else given) or (None,)
            written = isinstance(time, int | float) or (isinstance(time, str) and DAY.fullmatch(time))
            if len(given) <= (name == "strftime") or not (time is None or written):
                self._guard.refuse(f"{name} needs a time that is written out: no query may depend on when it runs")
                raise ValueError
            if not all(each is None or MODIFIER.fullmatch(str(each)) for each in modifiers):
                self._guard.refuse(f"{name} takes no time zone, and nothing that is no change to a time")
                raise ValueError
            marks = ",".join("?" * len(given))
            return self._sqlite.execute(f"SELECT {name}({marks})", given).fetchone()[0]

        return call


def opened(path: Path) -> tuple[sqlite3.Connection, _Guard]:
    """Return a connection that can only read, and its guard."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=0)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA hard_heap_limit = {MOST_MEMORY}")
    guard = _Guard({name for (name,) in connection.execute(TABLES)})
    _Times(guard).replace_in(connection)
    for limit, most in LIMITS.items():
        connection.setlimit(limit, most)
    looks = 0

    def too_long() -> bool:
        nonlocal looks
        looks += 1
        if looks * EVERY > MOST_STEPS:
            guard.refuse(f"it takes more than {MOST_STEPS:,} steps")
            return True
        return False

    connection.set_progress_handler(too_long, EVERY)
    connection.set_authorizer(guard)
    return connection, guard


def result_of(connection: sqlite3.Connection, sql: str) -> dict[str, Any]:
    """Return the columns and the rows of a query.

    Raises:
        ValueError: `sql` is not a query, or its result is too large or cannot be written as JSON.
        sqlite3.Error: the query fails.
    """
    if not QUERY.match(sql):
        raise ValueError("it is no SELECT")
    cursor = connection.execute(sql)
    rows, characters = [], 0
    for row in cursor:
        rows.append(row)
        if len(rows) > MOST_ROWS:
            raise ValueError(f"it returns more than {MOST_ROWS} rows")
        if any(isinstance(value, bytes) for value in row):
            raise ValueError("it returns bytes, which are no text")
        characters += len(json.dumps(row, allow_nan=False))
        if characters > MOST_CHARACTERS:
            raise ValueError(f"it returns more than {MOST_CHARACTERS:,} characters")
    return {"columns": [name for name, *_ in cursor.description], "rows": rows}


def answer_to(path: Path, sql: str) -> dict[str, Any]:
    """Return the result of a query, or why there is none."""
    connection, guard = opened(path)
    try:
        return result_of(connection, sql)
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError, OverflowError) as error:
        return {"error": (guard.why or str(error) or "it needs too much memory")[:300]}
    finally:
        connection.close()


if __name__ == "__main__":
    if hasattr(signal, "alarm"):  # not on Windows
        signal.alarm(MOST_SECONDS + 1)  # the process that started it gives up a second earlier
    text = sys.stdin.buffer.read().decode()
    sys.stdout.buffer.write(json.dumps(answer_to(Path(sys.argv[1]), text)).encode())
