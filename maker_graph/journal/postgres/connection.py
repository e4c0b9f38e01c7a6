"""The connection to a database of journals. It is made again after it was lost, and its errors become errors about the run."""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from maker_graph.errors import DamagedRun, LimitReached, OutOfReach, UnusableRun, UsageError
from maker_graph.extras import need_extra
from maker_graph.journal.postgres.schema import FORM, TABLES
from maker_graph.journal.postgres.silence import SILENCE, no_longer_than

if TYPE_CHECKING:
    import psycopg

_HOST = r"(?:[\w.%~-]*|\[[\da-fA-F:.%]+\])(?::\d*)?"
_ADDRESS = re.compile(rf"(postgres(?:ql)?)://(?:([^@/?#\s]*)@)?({_HOST}(?:,{_HOST})*)(/[^?#\s]*)?(\?\S*)?", re.ASCII)
"""The parts of an address: scheme, user and password, hosts with their ports, database, and parameters."""

_UNLESS_SAID = {
    "application_name": "maker-graph",
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""How a connection is made, unless the address says otherwise. Times are in seconds, the last one in milliseconds.

Without these settings a machine that is cut off from the network waits for a quarter of an hour.
"""

_SESSION = """
SELECT set_config(s.name, w.value, false) FROM (VALUES
  ('synchronous_commit', 'on'), ('default_transaction_isolation', 'read committed'),
  ('idle_in_transaction_session_timeout', '60s'), ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'),
  ('tcp_keepalives_count', '3')) AS w (name, value)
JOIN pg_catalog.pg_settings AS s ON s.name = w.name
WHERE s.source <> 'client' AND NOT (s.name = 'synchronous_commit' AND s.setting <> 'off')
"""
"""How the server shall treat a connection, unless the address says otherwise.

- A commit waits for the disk, even if the database or the role is set up otherwise.
- A statement sees everything that was committed before it, because its conditions keep owners apart.
- A process that sleeps within a transaction keeps others waiting for a minute at most.
- A machine that is gone leaves no connection behind.
"""

_THERE = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'maker_graph' AND tablename = 'form'"
"""Whether the tables exist. It reads the catalogue, because within a transaction to_regclass may return an old result."""

_WRONG = {
    r'database ".*" does not exist': "create the database, or give another address",
    "authentication failed": "give the right user and password",
    "no password supplied": "give a password, in the address, in PGPASSWORD or in ~/.pgpass",
    r'role ".*" (does not exist|is not permitted to log in)': "give the right user, in the address",
    r"no pg_hba\.conf entry": "give another user or address, or let the server take this one",
    "server does not support SSL": "leave out sslmode, or let the server take TLS",
    "invalid port number": "give the right port",
    "failed to resolve host": "give the right host",
    "could not translate host name": "give the right host",
}
"""What Postgres or its client says if a first connection is refused -> what to do about the address.

If there was a connection before, the address is right, and the network or the server is the cause.
"""

_LOCK = 5_061_776_170_231
"""The advisory lock of a process that makes the tables. The number means nothing."""


def see_address(address: str) -> str:
    """Return `address`, if it has the form of an address of Postgres.

    Raises:
        UsageError: it has another form. The text does not repeat it, because it may hold a password.
    """
    if _ADDRESS.fullmatch(address) is None:
        raise UsageError(
            "The address of the journal cannot be read: give postgresql://USER@HOST:PORT/DATABASE. In user and password write "
            "%40 for @, %3A for : and %2F for /."
        )
    return address


def shown(address: str) -> str:
    """Return an address in a form that may be shown: without password and parameters.

    >>> shown("postgresql://me:secret@db.example:5433/runs?sslmode=require")
    'postgresql://me@db.example:5433/runs'
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return "an address that cannot be read"
    scheme, who, hosts, database, _ = found.groups(default="")
    user = who.partition(":")[0]
    return f"{scheme}://{user}{'@' if user else ''}{hosts}{database}"


def without_password(address: str) -> str:
    """Return the address without its password. Whoever knows the password can connect with it.

    >>> without_password("postgresql://me:secret@db.example/runs?sslmode=require&password=secret")
    'postgresql://me@db.example/runs?sslmode=require'
    """
    found = _ADDRESS.fullmatch(address)
    said = "" if found is None else found[5] or ""
    asked = [(name, value) for name, value in parse_qsl(said[1:]) if "password" not in name]
    return shown(address) + (f"?{urlencode(asked)}" if asked else "")


NOT_AGAIN = 1.0
"""If an attempt to connect fails after more than this many seconds, no other one is made for this many seconds.

A process that ends because of the failure writes several last things. It would wait for each of them.
"""


class Connection:
    """A connection that is made at its first use, and made again after it was lost. Each statement is a transaction.

    Several threads may use it, one statement at a time.

    Attributes:
        address: the address of the database.
    """

    def __init__(self, address: str, *, silence: float = SILENCE) -> None:
        """Prepare a connection. It is made at its first use.

        Args:
            address: the address of the database.
            silence: seconds after which a server that does not answer is out of reach.

        Raises:
            UsageError: it is not an address, or the extra is missing.
        """
        need_extra("fleet", "A journal in Postgres", "psycopg")
        self.address = see_address(address)
        self._how = _conninfo(self.address)
        self._silence = silence
        self._connection: psycopg.Connection[Any] | None = None
        self._prepares = True
        self._within = False
        self._was_there = False
        self._away: tuple[float, psycopg.OperationalError] | None = None
        self._using = threading.RLock()

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows. If the connection is lost, the statement is executed again.

        So it must be a statement that may be executed twice.

        Raises:
            OutOfReach: the database cannot be reached.
            LimitReached: the database takes no writes, or this user has no access.
            UnusableRun: the database has no journals.
            UsageError: the address is wrong, or a text cannot be kept.
            DamagedRun: the database reports another error.
        """
        try:
            return self.once(statement, values)
        except OutOfReach:
            if self._within:
                raise
            return self.once(statement, values)

    def row(self, statement: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """Execute a statement and return its first row; None if there is none. See `rows`."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def once(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Execute a statement once and return its rows.

        Raises:
            OutOfReach: the database cannot be reached, or the connection was lost. Then the statement may have been executed.
            MakerError: the other errors of `rows`.
        """
        prepare = None if self._prepares and not self._within else False  # None: psycopg prepares statements that come often
        with self._using, self._errors():
            db = self._open()
            with no_longer_than(self._silence, db.fileno()):
                return db.execute(statement, values, prepare=prepare, binary=True).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Execute the statements of the block as one transaction.

        Raises:
            OutOfReach: the database cannot be reached, or the connection was lost. The transaction may have been committed.
        """
        with self._using, self._errors(), self._open().transaction():
            self._within = True
            try:
                yield
            finally:
                self._within = False

    def prepare(self) -> None:
        """Make the tables, if they do not exist. Many processes may do so at once.

        Raises:
            UsageError: the encoding of the database is not UTF-8.
            UnusableRun: a newer maker_graph made the tables.
        """
        with self._using, self._errors():
            db = self._open()
            if self._form(db) is not None:
                return
            (encoding,) = db.execute("SELECT current_setting('server_encoding')").fetchone() or ("",)
            if encoding != "UTF8":
                raise UsageError(f"The database has the encoding {encoding}: create one with ENCODING 'UTF8' for the journal.")
            with db.transaction():
                db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if self._form(db) is None:
                    db.execute(TABLES)

    def see_tables(self) -> None:
        """Make sure that the tables exist.

        Raises:
            UnusableRun: the tables are missing, or a newer maker_graph made them.
        """
        with self._using, self._errors():
            if self._form(self._open()) is None:
                raise UnusableRun(f"There is no journal at {shown(self.address)}: maker-graph run --journal makes one.")

    def close(self) -> None:
        """Close the connection. It is made again if it is used again."""
        self._let_go()

    def _let_go(self) -> None:
        with self._using:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _form(self, db: "psycopg.Connection[Any]") -> int | None:
        if db.execute(_THERE).fetchone() is None:
            return None
        row = db.execute("SELECT form FROM maker_graph.form").fetchone()
        form = 0 if row is None else int(row[0])
        if form > FORM:
            raise UnusableRun(f"The journal was made by a newer maker_graph (form {form}): install that version to go on.")
        if form != FORM:
            raise DamagedRun(f"The journal cannot be read: its form is {form}.")
        return form

    def _open(self) -> "psycopg.Connection[Any]":
        import psycopg  # noqa: PLC0415  an extra

        if self._connection is None:
            if self._away is not None and time.monotonic() < self._away[0]:
                raise self._away[1]
            began = time.monotonic()
            try:
                self._connection = psycopg.connect(self._how, autocommit=True)
            except psycopg.OperationalError as error:
                if time.monotonic() - began > NOT_AGAIN:
                    self._away = (time.monotonic() + NOT_AGAIN, error)
                raise
            with no_longer_than(self._silence, self._connection.fileno()):
                self._connection.execute(_SESSION)
            self._was_there, self._away = True, None
        return self._connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn errors of the database into errors about the run. A connection that was lost is closed."""
        import psycopg  # noqa: PLC0415

        try:
            yield
        except psycopg.Error as error:
            unprepared = isinstance(error, psycopg.errors.InvalidSqlStatementName | psycopg.errors.DuplicatePreparedStatement)
            self._prepares = self._prepares and not unprepared
            lost = self._connection is None or self._connection.closed or self._connection.broken or unprepared
            if lost or isinstance(error, psycopg.InterfaceError):
                with suppress(psycopg.Error):
                    self._let_go()
                self._connection = None
            raise self._meant(error, lost=lost) from error

    def _meant(self, error: "psycopg.Error", *, lost: bool) -> Exception:
        from psycopg import errors  # noqa: PLC0415

        where, why = shown(self.address), str(error).strip().partition("\n")[0] or type(error).__name__
        full = (errors.DiskFull, errors.OutOfMemory, errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege)
        if isinstance(error, full):
            return LimitReached(f"The journal at {where} cannot be used ({why}): make room, or give access, and resume.")
        if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
            return UnusableRun(f"There is no journal at {where}: maker-graph run --journal makes one.")
        wrong = None if self._was_there else next((pattern for pattern in _WRONG if re.search(pattern, why)), None)
        if wrong is not None:
            return UsageError(f"The journal at {where} cannot be used ({why}): {_WRONG[wrong]}.")
        if isinstance(error, errors.DataError):
            return UsageError(f"A text cannot be kept in the journal at {where} ({why}).")
        if lost or isinstance(error, errors.OperationalError | errors.InterfaceError):
            return OutOfReach(
                f"The journal at {where} cannot be reached ({why}): see that its database runs, and that the address is right."
            )
        return DamagedRun(f"The journal at {where} cannot be read or written ({why}).")


def _conninfo(address: str) -> str:
    """Return the connection string for an address.

    Raises:
        UsageError: the address cannot be read.
    """
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

    try:
        said = conninfo_to_dict(address)
    except ProgrammingError:
        raise UsageError(
            f"The address of the journal at {shown(address)} cannot be read: in user and password write %40 for @ and "
            "%25 for %, and after ? give only parameters that Postgres knows, such as sslmode=require."
        ) from None
    return make_conninfo("", **{**_UNLESS_SAID, **said, "client_encoding": "utf8"})


class StandingConnection(Connection):
    """A connection that several users share in turn. It stays open when one of them closes it."""

    def close(self) -> None:
        """Do nothing, because others may use the connection."""

    def end(self) -> None:
        """Close the connection. It is made again if it is used again."""
        self._let_go()
