"""A connection to the database of journals: made again when it was lost, and what its errors mean for a run."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from maker_graph.errors import DamagedRun, LimitReached, OutOfReach, UnusableRun, UsageError
from maker_graph.extras import need_extra
from maker_graph.journal.postgres.schema import FORM, TABLES

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql", "postgres")

_UNLESS_SAID = {
    "application_name": "maker-graph",
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""How a connection is made, unless the address says otherwise, and how long it is waited for (seconds; the last is in
milliseconds). Without these a machine that is cut off waits for a quarter of an hour."""

_LOCK = 5_061_776_170_231
"""Of who makes the tables; the number means nothing."""


def see_address(address: str) -> str:
    """Return the address of a database of journals.

    Raises:
        UsageError: it is none.
    """
    try:
        found = urlsplit(address)
        _ = found.port
    except ValueError as error:
        raise UsageError(f"The address of the journal cannot be read ({error}): give postgresql://HOST/DATABASE.") from None
    if found.scheme not in SCHEMES:
        raise UsageError(f"A journal is at an address like postgresql://HOST/DATABASE, not at {shown(address)!r}.")
    return address


def shown(address: str) -> str:
    """Return an address as it may be shown: without a password, and without what else it asks for.

    >>> shown("postgresql://me:secret@db.example:5433/runs?sslmode=require")
    'postgresql://me@db.example:5433/runs'
    """
    try:
        found = urlsplit(address)
        user, _, where = found.netloc.rpartition("@")
        named = f"{user.partition(':')[0]}@{where}" if user else where
        return urlunsplit((found.scheme, named, found.path, "", ""))
    except ValueError:
        return "?"


def without_password(address: str) -> str:
    """Return an address that leads to the same database, for who has the password.

    >>> without_password("postgresql://me:secret@db.example/runs?sslmode=require&password=secret")
    'postgresql://me@db.example/runs?sslmode=require'
    """
    asked = [(name, value) for name, value in parse_qsl(urlsplit(address).query) if "password" not in name]
    return shown(address) + (f"?{urlencode(asked)}" if asked else "")


class Connection:
    """A connection that is made when it is first used, and again after it was lost; each statement is a transaction.

    It may be used by several threads, one statement at a time.

    Attributes:
        address: of the database.
    """

    def __init__(self, address: str) -> None:
        """Stand for the database at this address; nothing is connected yet.

        Raises:
            UsageError: it is no address, or the extra is missing.
        """
        need_extra("fleet", "A journal in Postgres", "psycopg")
        self.address = see_address(address)
        self._connection: psycopg.Connection[Any] | None = None
        self._using = threading.RLock()

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return what a statement gives that may be done twice: it is done again if the connection was lost.

        Raises:
            OutOfReach: the database cannot be reached.
            LimitReached: the database takes no writes.
            UnusableRun: it has no journals, or those of a newer maker_graph.
        """
        try:
            return self.once(statement, values)
        except OutOfReach:
            return self.once(statement, values)

    def row(self, statement: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """Return the first row of what a statement gives, as `rows` does; None if there is none."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def once(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return what a statement gives, which is done once.

        Raises:
            OutOfReach: the database cannot be reached, or the connection was lost: nobody knows whether the statement was done.
        """
        with self._using, self._errors():
            return self._open().execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is done within at once, or nothing of it."""
        with self._using, self._errors(), self._open().transaction():
            yield

    def prepare(self) -> None:
        """Make the tables, if they are not there; many may do so at once.

        Raises:
            UsageError: the database is none of UTF-8.
            UnusableRun: a newer maker_graph made them.
        """
        with self._using, self._errors():
            db = self._open()
            if self._form(db) is not None:
                return
            (encoding,) = db.execute("SELECT current_setting('server_encoding')").fetchone() or ("",)
            if encoding != "UTF8":
                raise UsageError(f"The database is of encoding {encoding}: create one with ENCODING 'UTF8' for the journal.")
            with db.transaction():
                db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if self._form(db) is None:
                    db.execute(TABLES)

    def see_tables(self) -> None:
        """See that there are journals.

        Raises:
            UnusableRun: there are none, or a newer maker_graph made them.
        """
        with self._using, self._errors():
            if self._form(self._open()) is None:
                raise UnusableRun(f"There is no journal at {shown(self.address)}: maker-graph run --journal makes one.")

    def close(self) -> None:
        """Close it; it is opened again if it is used again."""
        with self._using:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _form(self, db: "psycopg.Connection[Any]") -> int | None:
        (there,) = db.execute("SELECT to_regclass('maker_graph.form') IS NOT NULL").fetchone() or (False,)
        if not there:
            return None
        row = db.execute("SELECT form FROM maker_graph.form").fetchone()
        form = 0 if row is None else int(row[0])
        if form > FORM:
            raise UnusableRun(f"The journal was made by a newer maker_graph (form {form}): install that one to go on.")
        if form != FORM:
            raise DamagedRun(f"The journal cannot be read: its form is {form}.")
        return form

    def _open(self) -> "psycopg.Connection[Any]":
        import psycopg  # noqa: PLC0415  an extra
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

        if self._connection is None:
            said = conninfo_to_dict(self.address)
            more = {name: value for name, value in _UNLESS_SAID.items() if name not in said}
            self._connection = psycopg.connect(make_conninfo(self.address, **more), autocommit=True)
        return self._connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say what errors of the database mean for a run; a connection that was lost is let go of."""
        import psycopg  # noqa: PLC0415

        try:
            yield
        except psycopg.Error as error:
            lost = self._connection is None or self._connection.closed or self._connection.broken
            if lost or isinstance(error, psycopg.InterfaceError):
                with suppress(psycopg.Error):
                    self.close()
                self._connection = None
            raise self._meant(error, lost=lost) from error

    def _meant(self, error: "psycopg.Error", *, lost: bool) -> Exception:
        from psycopg import errors  # noqa: PLC0415

        where, why = shown(self.address), str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        full = (errors.DiskFull, errors.OutOfMemory, errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege)
        if isinstance(error, full):
            return LimitReached(f"The journal at {where} cannot be written ({why}): make room, or give access, and resume.")
        if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
            return UnusableRun(f"There is no journal at {where}: maker-graph run --journal makes one.")
        if lost or isinstance(error, errors.OperationalError | errors.InterfaceError):
            return OutOfReach(f"The journal at {where} cannot be reached ({why}).")
        return DamagedRun(f"The journal at {where} cannot be read or written ({why}).")
