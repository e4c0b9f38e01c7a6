"""Keeps how far each step has come on the rungs, so that after a resume no rung votes twice on what it passed on."""

import json
from collections.abc import Mapping

from maker_graph.core.machine import Climb
from maker_graph.journal.protocol import Journal

_NOTE = "climbs"


class KeptClimbs:
    """The note of a run in which it is kept which votes its undecided steps have behind them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def read(self) -> dict[int, Climb]:
        """Return how far each step has come that is not in the journal yet."""
        kept = json.loads(self._journal.note(_NOTE) or "[]")
        return {step: Climb(tried, question) for step, tried, question in kept if step > self._journal.step}

    def write(self, climbs: Mapping[int, Climb]) -> None:
        """Keep them, in the place of what was kept; on return they are on the disk.

        Raises:
            MakerError: the run has another owner by now, or the disk is full.
        """
        text = json.dumps([[step, list(climb.tried), climb.question] for step, climb in climbs.items()])
        if text != (self._journal.note(_NOTE) or "[]"):
            self._journal.owned()
            self._journal.set_note(_NOTE, text)
