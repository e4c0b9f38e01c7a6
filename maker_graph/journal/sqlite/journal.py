"""The journal in one SQLite file.

It adds to what every journal promises (`journal/protocol.py`):

- an entry is on disk before `append` returns: SQLite in WAL mode with `synchronous=FULL`, one transaction for all steps that
  are committed together;
- a journal that was deleted, moved or replaced beneath its owner is noticed before the next call is paid for
  (`open_files.py`), and one that was put back to an older copy when it is opened (`watermark.py`).
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import canonical, sorted_json
from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput
from maker_graph.core.spending import NONE, NOTHING, Account, Reserved, Spent
from maker_graph.errors import (
    DamagedRun,
    LimitReached,
    LostJournal,
    MakerError,
    OlderJournal,
    UnusableRun,
    UsageError,
)
from maker_graph.journal.chain import origin_digest, seal
from maker_graph.journal.entry import MAY_BE_OPEN
from maker_graph.journal.intent import INTENT, Intent
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes
from maker_graph.journal.reading import CHECKED_AT_ONCE
from maker_graph.journal.rules import claimed, new_amendments, new_rows, stale, taken_over, unanswerable
from maker_graph.journal.sqlite.amendments import amendment_rows, read_amendments
from maker_graph.journal.sqlite.books import Books, head_at, read_books, see_origin, version_of
from maker_graph.journal.sqlite.database import Fsync, open_database, storage_errors, to_newest_form
from maker_graph.journal.sqlite.open_files import Found, OpenFiles
from maker_graph.journal.sqlite.steps import check_chain, hash_at, note_row, step_rows
from maker_graph.journal.steps import LAST
from maker_graph.journal.watermark import Watermark, Watermarks, older_text, watermark_path

_WRITE = "INSERT INTO notes VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, hash = excluded.hash"
"""Half as dear as a row that is deleted and written again."""


class SqliteJournal(Journal):
    """The journal of one run, in one SQLite file.

    Attributes:
        step: the last step.
        epoch: which owner of the run this is, counted from 1; None for one who only looks.
        accept_loss: whether a journal from which steps are missing is gone on with.
    """

    def __init__(
        self,
        path: Path,
        origin: str,
        *,
        fsync: Fsync = "full",
        witness: Path | None = None,
        accept_loss: bool = False,
        threads: bool = False,
    ) -> None:
        """Open the journal in `path`; one that cannot be written is read.

        Args:
            path: the file.
            origin: what the first hash stands on: the run and its settings. A journal of another origin does not load.
            fsync: when the disk is waited for.
            witness: a file outside the run's directory that has a high-water mark of it as well.
            accept_loss: open it although it is an older copy of itself.
            threads: other threads than this one may use it, one at a time.

        Raises:
            DamagedRun: the file is missing, is no journal, or is of another run or other settings.
            OlderJournal: what was committed or paid for since is missing from it.
            UnusableRun: another process holds it, or a newer maker_graph wrote it.
        """
        if not path.exists():
            raise DamagedRun(f"{path} is missing: put it back, or start a new run.", 1)
        self.epoch: int | None = None
        self.accept_loss = accept_loss
        self._origin = origin_digest(origin)
        self._marks = Watermarks(watermark_path(path), witness, self._origin)
        self._files = OpenFiles(path)
        self._settled = False
        self._damage: MakerError | None = None
        self._known: Books | None = None
        self._final: dict[int, str] = {}
        marks = self._marks.read()  # before the journal: they are written after it
        self._database = open_database(path, fsync, threads=threads)
        self._db = self._database.connection
        try:
            self._see_place()  # before it is read: what is written over the files from now on shows
            with storage_errors("The journal"):
                see_origin(self._db, self._origin, origin)
                books = self._books()
            self.step, self._hash = books.step, books.hash
            self._hold_against(marks, books)
        except BaseException:
            self._database.close()
            raise

    @property
    def writable(self) -> bool:
        """Whether the journal can be written; one on a disk that takes no writes can only be looked at."""
        return self._database.writable

    @property
    def claimed_here(self) -> bool:
        """Whether somebody has gone on with this run before, with these settings, in this directory and on this machine.

        It is what the high-water mark outside the directory tells, which nobody can send along with a directory.
        """
        return any(mark is not None for mark in self._marks.read()[1:])

    def claim(self, owner: str = "") -> None:  # noqa: ARG002  a number tells owners apart on one machine
        """Become the owner of the run: from now on the appends of any earlier one are refused.

        Raises:
            OlderJournal: what was committed or paid for since is missing, or nobody can tell; see `accept_loss`.
        """
        marks = self._marks.read()
        with self._transaction() as books:
            ahead = self._hold_against(marks, books)
            if marks[0] is None and books.account.serial and not self.accept_loss:
                raise OlderJournal(
                    f"{self._marks.beside} is missing or damaged: nobody can tell whether the journal is an older copy of "
                    "itself. Put it back, or resume with --accept-loss."
                )
            books.owner = self.epoch = 1 + max([books.owner, *(mark.epoch for mark in marks if mark is not None)])
            now = Watermark(0, books.head, books.account)
            # Before the commit: from then on there is a mark, and no later owner gets the same epoch.
            self._marks.write([(mark or now)._replace(epoch=books.owner) for mark in marks])
            account = books.account
            for mark in ahead:
                account = account.covering(mark.account)
            books.account = claimed(account)
            self._write("owner", str(books.owner))
            to_newest_form(self._db)
        self.step, self._hash = books.step, books.hash
        self._files.add(watermark_path(self._files.path))

    def append(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Store decisions, each with where it led to, what was spent since the last append, and what may be under way.

        It is one transaction: on return all of it is on disk.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            StaleStep: the steps do not follow the journal's last one.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: older steps were found damaged since; see `check`.
        """
        if self._damage is not None:
            raise self._damage
        new = new_rows(steps, self._hash)
        first, last, after = new[0][0], steps[-1][1]["step"], new[-1][3]
        with self._transaction() as books:
            owned = books.owner == self.epoch
            follows = (books.step, books.hash) == (first - 1, self._hash) and last == first + len(steps) - 1
            if owned and follows:
                self._db.executemany("INSERT INTO steps VALUES (?, ?, ?, ?)", new)
                books.step, books.hash = last, after
                books.account = books.account._replace(steps=last, reserved=reserved)
                for name, value in notes.items():
                    self._put(name, value, books)
            books.account = books.account._replace(spent=books.account.spent.plus(spent))  # also of refused steps
        if not owned:
            raise taken_over()
        if not follows:
            raise stale(first, books.step)
        self.step, self._hash = last, after

    def amend(self, answers: Sequence[tuple[int, Decision]], spent: Spent = NOTHING, reserved: Reserved = NONE) -> None:
        """Store later answers to steps that were committed as open, each with its step; on return they are on disk.

        It is one transaction: all of them are stored, or none. What was spent is booked as well, also if none is stored.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            UsageError: a step is not committed, was not left open, was answered already, or its new decision is open too.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: older steps were found damaged since; see `check`.
        """
        if self._damage is not None:
            raise self._damage
        refused: UsageError | None = None
        with self._transaction() as books:
            owned = books.owner == self.epoch
            if owned:
                books.account = books.account._replace(reserved=reserved)
                refused = unanswerable(answers, self._final_entries(), self._entry_at)
                if refused is None:
                    self._put_amendments(answers, books)
            books.account = books.account._replace(spent=books.account.spent.plus(spent))  # money is gone in any case
        if not owned:
            raise taken_over()
        if refused is not None:
            raise refused

    def owners(self) -> int:
        """Return how many owners the run has had."""
        return self._books().owner

    def owned(self) -> None:
        """See that this process is the owner of the run, and that its journal is still the one on the disk.

        Raises:
            TakenOver: it is not the owner, or no longer.
            LostJournal: the journal was deleted, moved or replaced.
        """
        if self._damage is not None:
            raise self._damage
        if self._marks.failed is not None:
            raise self._marks.failed
        if not self._settled or self._files.look() is not Found.SAME:
            with self._locked():  # which says what became of them
                pass
        if self._books().owner != self.epoch:
            raise taken_over()

    def intend(self, intent: Intent) -> None:
        """Keep what is about to be done outside; on return it is on disk.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            StaleStep: it is not about the step that follows the journal's last one.
        """
        with self._transaction() as books:
            if books.owner != self.epoch:
                raise taken_over()
            if books.step != intent.step - 1:
                raise stale(intent.step, books.step)
            self._put(INTENT, intent.text(), books)

    def spend(self, spent: Spent, reserved: Reserved = NONE, notes: Notes = NO_NOTES) -> None:
        """Add what was spent on steps that were not committed; on return it and what may be under way are on disk."""
        with self._transaction() as books:
            owned, account = books.owner == self.epoch, books.account
            for name, value in notes.items() if owned else ():
                self._put(name, value, books)
            books.account = account._replace(spent=account.spent.plus(spent), reserved=reserved if owned else account.reserved)

    def account(self) -> Account:
        """Return what the run has spent, in all its sessions.

        Raises:
            DamagedRun: the account is gone, or not what was written.
        """
        return self._books().account

    def check(self, at_once: int = CHECKED_AT_ONCE) -> None:
        """See that the chains of hashes are whole, without applying an answer.

        All amendments and the last `at_once` steps are checked before this returns. A million take seconds, so the older ones
        are checked in a thread meanwhile, and if they do not hold, the next `append` says so.

        Raises:
            DamagedRun: one is not whole, with the first step that does not hold.
        """
        first = max(1, self.step - at_once + 1) if self.writable else 1
        with storage_errors("The journal"):
            check_chain(self._db, self._origin, first, self.step)
            with self._one_moment():
                self._final = read_amendments(self._db, self._origin)
        if first > 1:
            threading.Thread(target=self._check_older, args=(first - 1,), name="maker-graph-check", daemon=True).start()

    def _check_older(self, last: int) -> None:
        try:
            with storage_errors("The journal"), closing(sqlite3.connect(self._files.path)) as db:
                check_chain(db, self._origin, 1, last)
        except MakerError as error:
            self._damage = error
        except Exception as error:  # noqa: BLE001  in a thread of its own, the error would be lost
            self._damage = DamagedRun(f"The journal is damaged: {error}.")

    def set_note(self, name: str, value: str) -> None:
        """Keep a note; on return it is on disk."""
        with self._transaction() as books:
            self._put(name, value, books)

    def close(self) -> None:
        """Close the files."""
        self._marks.close()
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[Books]:
        """Yield the books, to be changed; on return what was changed is on disk, and the high-water mark after it."""
        if not self.writable:
            raise LimitReached(
                f"{self._files.path} cannot be written: give access, or copy the run to a place that can be, and resume."
            )
        with self._locked():
            books = replace(self._books())
            yield books
            serial = books.account.serial
            books.account = books.account._replace(serial=serial + 1 if serial else 0)
            self._write("account", sorted_json(books.account.parts()))
            self._db.execute("COMMIT")
        self._known = books
        if books.owner == self.epoch:
            self._marks.write(Watermark(books.owner, books.head, books.account))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others from writing, and see that the journal is whole and the one on the disk; nothing is kept but by COMMIT.

        Raises:
            LostJournal: it is not.
        """
        with storage_errors("The journal"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                found = self._files.look()
                if found is Found.GONE:
                    raise self._lost()
                if found is Found.WRITTEN:
                    self._see_content()
                yield
            finally:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
            self._settled = self._settled and found is Found.SAME
            if not self._settled:
                self._settle()
        if self._files.know() is Found.GONE:
            raise self._lost()

    def _settle(self) -> None:
        """Move the whole log into the database; if another process is reading it just now, the next call tries again.

        All processes that have a journal open share an index of its log. If an older log is copied over it, the index no longer
        fits. While one of these processes lives, the others still read and write the log by that index. A process that starts
        after them makes a new index, finds where the log stops to make sense, and drops the rest. So a new owner begins with an
        empty log.
        """
        with suppress(sqlite3.Error):
            (waits,) = self._db.execute("PRAGMA busy_timeout").fetchone()
            self._db.execute("PRAGMA busy_timeout=0")
            try:
                busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self._db.execute(f"PRAGMA busy_timeout={waits}")
            self._settled = not busy

    def _see_content(self) -> None:
        """See, after others wrote to the files, that the journal still says what it said: a commit adds to it, a copy does not.

        Raises:
            LostJournal: it does not.
            DamagedRun: a step was changed since it was written.
        """
        own, first = self._books(), max(1, self.step - CHECKED_AT_ONCE + 1)
        try:
            with closing(sqlite3.connect(self._files.path, timeout=1)) as db:  # as a process reads it that is started now
                check_chain(db, self._origin, first, self.step)
                read_amendments(db, self._origin)
                found = replace(read_books(db, self._origin), version=own.version)
        except sqlite3.DatabaseError as error:
            raise self._lost() from error
        further = any(mark.account.serial > found.account.serial for mark in filter(None, self._marks.read()))
        mine = self.epoch is None or own.owner > self.epoch or (own.owner, own.step) == (self.epoch, self.step)
        if found != own or further or not mine or hash_at(self._db, self._origin, self.step) != self._hash:
            raise self._lost()

    def _books(self) -> Books:
        """Return what the database says now; it is read again only if another connection has written since."""
        with storage_errors("The journal"):
            if self._known is None or self._known.version != version_of(self._db):
                with self._one_moment():
                    self._known = read_books(self._db, self._origin)
        return self._known

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Let all that is read within be of one moment: another process may be at work."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def _see_place(self) -> None:
        """See that the file that is open is the one that has its name.

        Raises:
            UnusableRun: it was replaced meanwhile.
        """
        if self.writable and self._files.opened() is Found.GONE:
            raise UnusableRun(f"{self._files.path} was replaced while it was opened: try again.")

    def _hold_against(self, marks: Sequence[Watermark | None], books: Books) -> list[Watermark]:
        """Return the high-water marks that know of more than the journal.

        Raises:
            OlderJournal: there are such, and a loss is not accepted.
        """
        ahead = []
        for mark in filter(None, marks):
            known, now = mark.account, books.account
            if known.serial < now.serial or known == now:
                if head_at(self._db, self._origin, known.steps, known.amended) == mark.hash:
                    continue
                check_chain(self._db, self._origin, 1, books.step)  # steps that are damaged are no other copy's
                read_amendments(self._db, self._origin)
            if not self.accept_loss:
                raise OlderJournal(older_text(self._files.path, now, known), books.step + 1)
            ahead.append(mark)
        return ahead

    def _put_amendments(self, answers: Sequence[tuple[int, Decision]], books: Books) -> None:
        before = books.account.amended
        new = new_amendments(answers, before, books.amended or self._origin, self._hash_at)
        self._db.executemany("INSERT INTO amendments VALUES (?, ?, ?, ?)", new)
        books.amended, books.account = new[-1][3] if new else books.amended, books.account._replace(amended=before + len(new))

    def _lost(self) -> LostJournal:
        return LostJournal(
            f"{self._files.path} is no longer the journal that this run has written: it was deleted, moved, replaced or put "
            f"back after step {self.step}. The run stops before its next call. If its directory was moved or put back, resume "
            "it there: that says what is missing.",
            self.step + 1,
        )

    def _rows(self, first: int = 1, last: int = LAST) -> Iterator[Any]:
        return step_rows(self._db, first, last)

    def _maybe_open(self) -> Iterator[tuple[int, str]]:
        return self._db.execute("SELECT step, entry FROM steps WHERE instr(entry, ?) ORDER BY step", (MAY_BE_OPEN,))

    def _amendments(self) -> int:
        return self._books().account.amended

    def _amendment_rows(self) -> Iterator[Any]:
        return amendment_rows(self._db)

    def _note_row(self, name: str) -> Any:
        return note_row(self._db, name)

    def _reading(self) -> AbstractContextManager[None]:
        return storage_errors("The journal")

    def _put(self, name: str, value: str, books: Books) -> None:
        self._write(name, value)
        if name not in books.notes:
            books.notes |= {name}
            self._write("names", canonical(sorted(books.notes)))

    def _write(self, name: str, value: str) -> None:
        self._db.execute(_WRITE, (name, value, seal(self._origin, name, value)))
