"""The journal in one SQLite file.

`journal/protocol.py` says what every journal promises. This one adds:

- An entry is on the disk before `append` returns. SQLite is in WAL mode with `synchronous=FULL`, and all steps that are
  committed together are one transaction.
- If the journal is deleted, moved or replaced while a run is at work, the run notices it before it pays for the next call
  (`open_files.py`).
- If the journal was replaced by an older copy, this is noticed when it is opened (`watermark.py`).
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
"""It takes half the time of deleting a row and writing it again."""


class SqliteJournal(Journal):
    """The journal of one run, in one SQLite file.

    Attributes:
        step: the number of the last step.
        epoch: which owner of the run this is, counted from 1; None if it only reads.
        accept_loss: whether a run goes on with a journal from which steps are missing.
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
        """Open the journal in `path`. If it cannot be written, it is opened for reading.

        Args:
            path: the file.
            origin: the run and its settings, which the first hash covers. A journal with another origin is refused.
            fsync: when SQLite syncs to the disk.
            witness: a file outside the directory of the run that also has its high-water mark.
            accept_loss: whether to open the journal even if it is an older copy.
            threads: whether other threads may use the journal too, one at a time.

        Raises:
            DamagedRun: the file is missing, is not a journal, or belongs to another run or to other settings.
            OlderJournal: the journal is older than the run: steps or costs are missing.
            UnusableRun: another process has locked the file, or a newer maker_graph wrote it.
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
        marks = self._marks.read()  # read before the journal, because they are written after it
        self._database = open_database(path, fsync, threads=threads)
        self._db = self._database.connection
        try:
            self._see_place()  # before the first read, so that a file that is replaced from now on is noticed
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
        """Whether the journal can be written, and not only read."""
        return self._database.writable

    @property
    def claimed_here(self) -> bool:
        """Whether the run was claimed before, with these settings, in this directory and on this machine.

        The high-water mark outside the directory says so. It cannot be copied along with the directory.
        """
        return any(mark is not None for mark in self._marks.read()[1:])

    def claim(self, owner: str = "") -> None:  # noqa: ARG002  on one machine owners need no names, only numbers
        """Become the owner of the run. From now on the appends of any earlier owner are refused.

        Raises:
            OlderJournal: the journal is older than the run, or this cannot be found out; see `accept_loss`.
        """
        marks = self._marks.read()
        with self._transaction() as books:
            ahead = self._hold_against(marks, books)
            if marks[0] is None and books.account.serial and not self.accept_loss:
                raise OlderJournal(
                    f"{self._marks.beside} is missing or damaged, so nobody can tell whether the journal is an older "
                    "copy. Put the file back, or resume with --accept-loss."
                )
            books.owner = self.epoch = 1 + max([books.owner, *(mark.epoch for mark in marks if mark is not None)])
            now = Watermark(0, books.head, books.account)
            # The marks are written before the commit, so that no later owner ever gets the same epoch.
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
        """Store decided steps, what was spent, and notes, in one transaction; see `Journal.append`.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            StaleStep: the steps do not follow the last step of the journal.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: `check` has found damage in older steps since the run was opened.
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
        """Store answers to steps that were committed as open, in one transaction; see `Journal.amend`.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            UsageError: a step is not committed, was not left open, was answered already, or its new decision is open too.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: `check` has found damage in older steps since the run was opened.
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
        """Make sure that this process owns the run, and that the open journal is still the one on the disk.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            LostJournal: the journal was deleted, moved or replaced.
            DamagedRun: `check` has found damage in older steps since the run was opened.
            LimitReached: the high-water mark beside the journal could not be written.
        """
        if self._damage is not None:
            raise self._damage
        if self._marks.failed is not None:
            raise self._marks.failed
        if not self._settled or self._files.look() is not Found.SAME:
            with self._locked():  # raises if the files were deleted or replaced
                pass
        if self._books().owner != self.epoch:
            raise taken_over()

    def intend(self, intent: Intent) -> None:
        """Store the intent to act on the world; see `Journal.intend`.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            StaleStep: the intent is not about the step that follows the last step of the journal.
        """
        with self._transaction() as books:
            if books.owner != self.epoch:
                raise taken_over()
            if books.step != intent.step - 1:
                raise stale(intent.step, books.step)
            self._put(INTENT, intent.text(), books)

    def spend(self, spent: Spent, reserved: Reserved = NONE, notes: Notes = NO_NOTES) -> None:
        """Book what was spent on steps that were not committed, and store notes; see `Journal.spend`."""
        with self._transaction() as books:
            owned, account = books.owner == self.epoch, books.account
            for name, value in notes.items() if owned else ():
                self._put(name, value, books)
            books.account = account._replace(spent=account.spent.plus(spent), reserved=reserved if owned else account.reserved)

    def account(self) -> Account:
        """Return what the run has spent in all its sessions.

        Raises:
            DamagedRun: the account is missing, or was changed since it was written.
        """
        return self._books().account

    def check(self, at_once: int = CHECKED_AT_ONCE) -> None:
        """Check the hashes of all steps and amendments. No answer is applied.

        All amendments and the last `at_once` steps are checked before this returns. A million steps take seconds, so older ones
        are checked in a thread. If one of them does not fit, the next `append` raises the error.

        Raises:
            DamagedRun: a hash does not fit; the error has the first such step.
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
        except Exception as error:  # noqa: BLE001  an error would be lost in this thread
            self._damage = DamagedRun(f"The journal is damaged: {error}.")

    def set_note(self, name: str, value: str) -> None:
        """Store a note. It is on the disk when this returns."""
        with self._transaction() as books:
            self._put(name, value, books)

    def close(self) -> None:
        """Close the files."""
        self._marks.close()
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[Books]:
        """Yield the books, which the block may change. After it they are written to the disk, and then the high-water mark."""
        if not self.writable:
            raise LimitReached(
                f"{self._files.path} cannot be written: give access, or copy the run to a place that you may write, and resume."
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
        """Lock the journal against writes of others, and make sure that it is whole and still the one on the disk.

        The block must commit what it writes: everything else is rolled back.

        Raises:
            LostJournal: the journal was deleted, moved or replaced.
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
                if self._db.in_transaction:  # after an error of a full disk, it was rolled back already
                    self._db.execute("ROLLBACK")
            self._settled = self._settled and found is Found.SAME
            if not self._settled:
                self._settle()
        if self._files.know() is Found.GONE:
            raise self._lost()

    def _settle(self) -> None:
        """Move the whole write-ahead log into the database. If another process is reading it, the next call tries again.

        All processes that have a journal open share an index of its log. If somebody copies an older log over this one, the
        index does not fit any more. The processes that have the journal open still read and write the log by that index. A
        process that starts after them makes a new index, reads the log only as far as it makes sense, and drops the rest. An
        empty log cannot be lost in this way, so a new owner begins with one.
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
        """Make sure that the journal still has its content, after somebody else wrote to the files.

        A commit of another process only adds to the content. A copy that was written over the files may not have all of it.

        Raises:
            LostJournal: the journal has other content.
            DamagedRun: a step was changed since it was written.
        """
        own, first = self._books(), max(1, self.step - CHECKED_AT_ONCE + 1)
        try:
            with closing(sqlite3.connect(self._files.path, timeout=1)) as db:  # a new process would read it like this
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
        """Return the books as they are now. They are read again only if another connection has written."""
        with storage_errors("The journal"):
            if self._known is None or self._known.version != version_of(self._db):
                with self._one_moment():
                    self._known = read_books(self._db, self._origin)
        return self._known

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Return a block in which all reads see the same state of the journal, even if another process writes meanwhile."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def _see_place(self) -> None:
        """Make sure that the open file is still the one with this name.

        Raises:
            UnusableRun: the file was replaced while it was opened.
        """
        if self.writable and self._files.opened() is Found.GONE:
            raise UnusableRun(f"{self._files.path} was replaced while it was opened: try again.")

    def _hold_against(self, marks: Sequence[Watermark | None], books: Books) -> list[Watermark]:
        """Return the high-water marks that are ahead of the journal.

        Raises:
            OlderJournal: there are such marks, and `accept_loss` is False.
        """
        ahead = []
        for mark in filter(None, marks):
            known, now = mark.account, books.account
            if known.serial < now.serial or known == now:
                if head_at(self._db, self._origin, known.steps, known.amended) == mark.hash:
                    continue
                check_chain(self._db, self._origin, 1, books.step)  # damaged steps have their own error
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
            f"back after step {self.step}. The run stops before its next call. Put the newer journal back, or go to the "
            "directory if it was moved. Then resume: if steps are missing, the error says which.",
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
