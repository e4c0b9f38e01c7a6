"""Journals as the tests make them, in SQLite and in Postgres: one set of tests says what every journal promises."""

import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from maker_graph.core.decision import Decision, answered, decide
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.core.red_flags import Sample, empty, named
from maker_graph.core.rules import AheadBy
from maker_graph.core.spending import NONE, NOTHING, Reserved, Spent
from maker_graph.core.voting import Voting
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.journal import PostgresJournal, find, make_run
from maker_graph.journal.protocol import Journal
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.tasks import Hanoi, Records

# ------------------------------------------------------------------------------------------------------- steps of a small chain

MOVES = [
    "move = [1, 0, 2]\nnext_state = [[3, 2], [], [1]]",
    "move = [2, 0, 1]\nnext_state = [[3], [2], [1]]",
    "move = [1, 2, 1]\nnext_state = [[3], [2, 1], []]",
    "move = [3, 0, 2]\nnext_state = [[], [2, 1], [3]]",
]

MORE = "move = [1, 1, 0]\nnext_state = [[1], [2], [3]]"
"""A move that may follow the others."""


def decision(*texts: str, k: int = 1) -> Decision:
    """Return what a vote on a move of three disks comes to, after these replies."""
    how = Reader(parse=Hanoi(3).parse, key=None, check=None, red_flags=named([empty]))
    return decide(
        [judge(Sample(i, text, input_tokens=9, output_tokens=i), how) for i, text in enumerate(texts)],
        Voting(AheadBy(k), max_samples=99),
        1,
    )


def filled(
    journal: Journal, moves: Iterable[str] = MOVES, spent: Spent = NOTHING, reserved: Reserved = NONE
) -> tuple[Any, MakerOutput]:
    """Commit moves, each by itself and at this price; return the journal, and where they lead to."""
    machine = Machine(Hanoi(3))
    at = machine.begin()
    for text in moves:
        made = decision(text)
        at = machine.advance(at, made)
        journal.append([(made, at)], spent, reserved)
    return journal, at


def following(at: MakerOutput, times: int = 1) -> list[tuple[Decision, MakerOutput]]:
    """Return so many steps that follow."""
    made, found = decision(MORE), list[tuple[Decision, MakerOutput]]()
    for _ in range(times):
        at = Machine(Hanoi(3)).advance(at, made)
        found.append((made, at))
    return found


def replayed(journal: Journal) -> list[MakerOutput]:
    """Return where each step led to."""
    return [after for _, _, after in journal.replay(Machine(Hanoi(3)))]


# ------------------------------------------------------------------------------------------------------------- steps left open

ROWS = [{"address": f"{number} Elm St., 10115 Berlin", "date": "3.4.24", "amount": "$5"} for number in range(1, 8)]
_READER = Reader(parse=str, key=None, check=None, red_flags=named([empty]))


def item(text: str) -> Decision:
    """Return what a vote of one sample on an item comes to; it is open if the text is empty."""
    return decide([judge(Sample(0, text, input_tokens=9, output_tokens=3), _READER)], Voting(1, max_samples=1), 1)


def by_a_person(text: str) -> Decision:
    """Return the later answer of a person."""
    return answered(item(""), judge(Sample(0, text), _READER))


def with_open_steps(journal: Journal) -> Any:
    """Commit six rows of seven, of which the second, the fourth and the fifth stay open; return the journal."""
    machine = Machine(Records(ROWS))
    at = machine.begin()
    for text in ("one", "", "three", "", "", "six"):
        made = item(text)
        at = machine.advance(at, made)
        journal.append([(made, at)])
    return journal


# --------------------------------------------------------------------------------------------------- where journals are kept

TABLES = {"steps": "step", "amendments": "number", "notes": "name"}
"""What tells the rows of each table apart."""

Copy: TypeAlias = Any


class Kept(ABC):
    """Where the tests keep journals, and do to them what no journal does to itself; `run` is the name of a run."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._made: set[str] = set()

    def open(
        self,
        run: str = "r",
        origin: str = "run",
        *,
        claim: bool = True,
        witness: Path | None = None,
        accept_loss: bool = False,
    ) -> Journal:
        """Open the journal of a run, which is made if need be; it is closed at the end of the test."""
        if run not in self._made:
            self._made.add(run)
            self.make(run, origin)
        journal = self._stack.enter_context(closing(self._opened(run, origin, witness, accept_loss=accept_loss)))
        if claim:
            journal.claim(run)
        return journal

    def opened(self, run: str, origin: str) -> Journal:
        """Open the journal of a run that is there; whoever asks closes it."""
        return self._opened(run, origin, None, accept_loss=False)

    @abstractmethod
    def make(self, run: str, origin: str) -> None:
        """Make the journal of a run."""

    @abstractmethod
    def _opened(self, run: str, origin: str, witness: Path | None, *, accept_loss: bool) -> Journal: ...

    @abstractmethod
    def rows(self, table: str, run: str = "r") -> list[dict[str, Any]]:
        """Return the rows of a table, in order."""

    @abstractmethod
    def change(self, table: str, row: Any, run: str = "r", **values: Any) -> None:
        """Change a row behind the journal's back."""

    @abstractmethod
    def drop(self, table: str, *rows: Any, run: str = "r") -> None:
        """Delete rows; all of the table if none is named."""

    @abstractmethod
    def put(self, table: str, run: str = "r", **values: Any) -> None:
        """Add a row."""

    @abstractmethod
    def copy(self, run: str = "r") -> Copy:
        """Return a copy of a run, as a backup has it."""

    @abstractmethod
    def put_back(self, copy: Copy, run: str = "r") -> None:
        """Put a copy in the place of the run; nobody has it open."""


class InSqlite(Kept):
    """Each run is a file in a folder of its own."""

    def path(self, run: str) -> Path:
        """Return the file of a run."""
        return self.folder / run / "j.db"

    def make(self, run: str, origin: str) -> None:
        self.path(run).parent.mkdir()
        create_journal(self.path(run), origin)

    def _opened(self, run: str, origin: str, witness: Path | None, *, accept_loss: bool) -> Journal:
        return SqliteJournal(self.path(run), origin, witness=witness, accept_loss=accept_loss)

    def _do(self, run: str, statement: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path(run), isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(statement, tuple(values))]

    def rows(self, table: str, run: str = "r") -> list[dict[str, Any]]:
        return self._do(run, f"SELECT * FROM {table} ORDER BY {TABLES[table]}")  # noqa: S608  names of ours

    def change(self, table: str, row: Any, run: str = "r", **values: Any) -> None:
        new = ", ".join(f"{column} = ?" for column in values)
        self._do(run, f"UPDATE {table} SET {new} WHERE {TABLES[table]} = ?", (*values.values(), row))  # noqa: S608

    def drop(self, table: str, *rows: Any, run: str = "r") -> None:
        for row in rows or [each[TABLES[table]] for each in self.rows(table, run)]:
            self._do(run, f"DELETE FROM {table} WHERE {TABLES[table]} = ?", (row,))  # noqa: S608  the same

    def put(self, table: str, run: str = "r", **values: Any) -> None:
        places = ", ".join("?" * len(values))
        self._do(run, f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", values.values())  # noqa: S608  the same

    def copy(self, run: str = "r") -> Copy:
        number = len(list(self.folder.iterdir()))
        return shutil.copytree(self.path(run).parent, self.folder / f"copy-{number}", ignore=shutil.ignore_patterns("*-shm"))

    def put_back(self, copy: Copy, run: str = "r") -> None:
        shutil.rmtree(self.path(run).parent)
        shutil.copytree(copy, self.path(run).parent)


class InPostgres(Kept):
    """All runs are in one database."""

    def __init__(self, folder: Path, stack: ExitStack, address: str) -> None:
        super().__init__(folder, stack)
        self.address = address
        with closing(Connection(address)) as connection:
            connection.prepare()
        self._db = self._connected()

    def _connected(self) -> psycopg.Connection[dict[str, Any]]:
        found = psycopg.connect(self.address, autocommit=True, row_factory=psycopg.rows.dict_row)
        return self._stack.enter_context(closing(found))

    def make(self, run: str, origin: str) -> None:
        with closing(Connection(self.address)) as connection, connection.transaction():
            assert make_run(connection, run, f'"{origin}"', origin)

    def _opened(self, run: str, origin: str, witness: Path | None, *, accept_loss: bool) -> Journal:
        connection = Connection(self.address)
        try:
            found = find(connection, run)
            return PostgresJournal(connection, run, found, origin, witness=witness, accept_loss=accept_loss)
        except BaseException:
            connection.close()
            raise

    def do(self, statement: str, *values: Any, table: str = "", columns: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Return what a statement gives, in which stand the names of a table and of columns."""
        names = [sql.Identifier(column) for column in columns]
        composed = sql.SQL(statement).format(*names, table=sql.Identifier("maker_graph", table))
        try:
            done = self._db.execute(composed, values)
        except psycopg.OperationalError:  # the server was killed since
            self._db = self._connected()
            done = self._db.execute(composed, values)
        return done.fetchall() if done.description else []

    def number(self, run: str = "r") -> int:
        """Return the number by which the rows of a run go."""
        return int(self.do("SELECT number FROM maker_graph.runs WHERE name = %s", run)[0]["number"])

    def rows(self, table: str, run: str = "r") -> list[dict[str, Any]]:
        found = self.do(
            "SELECT * FROM {table} WHERE run = %s ORDER BY {}", self.number(run), table=table, columns=[TABLES[table]]
        )
        return [{column: value for column, value in row.items() if column != "run"} for row in found]

    def change(self, table: str, row: Any, run: str = "r", **values: Any) -> None:
        for column, value in values.items():
            self.do(
                "UPDATE {table} SET {} = %s WHERE run = %s AND {} = %s",
                *(value, self.number(run), row),
                table=table,
                columns=[column, TABLES[table]],
            )
            row = value if column == TABLES[table] else row

    def drop(self, table: str, *rows: Any, run: str = "r") -> None:
        for row in rows or [each[TABLES[table]] for each in self.rows(table, run)]:
            self.do(
                "DELETE FROM {table} WHERE run = %s AND {} = %s", self.number(run), row, table=table, columns=[TABLES[table]]
            )

    def put(self, table: str, run: str = "r", **values: Any) -> None:
        number = self.number(run)
        statement = "INSERT INTO {table} (run, %s) VALUES (%%s, %s)"
        places, marks = ", ".join(["{}"] * len(values)), ", ".join(["%s"] * len(values))
        self.do(statement % (places, marks), number, *values.values(), table=table, columns=values)

    def copy(self, run: str = "r") -> Copy:
        (row,) = self.do("SELECT * FROM maker_graph.runs WHERE name = %s", run)
        return row, {table: self.rows(table, run) for table in TABLES}

    def put_back(self, copy: Copy, run: str = "r") -> None:
        row, tables = copy
        for column in row.keys() - {"number", "name"}:
            self.do("UPDATE {table} SET {} = %s WHERE name = %s", row[column], run, table="runs", columns=[column])
        for table, rows in tables.items():
            self.drop(table, run=run)
            for each in rows:
                self.put(table, run, **each)
