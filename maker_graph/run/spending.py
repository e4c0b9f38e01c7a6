"""What a run has spent, and what it may have: plain sums, kept in its journal."""

from collections.abc import Sequence
from operator import add
from typing import Any, NamedTuple

from maker_graph.models.budget import Spent


class Reserved(NamedTuple):
    """What calls that are not accounted for yet may use up at most: USD, requests."""

    cost: float = 0.0
    calls: int = 0

    def plus(self, other: "Reserved") -> "Reserved":
        """Return the sum of both."""
        return Reserved._make(map(add, self, other))


NOTHING = Spent()
NONE = Reserved()


class Account(NamedTuple):
    """The account of a run.

    Attributes:
        steps: the journal's last step, so that a tail cut off shows.
        spent: what was used up.
        reserved: for calls that the owner may be making.
        unsettled: what was reserved by owners that were killed or taken over: it may have been billed, nobody can tell. What an
            owner that was taken over books later counts once more.
        serial: how often the journal was written, so that an older copy of it shows; 0 in a journal of maker_graph 0.1.0.
    """

    steps: int = 0
    spent: Spent = NOTHING
    reserved: Reserved = NONE
    unsettled: Reserved = NONE
    serial: int = 0

    def parts(self) -> list[Any]:
        """Return it as plain JSON, as it is stored."""
        serial = [self.serial] if self.serial else []
        return [self.steps, list(self.spent), list(self.reserved), list(self.unsettled), *serial]

    @classmethod
    def of(cls, parts: Sequence[Any]) -> "Account":
        """Return the account that was stored as `parts`."""
        steps, spent, reserved, unsettled, *serial = parts
        return cls(steps, Spent(*spent), Reserved(*reserved), Reserved(*unsettled), *serial)

    def covering(self, other: "Account") -> "Account":
        """Return this account with no less spent, reserved or written than in `other`; the steps stay."""
        return Account(
            self.steps,
            Spent._make(map(max, self.spent, other.spent)),
            Reserved._make(map(max, self.reserved, other.reserved)),
            Reserved._make(map(max, self.unsettled, other.unsettled)),
            max(self.serial, other.serial),
        )
