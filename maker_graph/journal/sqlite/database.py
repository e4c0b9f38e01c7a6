"""The SQLite file of a journal: makes it, opens it for writing or only for reading, and translates SQLite's errors."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

from maker_graph.errors import DamagedRun, LimitReached, UnusableRun

Fsync: TypeAlias = Literal["full", "normal"]
"""When SQLite syncs to the disk: at each commit ("full"), or at its own checkpoints ("normal").

A kill loses nothing with either. With "normal" a power cut may lose the last steps. The next session names them, and samples
them again if the user accepts that.
"""

FORM = 3
"""The form of a journal. It is kept in the header of the file.

- Form 0 is that of maker_graph 0.1.0. Its account does not count how often the journal was written, and it has no high-water
  mark.
- Form 2 has both, but no amendments.

Both can be read. They become form 3 when a process goes on with the run.
"""

AMENDMENTS = (
    "CREATE TABLE amendments (number INTEGER PRIMARY KEY, step INTEGER NOT NULL, entry TEXT NOT NULL, hash BLOB NOT NULL)"
)
"""The table of later answers to steps that were committed as open."""

_FIRST_TABLES = (
    "CREATE TABLE steps (step INTEGER PRIMARY KEY, entry TEXT NOT NULL, mark BLOB NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID",
)
"""The column `mark` holds the digest of the state of the machine after the step."""

TABLES = (*_FIRST_TABLES, AMENDMENTS)

_TABLES_OF = {0: _FIRST_TABLES, 2: _FIRST_TABLES, FORM: TABLES}


@dataclass(frozen=True, slots=True)
class Database:
    """An open database file.

    Attributes:
        connection: the connection to it.
        writable: whether it can be written.
        copy: the folder of a copy that is read instead, if the file cannot be read where it is.
    """

    connection: sqlite3.Connection
    writable: bool
    copy: "TemporaryDirectory[str] | None" = None

    def close(self) -> None:
        """Close the file, and remove the copy."""
        self.connection.close()
        if self.copy is not None:
            self.copy.cleanup()


def make_database(path: Path) -> sqlite3.Connection:
    """Make the file and its tables, and return a connection that does not sync to the disk.

    Raises:
        DamagedRun: the file exists already.
        LimitReached: the file cannot be written.
    """
    with storage_errors("The journal"):
        try:
            path.touch(mode=0o600, exist_ok=False)  # SQLite gives the files beside it the same mode
        except FileExistsError:
            raise DamagedRun(f"{path} exists already.") from None
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(f"PRAGMA user_version={FORM}")
        for table in TABLES:
            connection.execute(table)
        return connection


def open_database(path: Path, fsync: Fsync, *, threads: bool = False) -> Database:
    """Open the file. It is opened only for reading if this user may not write it, or if its disk takes no writes.

    With `threads`, other threads may use a writable connection too, one at a time.

    Raises:
        DamagedRun: the file is not a database, or not one of a journal.
        LimitReached: the file cannot be opened, for example because the disk is full.
        UnusableRun: another process has locked it, or a newer maker_graph wrote it.
    """
    try:
        with storage_errors("The journal"):
            database = _to_write(path, fsync, threads=threads) if _writable(path) else _to_read(path)
            try:
                _see_form(database.connection)
            except BaseException:
                database.close()
                raise
            return database
    except UnicodeDecodeError as error:  # SQLite's message quotes the damaged bytes of a table's definition
        raise DamagedRun(f"The journal cannot be read: its tables are damaged ({error.reason}).") from error


def _writable(path: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return all(os.access(each, os.W_OK, effective_ids=effective) for each in (path, path.parent))


def _to_write(path: Path, fsync: Fsync, *, threads: bool) -> Database:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=not threads)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={fsync}")
    except BaseException:
        connection.close()
        raise
    return Database(connection, writable=True)


def _to_read(path: Path) -> Database:
    """Open a file that cannot be written.

    To read a write-ahead log, SQLite needs a third file, which it may not be able to make here. Then a copy is read.
    """
    log = path.with_name(f"{path.name}-wal")
    if not (log.exists() and log.stat().st_size):
        return Database(_read_only(path, "immutable=1"), writable=False)
    with suppress(sqlite3.OperationalError):
        return Database(_read_only(path, "mode=ro"), writable=False)
    copy = TemporaryDirectory(prefix="maker-graph-")
    for file in (path, log):
        shutil.copy(file, copy.name)
    return Database(sqlite3.connect(Path(copy.name) / path.name, isolation_level=None), writable=False, copy=copy)


def _read_only(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _see_form(connection: sqlite3.Connection) -> None:
    """Make sure that the tables are those of a journal, because a damaged definition changes what SQLite reads.

    Raises:
        UnusableRun: a newer maker_graph wrote the file.
        DamagedRun: the tables are others.
    """
    form = form_of(connection)
    if form > FORM:
        raise UnusableRun(f"The journal was written by a newer maker_graph (form {form}): install that version to go on.")
    if form not in _TABLES_OF:
        raise DamagedRun(f"The journal cannot be read: its form is {form}.")
    defined = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    if defined != set(_TABLES_OF[form]):
        raise DamagedRun("The journal cannot be read: its tables are damaged.")


def to_newest_form(connection: sqlite3.Connection) -> None:
    """Bring the tables to the newest form. It must be called within a transaction."""
    if form_of(connection) != FORM:
        connection.execute(AMENDMENTS)
        connection.execute(f"PRAGMA user_version={FORM}")


def form_of(connection: sqlite3.Connection) -> int:
    """Return the form of the journal; see `FORM`."""
    form: Any = connection.execute("PRAGMA user_version").fetchone()[0]
    return int(form)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn errors of SQLite into errors about the run. A database that is busy is not damaged, and neither is a full disk."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise UnusableRun(f"{what} of this run is locked by another process: try again when that one is done.") from error
        if kind in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
            raise LimitReached(f"{what} cannot be written ({error}): make room, or give access, and resume.") from error
        raise DamagedRun(f"{what} cannot be read: {error}.") from error


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn errors of the disk into errors about the run."""
    try:
        yield
    except OSError as error:
        raise LimitReached(
            f"{what} cannot be written ({error.strerror}): make room, or give access, and start again."
        ) from error
