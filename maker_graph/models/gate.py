"""A gate through which the requests of all callers go. It makes them wait for a provider.

A 429 shuts the gate until the time that the provider asks for is over. Five failures in a row, of all callers together, are an
outage. Then everybody waits, while one request at a time probes, at intervals that grow to a minute. The first answer opens the
gate for all.

A caller who waits at the gate sleeps and then asks again. So threads and event loops can share one gate. A gate may tell the
other gates of the same provider what it has learnt, and hear from them (`tell_others`, `heard`).
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from random import Random

from langchain_core.rate_limiters import InMemoryRateLimiter

from maker_graph.errors import UsageError
from maker_graph.models.latencies import Latencies

OUTAGE = 5
"""How many failures in a row, of all callers together, are an outage."""

LONGEST_WAIT = 60.0
"""The longest time, in seconds, between two probes, and after a 429 that does not say how long to wait."""

LONG_WAIT = LONGEST_WAIT / 2
"""A wait of at least so many seconds is announced."""

SAY_EVERY = 10.0
"""Seconds between two lines in the log that say that requests fail or wait."""

_TICK = 0.2
"""Seconds until a caller asks again, if it is not known how long to wait."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The gate's permission to make one request.

    Attributes:
        since: when it was given.
        probe: whether it is for the one request that probes during an outage.
    """

    since: float
    probe: bool


class Gate:
    """Lets the requests of all callers through, from threads and event loops alike.

    Microsteps that ask the same provider should share a gate. Together they keep to its rate. They also wait together when it
    asks for a wait, or does not answer.

    >>> from maker_graph import Gate, create_microstep
    >>> from maker_graph.simulation import simulated
    >>> model = simulated("perfect", {"capital of France": ["Paris", "Lyon"]})
    >>> gate = Gate(rpm=6000)
    >>> draft = create_microstep(model, k=3, calls={"gate": gate})
    >>> review = create_microstep(model, k=3, calls={"gate": gate})
    >>> draft.invoke({"messages": [("user", "What is the capital of France?")]})["messages"][-1].content
    'Paris'

    Every `Pass` is handed back exactly once, with `answered`, `refused`, `slowed`, `failed`, or `left` if nothing was learnt.

    Attributes:
        clock: returns the time in seconds.
        down_since: when the failures of an outage began; None if there is no outage.
    """

    def __init__(
        self,
        *,
        rpm: float | None = None,
        notice: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        """Make an open gate.

        Args:
            rpm: the most requests per minute, evenly spread; None sets no limit.
            notice: is called with a sentence when a long wait begins, and when an outage is over. None writes to the package's
                log, and there also of failed requests and waits, at most every ten seconds.
            clock: returns the time in seconds, which never goes back.
            rng: spreads the waits, so that not all callers come back at once.

        Raises:
            UsageError: `rpm` is not a number above 0.
        """
        if rpm is not None and not 0 < rpm < inf:
            raise UsageError(f"Requests per minute (rpm) must be a number above 0, not {rpm!r}.")
        self.clock = clock
        self.down_since: float | None = None
        self._notice = notice or logging.getLogger("maker_graph").warning
        self._talks = notice is None
        self._rng = rng or Random()  # noqa: S311  spreads waits, guards nothing
        self._lock = threading.Lock()
        self._limiter: InMemoryRateLimiter | None = None
        if rpm is not None:
            self._pause = min(_TICK, max(0.005, 6 / rpm))  # a tenth of the time between two requests
            self._limiter = InMemoryRateLimiter(requests_per_second=rpm / 60, max_bucket_size=max(1, rpm / 60 * self._pause))
        self._shut_until = self._shut_at = -inf
        self._shut_times = 0
        self._failures = 0
        self._first_failure = 0.0
        self._probes = 0
        self._probe_at = 0.0
        self._probing = False
        self._told_until = self._said_at = -inf
        self._trouble = ""
        self._latencies = Latencies()

    def timeout(self) -> float:
        """Return the default time-out of a request, in seconds: several times the latency of the replies so far."""
        with self._lock:
            return self._latencies.timeout()

    def enter(self) -> Pass:
        """Wait until a request may be made."""
        while isinstance(wait := self.ask(), float):
            for nap in self._naps(wait):
                time.sleep(nap)
        return wait

    async def aenter(self) -> Pass:
        """Wait until a request may be made."""
        while isinstance(wait := self.ask(), float):
            for nap in self._naps(wait):
                await asyncio.sleep(nap)
        return wait

    def ask(self) -> Pass | float:
        """Return a pass for one request, or the seconds after which to ask again."""
        with self._lock:
            now = self.clock()
            if now < self._shut_until:
                return self._spread(self._shut_until - now)
            probe = self.down_since is not None
            if probe and self._probing:
                return self._rng.uniform(_TICK / 2, _TICK)
            if probe and now < self._probe_at:
                return self._spread(self._probe_at - now)
            if self._limiter is not None and not self._limiter.acquire(blocking=False):
                return self._pause
            self._probing = probe
            return Pass(now, probe)

    def answered(self, leave: Pass) -> None:
        """Take note that the provider answered. An outage is over then."""
        with self._lock:
            self._latencies.heard(self.clock() - leave.since)
        self.refused(leave)

    def refused(self, leave: Pass) -> None:
        """Take note that the provider answered, though not with a reply. An outage is over all the same."""
        with self._lock:
            if leave.since >= self._shut_until:
                self._shut_times = 0
            over = self._open(leave)
        if over is not None:
            self._notice(f"The provider answers again, after {over:,.0f} s: going on.")
            self.tell_others(None, 0, "", down=False)

    def slowed(self, leave: Pass, told: float | None, what: str) -> None:
        """Shut the gate for all callers: for `told` seconds, or for a time that grows from one such answer to the next."""
        with self._lock:
            now = self.clock()
            over = self._open(leave)  # it does answer
            wait = told or None  # a wait of 0 makes no sense after an answer that says "too fast"
            if wait is None and leave.since >= self._shut_at:  # earlier requests are what the gate was shut for already
                wait = self._growing(0.5, self._shut_times)
                self._shut_times += 1
            if wait is not None:
                self._shut_at = now
                self._shut_until = max(self._shut_until, now + wait)
            times, long = self._shut_times, self._is_news(wait, now)
            said = self._is_due(now, what, at_once=long)
        if over is not None:
            self._notice(f"The provider answers again, after {over:,.0f} s: going on.")
        if long:
            self._notice(_waiting(what, wait, told))
        elif said:
            self._notice(f"{what}: slowing down.")
        if wait is not None or over is not None:
            self.tell_others(wait, times, what, down=False)

    def failed(self, leave: Pass, told: float | None, what: str, *, late: bool = False) -> None:
        """Take note of a transient failure.

        Args:
            leave: the pass of the request.
            told: the seconds that the provider asks to wait.
            what: which model failed and how, without keys.
            late: whether the request was given up because it took too long.
        """
        begins = False
        with self._lock:
            now = self.clock()
            if late:
                self._latencies.late(now - leave.since)
            self._failures += 1
            if self._failures == 1:
                self._first_failure = now
            if self.down_since is None and self._failures >= OUTAGE:
                begins, self.down_since, self._probes = True, self._first_failure, 0
            if leave.probe:
                self._probing = False
            if begins or leave.probe:
                self._probe_at = now + self._growing(1.0, self._probes)
                self._probes += 1
            if told is not None:
                self._probe_at = max(self._probe_at, now + told)
            wait, probes = self._probe_at - now, self._probes
            long = not begins and self._is_news(told, now)
            said = self._is_due(now, what, at_once=begins or long)
        if begins:
            self._notice(f"{what}: the provider does not answer. Waiting; the next try is in {wait:,.1f} s.")
        elif long:
            self._notice(_waiting(what, told, told))
        elif said:
            self._notice(f"{what}: requests that fail like this are made again.")
        if begins or leave.probe:
            self.tell_others(wait, probes, what, down=True)

    def tell_others(self, wait: float | None, times: int, what: str, *, down: bool) -> None:
        """Tell other gates of the same provider what this gate has learnt; here there are none to tell.

        Args:
            wait: the seconds for which nobody should ask the provider; None if it answers again.
            times: how often in a row that has happened.
            what: what the provider said.
            down: whether the provider does not answer.
        """

    def heard(self, wait: float | None, times: int, what: str, *, down: bool) -> None:
        """Take note of what another gate of the provider has learnt; see `tell_others`."""
        with self._lock:
            now, over = self.clock(), None
            if self.down_since is not None and not down:
                over, self._failures, self.down_since = now - self.down_since, 0, None
            if down and self.down_since is None:
                self.down_since = now
            if down:
                self._probe_at, self._probes = max(self._probe_at, now + (wait or 0.0)), max(self._probes, times)
            elif wait is not None:
                self._shut_at, self._shut_until = now, max(self._shut_until, now + wait)
                self._shut_times = max(self._shut_times, times)
            long = self._is_news(wait, now)
        if over is not None:
            self._notice(f"The provider answers again, after {over:,.0f} s: going on.")
        if long:
            self._notice(_waiting(what, wait, None))

    def left(self, leave: Pass) -> None:
        """Take back a pass of a caller who was cancelled, or who never made the request."""
        if leave.probe:
            with self._lock:
                self._probing = False

    def back_off(self, failures: int) -> float:
        """Return how long one caller waits after so many transient failures: at first up to half a second, then longer."""
        return self._rng.uniform(0, min(8.0, 2.0 ** min(failures, 30) / 4))

    def _open(self, leave: Pass) -> float | None:
        """Forget the failures, and return how many seconds an outage lasted, if one ends here."""
        over = None if self.down_since is None else self.clock() - self.down_since
        self._failures, self.down_since = 0, None
        if leave.probe:
            self._probing = False
        return over

    def _is_news(self, wait: float | None, now: float) -> bool:
        """Say whether to announce a wait: it is long, and no announced wait is under way."""
        if wait is None or wait < LONG_WAIT or now < self._told_until:
            return False
        self._told_until = now + wait
        return True

    def _is_due(self, now: float, what: str, *, at_once: bool = False) -> bool:
        """Say whether to log a failed request or a wait; one that is announced `at_once` need not be logged too."""
        self._trouble = what
        if not self._talks or (not at_once and now < self._said_at + SAY_EVERY):
            return False
        self._said_at = now
        return not at_once

    def _naps(self, wait: float) -> Iterator[float]:
        """Yield the seconds of `wait` in pieces, and log the reason for the wait between them."""
        while wait > SAY_EVERY:
            yield SAY_EVERY
            wait -= SAY_EVERY
            with self._lock:
                what, said = self._trouble, self._is_due(self.clock(), self._trouble)
            if said:
                self._notice(f"{what}: still waiting, for {wait:,.0f} s more.")
        yield wait

    def _spread(self, wait: float) -> float:
        return wait + self._rng.uniform(0, min(1.0, wait / 10))

    def _growing(self, first: float, times: int) -> float:
        longest = min(LONGEST_WAIT, first * 2.0 ** min(times, 30))
        return self._rng.uniform(longest / 2, longest)


def _waiting(what: str, wait: float | None, told: float | None) -> str:
    return f"{what}: waiting for {'the ' if told else ''}{wait or 0.0:,.0f} s{' that the provider asks for' if told else ''}."
