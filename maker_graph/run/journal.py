"""The journal: the append-only record of decided steps, and the truth about a run.

A checkpoint is a snapshot that LangGraph takes now and then; the journal has every step. What LangGraph does not promise is
kept here:

- an append is a compare-and-set on the step number: the step that follows the last one, or a refusal;
- an owner epoch: whoever goes on with a run raises it (`claim`), and the append of an older owner is refused, whatever it
  slept through;
- each entry carries a hash over the run, its settings, the entry, where the machine stood after it, and the hash before, so
  that damage, reordering, deletion and transplants show, with the step number;
- the account: what was spent, and what may have been spent by calls that were under way, so that no resume resets a budget;
- an entry is on disk before `append` returns: SQLite in WAL mode with `synchronous=FULL`, one transaction for all steps that
  are committed together.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from operator import add
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from maker_graph.core.canonical import canonical
from maker_graph.core.decision import Decision
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.core.spending import Spent
from maker_graph.errors import DamagedRun, LimitReached, MakerError, StaleStep, TakenOver, UnusableRun
from maker_graph.run.entry import decode, encode

Fsync: TypeAlias = Literal["full", "normal"]
"""When SQLite waits for the disk: at each commit, or at its own checkpoints. A kill loses nothing with either; with "normal" a
power cut may lose the last steps, which are then sampled again."""

_TABLES = """
CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY, entry TEXT NOT NULL, mark BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID;
"""


CHECKED_AT_ONCE = 100_000
"""Steps whose hashes are checked before a run goes on; older ones are checked while it does."""


class Held(NamedTuple):
    """What calls that are not accounted for yet may use up at most: USD, requests."""

    cost: float = 0.0
    calls: int = 0

    def plus(self, other: "Held") -> "Held":
        """Return the sum of both."""
        return Held._make(map(add, self, other))


NOTHING = Spent()
NONE = Held()


class Account(NamedTuple):
    """The account of a run.

    Attributes:
        steps: the journal's last step, so that a tail cut off shows.
        spent: what was used up.
        held: reserved for calls that the owner may be making.
        lost: held by owners that were killed or taken over: it may have been billed, nobody can tell. What an owner that was
            taken over books later counts once more.
    """

    steps: int
    spent: Spent
    held: Held
    lost: Held


class Journal:
    """The journal of one run, in one SQLite file.

    Attributes:
        step: the last step.
        epoch: which owner of the run this is, counted from 1; None for one who only looks.
    """

    def __init__(self, path: Path, origin: str, *, create: bool = False, fsync: Fsync = "full") -> None:
        """Open the journal in `path`, or make it.

        Args:
            path: the file.
            origin: what the first hash stands on: the run and its settings. A journal of another origin does not load.
            create: make it; else it must be there.
            fsync: when the disk is waited for.

        Raises:
            DamagedRun: the file is missing, is no journal, or is of another run or other settings.
        """
        if path.exists() == create:
            raise DamagedRun(f"{path} {'is there already' if create else 'is missing'}.", 1)
        self._origin = hashlib.sha256(origin.encode()).digest()[:16]
        self.epoch: int | None = None
        self._owned_at: tuple[int] | None = None
        self._path = path
        self._damage: MakerError | None = None
        if create:
            path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
        with clear_errors("The journal"):
            self._db = sqlite3.connect(path, isolation_level=None)
        try:
            with clear_errors("The journal"):
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute(f"PRAGMA synchronous={fsync}")
                if create:
                    self._db.executescript(_TABLES)
                    with self._transaction():
                        self._write("origin", origin)
                        self._write("owner", "0")
                        self._keep(Account(0, Spent(), Held(), Held()))
                        self._write("names", canonical(["account", "names", "origin", "owner"]))
                self._see_tables()
                self._belongs(origin)
                self._db.execute("BEGIN")  # all at one moment: another process may be at work
                if self._names() != json.loads(self._read("names")):
                    raise DamagedRun("The journal is damaged: a note is missing.")
                self.step, self._hash = self._last()
                steps = self.account().steps
                self._db.execute("COMMIT")
                if steps != self.step:
                    raise DamagedRun(
                        f"The journal is damaged: its last steps are missing, from {self.step + 1}.", self.step + 1
                    )
        except MakerError:
            self._db.close()
            raise
        except UnicodeDecodeError as error:  # SQLite's message quotes the damaged bytes of a table's definition
            self._db.close()
            raise DamagedRun(f"The journal cannot be read: its tables are damaged ({error.reason}).") from error

    def claim(self) -> None:
        """Become the owner of the run: from now on the appends of any earlier one are refused."""
        with self._transaction():
            self.epoch = self._owner() + 1
            self._write("owner", str(self.epoch))
            account = self.account()
            self._keep(account._replace(held=Held(), lost=account.lost.plus(account.held)))
        self.step, self._hash = self._last()

    def append(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        held: Held = NONE,
        pace: str | None = None,
    ) -> None:
        """Store decisions, each with where it led to, what was spent since the last append, and what may be under way.

        It is one transaction: on return all of it is on disk, and `pace` in the note of that name.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            StaleStep: the steps do not follow the journal's last one.
            DamagedRun: older steps were found damaged since; see `check`.
        """
        if self._damage is not None:
            raise self._damage
        first, link, rows = steps[0][1]["step"], self._hash, []
        for step, (decision, after) in enumerate(steps, start=first):
            entry, mark = encode(decision), mark_of(after)
            link = _link(link, step, entry, mark)
            rows.append((step, entry, mark, link))
        last = steps[-1][1]["step"]
        with self._transaction():
            owned = self._owner() == self.epoch
            follows = self._last() == (first - 1, self._hash) and last == first + len(steps) - 1
            account = self.account()
            if owned and follows:
                self._db.executemany("INSERT INTO steps VALUES (?, ?, ?, ?)", rows)
                account = account._replace(steps=last, held=held)
                if pace is not None:
                    self._put("pace", pace)
            self._keep(account._replace(spent=account.spent.plus(spent)))  # money is gone, whoever was first
        if not owned:
            raise _taken_over()
        if not follows:
            raise StaleStep(f"Step {first} does not follow the journal's last, {self._last()[0]}.", first)
        self.step, self._hash = last, link

    def owners(self) -> int:
        """Return how many owners the run has had."""
        return self._owner()

    def owned(self) -> None:
        """See that this process is the owner of the run.

        Raises:
            TakenOver: it is not, or no longer.
        """
        version = self._db.execute("PRAGMA data_version").fetchone()  # another one if another connection has written since
        if version != self._owned_at:
            if self._owner() != self.epoch:
                raise _taken_over()
            self._owned_at = version

    def spend(self, spent: Spent, held: Held = NONE, pace: str | None = None) -> None:
        """Add what was spent on steps that were not committed; on return it and what may be under way are on disk."""
        with self._transaction():
            account, owned = self.account(), self._owner() == self.epoch
            if owned and pace is not None:
                self._put("pace", pace)
            self._keep(account._replace(spent=account.spent.plus(spent), held=held if owned else account.held))

    def account(self) -> Account:
        """Return what the run has spent, in all its sessions.

        Raises:
            DamagedRun: the account is gone, or not what was written.
        """
        steps, spent, held, lost = json.loads(self._read("account"))
        return Account(steps, Spent(*spent), Held(*held), Held(*lost))

    def check(self, at_once: int = CHECKED_AT_ONCE) -> None:
        """See that the chain of hashes is whole, without applying an answer.

        The last `at_once` steps are checked before this returns. A million take seconds, so the older ones are checked in a
        thread meanwhile, and if they do not hold, the next `append` says so.

        Raises:
            DamagedRun: the chain is not whole, with the first step that does not hold.
        """
        first = max(1, self.step - at_once + 1)
        with clear_errors("The journal"):
            _check(self._db, self._origin, first, self.step)
        if first > 1:
            threading.Thread(target=self._check_older, args=(first - 1,), name="maker-graph-check", daemon=True).start()

    def _check_older(self, last: int) -> None:
        try:
            with clear_errors("The journal"), closing(sqlite3.connect(self._path)) as db:
                _check(db, self._origin, 1, last)
        except MakerError as error:
            self._damage = error
        except Exception as error:  # noqa: BLE001  in a thread of its own, nobody else would hear of it
            self._damage = DamagedRun(f"The journal is damaged: {error}.")

    def decisions(self) -> Iterator[Decision]:
        """Yield the decisions in order, without a look at the chain: `check` and `replay` do that.

        Raises:
            DamagedRun: an entry is unreadable.
        """
        for step, entry, _, _ in self._rows():
            yield _decoded(step, entry)

    def entries(self) -> Iterator[tuple[int, str]]:
        """Yield each step with the text of its entry, without a look at the chain or into the entry.

        Raises:
            DamagedRun: a row is unreadable.
        """
        for step, entry, _, _ in self._rows():
            yield step, entry

    def agrees(self, at: MakerOutput) -> bool:
        """Say whether the machine stood at `at` when the journal was at that step."""
        if not 1 <= at["step"] <= self.step:
            return False
        with clear_errors("The journal"):
            row = self._db.execute("SELECT mark FROM steps WHERE step = ?", (at["step"],)).fetchone()
        return row is not None and row[0] == mark_of(at)

    def replay(self, machine: Machine, start: MakerOutput | None = None) -> Iterator[tuple[Decision, MakerOutput, MakerOutput]]:
        """Yield (decision, where the task stood before it, where after it) for each step, and check the chain on the way.

        `start` skips the steps before it: a place that agrees with the journal.

        Raises:
            DamagedRun: an entry is not what was written, with its step.
        """
        at = machine.begin() if start is None else start
        expected, link = at["step"] + 1, None
        for step, entry, mark, stored in self._rows(at["step"]):
            if step == at["step"]:
                link = stored
                continue
            if step != expected:
                raise _broken(expected, step)
            decision = _decoded(step, entry)
            try:
                after = machine.advance(at, decision)
            except Exception as error:
                raise DamagedRun(
                    f"The journal is damaged at step {step}: its answer cannot be applied ({error}).", step
                ) from error
            link = _link(link or self._origin, step, entry, mark)
            if link != stored or mark != mark_of(after):
                raise _broken(step, step)
            yield decision, at, after
            at, expected = after, expected + 1

    def note(self, name: str) -> str | None:
        """Return the note of this name: what a run keeps beside its steps.

        Raises:
            DamagedRun: it is not what was written.
        """
        with clear_errors("The journal"):
            row = self._db.execute("SELECT value, hash FROM notes WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        value, stored = row
        if not isinstance(value, str) or stored != self._seal(name, value):
            raise DamagedRun(f"The journal is damaged: its note {name!r} is not what was written.")
        return value

    def set_note(self, name: str, value: str) -> None:
        """Keep a note; on return it is on disk."""
        with self._transaction():
            self._put(name, value)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with clear_errors("The journal"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, first: int = 1) -> Iterator[tuple[int, str, bytes, bytes]]:
        with clear_errors("The journal"):
            for row in self._db.execute("SELECT step, entry, mark, hash FROM steps WHERE step >= ? ORDER BY step", (first,)):
                if [type(value) for value in row] != [int, str, bytes, bytes]:
                    raise _broken(row[0], row[0])
                yield row

    def _last(self) -> tuple[int, bytes]:
        row = self._db.execute("SELECT step, hash FROM steps ORDER BY step DESC LIMIT 1").fetchone()
        return (0, self._origin) if row is None else (row[0], row[1])

    def _owner(self) -> int:
        return int(self._read("owner"))

    def _keep(self, account: Account) -> None:
        self._write("account", canonical([account.steps, list(account.spent), list(account.held), list(account.lost)]))

    def _names(self) -> list[str]:
        return [name for (name,) in self._db.execute("SELECT name FROM notes ORDER BY name")]

    def _read(self, name: str) -> str:
        value = self.note(name)
        if value is None:
            raise DamagedRun(f"The journal is damaged: its note {name!r} is missing.")
        return value

    def _put(self, name: str, value: str) -> None:
        self._write(name, value)
        self._write("names", canonical(self._names()))

    def _write(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (name, value, self._seal(name, value)))

    def _seal(self, name: str, value: str) -> bytes:
        origin = b"" if name == "origin" else self._origin
        return hashlib.sha256(b"\n".join((origin.hex().encode(), name.encode(), value.encode()))).digest()[:16]

    def _see_tables(self) -> None:
        """See that the definitions of the tables are what was written: a damaged one changes what SQLite reads."""
        defined = {sql for (sql,) in self._db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
        if defined != {line.replace("IF NOT EXISTS ", "").rstrip(";") for line in _TABLES.strip().splitlines()}:
            raise DamagedRun("The journal cannot be read: its tables are damaged.")

    def _belongs(self, origin: str) -> None:
        """See that the journal was begun with `origin`; say which of its settings differ."""
        began = self._read("origin")
        if began == origin:
            return
        try:
            before, now = _flat(json.loads(began)), _flat(json.loads(origin))
            differ = [
                f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
                for name in sorted({*before, *now})
                if before.get(name) != now.get(name)
            ]
        except (ValueError, AttributeError):
            differ = []
        said = f" ({'; '.join(differ)})" if differ else ""
        raise DamagedRun(f"The journal belongs to another run, or the settings were changed after it began{said}.", 0)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` in one row, those of a group by their own names."""
    groups = [_flat(value) for value in settings.values() if isinstance(value, dict)]
    own = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    return {name: value for group in (own, *groups) for name, value in group.items()}


def _taken_over() -> TakenOver:
    return TakenOver("Another process has taken over this run: this one stops, and has committed nothing since.")


@contextmanager
def clear_errors(what: str) -> Iterator[None]:
    """Say what SQLite's errors mean for a run: busy is not damaged, and neither is a full disk."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise UnusableRun(f"{what} of this run is held by another process: try again when it is done.") from error
        if kind in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
            raise LimitReached(f"{what} cannot be written ({error}): make room, or give access, and resume.") from error
        raise DamagedRun(f"{what} cannot be read: {error}.") from error


def _decoded(step: int, entry: str) -> Decision:
    try:
        return decode(entry)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise DamagedRun(f"The journal is damaged at step {step}: {error}.", step) from error


def _check(db: sqlite3.Connection, origin: bytes, first: int, last: int) -> None:
    """See that the steps from `first` to `last` are linked to each other, and the first to the one before it.

    Raises:
        DamagedRun: they are not, with the first step that does not hold.
    """
    link, expected = origin, first
    if first > 1:
        row = db.execute("SELECT hash FROM steps WHERE step = ?", (first - 1,)).fetchone()
        link = row[0] if row is not None and type(row[0]) is bytes else b""
    rows = db.execute("SELECT step, entry, mark, hash FROM steps WHERE step BETWEEN ? AND ? ORDER BY step", (first, last))
    for step, entry, mark, stored in rows:
        if step != expected or type(entry) is not str or type(mark) is not bytes or type(stored) is not bytes:
            raise _broken(expected, step)
        link = _link(link, step, entry, mark)
        if link != stored:
            raise _broken(expected, step)
        expected += 1
    if expected != last + 1:
        raise _broken(expected, last + 1)


def _broken(expected: int, step: int) -> DamagedRun:
    what = f"at step {step}: its hash does not fit" if step == expected else f"step {expected} is missing"
    return DamagedRun(f"The journal is damaged{':' if step != expected else ''} {what}.", expected)


def mark_of(at: MakerOutput) -> bytes:
    """Return the digest of where the machine stands: state, step, totals, all of it."""
    return hashlib.sha256(canonical({name: at[name] for name in _PLACE}, own=True).encode()).digest()[:8]  # type: ignore[literal-required]  # its own keys


_PLACE = tuple(MakerOutput.__annotations__)


def _link(before: bytes, step: int, entry: str, mark: bytes) -> bytes:
    return hashlib.sha256(f"{before.hex()}\n{step}\n{mark.hex()}\n{entry}".encode()).digest()[:16]
