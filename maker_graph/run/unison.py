"""The warning that the samples of a run may be nearly copies of each other.

At a low temperature a model gives nearly the same reply each time. Then its samples agree, right or wrong, and agreement
says little. An example: five samples for each of 68 dates, from one model. At temperature .1 they agreed on 85 % of the
dates, and were wrong on 10 % of these. At .7 they agreed on 36 %, and were wrong on 1 %. A run cannot see whether its
model is sure or only repeats itself. So it says how often all samples agree, and what to do about it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from maker_graph.core.decision import Decision

LEAST = 100
"""A run is not warned before it has this many steps."""

NEARLY_ALL = 0.99
"""A run is warned if all samples agree on more than this share of its steps."""

COLD = 0.2
"""Only samples at this temperature or below may be nearly copies of each other."""


@dataclass(slots=True)
class Unison:
    """Warns once if all samples agree on nearly all steps of a run, at a low temperature.

    Attributes:
        warn: the function that is told.
        temperature: the temperature of the samples after the first; None if none is sent.
        real: whether the model is a real one. No other is warned about.
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
                "At such a low temperature, samples are nearly copies of each other: they agree even if they are wrong. "
                "To find out what their agreement is worth, measure labelled steps at several temperatures (maker-graph "
                "calibrate --temperatures), or audit the run (maker-graph audit)."
            )
