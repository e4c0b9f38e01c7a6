"""The warning that the steps of a run differ from the labelled rows of its plan.

A plan from labelled rows holds for the source that the rows were drawn from. A run cannot see whether its steps are
from the same source. But it can see how many of them the votes decide. If that share is far from the share among the
labelled rows, the plan says little about this run. Errors in unison cannot be seen in this way. An audit sees them.

The plan tries votes on the rows, and no proofs. So once a verifier has proved a step, no warning is given any more,
because it cannot be seen what votes alone would have decided.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from maker_graph.core.decision import Decision
from maker_graph.journal.entry import GIVEN

NOTE = "expected"
"""The name of the note with the counts of the labelled rows, as JSON: rows and open."""

LEAST = 50
"""A run is not warned before it has this many steps."""

FAR = 4.0
"""A run is warned if the shares differ by more standard errors than this. By chance one look in 16,000 shows that."""


@dataclass(slots=True)
class Drift:
    """Warns if the share of steps that no vote decides is far from that among the labelled rows.

    It warns again whenever there are twice as many steps.

    Attributes:
        warn: the function that is told.
        rows: how many labelled rows there were; 0 if there is nothing to compare the run with.
        open: how many of them no vote decided.
    """

    warn: Callable[[str], None]
    rows: int
    open: int
    _steps: int = 0
    _open: int = 0
    _told: int = LEAST // 2

    @classmethod
    def of(cls, note: str | None, warn: Callable[[str], None]) -> "Drift":
        """Return the watch on a run with this note; with None it never warns."""
        kept = {"rows": 0, "open": 0} if note is None else json.loads(note)
        return cls(warn, kept["rows"], kept["open"])

    def see(self, decisions: Iterable[Decision]) -> None:
        """Look at decisions that were committed together."""
        if not self.rows:
            return
        for decision in decisions:
            if "proved" in decision:
                self.rows = 0
                return
            if decision["by"] not in GIVEN:
                self._steps += 1
                self._open += decision["status"] != "decided" or decision["by"] == "person"
        if self._steps >= 2 * self._told and self._far():
            self._told = self._steps
            self.warn(
                f"No vote decided {self._open / self._steps:.1%} of the {self._steps:,} steps so far; "
                f"of the {self.rows:,} labelled rows of the plan it was {self.open / self.rows:.1%}. "
                "The steps differ from the rows, so what the plan says of errors may not hold here: "
                "audit the run (maker-graph audit), or label rows of this source and plan again."
            )

    def _far(self) -> bool:
        both = (self._open + self.open + 1) / (self._steps + self.rows + 2)
        error = math.sqrt(both * (1 - both) * (1 / self._steps + 1 / self.rows))
        return abs(self._open / self._steps - self.open / self.rows) > FAR * error
