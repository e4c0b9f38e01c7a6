"""What requests used up, as it is counted for a run, a budget and a report, and the account that a run keeps of it."""

from collections.abc import Sequence
from operator import add, sub
from typing import Any, NamedTuple


class Spent(NamedTuple):
    """What requests used up, and the time of the run that made them.

    Attributes:
        cost: USD.
        seconds: at work; only a run counts them.
        calls: requests made, failed ones included.
        samples: replies.
        input: tokens.
        cached: those of them that the provider had in its cache.
        output: tokens.
        drafts: replies that were drafts; they are no samples, and their tokens stand apart.
        draft_cost: USD, part of `cost`.
        draft_input: tokens.
        draft_cached: those of them that the provider had in its cache.
        draft_output: tokens.
        unpriced: calls that may have cost something, and nobody knows how much: they are not in `cost`.
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
    """What calls that are not accounted for yet may use up at most: USD, requests."""

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
        steps: the journal's last step, so that a tail cut off shows.
        spent: what was used up.
        reserved: for calls that the owner may be making.
        unsettled: what was reserved by owners that were killed or taken over: it may have been billed, nobody can tell. What an
            owner that was taken over books later counts once more; in a journal in Postgres it is taken from here.
        serial: how often the journal was written, so that an older copy of it shows; 0 in a journal of maker_graph 0.1.0.
        amended: how many open steps were answered later, so that a tail of these answers cut off shows.
    """

    steps: int = 0
    spent: Spent = NOTHING
    reserved: Reserved = NONE
    unsettled: Reserved = NONE
    serial: int = 0
    amended: int = 0

    def parts(self) -> list[Any]:
        """Return it as plain JSON, as it is stored."""
        last = [self.serial, self.amended] if self.amended else [self.serial] if self.serial else []
        return [self.steps, list(self.spent), list(self.reserved), list(self.unsettled), *last]

    @classmethod
    def of(cls, parts: Sequence[Any]) -> "Account":
        """Return the account that was stored as `parts`."""
        steps, spent, reserved, unsettled, *last = parts
        return cls(steps, Spent(*spent), Reserved(*reserved), Reserved(*unsettled), *last)

    def covering(self, other: "Account") -> "Account":
        """Return this account with no less spent, reserved or written than in `other`; the steps and amendments stay."""
        return Account(
            self.steps,
            Spent._make(map(max, self.spent, other.spent)),
            Reserved._make(map(max, self.reserved, other.reserved)),
            Reserved._make(map(max, self.unsettled, other.unsettled)),
            max(self.serial, other.serial),
            self.amended,
        )
