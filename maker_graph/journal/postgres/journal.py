"""The journal of one run in a Postgres database, which many machines reach.

It adds to what every journal promises (`journal/protocol.py`):

- an append is one statement, which compares owner, step and hash and adds the steps, so no lock outlives it (`schema.py`);
- when the connection is lost in the middle of a change, the change has a name by which the next connection sees whether it was
  made; where that cannot be known, what was spent is counted once more, never less;
- a run of a fleet takes what it may spend from the purse of the fleet, in portions, before it makes a call (`provide`); what it
  spends beyond that is charged to the purse in the statement that books it;
- a machine that has worked on a run keeps a high-water mark of it (`watermark.py`), so that a database that was put back to an
  older copy is noticed there.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput
from maker_graph.core.spending import NONE, NOTHING, Account, Reserved, Spent
from maker_graph.errors import DamagedRun, LimitReached, MakerError, OlderJournal, OutOfReach, UnusableRun
from maker_graph.journal.chain import head, origin_digest, seal
from maker_graph.journal.entry import MAY_BE_OPEN
from maker_graph.journal.intent import INTENT, Intent
from maker_graph.journal.postgres import schema
from maker_graph.journal.postgres.connection import Connection, shown
from maker_graph.journal.postgres.purse import EMPTY, GRANT, SAY, TAKEN
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes
from maker_graph.journal.reading import CHECKED_AT_ONCE
from maker_graph.journal.rules import new_amendments, new_rows, stale, taken_over, unanswerable
from maker_graph.journal.steps import LAST, see_chain
from maker_graph.journal.watermark import Watermark, Watermarks, older_text

LEASE = 15.0
"""Seconds after which an owner that is not heard of counts as dead, unless it is told another number."""

ROWS_AT_ONCE = 2_000
"""Steps that are read with one statement."""

TRUST = 1.0
"""Seconds for which an owner that has just been seen to be one is not looked at again; a commit always looks."""

_WHOLE = [name not in {"cost", "seconds", "draft_cost"} for name in Spent._fields]


class _Stands(NamedTuple):
    """How a run stands, as the database says."""

    epoch: int
    step: int
    hash: bytes
    amended: int
    amended_hash: bytes | None
    spent: list[float]
    reserved: list[float]
    unsettled: list[float]
    serial: int
    granted_calls: int
    granted_cost: float

    @property
    def account(self) -> Account:
        """The account."""
        parts: list[Any] = [int(part) if whole else part for part, whole in zip(self.spent, _WHOLE, strict=True)]
        spent = Spent(*parts)
        return Account(self.step, spent, _reserved(self.reserved), _reserved(self.unsettled), self.serial, self.amended)

    @property
    def head(self) -> bytes:
        """What stands for all steps and later answers."""
        return head(self.hash, self.amended_hash)

    def left(self, spent: Spent, reserved: Reserved = NONE) -> Reserved:
        """Return what is left of what was granted once so much more was spent, and so much is reserved; it may be negative."""
        account = self.account
        gone = Reserved(account.spent.cost + spent.cost, account.spent.calls + spent.calls)
        return self.granted.minus(gone).minus(account.unsettled).minus(reserved)

    @property
    def granted(self) -> Reserved:
        """What was taken from the purse of the fleet, whether or not it was used."""
        return Reserved(self.granted_cost, self.granted_calls)


class Found(NamedTuple):
    """A run that was found in a database.

    Attributes:
        number: by which its rows go.
        settings: what it was asked for, as it was written.
        kept: what its task gave it to keep.
        origin: what its first hash stands on.
        fleet: to which it belongs, if it does.
        stands: how the run stands.
    """

    number: int
    settings: str
    kept: bytes | None
    origin: bytes
    fleet: str | None
    stands: _Stands


def find(connection: Connection, name: str) -> Found:
    """Return the run of this name.

    Raises:
        UnusableRun: there is no such run.
        OutOfReach: the database cannot be reached.
    """
    row = connection.row(schema.FIND, {"name": name})
    if row is None:
        raise UnusableRun(f"There is no run {name} at {shown(connection.address)}: maker-graph run --run {name} makes one.")
    number, settings, kept, began, fleet, *stands = row
    return Found(number, settings, kept, began, fleet, _Stands(*stands))


class PostgresJournal(Journal):
    """The journal of one run, in a database that has many.

    Attributes:
        name: of the run.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        found: Found,
        origin: str,
        *,
        witness: Path | None = None,
        accept_loss: bool = False,
        lease: float = LEASE,
    ) -> None:
        """Open the journal of the run of this name; it closes the connection at its end.

        Args:
            connection: to the database.
            name: of the run.
            found: what was found by that name.
            origin: what the first hash stands on: the run and its settings.
            witness: a file on this machine that has a high-water mark of the run.
            accept_loss: open it although it is an older copy of itself.
            lease: seconds after which this process counts as dead if it is not heard of while it is the owner.

        Raises:
            DamagedRun: it is of another run or of other settings.
            OlderJournal: what was committed or paid for since is missing from it.
            OutOfReach: the database cannot be reached.
        """
        self.epoch: int | None = None
        self.accept_loss = accept_loss
        self.name = name
        self.lease = lease
        self._db = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="maker-graph-journal")
        self._changing = threading.Lock()  # what is changed, and what is known of it, changes in one order
        self._origin = origin_digest(origin)
        if found.origin != self._origin:
            raise DamagedRun(f"The journal of {name} belongs to another run, or its settings were changed.", 1)
        self._marks = Watermarks(None, witness, self._origin)
        self._damage: MakerError | None = None
        self._final: dict[int, str] = {}
        self._seen = 0.0
        self._run, self._fleet, self._now = found.number, found.fleet, found.stands
        self._unsettled = NONE
        self._dry: tuple[int, float] | None = None
        self.step, self._hash = self._now.step, self._now.hash
        self._hold_against(self._marks.read(), self._now)

    @property
    def writable(self) -> bool:
        """Whether the journal can be written: nobody knows before it is tried."""
        return True

    @property
    def claimed_here(self) -> bool:
        """Whether somebody has gone on with this run before, with these settings and on this machine."""
        return any(mark is not None for mark in self._marks.read())

    @property
    def where(self) -> str:
        """The address of the database, as it may be shown."""
        return shown(self._db.address)

    def claim(self, owner: str = "") -> None:
        """Become the owner of the run, by this name: from now on the appends of any earlier one are refused.

        Raises:
            OlderJournal: what was committed or paid for since is missing; see `accept_loss`.
            OutOfReach: the database cannot be reached.
        """
        with self._changing:
            self._claim(owner)

    def _claim(self, owner: str) -> None:
        marks = self._marks.read()
        while True:  # until nothing is booked between the look and the claim
            now = self._stands()
            account = now.account
            for mark in self._hold_against(marks, now):
                account = account.covering(mark.account)
            unsettled = account.unsettled.plus(account.reserved)
            values = {
                "owner": owner,
                "lease": self.lease,
                "serial": now.serial,
                "known": account.serial,
                "epoch": max([now.epoch, *(mark.epoch for mark in marks if mark is not None)]),
                "spent": list(map(float, account.spent)),
                "unsettled": list(map(float, unsettled)),
                **self._over(now.granted.minus(Reserved(account.spent.cost, account.spent.calls)).minus(unsettled)),
            }
            found = self._changed(schema.CLAIM, values)
            if found is not None:
                break
        self.epoch = found.epoch
        self._kept(found)

    def beat(self) -> None:
        """Say that this owner lives.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            OutOfReach: the database cannot be reached.
        """
        if self._db.row(schema.BEAT, {"run": self._run, "epoch": self.epoch}) is None:
            raise taken_over()
        self._seen = time.monotonic()

    def append(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Store decisions, each with where it led to, what was spent since the last append, what may be under way, and notes.

        It is one statement: on return all of it is on the server's disk.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            StaleStep: the steps do not follow the journal's last one.
            OutOfReach: the database cannot be reached.
            DamagedRun: older steps were found damaged since; see `check`.
        """
        with self._changing:
            self._append(steps, spent, reserved, notes)

    def _append(self, steps: Sequence[tuple[Decision, MakerOutput]], spent: Spent, reserved: Reserved, notes: Notes) -> None:
        if self._damage is not None:
            raise self._damage
        new = new_rows(steps, self._hash)
        first, last, after = new[0][0], steps[-1][1]["step"], new[-1][3]
        if last != first + len(steps) - 1 or self.epoch is None:
            self._book(spent)
            raise stale(first, self.step) if self.epoch is not None else taken_over()
        numbers, entries, marks, hashes = zip(*new, strict=True)
        values = {
            **self._noted(notes),
            "before": first - 1,
            "head": self._hash,
            "last": last,
            "after": after,
            **self._spending(spent, reserved),
            "steps": list(numbers),
            "entries": list(entries),
            "marks": list(marks),
            "hashes": list(hashes),
        }
        found = self._changed(schema.APPEND, values)
        if found is None:
            now = self._stands()
            if (now.epoch, now.step, now.hash) != (self.epoch, last, after):
                self._book(spent)
                raise taken_over() if now.epoch != self.epoch else stale(first, now.step)
            found = now  # the connection was lost, but the statement was done
        self._kept(found)

    async def aappend(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Do as `append` in a thread; who is cancelled meanwhile learns how it ended first.

        What is spent from now on is booked after it, so that what may be under way is never less than what was last said.
        """
        self._changing.acquire()

        def appended() -> None:
            try:
                self._append(steps, spent, reserved, notes)
            finally:
                self._changing.release()

        work = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(self._thread, appended))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            if not work.cancelled() and (error := work.exception()) is not None:
                raise error from None
            raise

    def amend(self, answers: Sequence[tuple[int, Decision]], spent: Spent = NOTHING, reserved: Reserved = NONE) -> None:
        """Store later answers to steps that were committed as open, each with its step; on return they are kept.

        It is one statement: all of them are stored, or none. What was spent is booked as well, also if none is stored.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            UsageError: a step is not committed, was not left open, was answered already, or its new decision is open too.
            OutOfReach: the database cannot be reached.
            DamagedRun: older steps were found damaged since; see `check`.
        """
        with self._changing:
            self._amend(answers, spent, reserved)

    def _amend(self, answers: Sequence[tuple[int, Decision]], spent: Spent, reserved: Reserved) -> None:
        if self._damage is not None:
            raise self._damage
        refused = unanswerable(answers, self._final_entries(), self._entry_at)
        if refused is not None or not answers:
            self._spend(spent, reserved, NO_NOTES)
            self.owned_now()
            if refused is not None:
                raise refused
            return
        now = self._now
        new = new_amendments(answers, now.amended, now.amended_hash or self._origin, self._hash_at)
        numbers, places, entries, hashes = zip(*new, strict=True)
        values = {
            "before": now.amended,
            "last": numbers[-1],
            "after": hashes[-1],
            **self._spending(spent, reserved),
            "numbers": list(numbers),
            "steps": list(places),
            "entries": list(entries),
            "hashes": list(hashes),
        }
        found = self._changed(schema.AMEND, values)
        if found is None:
            now = self._stands()
            if (now.epoch, now.amended, now.amended_hash) != (self.epoch, numbers[-1], hashes[-1]):
                self._book(spent)
                raise taken_over()
            found = now
        self._kept(found)

    def owners(self) -> int:
        """Return how many owners the run has had."""
        return self._stands().epoch

    def owned(self) -> None:
        """See that this process is the owner of the run, and that what it spends can be kept.

        Raises:
            TakenOver: it is not the owner, or no longer.
            OutOfReach: the database cannot be reached.
        """
        if self._damage is not None:
            raise self._damage
        if time.monotonic() - self._seen > TRUST and not self._changing.locked():
            self.owned_now()  # a change that is under way looks itself, and may be waiting for the database

    def owned_now(self) -> None:
        """See that this process is the owner, whenever it was last seen to be.

        Raises:
            TakenOver: it is not.
        """
        if self._stands().epoch != self.epoch:
            raise taken_over()
        self._seen = time.monotonic()

    def intend(self, intent: Intent) -> None:
        """Keep what is about to be done outside; on return it is on the server's disk.

        Raises:
            TakenOver: this process is not the owner of the run, or no longer.
            StaleStep: it is not about the step that follows the journal's last one.
        """
        text = intent.text()
        values = {"name": INTENT, "value": text, "seal": seal(self._origin, INTENT, text), "step": intent.step - 1}
        if self._db.row(schema.OWN_NOTE, self._own(values)) is None:
            now = self._stands()
            raise taken_over() if now.epoch != self.epoch else stale(intent.step, now.step)

    def provide(self, spent: Spent, wished: Reserved, least: Reserved) -> Reserved:
        """Return how much may be under way: what is wished if the purse of the fleet has it, else what it has.

        What was taken from the purse and is not used up yet comes first.

        Raises:
            LimitReached: the purse does not have the least.
            TakenOver: this process is not the owner of the run, or no longer.
            OutOfReach: the database cannot be reached.
        """
        if self._fleet is None:
            return wished
        with self._changing:
            return self._provide(spent, wished, least)

    def _provide(self, spent: Spent, wished: Reserved, least: Reserved) -> Reserved:
        left = self._now.left(spent)
        if wished.calls > left.calls or wished.cost > left.cost:
            values = {
                "calls": max(0, wished.calls - left.calls),
                "cost": max(0.0, wished.cost - left.cost),
                "least_calls": max(0, least.calls - left.calls),
                "least_cost": max(0.0, least.cost - left.cost),
            }
            found = self._db.once(GRANT, self._own(values)) or self._granted_after_all(values)
            if found:
                self._now = _Stands(*found[0])
            elif least.calls > max(0, left.calls) or least.cost > max(0.0, left.cost):
                self.owned_now()
                raise LimitReached(EMPTY)
            left = self._now.left(spent)
        return Reserved(max(least.cost, min(wished.cost, left.cost)), max(least.calls, min(wished.calls, left.calls)))

    def _granted_after_all(self, values: Mapping[str, float]) -> list[tuple[Any, ...]]:
        """Ask the purse again, and keep how much was taken from it before: what comes back after that is less."""
        taken = self._db.once(TAKEN, {"fleet": self._fleet})
        self._dry = (int(taken[0][0]), float(taken[0][1])) if taken else None
        return self._db.once(GRANT, self._own(values))

    def spend(self, spent: Spent, reserved: Reserved = NONE, notes: Notes = NO_NOTES) -> None:
        """Add what was spent on steps that were not committed; on return it, notes, and what may be under way are kept.

        Raises:
            TakenOver: a former owner reserves more for calls that it has yet to make.
            OutOfReach: the database cannot be reached.
        """
        with self._changing:
            self._spend(spent, reserved, notes)

    def _spend(self, spent: Spent, reserved: Reserved, notes: Notes) -> None:
        if self.epoch is not None:
            found = self._changed(schema.SPEND, {**self._noted(notes), **self._spending(spent, reserved)})
            if found is not None:
                self._kept(found)
                return
        self._book(spent)
        if reserved.calls and not any(spent):
            raise taken_over()

    def account(self) -> Account:
        """Return what the run has spent, in all its sessions."""
        return self._stands().account

    def check(self, at_once: int = CHECKED_AT_ONCE) -> None:
        """See that the chains of hashes are whole, without applying an answer.

        All later answers and the last `at_once` steps are checked before this returns, and the older ones in a thread
        meanwhile. If they do not hold, the next `append` says so.

        Raises:
            DamagedRun: one is not whole, with the first step that does not hold.
        """
        first = max(1, self.step - at_once + 1)
        see_chain(self._rows(first, self.step), self._hash_at(first - 1), first, self.step)
        if self.step and self._hash_at(self.step) != self._hash:
            raise DamagedRun("The journal is damaged: its last step is not the one that its run names.", self.step)
        self._final = self._read_amendments()
        if first > 1:
            threading.Thread(target=self._check_older, args=(first - 1,), name="maker-graph-check", daemon=True).start()

    def set_note(self, name: str, value: str) -> None:
        """Keep a note; on return it is on the server's disk."""
        values = {"name": name, "value": value, "seal": seal(self._origin, name, value)}
        self._db.row(schema.NOTE, self._own(values))

    def say(self, state: str, said: str | None = None) -> None:
        """Say how the session of this owner stands, in a word, and `said` for who looks on.

        What it took from the purse and did not use goes back.
        """
        calls, cost = self._dry if self._dry is not None and state == "limit" else (None, None)
        with self._changing:
            values = {"state": state, "said": said, "dry_calls": calls, "dry_cost": cost}
            found = self._db.row(SAY, self._own(values))
            if found is not None:
                self._now = _Stands(*found)

    def close(self) -> None:
        """Close the connection."""
        self._thread.shutdown()
        self._marks.close()
        self._db.close()

    def _stands(self) -> _Stands:
        row = self._db.row(schema.STANDS, {"run": self._run})
        if row is None:
            raise UnusableRun(f"The run {self.name} is no longer at {self.where}.")
        return _Stands(*row)

    def _kept(self, found: _Stands) -> None:
        """Take note of what was written."""
        self._now, self.step, self._hash, self._seen = found, found.step, found.hash, time.monotonic()
        self._unsettled = _reserved(found.reserved)
        self._marks.write(Watermark(found.epoch, found.head, found.account))

    def _changed(self, statement: str, values: Mapping[str, Any]) -> _Stands | None:
        """Change the run, and return how it stands then; None if it stands otherwise than the statement expects.

        Raises:
            OutOfReach: the database cannot be reached. The run may have been changed or not.
        """
        given = self._own({"booked": uuid4(), "fleet": self._fleet, **values})
        try:
            found = self._db.once(statement, given)
        except OutOfReach:
            self._unsettled = NONE  # what was reserved before is not known any more
            given |= {"settles_calls": 0.0, "settles_cost": 0.0}
            done = partial(self._db.rows, schema.IF_BOOKED, given)
            found = done() or self._db.once(statement, given) or done()  # the first try may reach the server at any moment
        return _Stands(*found[0]) if found else None

    def _own(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"run": self._run, "epoch": self.epoch, **values}

    def _spending(self, spent: Spent, reserved: Reserved) -> dict[str, Any]:
        """Return the values of what is booked; what goes beyond what was granted is charged to the purse."""
        over = self._over(self._now.left(spent, reserved))
        return {"spent": list(map(float, spent)), "reserved": list(map(float, reserved)), **over}

    def _over(self, left: Reserved) -> dict[str, Any]:
        """Return what is charged to the purse so that not less is granted than was used."""
        charged = NONE if self._fleet is None else left
        return {"over_calls": max(0, -charged.calls), "over_cost": max(0.0, -charged.cost)}

    def _book(self, spent: Spent) -> None:
        """Book what was spent by one who is not the owner, or whose steps were refused: money is gone, whoever was first."""
        self._seen = -inf
        if not any(spent):
            return
        settled = Reserved(min(spent.cost, self._unsettled.cost), min(spent.calls, self._unsettled.calls))
        self._unsettled = self._unsettled.minus(settled)
        values = {
            "spent": list(map(float, spent)),
            "calls": spent.calls,
            "cost": spent.cost,
            "settles_calls": float(settled.calls),
            "settles_cost": settled.cost,
        }
        if self._changed(schema.SPEND_LATE, values) is not None:
            return
        held = _reserved(self._now.reserved)  # the owner, whose steps did not follow: its calls are still under way
        found = self._changed(schema.SPEND, {**self._noted(NO_NOTES), **self._spending(spent, held)})
        if found is not None:
            self._now, self._unsettled = found, held

    def _noted(self, notes: Notes) -> dict[str, Any]:
        names, values = list(notes), list(notes.values())
        return {"names": names, "values": values, "seals": [seal(self._origin, *each) for each in notes.items()]}

    def _hold_against(self, marks: Sequence[Watermark | None], now: _Stands) -> list[Watermark]:
        """Return the high-water marks that know of more than the journal.

        Raises:
            OlderJournal: there are such, and a loss is not accepted.
        """
        ahead = []
        for mark in filter(None, marks):
            known = mark.account
            if (known.serial < now.serial or known == now.account) and mark.hash == self._head_at(known.steps, known.amended):
                continue
            if not self.accept_loss:
                raise OlderJournal(older_text(f"The journal of {self.name} at {self.where}", now.account, known), now.step + 1)
            ahead.append(mark)
        return ahead

    def _check_older(self, last: int) -> None:
        other = Connection(self._db.address)
        try:
            see_chain(_rows_of(other, self._run, 1, last), self._origin, 1, last)
        except OutOfReach:
            pass  # who goes on meets it too
        except MakerError as error:
            self._damage = error
        except Exception as error:  # noqa: BLE001  in a thread of its own, the error would be lost
            self._damage = DamagedRun(f"The journal is damaged: {error}.")
        finally:
            other.close()

    def _rows(self, first: int = 1, last: int = LAST) -> Iterator[Any]:
        return _rows_of(self._db, self._run, first, last)

    def _maybe_open(self) -> Iterator[tuple[int, str]]:
        after = 0
        while True:
            values = {"run": self._run, "after": after, "text": MAY_BE_OPEN, "most": ROWS_AT_ONCE}
            found = self._db.rows(schema.MAYBE_OPEN, values)
            yield from found
            if len(found) < ROWS_AT_ONCE:
                return
            after = found[-1][0]

    def _amendments(self) -> int:
        return self._stands().amended

    def _amendment_rows(self) -> Iterator[Any]:
        return iter(self._db.rows(schema.AMENDMENTS, {"run": self._run}))

    def _head_at(self, steps: int, amended: int) -> bytes:
        """Return what stood for the journal when it had so many steps and later answers; something else if some are missing."""
        now = self._now
        last = now.hash if steps == now.step else self._hash_at(steps)
        if amended == 0:
            return head(last, None)
        row = self._db.row(schema.AMENDMENT_HASH, {"run": self._run, "number": amended})
        return b"" if row is None else head(last, row[0])

    def _note_row(self, name: str) -> Any:
        return self._db.row(schema.READ_NOTE, {"run": self._run, "name": name})


def _rows_of(connection: Connection, run: int, first: int, last: int) -> Iterator[Any]:
    """Yield the rows of the steps from `first` to `last`, in order."""
    while True:
        found = connection.rows(schema.ROWS, {"run": run, "first": first, "last": last, "most": ROWS_AT_ONCE})
        yield from found
        if len(found) < ROWS_AT_ONCE:
            return
        first = found[-1][0] + 1


def _reserved(parts: Sequence[float]) -> Reserved:
    return Reserved(parts[0], int(parts[1]))


def make_run(
    connection: Connection,
    name: str,
    settings: str,
    origin: str,
    *,
    kept: str | None = None,
    notes: Notes = NO_NOTES,
    fleet: str | None = None,
    place: int = 0,
    total: int | None = None,
) -> bool:
    """Make a run, with its first notes; return whether it was not there before. To be called within a transaction.

    Args:
        connection: to a database with the tables.
        name: of the run.
        settings: what it is asked for, as it is to be read again.
        origin: what the first hash stands on.
        kept: what its task gives it to keep.
        notes: its first notes.
        fleet: to which it belongs.
        place: of the run in the fleet, from 0.
        total: steps of its task, if that is known.
    """
    began = origin_digest(origin)
    values = {
        "name": name,
        "fleet": fleet,
        "place": place,
        "settings": settings,
        "kept": None if kept is None else kept.encode(),
        "total": total,
        "origin": began,
        "spent": list(map(float, NOTHING)),
    }
    made = connection.once(schema.MAKE, values)
    for note, value in notes.items() if made else ():
        connection.once(schema.NOTE, {"run": made[0][0], "name": note, "value": value, "seal": seal(began, note, value)})
    return bool(made)
