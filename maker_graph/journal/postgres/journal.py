"""The journal of one run in a Postgres database, which many machines can reach.

`journal/protocol.py` says what every journal promises. This one adds:

- An append is one statement (`schema.py`). It compares owner, step and hash, and adds the steps. So no lock outlives it.
- Each change has a name of its own. If the connection is lost in the middle of a change, the next connection sees by this name
  whether the change was made. If nobody can know, what was spent is counted once more, and never less.
- A run of a fleet takes what it may spend from the purse of the fleet, in portions, before it makes calls (`provide`). What it
  spends beyond that is charged to the purse by the statement that books it.
- A machine that has worked on a run has a high-water mark of it (`watermark.py`). So it notices if the database was replaced
  by an older copy.
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
"""Seconds of silence after which an owner counts as dead, unless another number is given."""

ROWS_AT_ONCE = 2_000
"""The most steps that one statement reads."""

TRUST = 1.0
"""Seconds for which a process that was seen to own the run counts as its owner without another look. A commit always looks."""

_WHOLE = [name not in {"cost", "seconds", "draft_cost"} for name in Spent._fields]
"""Which parts of `Spent` are whole numbers. The database keeps all of them as floats."""


class _Stands(NamedTuple):
    """How a run stands in the database: the columns of `schema.STANDING`."""

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
        """The account of the run."""
        parts: list[Any] = [int(part) if whole else part for part, whole in zip(self.spent, _WHOLE, strict=True)]
        spent = Spent(*parts)
        return Account(self.step, spent, _reserved(self.reserved), _reserved(self.unsettled), self.serial, self.amended)

    @property
    def head(self) -> bytes:
        """One hash over all steps and amendments."""
        return head(self.hash, self.amended_hash)

    def left(self, spent: Spent, reserved: Reserved = NONE) -> Reserved:
        """Return what is left of the grant once `spent` is booked and `reserved` is reserved. It may be negative."""
        account = self.account
        gone = Reserved(account.spent.cost + spent.cost, account.spent.calls + spent.calls)
        return self.granted.minus(gone).minus(account.unsettled).minus(reserved)

    @property
    def granted(self) -> Reserved:
        """The grant: what the run has taken from the purse of its fleet and not given back."""
        return Reserved(self.granted_cost, self.granted_calls)


class Found(NamedTuple):
    """A run that was found in a database.

    Attributes:
        number: the number of the run in the tables.
        settings: its settings, as they were written.
        kept: what its task gave it to keep; None if it gave nothing.
        origin: the digest of its origin, which its first hash covers.
        fleet: the fleet to which it belongs; None if it belongs to none.
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
    """The journal of one run, in a database that holds many runs.

    Attributes:
        name: the name of the run.
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
        """Open the journal of a run. `close` also closes the connection.

        Args:
            connection: the connection to the database.
            name: the name of the run.
            found: what `find` has returned for this name.
            origin: the run and its settings, which the first hash covers. A journal with another origin is refused.
            witness: a file on this machine with a high-water mark of the run.
            accept_loss: whether to open the journal even if it is an older copy.
            lease: seconds of silence after which this process counts as dead while it owns the run.

        Raises:
            DamagedRun: the journal belongs to another run or to other settings.
            OlderJournal: the journal is older than the run: steps or costs are missing.
            OutOfReach: the database cannot be reached.
        """
        self.epoch: int | None = None
        self.accept_loss = accept_loss
        self.name = name
        self.lease = lease
        self._db = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="maker-graph-journal")
        self._changing = threading.Lock()  # one change at a time, so that `_now` is how the run stands after the last
        self._origin = origin_digest(origin)
        if found.origin != self._origin:
            raise DamagedRun(f"The journal of {name} belongs to another run, or the settings were changed after it began.", 1)
        self._marks = Watermarks(None, witness, self._origin)
        self._damage: MakerError | None = None
        self._final: dict[int, str] = {}
        self._seen = 0.0  # when this process was last seen to own the run
        self._run, self._fleet, self._now = found.number, found.fleet, found.stands
        self._unsettled = NONE  # what this process has reserved: it becomes unsettled if another process takes over
        self._dry: tuple[int, float] | None = None  # calls and USD that the fleet had taken when its purse was empty
        self.step, self._hash = self._now.step, self._now.hash
        self._hold_against(self._marks.read(), self._now)

    @property
    def writable(self) -> bool:
        """Whether the journal can be written. It is always True, because only a write shows whether it can."""
        return True

    @property
    def claimed_here(self) -> bool:
        """Whether the run was claimed before, with these settings and on this machine."""
        return any(mark is not None for mark in self._marks.read())

    @property
    def where(self) -> str:
        """The address of the database, without password and parameters."""
        return shown(self._db.address)

    def claim(self, owner: str = "") -> None:
        """Become the owner of the run. From now on the appends of any earlier owner are refused; see `Journal.claim`.

        Raises:
            OlderJournal: the journal is older than the run: steps or costs are missing; see `accept_loss`.
            OutOfReach: the database cannot be reached.
        """
        with self._changing:
            self._claim(owner)

    def _claim(self, owner: str) -> None:
        marks = self._marks.read()
        while True:  # again, if another process has booked something between the look and the claim
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
        """Renew the lease.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
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
        """Store decided steps, what was spent, and notes, in one statement; see `Journal.append`.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            StaleStep: the steps do not follow the last step of the journal.
            OutOfReach: the database cannot be reached.
            DamagedRun: `check` has found damage in older steps since the run was opened.
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
            found = now  # the connection was lost, but the steps were stored
        self._kept(found)

    async def aappend(
        self,
        steps: Sequence[tuple[Decision, MakerOutput]],
        spent: Spent = NOTHING,
        reserved: Reserved = NONE,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Do the same as `append` in a thread. A caller that is cancelled still waits until the append has ended.

        The lock is taken at once, so what is reserved from now on is written later. Else this append could put an older and
        smaller reservation in its place.
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
        """Store answers to steps that were committed as open, in one statement; see `Journal.amend`.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            UsageError: a step is not committed, was not left open, was answered already, or its new decision is open too.
            OutOfReach: the database cannot be reached.
            DamagedRun: `check` has found damage in older steps since the run was opened.
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
        """Make sure that this process owns the run. For `TRUST` seconds after a look, the database is not asked again.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            OutOfReach: the database cannot be reached.
            DamagedRun: `check` has found damage in older steps since the run was opened.
        """
        if self._damage is not None:
            raise self._damage
        if time.monotonic() - self._seen > TRUST and not self._changing.locked():
            self.owned_now()  # a change that is under way looks itself, and may have to wait for the database

    def owned_now(self) -> None:
        """Ask the database whether this process owns the run.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            OutOfReach: the database cannot be reached.
        """
        if self._stands().epoch != self.epoch:
            raise taken_over()
        self._seen = time.monotonic()

    def intend(self, intent: Intent) -> None:
        """Store the intent to act on the world; see `Journal.intend`.

        Raises:
            TakenOver: this process does not own the run, or does not own it any more.
            StaleStep: the intent is not about the step that follows the last step of the journal.
            OutOfReach: the database cannot be reached.
        """
        text = intent.text()
        values = {"name": INTENT, "value": text, "seal": seal(self._origin, INTENT, text), "step": intent.step - 1}
        if self._db.row(schema.OWN_NOTE, self._own(values)) is None:
            now = self._stands()
            raise taken_over() if now.epoch != self.epoch else stale(intent.step, now.step)

    def provide(self, spent: Spent, wished: Reserved, least: Reserved) -> Reserved:
        """Return how much calls under way may spend; see `Journal.provide`.

        What is left of the grant of the run is used first. Only what is missing is taken from the purse of the fleet.

        Raises:
            LimitReached: the purse holds less than `least`.
            TakenOver: this process does not own the run, or does not own it any more.
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
        """Note how much was taken from the purse, and ask it once more.

        What others gave back before the note is found by asking again; what they give back later is found by `REFILLED`.
        """
        taken = self._db.once(TAKEN, {"fleet": self._fleet})
        self._dry = (int(taken[0][0]), float(taken[0][1])) if taken else None
        return self._db.once(GRANT, self._own(values))

    def spend(self, spent: Spent, reserved: Reserved = NONE, notes: Notes = NO_NOTES) -> None:
        """Book what was spent on steps that were not committed, and store notes; see `Journal.spend`.

        Raises:
            TakenOver: this process does not own the run, has spent nothing, and reserves something for new calls.
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
        """Return what the run has spent in all its sessions.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        return self._stands().account

    def check(self, at_once: int = CHECKED_AT_ONCE) -> None:
        """Check the hashes of all steps and amendments. No answer is applied.

        All amendments and the last `at_once` steps are checked before this returns. Older steps are checked in a thread. If one
        of them does not fit, the next `append` raises the error.

        Raises:
            DamagedRun: a hash does not fit; the error has the first such step.
            OutOfReach: the database cannot be reached.
        """
        first = max(1, self.step - at_once + 1)
        see_chain(self._rows(first, self.step), self._hash_at(first - 1), first, self.step)
        if self.step and self._hash_at(self.step) != self._hash:
            raise DamagedRun("The journal is damaged: its last step is not the one that the row of the run names.", self.step)
        self._final = self._read_amendments()
        if first > 1:
            threading.Thread(target=self._check_older, args=(first - 1,), name="maker-graph-check", daemon=True).start()

    def set_note(self, name: str, value: str) -> None:
        """Store a note. It is on the disk of the server when this returns."""
        values = {"name": name, "value": value, "seal": seal(self._origin, name, value)}
        self._db.row(schema.NOTE, self._own(values))

    def say(self, state: str, said: str | None = None) -> None:
        """Store how the session of this owner stands, in a word, and what it says to those who watch the run.

        What the run took from the purse and did not use goes back.
        """
        calls, cost = self._dry if self._dry is not None and state == "limit" else (None, None)
        with self._changing:
            values = {"state": state, "said": said, "dry_calls": calls, "dry_cost": cost}
            found = self._db.row(SAY, self._own(values))
            if found is not None:
                self._now = _Stands(*found)

    def close(self) -> None:
        """Close the connection and the high-water mark."""
        self._thread.shutdown()
        self._marks.close()
        self._db.close()

    def _stands(self) -> _Stands:
        row = self._db.row(schema.STANDS, {"run": self._run})
        if row is None:
            raise UnusableRun(f"The run {self.name} is no longer at {self.where}: put it back, or start a new run.")
        return _Stands(*row)

    def _kept(self, found: _Stands) -> None:
        """Note how the run stands after a change, here and in the high-water mark."""
        self._now, self.step, self._hash, self._seen = found, found.step, found.hash, time.monotonic()
        self._unsettled = _reserved(found.reserved)
        self._marks.write(Watermark(found.epoch, found.head, found.account))

    def _changed(self, statement: str, values: Mapping[str, Any]) -> _Stands | None:
        """Change the run, and return how it stands then; None if a condition of the statement does not hold.

        Raises:
            OutOfReach: the database cannot be reached. The change may have been made or not.
        """
        given = self._own({"booked": uuid4(), "fleet": self._fleet, **values})
        try:
            found = self._db.once(statement, given)
        except OutOfReach:
            self._unsettled = NONE  # nobody knows whether the new reservation was stored
            given |= {"settles_calls": 0.0, "settles_cost": 0.0}
            done = partial(self._db.rows, schema.IF_BOOKED, given)
            found = done() or self._db.once(statement, given) or done()  # the first try may still reach the server
        return _Stands(*found[0]) if found else None

    def _own(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"run": self._run, "epoch": self.epoch, **values}

    def _spending(self, spent: Spent, reserved: Reserved) -> dict[str, Any]:
        """Return the values that book what was spent. What goes beyond the grant is charged to the purse."""
        over = self._over(self._now.left(spent, reserved))
        return {"spent": list(map(float, spent)), "reserved": list(map(float, reserved)), **over}

    def _over(self, left: Reserved) -> dict[str, Any]:
        """Return what is charged to the purse if `left` is negative, so that the grant covers all that was used."""
        charged = NONE if self._fleet is None else left
        return {"over_calls": max(0, -charged.calls), "over_cost": max(0.0, -charged.cost)}

    def _book(self, spent: Spent) -> None:
        """Book what this process has spent although it is not the owner, or its steps were refused: the money is gone."""
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
        held = _reserved(self._now.reserved)  # the owner, whose steps were refused: its calls are still under way
        found = self._changed(schema.SPEND, {**self._noted(NO_NOTES), **self._spending(spent, held)})
        if found is not None:
            self._now, self._unsettled = found, held

    def _noted(self, notes: Notes) -> dict[str, Any]:
        names, values = list(notes), list(notes.values())
        return {"names": names, "values": values, "seals": [seal(self._origin, *each) for each in notes.items()]}

    def _hold_against(self, marks: Sequence[Watermark | None], now: _Stands) -> list[Watermark]:
        """Return the high-water marks that are ahead of the journal.

        Raises:
            OlderJournal: there are such marks, and `accept_loss` is False.
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
            pass  # the run meets the same error
        except MakerError as error:
            self._damage = error
        except Exception as error:  # noqa: BLE001  an error would be lost in this thread
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
        """Return the `_Stands.head` of so many steps and amendments; another hash if some of them are missing."""
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
    """Make a run, with its first notes. Return False if there is a run of this name already.

    It must be called within a transaction.

    Args:
        connection: the connection to a database that has the tables.
        name: the name of the run.
        settings: its settings, as text.
        origin: the run and its settings, which the first hash covers.
        kept: what its task gives it to keep.
        notes: its first notes.
        fleet: the fleet to which it belongs.
        place: the place of the run in the fleet, from 0.
        total: how many steps its task has, if that is known.

    Raises:
        OutOfReach: the database cannot be reached.
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
