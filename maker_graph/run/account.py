"""What a run or a calibration spends, and the limits at which it stops.

Requests are counted as in any budget (`models/budget.py`). Before a request is made, what it may use is also reserved
on the disk (`Reserved`), in the journal of the run or the file of the calibration. So if the process is killed, the
account knows what it may have spent at most. Each commit reserves for the next step what the last step used. So as long
as steps are alike, a reservation needs no write of its own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from maker_graph.core.judging import Usage
from maker_graph.core.machine import Totals
from maker_graph.core.spending import Account, Reserved, Spent
from maker_graph.errors import LimitReached
from maker_graph.journal.protocol import NO_NOTES, Notes
from maker_graph.models.budget import PricedMeter, Tally, cost_of, spent_on
from maker_graph.models.calls import Call
from maker_graph.models.pricing import FlatPrice, Price
from maker_graph.run.pace import PACE, Pace

NOT_KNOWN: Price = FlatPrice(0.0, 0.0)
"""The price of a model whose price is not known. Nothing is counted for it, although it may not be free."""

MOST_HELD = 16
"""The most calls that are reserved for the next step, besides those under way."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits at which a run stops; None is no limit. They hold over all sessions of the run.

    Attributes:
        cost: USD.
        calls: requests, failed ones included.
        minutes: minutes at work.
    """

    cost: float | None = None
    calls: int | None = None
    minutes: float | None = None


class Book(Protocol):
    """What stores an account: the journal of a run, or the file of a calibration."""

    def owned(self) -> None:
        """Make sure that this process may spend, and that what it spends can be stored.

        Raises:
            MakerError: it may not, or it cannot be stored.
        """
        ...

    def account(self) -> Account:
        """Return what was spent, in all sessions."""
        ...

    def provide(self, spent: Spent, wished: Reserved, least: Reserved, /) -> Reserved:
        """Return how much to reserve: what is `wished`, or less if runs share a purse that is nearly empty.

        Args:
            spent: what was spent since it was last booked.
            wished: the most to reserve.
            least: the least that is of use.

        Raises:
            LimitReached: the purse does not have the least.
        """
        ...

    def spend(self, spent: Spent, reserved: Reserved, notes: Notes = NO_NOTES, /) -> None:
        """Add what was spent, and store what may be under way. On return both are on the disk.

        A book that keeps notes stores them at the same time.
        """
        ...


@dataclass(slots=True)
class Ledger:
    """Counts what is spent, and keeps the account in its book. It is a `Meter` for samplers.

    Attributes:
        book: where the account is stored.
        price: the price of a request; None if it costs nothing, or if the price is not known.
        limits: the limits at which it stops.
        record: called with every prompt and reply.
        warn: called with a text if the calls under way have exceeded the limit on the cost.
        pace: how long replies take.
        advice: what `LimitReached` says to do. "{}" stands for the limit: cost, calls or minutes.
        since: what was used since it was last booked.
    """

    book: Book
    price: Price | None
    limits: Limits
    record: Callable[[Call], None] | None = None
    warn: Callable[[str], None] = lambda _: None
    pace: Pace = field(default_factory=Pace)
    advice: str = "Resume with a higher --max-{}."
    since: Spent = field(default_factory=Spent)
    _tally: Tally = field(init=False)
    _seconds: float = field(init=False)
    _held: Reserved = field(default_factory=Reserved)
    _clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        account = self.book.account()
        spent, unsettled = account.spent, account.unsettled
        killed = f"with {unsettled.calls} calls, ${unsettled.cost:.4f}, that were under way when a process was killed"
        self._tally = Tally(
            self.limits.cost,
            self.limits.calls,
            self.advice,
            cost=spent.cost + unsettled.cost,
            calls=spent.calls + unsettled.calls,
            aside=f" ({killed})" if unsettled.calls else "",
        )
        self._seconds = spent.seconds

    def at(self, price: Price | None) -> PricedMeter:
        """Return a meter on this account for a model of this price; None stands for the price of the ledger."""
        return PricedMeter(self, price)

    def reserve(self, most: Usage, /, price: Price | None = None) -> None:
        """Set aside the most that a request can use, by estimate.

        Raises:
            LimitReached: the request might exceed a limit.
            MakerError: this process must not spend any more, because the run has another owner, for example.
        """
        self.book.owned()
        asked = cost_of(most, price or self.price)
        self._tally.check(asked)
        open_ = Reserved(self.since.cost, self.since.calls).plus(self._flying()).plus(Reserved(asked + self._tally.excess, 1))
        if open_.calls > self._held.calls or open_.cost > self._held.cost:
            held = self._capped(open_.plus(open_), open_, self.since)  # twice as much, so that many samples need few writes
            held = self.book.provide(Spent(), held, open_)
            self.book.spend(Spent(), held)
            self._held = held
        self._tally.open(asked)

    def settle(self, most: Usage, call: Call, /, price: Price | None = None) -> None:
        """Replace what was set aside by what the sample or draft used.

        Raises:
            LimitReached: the record cannot be written.
        """
        price = price or self.price
        self._close(most, spent_on(call, price), price, billed=True)
        if call.name == "sample":
            self.pace.heard(call.sample.seconds)
        if self.record is not None:
            try:
                self.record(call)
            except OSError as error:  # not the provider's failure, which would be retried and paid for
                raise LimitReached(f"The record cannot be written ({error.strerror}): make room, and resume.") from error

    def abandon(self, most: Usage, /, *, billed: bool, price: Price | None = None) -> None:
        """Count a request that failed. It counts at its full price if it may be `billed`."""
        price = price or self.price
        self._close(most, Spent(cost_of(most, price) if billed else 0.0, calls=1), price, billed=billed)

    def take(self) -> tuple[Spent, Reserved]:
        """Return what was used since it was last booked, and what to reserve from now on. Both are for the book."""
        again = min(self.since.calls, MOST_HELD)
        share = Reserved(self._held.cost * again / self._held.calls, again) if self._held.calls else Reserved()
        flying = self._flying()
        wished = self._capped(flying.plus(share), flying, Spent())
        held = self.book.provide(self.since, wished, Reserved())
        self._held = Reserved(max(flying.cost, held.cost), max(flying.calls, held.calls))
        return self._begin_anew(), self._held

    def find(self, totals: Totals) -> None:
        """Count the samples that are in `totals` but not in the journal, which is an older copy of itself."""
        spent, tokens = self.book.account().spent, totals["tokens"]
        samples = max(0, totals["samples"] - spent.samples)
        usage = Usage(
            input=max(0, tokens["input"] - spent.input),
            cached=max(0, tokens["cached"] - spent.cached),
            output=max(0, tokens["output"] - spent.output),
        )
        cost, unpriced = cost_of(usage, self.price), samples if self.price is NOT_KNOWN else 0
        self.since = self.since.plus(Spent(cost, calls=samples, samples=samples, unpriced=unpriced, **usage))
        self._tally.cost += cost
        self._tally.calls += samples

    def paced(self, step: int) -> Notes:
        """Return the note of the pace, if it is due with the commit of `step`; else no notes."""
        return {PACE: self.pace.note()} if self.pace.reached(step, self._seconds) else NO_NOTES

    def give_back(self, taken: Spent) -> None:
        """Count again what `take` returned, because it was not booked."""
        self.since = self.since.plus(taken._replace(seconds=0.0))
        self._clock, self._seconds = self._clock - taken.seconds, self._seconds - taken.seconds

    def close(self, notes: Notes = NO_NOTES) -> None:
        """Book the rest of what was used, with notes. Nothing is reserved any more."""
        self.book.spend(self._begin_anew(), Reserved(), {PACE: self.pace.note(), **notes})
        self._held = Reserved()

    def seconds_left(self) -> float | None:
        """Return how many seconds the run may still work; None if there is no limit.

        Raises:
            LimitReached: none are left.
        """
        if self.limits.minutes is None:
            return None
        left = 60 * self.limits.minutes - self.book.account().spent.seconds
        if left <= 0:
            raise self.out_of_time()
        return left

    def out_of_time(self) -> LimitReached:
        """Return the error for a run that has reached its limit on minutes."""
        return LimitReached(f"The limit of {self.limits.minutes:g} minutes is reached. {self.advice.format('minutes')}")

    def _begin_anew(self) -> Spent:
        """Return what was used since it was last booked, and count from zero again."""
        now = time.monotonic()
        taken = self.since._replace(seconds=now - self._clock)
        self.since, self._clock, self._seconds = Spent(), now, self._seconds + taken.seconds
        return taken

    def _capped(self, held: Reserved, least: Reserved, since: Spent) -> Reserved:
        """Return `held`, but at most what the limits leave, and at least `least`.

        `since` is what was used already and is part of `held`.
        """
        tally = self._tally
        cost, calls = self.limits.cost, self.limits.calls
        return Reserved(
            max(least.cost, min(held.cost, inf if cost is None else cost - (tally.cost - since.cost))),
            max(least.calls, min(held.calls, held.calls if calls is None else calls - (tally.calls - since.calls))),
        )

    def _flying(self) -> Reserved:
        """Return what the calls under way may use at most."""
        return Reserved(self._tally.flying, self._tally.open_calls)

    def _close(self, most: Usage, spent: Spent, price: Price | None, *, billed: bool) -> None:
        before = self._tally.passed()
        self._tally.close(cost_of(most, price), spent.cost)
        self.since = self.since.plus(spent._replace(unpriced=int(billed and price is NOT_KNOWN)))
        if before is None and (passed := self._tally.passed()) is not None:
            self.warn(passed)
