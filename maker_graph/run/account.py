"""What a run spends, and the limits at which it pauses.

Before a request the most that it can use is reserved; when it is answered, what it did use takes that place. A request that
fails counts as a call, and at its full price if the provider may bill it all the same. What is reserved is in the journal
before the request is made (`Reserved`): as much as the step before took, so that it costs no write of its own while steps are
alike. Of a process that is killed, the journal knows what it may have spent at most.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from maker_graph.core.decision import Usage
from maker_graph.errors import LimitReached
from maker_graph.models.pricing import Price
from maker_graph.models.sampler import Call
from maker_graph.run.journal import Journal
from maker_graph.run.pace import Pace
from maker_graph.run.spending import Reserved, Spent

MOST_HELD = 16
"""Calls beyond those under way that are held for the next step at most, however many the last one took."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run pauses; None is no limit. Earlier sessions of the run count.

    Attributes:
        cost: USD.
        calls: requests, failed ones included.
        minutes: at work.
    """

    cost: float | None = None
    calls: int | None = None
    minutes: float | None = None


@dataclass(slots=True)
class Meter:
    """Keeps the account of a run in its journal, and tells `record` every prompt and reply.

    `since` is what was used since the journal was last told, `flying` what the calls under way may use.
    """

    journal: Journal
    price: Price | None
    limits: Limits
    record: Callable[[Call], None] | None
    since: Spent = field(default_factory=Spent)
    flying: Reserved = field(default_factory=Reserved)
    pace: Pace = field(init=False)
    _booked: Reserved = field(init=False)
    _seconds: float = field(init=False)
    _held: Reserved = field(default_factory=Reserved)
    _clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        account = self.journal.account()
        self._booked = Reserved(account.spent.cost, account.spent.calls).plus(account.unsettled)
        self._seconds = account.spent.seconds
        self.pace = Pace.of(self.journal.note("pace"))

    def at(self, price: Price | None, *, drafts: bool = False) -> "PricedMeter":
        """Return a meter on this account for a model with a price of its own, or for `drafts`."""
        return PricedMeter(self, price, drafts)

    def reserve(self, most: Usage, /, price: Price | None = None) -> None:
        """Set aside the most that a request can use, as far as that can be estimated.

        Raises:
            LimitReached: it might exceed a limit.
            TakenOver: the run has another owner, and this one must not spend any more.
        """
        self.journal.owned()
        asked = Reserved(self._cost(most, price), 1)
        open_ = Reserved(self.since.cost, self.since.calls).plus(self.flying).plus(asked)
        self._within(self._booked.plus(open_))
        if open_.calls > self._held.calls or open_.cost > self._held.cost:
            held = self._capped(open_.plus(open_), open_)  # twice as much: a step of many samples writes it a few times only
            self.journal.spend(Spent(), held)
            self._held = held
        self.flying = self.flying.plus(asked)

    def settle(self, most: Usage, call: Call, /, price: Price | None = None, *, draft: bool = False) -> None:
        """Put what a sample, or a draft, used in the place of what was set aside."""
        self._land(most, price)
        sample = call.sample
        usage = Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)
        cost = self._cost(usage, price)
        used = (
            Spent(
                cost,
                calls=1,
                drafts=1,
                draft_cost=cost,
                draft_input=usage["input"],
                draft_cached=usage["cached"],
                draft_output=usage["output"],
            )
            if draft
            else Spent(cost, calls=1, samples=1, input=usage["input"], cached=usage["cached"], output=usage["output"])
        )
        self.since = self.since.plus(used)
        if not draft:
            self.pace.heard(sample.seconds)
        if self.record is not None:
            try:
                self.record(call)
            except OSError as error:  # ours, not the provider's: another try would be paid for and recorded no better
                raise LimitReached(f"The record cannot be written ({error.strerror}): make room, and resume.") from error

    def abandon(self, most: Usage, /, *, billed: bool, price: Price | None = None) -> None:
        """Count a request that failed."""
        self._land(most, price)
        self.since = self.since.plus(Spent(cost=self._cost(most, price) if billed else 0.0, calls=1))

    def take(self) -> tuple[Spent, Reserved]:
        """Return what was used since the last time and what may be under way, both for the journal; begin anew."""
        now = time.monotonic()
        taken = self.since._replace(seconds=now - self._clock)
        self._booked = self._booked.plus(Reserved(taken.cost, taken.calls))
        again = min(taken.calls, MOST_HELD)
        share = Reserved(self._held.cost * again / self._held.calls, again) if self._held.calls else Reserved()
        self._held = self._capped(self.flying.plus(share), self.flying)
        self.since, self._clock, self._seconds = Spent(), now, self._seconds + taken.seconds
        return taken, self._held

    def paced(self, step: int) -> str | None:
        """Return the note of the pace, if it is time to write it again: `step` is to be committed now."""
        return self.pace.note() if self.pace.reached(step, self._seconds) else None

    def give_back(self, taken: Spent) -> None:
        """Count again what was taken for the journal and did not get into it."""
        self.since = self.since.plus(taken._replace(seconds=0.0))
        self._clock, self._seconds = self._clock - taken.seconds, self._seconds - taken.seconds
        self._booked = Reserved(self._booked.cost - taken.cost, self._booked.calls - taken.calls)

    def close(self) -> None:
        """Book what is not booked yet; nothing is under way any more."""
        spent, _ = self.take()
        self.journal.spend(spent, Reserved(), self.pace.note())

    def seconds_left(self) -> float | None:
        """Return how long the run may still work, or None if it may for ever.

        Raises:
            LimitReached: not at all.
        """
        if self.limits.minutes is None:
            return None
        left = 60 * self.limits.minutes - self.journal.account().spent.seconds
        if left <= 0:
            raise self.out_of_time()
        return left

    def out_of_time(self) -> LimitReached:
        """Return the error for a run that has worked as long as it may."""
        return LimitReached(f"The limit of {self.limits.minutes:g} minutes is reached: resume with a higher --max-minutes.")

    def _within(self, used: Reserved) -> None:
        cost, calls = self.limits.cost, self.limits.calls
        if used.cost > (inf if cost is None else cost):
            raise LimitReached(
                f"The limit of ${cost:g} is reached: with the next call it may be ${used.cost:.4f}{self._of_it_lost()}. "
                "Resume with a higher --max-cost."
            )
        if used.calls > (inf if calls is None else calls):
            raise LimitReached(
                f"The limit of {calls:,} calls is reached{self._of_it_lost()}: resume with a higher --max-calls."
            )

    def _of_it_lost(self) -> str:
        lost = self.journal.account().unsettled
        return f" ({lost.calls} calls, ${lost.cost:.4f}, were under way when the run was killed)" if lost.calls else ""

    def _capped(self, held: Reserved, least: Reserved) -> Reserved:
        """Return `held`, but no more than the limits leave, for nothing beyond them is ever asked; and no less than `least`."""
        cost, calls = self.limits.cost, self.limits.calls
        return Reserved(
            max(least.cost, min(held.cost, inf if cost is None else cost - self._booked.cost)),
            max(least.calls, min(held.calls, held.calls if calls is None else calls - self._booked.calls)),
        )

    def _land(self, most: Usage, price: Price | None) -> None:
        self.flying = Reserved(max(0.0, self.flying.cost - self._cost(most, price)), self.flying.calls - 1)

    def _cost(self, usage: Usage, price: Price | None) -> float:
        price = price or self.price
        return 0.0 if price is None else price(usage)


@dataclass(frozen=True, slots=True)
class PricedMeter:
    """Keeps the account of another meter, at a price of its own."""

    meter: Meter
    price: Price | None
    drafts: bool

    def reserve(self, most: Usage, /) -> None:
        """Set aside the most that a request can use."""
        self.meter.reserve(most, self.price)

    def settle(self, most: Usage, call: Call, /) -> None:
        """Put what a sample used in the place of what was set aside."""
        self.meter.settle(most, call, self.price, draft=self.drafts)

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        """Count a request that failed."""
        self.meter.abandon(most, billed=billed, price=self.price)
