"""What requests used up, as it is counted for a run, a budget and a report."""

from operator import add
from typing import NamedTuple


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

    def plus(self, other: "Spent") -> "Spent":
        """Return the sum of both."""
        return Spent._make(map(add, self, other))
