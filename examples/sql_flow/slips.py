"""How a simulated model errs on questions about a database. All figures are assumed, and all of them are in this file.

The same figures hold for the state flow and for the agent's loop that a benchmark compares it with. They have nothing to do
with a real model.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from maker_graph.simulation import Replies

WRONG = 0.25
"""The probability that a query is wrong, on average over the questions: it overlooks something, or it fails."""

BLIND = 0.5
"""The probability that a wrong result of the right form is accepted."""

PICKY = 0.05
"""The probability that a right result is refused."""

RHO = 0.4
"""The correlation of the errors of two samples on the same question, or on the same result."""

NO = "no: it does not count what was asked for"


@dataclass(frozen=True, slots=True)
class Slips:
    """Draws from a seed how hard each question and each result is.

    >>> round(Slips(1).difficulty("question 3", WRONG), 3) == round(Slips(1).difficulty("question 3", WRONG), 3)
    True

    Attributes:
        seed: the seed of the draw.
        rho: the correlation; 0 makes all errors independent.
    """

    seed: int = 0
    rho: float = RHO

    def difficulty(self, what: str, mean: float) -> float:
        """Return the probability of an error, from a Beta distribution with this mean."""
        if self.rho == 0:
            return mean
        weight = 1 / self.rho - 1
        rng = random.Random(f"{self.seed} {mean} {what}")  # noqa: S311  no secret
        return rng.betavariate(mean * weight, (1 - mean) * weight)

    def query(self, question: str, right: str, wrong: Sequence[str]) -> Replies:
        """Return what a model may write: of ten wrong queries seven are the first of `wrong`, and three are one of the rest.

        Two of the rest fail: they name a table that does not exist, or end too early. Mending a query is as hard as writing it.
        """
        failing = [right.replace(" FROM ", " FROM shop.", 1), right[: right.rindex(" ")] + " ("]
        return Replies(right, [*wrong, *failing], self.difficulty(question, WRONG))

    def review(self, result: str, *, right: bool) -> Replies:
        """Return what a model may say of a result."""
        error = self.difficulty(result, PICKY if right else BLIND)
        return Replies("yes", [NO], error) if right else Replies(NO, ["yes"], error)
