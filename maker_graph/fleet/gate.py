"""The gate of a worker of a fleet: the workers keep to one rate together, and wait together.

A thread takes slots for those who wait at the gate (`journal/postgres/rate.py`), so that no event loop waits for the database.
Each caller has a slot of its own and sleeps until then: nobody wakes for nothing. Who wakes too late gives its slot up, and
takes another.

The gate of each worker judges what a provider says as any gate does (`models/gate.py`). What it learns, it tells the others
through the database, and hears there what they have learnt. Where the database cannot be reached, all wait.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from math import inf
from random import Random
from typing import NamedTuple

from maker_graph.errors import OutOfReach
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.rate import AHEAD, LATE, LEAD, Lease, Rate
from maker_graph.models.gate import SAY_EVERY, Gate, Pass

_GATHER = 0.05
"""Seconds between two looks at the database at least: what is wanted meanwhile is asked for at once."""

_ROOM, _FADING = 1.5, 0.9
"""Slots are taken so many times as far ahead as it takes to bring one; what that once took fades from look to look."""

_LOOK_AGAIN = 1.0
"""Seconds after which a gate that is shut is looked at again at the latest: it may be opened early."""

_DRIFT = 0.001
"""Seconds by which what is known of the clock of the database is less certain after each second."""


class Slot(NamedTuple):
    """When a call may be made: from a moment on, and until another."""

    at: float
    until: float


class FleetGate(Gate):
    """Stands before every request of a worker; the gates of all workers of a fleet keep to its rate together.

    Attributes:
        given_up: slots that were not used in time.
    """

    def __init__(
        self,
        address: str,
        fleet: str,
        *,
        notice: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        """Make the gate of a worker; the database is asked when the first caller comes.

        Args:
            address: of the database of journals.
            fleet: its name there. A rate that is changed there holds within a second.
            notice: told in a sentence of long waits, as by any gate.
            clock: seconds; it never goes back.
            rng: spreads the waits.

        Raises:
            UsageError: it is not an address, or the extra `fleet` is missing.
        """
        super().__init__(notice=notice, clock=clock, rng=rng)
        self.given_up = 0
        self._db = Connection(address)
        self._rate = Rate(self._db, fleet)
        self._wake = threading.Condition()
        self._wanted: deque[Future[Slot]] = deque()
        self._news: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._free_until = -inf
        self._was_down = False
        self._lead = LEAD
        self._offset, self._error, self._measured = 0.0, inf, -inf

    def enter(self) -> Pass:
        """Wait until a request may be made.

        Raises:
            UnusableRun: the fleet is gone.
        """
        while True:
            slot = self._slot()
            at = self._free() if slot is None else slot.result()
            time.sleep(max(0.0, at.at - self.clock()))
            if isinstance(wait := self._used(at), Pass):
                return wait
            for nap in self._naps(wait):
                time.sleep(nap)

    async def aenter(self) -> Pass:
        """Wait until a request may be made, as `enter` does; the event loop does other things meanwhile."""
        while True:
            slot = self._slot()
            at = self._free() if slot is None else await asyncio.wrap_future(slot)
            if (nap := at.at - self.clock()) > 0:
                await asyncio.sleep(nap)
            if isinstance(wait := self._used(at), Pass):
                return wait
            for nap in self._naps(wait):
                await asyncio.sleep(nap)

    def tell_others(self, wait: float | None, times: int, what: str, *, down: bool) -> None:
        """Tell the gates of the other workers how the provider stands."""
        until = None if wait is None else self.clock() + wait

        def told() -> None:
            if until is None:
                self._rate.open()
                self._was_down = False
            elif (left := until - self.clock()) > 0:
                self._rate.shut(left, times, what, down=down)
                self._was_down = down

        with self._wake:
            self._free_until = -inf
            self._news.append(told)
            self._begin()

    def close(self) -> None:
        """End its thread, and close its connection; whoever waits at the gate is cancelled."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join()
        for slot in self._wanted:
            slot.cancel()
        self._db.close()

    def _slot(self) -> "Future[Slot] | None":
        """Return the slot of a caller, which is there when it was taken; None if none is needed."""
        if self.clock() < self._free_until:
            return None
        slot: Future[Slot] = Future()
        with self._wake:
            self._wanted.append(slot)
            self._begin()
        return slot

    def _free(self) -> Slot:
        return Slot(self.clock(), inf)

    def _used(self, slot: Slot) -> Pass | float:
        """Return leave for one request in this slot, or the seconds after which to take another."""
        if self.clock() > slot.until:
            self.given_up += 1
            return 0.0
        return self.ask()

    def _begin(self) -> None:
        """Wake the thread, or start it; to be called with the lock held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="maker-graph-gate", daemon=True)
            self._thread.start()
        self._wake.notify()

    def _serve(self) -> None:
        """Take slots for those who wait, and tell and hear news, until the gate is closed."""
        failures, said, pause = 0, -inf, 0.0
        while self._waited(pause):
            try:
                pause = self._looked()
                failures = 0
            except OutOfReach as error:
                failures += 1
                pause = self.back_off(failures)
                if self.clock() >= said + SAY_EVERY:
                    said = self.clock()
                    self._notice(f"{error} Calls wait for it.")
            except Exception as error:  # noqa: BLE001  whoever waits must hear of it
                pause = _LOOK_AGAIN
                self._refuse(error)

    def _waited(self, pause: float) -> bool:
        """Wait so long, and until there is something to do; return whether the gate is open for it."""
        until = self.clock() + pause
        with self._wake:
            while not self._closed and (left := until - self.clock()) > 0:
                self._wake.wait(left)
            while not self._closed and not self._news and not self._wanted:
                self._wake.wait()
            return not self._closed

    def _looked(self) -> float:
        """Tell the news, take slots for all who wait, and return the seconds after which to come back."""
        while self._news:
            told = self._news.popleft()
            try:
                told()
            except OutOfReach:
                self._news.appendleft(told)
                raise
        wanted = len(self._wanted)
        if not wanted:
            return 0.0
        self._measure()
        before = self.clock()
        lease = self._rate.lease(wanted, self._lead)
        self._lead = max(LEAD, _ROOM * (self.clock() - before), self._lead * _FADING)
        self._hear(lease)
        if lease.shut > 0:
            return min(lease.shut, _LOOK_AGAIN)
        if not (lease.limited or lease.down):
            self._free_until = self.clock() + AHEAD
            for _ in range(wanted):
                self._give(self._free())
        for at in lease.slots:
            self._give(Slot(at - self._offset, at - self._offset + (inf if lease.down else LATE)))
        return max(_GATHER, min(lease.wait, _LOOK_AGAIN))

    def _give(self, slot: Slot) -> None:
        """Give a slot to the first who waits still."""
        while self._wanted:
            first = self._wanted.popleft()
            if first.set_running_or_notify_cancel():
                first.set_result(slot)
                return

    def _refuse(self, error: Exception) -> None:
        while self._wanted:
            first = self._wanted.popleft()
            if first.set_running_or_notify_cancel():
                first.set_exception(error)

    def _hear(self, lease: Lease) -> None:
        """Take note of what other workers have learnt."""
        if lease.shut > 0:
            self.heard(lease.shut, lease.times, lease.why, down=lease.down)
        elif self._was_down and not lease.down:
            self.heard(None, 0, "", down=False)
        self._was_down = lease.down

    def _measure(self) -> None:
        """Learn how the clock of the database differs from this one; the quicker the answer, the better it is known."""
        before = self.clock()
        there = self._rate.clock()
        now = self.clock()
        offset, error = there - (before + now) / 2, (now - before) / 2
        known = self._error + _DRIFT * (now - self._measured)
        if error <= known or abs(offset - self._offset) > error + known:  # the last: one of the clocks was set
            self._offset, self._error, self._measured = offset, error, now
