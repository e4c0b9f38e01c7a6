"""When to say that the samples of a run are nearly copies of each other.

At a low temperature a model gives nearly the same reply each time. Its samples agree then, right or wrong, and agreement says
little: of 68 dates, five samples of one model agreed on 85 % at temperature .1 and were wrong on 10 % of these; at .7 they
agreed on 36 % and were wrong on 1 %. A run cannot see whether its model is that sure or that repetitive. So it says how often
all samples agree, and what to do about it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from maker_graph.core.decision import Decision

LEAST = 100
"""So many steps are seen before anything is said."""

NEARLY_ALL = 0.99
"""The share of steps in unison above which a run warns."""

COLD = 0.2
"""Samples at a temperature of at most this are nearly copies of each other."""


@dataclass(slots=True)
class Unison:
    """Tells `warn`, once, that all samples agree on nearly all steps of a run whose samples are cold.

    Attributes:
        warn: told.
        temperature: of the samples after the first; None if it is not known.
        real: whether the model is a real one, whose samples may be nearly copies.
    """

    warn: Callable[[str], None]
    temperature: float | None
    real: bool
    _steps: int = 0
    _alike: int = 0
    _told: bool = False

    def see(self, decisions: Iterable[Decision]) -> None:
        """Look at decisions that were committed together."""
        if self._told or not self.real or self.temperature is None or self.temperature > COLD:
            return
        for decision in decisions:
            if decision["status"] == "decided" and sum(decision["ballot"].values()) > 1:
                self._steps += 1
                self._alike += len(decision["ballot"]) == 1
        if self._steps >= LEAST and self._alike > NEARLY_ALL * self._steps:
            self._told = True
            self.warn(
                f"On {self._alike:,} of {self._steps:,} steps all samples agree, at a temperature of {self.temperature:g}. "
                "So cold, samples are nearly copies of each other: they agree where they are wrong too. "
                "To see what agreement is worth, ask labelled steps at several temperatures (maker-graph calibrate "
                "--temperatures), or audit the run "
                "(maker-graph audit)."
            )
