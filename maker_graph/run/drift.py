"""When to say that a run leaves what its labelled rows had.

A plan from labelled rows holds for the source that the rows were drawn from. Whether the steps of a run are from the same
source cannot be seen, but one thing can: how many of them the votes decide. If that share is far from that of the labelled
rows, the plan says little of this run. Errors in unison cannot be seen in this way; an audit sees them.

The plan tries votes on the rows, and no proofs. So nothing is said once a verifier has proved a step: what votes alone would
have decided cannot be seen any more.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from maker_graph.core.decision import Decision
from maker_graph.journal.entry import GIVEN

NOTE = "expected"
"""The note in which a run keeps what the labelled rows had, as JSON: rows and open."""

LEAST = 50
"""So many steps are seen before anything is said."""

FAR = 4.0
"""Standard errors between the two shares above which a run warns: by chance that happens once in 16,000 looks."""


@dataclass(slots=True)
class Drift:
    """Tells `warn` if the share of steps that no vote decides is far from that of the labelled rows.

    It tells again whenever there are twice as many steps.

    Attributes:
        warn: told.
        rows: labelled rows; 0 if there is nothing to compare the run with.
        open: of these, those that no vote decided.
    """

    warn: Callable[[str], None]
    rows: int
    open: int
    _steps: int = 0
    _open: int = 0
    _told: int = LEAST // 2

    @classmethod
    def of(cls, note: str | None, warn: Callable[[str], None]) -> "Drift":
        """Return what watches a run with this note."""
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
