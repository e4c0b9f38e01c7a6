"""What requests used up, as a run, a budget and a report count it, and the account that a run keeps."""

from collections.abc import Sequence
from operator import add, sub
from typing import Any, NamedTuple


class Spent(NamedTuple):
    """What requests used up, and the time that their run was at work.

    Attributes:
        cost: USD.
        seconds: the time at work; only a run counts it.
        calls: requests made, failed ones included.
        samples: replies that were samples.
        input: input tokens of the samples.
        cached: input tokens that the provider had in its cache.
        output: output tokens of the samples.
        drafts: replies that were drafts. They are no samples, and their tokens are counted apart.
        draft_cost: USD, part of `cost`.
        draft_input: input tokens of the drafts.
        draft_cached: input tokens of the drafts that the provider had in its cache.
        draft_output: output tokens of the drafts.
        unpriced: calls that may have cost something, but it is not known how much. They are not in `cost`.
    """

    cost: float = 0.0
    seconds: float = 0.0
    calls: int = 0
    samples: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    drafts: int = 0
    draft_cost: float = 0.0
    draft_input: int = 0
    draft_cached: int = 0
    draft_output: int = 0
    unpriced: int = 0

    def plus(self, other: "Spent") -> "Spent":
        """Return the sum of both."""
        return Spent._make(map(add, self, other))


class Reserved(NamedTuple):
    """What the calls that are not booked yet may use up at most, in USD and in requests."""

    cost: float = 0.0
    calls: int = 0

    def plus(self, other: "Reserved") -> "Reserved":
        """Return the sum of both."""
        return Reserved._make(map(add, self, other))

    def minus(self, other: "Reserved") -> "Reserved":
        """Return the difference of both; it may be negative."""
        return Reserved._make(map(sub, self, other))


NOTHING = Spent()
NONE = Reserved()


class Account(NamedTuple):
    """The account of a run.

    Attributes:
        steps: the journal's last step, which shows whether the end of the journal was cut off.
        spent: what was used up.
        reserved: what is reserved for calls that the owner may be making.
        unsettled: what was reserved by owners that were killed or taken over. It may have been billed. If an owner that was
            taken over books a call later, the call counts once more; a journal in Postgres takes it from here.
        serial: how often the journal was written, which shows an older copy of it; 0 in a journal of maker_graph 0.1.0.
        amended: how many open steps were answered later, which shows whether the last of these answers were cut off.
    """

    steps: int = 0
    spent: Spent = NOTHING
    reserved: Reserved = NONE
    unsettled: Reserved = NONE
    serial: int = 0
    amended: int = 0

    def parts(self) -> list[Any]:
        """Return the account as plain JSON, in the form in which it is stored."""
        last = [self.serial, self.amended] if self.amended else [self.serial] if self.serial else []
        return [self.steps, list(self.spent), list(self.reserved), list(self.unsettled), *last]

    @classmethod
    def of(cls, parts: Sequence[Any]) -> "Account":
        """Return the account that was stored as `parts`."""
        steps, spent, reserved, unsettled, *last = parts
        return cls(steps, Spent(*spent), Reserved(*reserved), Reserved(*unsettled), *last)

    def covering(self, other: "Account") -> "Account":
        """Return this account with at least as much spent, reserved and written as in `other`; steps and amendments stay."""
        return Account(
            self.steps,
            Spent._make(map(max, self.spent, other.spent)),
            Reserved._make(map(max, self.reserved, other.reserved)),
            Reserved._make(map(max, self.unsettled, other.unsettled)),
            max(self.serial, other.serial),
            self.amended,
        )
