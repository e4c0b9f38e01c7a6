"""A database that can be queried and never changed, and the rule that says when two results are the same."""

import functools
import json
import math
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from examples.sql_flow.limited import MOST_SECONDS, TABLES
from maker_graph import UsageError

LIMITED = Path(__file__).with_name("limited.py")

WHOLE = 2**53
"""Below this, every whole number is exact as a float."""

SHOWN = 300
"""The most characters of a result that is voted on as it is. Of a longer one, the digest is voted on."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a query.

    Attributes:
        columns: the names of the columns, in order.
        rows: the rows, as SQLite returned them.
        error: why there are no rows; None if the query ran.
    """

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    error: str | None = None

    @property
    def key(self) -> Any:
        """The key, which is the same for equal results: the rows in sorted order, without the names of the columns.

        Two queries that differ as texts are the same vote if they return the same rows. Whole numbers are compared exactly,
        whether SQLite has them as integers or not. Other numbers are compared to twelve digits, because a sum in another order
        differs in the last ones.
        """
        if self.error is not None:
            return {"error": self.error}
        rows = sorted(([_same(value) for value in row] for row in self.rows), key=json.dumps)
        text = json.dumps(rows, ensure_ascii=False)
        return rows if len(text) <= SHOWN else {"rows": len(rows), "sha256": sha256(text.encode()).hexdigest()}

    @property
    def shown(self) -> dict[str, Any]:
        """The result as plain JSON, for a state."""
        return {"columns": [*self.columns], "rows": [[*row] for row in self.rows], "error": self.error}


def _same(value: Any) -> Any:
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    whole = round(value)
    if abs(value) < WHOLE and math.isclose(value, whole, rel_tol=1e-12, abs_tol=1e-12):
        return whole
    return float(f"{value:.12g}")


class Database:
    """A file of SQLite that nobody changes while it is asked."""

    def __init__(self, path: Path) -> None:
        """Prepare the database; the file is opened for each query.

        Raises:
            UsageError: there is no such file, or changes to it are in another file.
        """
        if not path.is_file():
            raise UsageError(f"There is no database {path}: make one with python -m examples.sql_flow.shop {path}.")
        for other in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-journal")):
            if other.is_file() and any(_head(other)):
                raise UsageError(
                    f"{other} holds changes that may not be in {path.name} yet: close all programs that use the database. "
                    "If there are none, open it once with sqlite3, which puts the changes in."
                )
        self.path = path
        self._stamp = _stamp(path)

    def run(self, sql: str) -> Result:
        """Return the result of a query, within the limits of `limited.py`.

        Raises:
            UsageError: the file cannot be queried, or has changed.
        """
        found = _result_of(self.path, self._stamp, sql)
        if _stamp(self.path) != self._stamp:
            raise UsageError(f"The database {self.path} changed during the run: begin again, on a copy that nobody changes.")
        return found

    def schema(self) -> str:
        """Return the tables with their columns, and for each column what values it has.

        Raises:
            UsageError: the file is not a database.
        """
        try:
            connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            try:
                tables = [name for (name,) in connection.execute(f"{TABLES} AND type = 'table'")]
                return "\n\n".join(_described(connection, name) for name in tables)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise UsageError(f"{self.path} is not a database of SQLite: {error}.") from error


@functools.lru_cache(4096)  # the same query on the same file has the same result
def _result_of(path: Path, stamp: tuple[int, ...], sql: str) -> Result:  # noqa: ARG001  it tells one file from the next
    command = [sys.executable, "-I", "-S", str(LIMITED), str(path)]
    try:
        done = subprocess.run(  # noqa: S603  our own file
            command, input=sql.encode(), capture_output=True, timeout=MOST_SECONDS, env={}, check=True
        )
    except subprocess.TimeoutExpired:
        return Result(error=f"it takes longer than {MOST_SECONDS} seconds")
    except subprocess.CalledProcessError as error:
        if error.returncode < 0 and -error.returncode not in {signal.SIGINT, signal.SIGTERM}:
            return Result(error="it needs too much memory or time")  # the operating system has ended it
        raise UsageError(f"The database {path} cannot be queried: {error.stderr.decode()[-300:]}") from error
    except UnicodeEncodeError:
        return Result(error="it is no text")
    return Result(**json.loads(done.stdout))


def _stamp(path: Path) -> tuple[int, ...]:
    """Return a stamp that differs between two files, and changes when a file changes."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def _described(connection: sqlite3.Connection, table: str) -> str:
    """Return a table in words: how many rows it has, and what is in each column."""
    (count,) = connection.execute(f"SELECT COUNT(*) FROM {_quoted(table)}").fetchone()  # noqa: S608  quoted
    lines = [f"{table}: {count:,} rows"]
    for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall():
        column = _quoted(name)
        different, missing, least, most = connection.execute(
            f"SELECT COUNT(DISTINCT {column}), SUM({column} IS NULL), MIN({column}), MAX({column}) FROM {_quoted(table)}"  # noqa: S608  quoted
        ).fetchone()
        values = f"from {_short(least)} to {_short(most)}"
        if different <= 8:
            query = f"SELECT DISTINCT {column} FROM {_quoted(table)} WHERE {column} IS NOT NULL ORDER BY 1"  # noqa: S608  quoted
            values = ", ".join(_short(value) for (value,) in connection.execute(query))
        lines.append(f"  {name} {kind}: {values}" + (f"; {missing:,} are NULL" if missing else ""))
    return "\n".join(lines)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _short(value: object) -> str:
    return json.dumps(value if isinstance(value, str | int | float | None) else str(value), ensure_ascii=False)[:60]
