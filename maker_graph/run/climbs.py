"""Keeps how far each step has come on the rungs. So after a resume no rung votes again on a step that it passed on."""

import json
from collections.abc import Mapping

from maker_graph.core.machine import Climb
from maker_graph.journal.protocol import Journal

_NOTE = "climbs"


class KeptClimbs:
    """The note of a run with the votes that its undecided steps have behind them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def read(self) -> dict[int, Climb]:
        """Return step -> how far it has come, for steps that are not committed yet."""
        kept = json.loads(self._journal.note(_NOTE) or "[]")
        return {step: Climb(tried, question) for step, tried, question in kept if step > self._journal.step}

    def write(self, climbs: Mapping[int, Climb]) -> None:
        """Keep these climbs, in the place of the earlier ones. On return they are on the disk.

        Raises:
            MakerError: the run has another owner by now, or the disk is full.
        """
        text = json.dumps([[step, list(climb.tried), climb.question] for step, climb in climbs.items()])
        if text != (self._journal.note(_NOTE) or "[]"):
            self._journal.owned()
            self._journal.set_note(_NOTE, text)
