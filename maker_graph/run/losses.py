"""The warning that a run loses replies.

A lost reply, after a time-out for example, is drawn again. If right answers are lost more often than wrong ones, the
votes are biased, and no ballot shows it. So a run warns if a large share of all replies is lost. It also warns if
single decisions lost so many replies that these could have changed them. The second warning matters if few questions
need long answers: nearly all right replies to these may be lost, although hardly any of all replies are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from maker_graph.core.ballot import lead
from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput

MOST_LOST = 0.02
"""The share of lost replies above which a run warns."""

LEAST_LOST = 4
"""A run is not warned before it has lost this many replies. Among few samples, a single one is a large share."""

_ADVICE = "If right answers are slower than wrong ones, {}: a longer --timeout loses fewer."


@dataclass(slots=True)
class Losses:
    """Warns of lost replies while a run goes on, and again whenever there are twice as many.

    Attributes:
        warn: the function that is told.
    """

    warn: Callable[[str], None]
    _open: int = 0
    _open_lost: int = 0
    _told: int = LEAST_LOST // 2
    _told_open: int = LEAST_LOST // 2

    def see(self, decisions: Iterable[Decision], at: MakerOutput) -> None:
        """Look at decisions that were committed together; `at` is the state of the run after them."""
        for decision in filter(could_change, decisions):
            self._open += 1
            self._open_lost += decision.get("lost", 0)
        self._see_share(at["step"], at["totals"].get("lost", 0), at["totals"]["samples"])
        if self._open_lost >= 2 * self._told_open:
            self._told_open = self._open_lost
            what = "1 decision" if self._open == 1 else f"{self._open:,} decisions"
            self.warn(
                f"{what} up to step {at['step']:,} lost so many replies that these could have changed the answer: at least as "
                f"many as the winner was ahead. {_ADVICE.format('such an answer may well be wrong')}"
            )

    def _see_share(self, step: int, lost: int, samples: int) -> None:
        share = lost / max(1, lost + samples)
        if share > MOST_LOST and lost >= 2 * self._told:
            self._told = lost
            self.warn(
                f"{lost:,} replies ({share:.1%}) were lost to time-outs and the like by step {step:,}. "
                + _ADVICE.format("the votes are biased")
            )


def could_change(decision: Decision) -> bool:
    """Say whether the lost replies could have changed a decision, as votes for the second candidate."""
    lost = decision.get("lost", 0)
    return decision["status"] == "decided" and 0 < lost >= lead(decision["ballot"]).votes
