"""Limits on the cost of requests: the rule by which requests are counted, and a budget that the microsteps of an app share.

Before a request, the most that it can use is set aside. When it is answered, this is replaced by what it did use. A request
that fails counts as a call, and at its full price if the provider may bill it all the same. So requests that are under way
together cannot exceed a limit that each of them alone would keep.

A provider may count more than it was asked for: it ignores the cap, or bills reasoning that the cap does not count. All of it
is booked. From then on, the excess is set aside for each request too, including those under way. Requests that were under way
when this was first seen may exceed the limit. Then no other request is made, and the error says by how much.

`Tally` is this rule. `Budget` keeps its tally in memory. A run also keeps its own in its journal (`run/account.py`).
"""

import threading
from dataclasses import dataclass
from typing import Protocol

from maker_graph.core.judging import Usage
from maker_graph.core.spending import Spent
from maker_graph.errors import LimitReached, UsageError
from maker_graph.models.calls import Call
from maker_graph.models.pricing import FlatPrice, Price


def spent_on(call: Call, price: Price | None) -> Spent:
    """Return what an answered request used up, at `price`; its cost is 0 if `price` is None.

    >>> from maker_graph.core.red_flags import Sample
    >>> call = Call([("human", "?")], "m", None, Sample(0, "!", input_tokens=1000, output_tokens=500))
    >>> spent_on(call, FlatPrice(0.4, 1.6)).cost
    0.0012
    """
    usage = call.usage
    cost = cost_of(usage, price)
    if call.name == "draft":
        tokens = {"draft_input": usage["input"], "draft_cached": usage["cached"], "draft_output": usage["output"]}
        return Spent(cost, calls=1, drafts=1, draft_cost=cost, **tokens)
    samples = 1 if call.name == "sample" else 0
    return Spent(cost, calls=1, samples=samples, input=usage["input"], cached=usage["cached"], output=usage["output"])


def cost_of(usage: Usage, price: Price | None) -> float:
    """Return the cost of `usage`, in USD; 0 if no price is known."""
    return 0.0 if price is None else price(usage)


@dataclass(slots=True)
class Tally:
    """Counts requests against limits. Its owner knows the prices, and lets only one thread use it at a time.

    Attributes:
        max_cost: USD; None is no limit.
        max_calls: requests, failed ones included; None is no limit.
        advice: what `LimitReached` says to do; "{}" is replaced by the limit that it is about, "cost" or "calls".
        cost: USD that were used.
        calls: requests that have ended.
        aside: what `LimitReached` adds about what was used.
        open_cost: USD that the requests under way may use at most, by the estimates before they were made.
        open_calls: the requests under way.
        excess: the most USD by which a request cost more than was set aside for it.
    """

    max_cost: float | None
    max_calls: int | None
    advice: str
    cost: float = 0.0
    calls: int = 0
    aside: str = ""
    open_cost: float = 0.0
    open_calls: int = 0
    excess: float = 0.0

    @property
    def flying(self) -> float:
        """USD that the requests under way may use at most, if each has the largest excess that was seen."""
        return self.open_cost + self.open_calls * self.excess

    def passed(self) -> str | None:
        """Return a sentence that says by how much the limit on the cost was exceeded; None if it was not."""
        if self.max_cost is None or self.cost <= self.max_cost:
            return None
        spent = f"${self.cost:.4f} were spent{self.aside}"
        return f"The limit of ${self.max_cost:g} is exceeded: {spent}; the provider counted more tokens than were asked for."

    def check(self, most: float) -> None:
        """Make sure that one more request, which costs `most` at most, keeps the limits.

        Raises:
            LimitReached: it might exceed one.
        """
        cost, calls = self.cost + self.flying + most + self.excess, self.calls + self.open_calls + 1
        if (passed := self.passed()) is not None:
            raise LimitReached(f"{passed} {self.advice.format('cost')}")
        if self.max_cost is not None and cost > self.max_cost:
            raise LimitReached(
                f"The limit of ${self.max_cost:g} is reached: the next call may bring the cost to ${cost:.4f}{self.aside}. "
                + self.advice.format("cost")
            )
        if self.max_calls is not None and calls > self.max_calls:
            noun = "call" if self.max_calls == 1 else "calls"
            raise LimitReached(f"The limit of {self.max_calls:,} {noun} is reached{self.aside}. {self.advice.format('calls')}")

    def open(self, most: float) -> None:
        """Set aside what a request can cost at most."""
        self.open_cost += most
        self.open_calls += 1

    def close(self, most: float, cost: float) -> None:
        """Replace what was set aside for a request by what it cost."""
        self.open_calls -= 1
        self.open_cost = max(0.0, self.open_cost - most) if self.open_calls else 0.0
        self.cost += cost
        self.calls += 1
        self.excess = max(self.excess, cost - most)


class PricedAccount(Protocol):
    """An account on which requests to models with different prices are booked: a `Meter` that also takes a price."""

    def reserve(self, most: Usage, /, price: Price | None = None) -> None:
        """Set aside what a request can use at most."""
        ...

    def settle(self, most: Usage, call: Call, /, price: Price | None = None) -> None:
        """Replace what was set aside by what a sample used."""
        ...

    def abandon(self, most: Usage, /, *, billed: bool, price: Price | None = None) -> None:
        """Release what was set aside for a request that failed."""
        ...


@dataclass(frozen=True, slots=True)
class PricedMeter:
    """A meter that books on another account at its own price; at the account's price if its own is None."""

    account: PricedAccount
    price: Price | None

    def reserve(self, most: Usage, /) -> None:
        """Set aside what a request can use at most."""
        self.account.reserve(most, self.price)

    def settle(self, most: Usage, call: Call, /) -> None:
        """Replace what was set aside by what a sample used."""
        self.account.settle(most, call, self.price)

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        """Release what was set aside for a request that failed."""
        self.account.abandon(most, billed=billed, price=self.price)


class Budget:
    """A limit on what several microsteps of one app spend together. Threads and event loops may share it.

    A request that might exceed a limit is not made. `LimitReached` is raised instead, and ends the graph as any error does.

    >>> from maker_graph import Budget, LimitReached, create_microstep
    >>> from maker_graph.simulation import simulated
    >>> model = simulated("perfect", {"capital of France": ["Paris", "Lyon"]})
    >>> budget = Budget(max_calls=8)
    >>> draft = create_microstep(model, k=3, calls={"meter": budget})
    >>> review = create_microstep(model, k=3, calls={"meter": budget})
    >>> question = {"messages": [("user", "What is the capital of France?")]}
    >>> draft.invoke(question)["messages"][-1].content, review.invoke(question)["messages"][-1].content
    ('Paris', 'Paris')
    >>> budget.spent.calls, budget.spent.samples
    (6, 6)
    >>> try:
    ...     draft.invoke(question)
    ... except LimitReached as error:
    ...     print(error)
    The limit of 8 calls is reached. Give the budget a higher max_calls.
    """

    def __init__(
        self,
        *,
        max_cost: float | None = None,
        max_calls: int | None = None,
        price: Price | tuple[float, float] | None = None,
        spent: Spent | None = None,
        advice: str = "Give the budget a higher max_{}.",
    ) -> None:
        """Make a new budget, or go on from what an earlier one has spent.

        Args:
            max_cost: USD; None sets no limit. Before a reply comes, its cost is estimated: the prompt from its length, the
                reply from `max_tokens` of the microstep. Without a `max_tokens` the reply is counted only when it has come.
            max_calls: requests, failed ones included; None sets no limit.
            price: USD per million tokens of input and of output, or a function from usage to USD. Microsteps with another
                model take `at(price)`.
            spent: what was spent before, such as `spent` of an earlier budget.
            advice: what `LimitReached` says to do; "{}" is replaced by "cost" or "calls".

        Raises:
            UsageError: a limit or a price is below 0, or a limit in USD has no price.
        """
        for name, limit in (("max_cost", max_cost), ("max_calls", max_calls)):
            if limit is not None and not limit >= 0:
                raise UsageError(f"{name} must be a number of at least 0, not {limit!r}.")
        if max_cost is not None and price is None:
            raise UsageError("max_cost needs a price: give price=(input, output) in USD per million tokens, or a function.")
        self._price = FlatPrice(*price) if isinstance(price, tuple) else price
        self._spent = spent or Spent()
        self._tally = Tally(max_cost, max_calls, advice, self._spent.cost, self._spent.calls)
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spent:
        """What was spent so far, without the requests under way, in USD, calls, samples and tokens."""
        return self._spent

    def at(self, price: Price | tuple[float, float]) -> PricedMeter:
        """Return a meter on this budget for a model with another price: `calls={"meter": budget.at((2, 8))}`."""
        return PricedMeter(self, FlatPrice(*price) if isinstance(price, tuple) else price)

    def reserve(self, most: Usage, /, price: Price | None = None) -> None:
        """Set aside what a request can use at most.

        Raises:
            LimitReached: it might exceed a limit.
        """
        cost = cost_of(most, price or self._price)
        with self._lock:
            self._tally.check(cost)
            self._tally.open(cost)

    def settle(self, most: Usage, call: Call, /, price: Price | None = None) -> None:
        """Replace what was set aside by what a sample used."""
        price = price or self._price
        self._close(most, spent_on(call, price), price)

    def abandon(self, most: Usage, /, *, billed: bool, price: Price | None = None) -> None:
        """Count a request that failed; at the cost that was set aside for it if the provider may bill it, else at none."""
        price = price or self._price
        self._close(most, Spent(cost_of(most, price) if billed else 0.0, calls=1), price)

    def _close(self, most: Usage, spent: Spent, price: Price | None) -> None:
        cost = cost_of(most, price)
        with self._lock:
            self._tally.close(cost, spent.cost)
            self._spent = self._spent.plus(spent)
