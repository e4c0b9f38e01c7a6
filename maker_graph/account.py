"""What a run spends, and the limits at which it pauses.

Before a request the most that it can use is reserved; when it is answered, what it did use takes that place. A request that
fails counts as a call, and at its full price if the provider may bill it all the same. What is reserved is in the journal
before the request is made (`Held`): as much as the step before took, so that it costs no write of its own while steps are
alike. Of a process that is killed, the journal knows what it may have spent at most.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from maker_graph.core.decision import Usage
from maker_graph.errors import LimitReached
from maker_graph.journal import Held, Journal, Spent
from maker_graph.pricing import Price
from maker_graph.sampling import Call


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
    flying: Held = field(default_factory=Held)
    _booked: Held = field(init=False)
    _held: Held = field(default_factory=Held)
    _clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        account = self.journal.account()
        self._booked = Held(account.spent.cost, account.spent.calls).plus(account.lost)

    def reserve(self, most: Usage, /) -> None:
        """Set aside the most that a request can use.

        Raises:
            LimitReached: it might exceed a limit.
        """
        asked = Held(self._price(most), 1)
        open_ = Held(self.since.cost, self.since.calls).plus(self.flying).plus(asked)
        self._within(self._booked.plus(open_))
        if open_.calls > self._held.calls or open_.cost > self._held.cost:
            self._held = open_.plus(open_)  # twice as much, so that a step of many samples writes it a few times only
            self.journal.spend(Spent(), self._held)
        self.flying = self.flying.plus(asked)

    def settle(self, most: Usage, call: Call, /) -> None:
        """Put what a sample used in the place of what was set aside."""
        self._land(most)
        sample = call.sample
        usage = Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)
        self.since = self.since.plus(
            Spent(
                cost=self._price(usage),
                calls=1,
                samples=1,
                input=usage["input"],
                cached=usage["cached"],
                output=usage["output"],
            )
        )
        if self.record is not None:
            try:
                self.record(call)
            except OSError as error:  # ours, not the provider's: another try would be paid for and recorded no better
                raise LimitReached(f"The record cannot be written ({error.strerror}): make room, and resume.") from error

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        """Count a request that failed."""
        self._land(most)
        self.since = self.since.plus(Spent(cost=self._price(most) if billed else 0.0, calls=1))

    def take(self) -> tuple[Spent, Held]:
        """Return what was used since the last time and what may be under way, both for the journal; begin anew."""
        now = time.monotonic()
        taken = self.since._replace(seconds=now - self._clock)
        self._booked = self._booked.plus(Held(taken.cost, taken.calls))
        again = Held(self._held.cost * taken.calls / self._held.calls, taken.calls) if self._held.calls else Held()
        self._held = self.flying.plus(again)
        self.since, self._clock = Spent(), now
        return taken, self._held

    def close(self) -> None:
        """Book what is not booked yet; nothing is under way any more."""
        spent, _ = self.take()
        self.journal.spend(spent, Held())

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

    def _within(self, used: Held) -> None:
        cost, calls = self.limits.cost, self.limits.calls
        if used.cost > (inf if cost is None else cost):
            raise LimitReached(
                f"The limit of ${cost:g} is reached: with the next call it may be ${used.cost:.4f}. "
                "Resume with a higher --max-cost."
            )
        if used.calls > (inf if calls is None else calls):
            raise LimitReached(f"The limit of {calls:,} calls is reached: resume with a higher --max-calls.")

    def _land(self, most: Usage) -> None:
        self.flying = Held(max(0.0, self.flying.cost - self._price(most)), self.flying.calls - 1)

    def _price(self, usage: Usage) -> float:
        return 0.0 if self.price is None else self.price(usage)
