"""The gate of a worker of a fleet: the workers keep to one rate together, and wait together.

Each caller gets a slot, which is the time at which it may make its request. It sleeps until then. A caller that wakes
too late takes a new slot. A thread takes the slots from the database (`journal/postgres/rate.py`), so no event loop
waits for the database.

Each gate judges what the provider says in the same way as the gate of a single run (`models/gate.py`). It writes what
it has learnt into the database, and reads there what the other gates have learnt. While a gate cannot reach the
database, its callers wait.
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
"""The least time, in seconds, between two requests to the database. One request takes slots for all who wait."""

_ROOM = 1.5
"""A slot is taken this many times as far ahead as a request to the database takes, so that it does not come too late."""

_FADING = 0.9
"""After a slow request, the time by which slots are taken ahead shrinks by this factor from request to request."""

_LOOK_AGAIN = 1.0
"""The longest time, in seconds, between two looks at a gate that is shut, because another worker may open it early."""

_DRIFT = 0.001
"""How many seconds the measured difference of the two clocks grows less certain with each second."""


class Slot(NamedTuple):
    """When a request may be made.

    Attributes:
        at: the earliest time, in seconds of the gate's clock.
        until: the latest time.
    """

    at: float
    until: float


class FleetGate(Gate):
    """A gate for all requests of one worker. The gates of all workers of a fleet keep to its rate together.

    Attributes:
        given_up: how many slots were not used in time.
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
        """Make the gate of a worker. It asks the database only when the first caller comes.

        Args:
            address: the address of the database of journals.
            fleet: the name of the fleet. A change of its rate in the database takes effect within a second.
            notice: see `Gate`.
            clock: returns the time in seconds, which never goes back.
            rng: spreads the waits, so that not all callers come back at once.

        Raises:
            UsageError: `address` is not an address, or the extra `fleet` is missing.
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
            UnusableRun: there is no such fleet any more.
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
        """Do what `enter` does, in the running event loop."""
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
        """Tell the gates of the other workers what this gate has learnt of the provider; see `Gate.tell_others`."""
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
        """End the thread and close the connection. Callers who wait at the gate are cancelled."""
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
        """Ask for a slot. Return the future that will hold it, or None if no slot is needed."""
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
        """Return a pass for one request in this slot, or the seconds after which to take another slot."""
        if self.clock() > slot.until:
            self.given_up += 1
            return 0.0
        return self.ask()

    def _begin(self) -> None:
        """Wake the thread, or start it. The caller must hold the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="maker-graph-gate", daemon=True)
            self._thread.start()
        self._wake.notify()

    def _serve(self) -> None:
        """Take slots for those who wait, and exchange news with the other gates, until this gate is closed."""
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
            except Exception as error:  # noqa: BLE001  those who wait must get the error
                pause = _LOOK_AGAIN
                self._refuse(error)

    def _waited(self, pause: float) -> bool:
        """Wait for `pause` seconds, and then until there is something to do. Return False if the gate was closed."""
        until = self.clock() + pause
        with self._wake:
            while not self._closed and (left := until - self.clock()) > 0:
                self._wake.wait(left)
            while not self._closed and not self._news and not self._wanted:
                self._wake.wait()
            return not self._closed

    def _looked(self) -> float:
        """Tell the other gates the news, and take slots for all who wait. Return the seconds until the next call."""
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
        """Give a slot to the first caller who still waits."""
        while self._wanted:
            first = self._wanted.popleft()
            if first.set_running_or_notify_cancel():
                first.set_result(slot)
                return

    def _refuse(self, error: Exception) -> None:
        """Raise an error in all callers who wait."""
        while self._wanted:
            first = self._wanted.popleft()
            if first.set_running_or_notify_cancel():
                first.set_exception(error)

    def _hear(self, lease: Lease) -> None:
        """Take note of what the other gates have learnt."""
        if lease.shut > 0:
            self.heard(lease.shut, lease.times, lease.why, down=lease.down)
        elif self._was_down and not lease.down:
            self.heard(None, 0, "", down=False)
        self._was_down = lease.down

    def _measure(self) -> None:
        """Measure how far the clock of the database is ahead of this one. The quicker the answer, the better it is known."""
        before = self.clock()
        there = self._rate.clock()
        now = self.clock()
        offset, error = there - (before + now) / 2, (now - before) / 2
        known = self._error + _DRIFT * (now - self._measured)
        if error <= known or abs(offset - self._offset) > error + known:  # the second: a clock was set
            self._offset, self._error, self._measured = offset, error, now
