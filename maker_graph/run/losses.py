"""When to say that a run loses replies.

A reply that is lost, to a time-out for example, is drawn again. If right answers are lost more often than wrong ones, the votes
are biased, and no ballot shows it. Two things are told: that a share of all replies is lost, and that single decisions lost so
many that the lost replies could have changed them. The second one matters where few questions need long answers: on these
nearly all right replies may be lost, though of all replies hardly any are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from maker_graph.core.ballot import lead
from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput

MOST_LOST = 0.02
"""The share of lost replies above which a run warns."""

LEAST_LOST = 4
"""So many lost replies are told at the earliest: of a few samples, one is a large share."""

_ADVICE = "If right answers are slower than wrong ones, {}: a longer --timeout loses fewer."


@dataclass(slots=True)
class Losses:
    """Tells `warn` of lost replies while a run goes on; and again whenever twice as many are."""

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
    """Say whether the replies that were lost could have changed what a vote decided: for the winner's rival, all of them."""
    lost = decision.get("lost", 0)
    return decision["status"] == "decided" and 0 < lost >= lead(decision["ballot"]).votes
