"""Where the machine stood, kept in the journal now and then: what a checkpoint is to a run in a directory.

A place is a note of the journal. It is written in the very statement that commits its step, so it never says more than the
journal. Whoever goes on with the run takes it if it agrees with the journal, and applies the later answers to it. One that is
damaged, or says something else, is told and not used: then all answers are applied again.
"""

import json
import time
from collections.abc import Callable
from typing import NamedTuple, Self, cast

from maker_graph.core.machine import Climb, MakerOutput
from maker_graph.errors import DamagedRun
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes

STEPS = 1000
"""Steps after which a place is kept again."""

SECONDS = 5.0
"""Seconds after which it is, if there was a step."""

_PLACE = "place"
_ASKED = "asked"


class Places:
    """When the place of a run is kept, in the journal itself."""

    def __init__(self, step: int) -> None:
        """Begin at this step, whose place need not be kept."""
        self._step, self._at = step, time.monotonic()

    def due(self, at: MakerOutput) -> Notes:
        """Return the note of a place, if it is time to keep it; it is to be committed with the step."""
        now = time.monotonic()
        if not at["done"] and at["step"] - self._step < STEPS and now - self._at < SECONDS:
            return NO_NOTES
        return self.note(at)

    def note(self, at: MakerOutput) -> Notes:
        """Return the note of a place, which is going to be kept."""
        self._step, self._at = at["step"], time.monotonic()
        return {_PLACE: json.dumps(at, separators=(",", ":"))}


def kept_place(journal: Journal, warn: Callable[[str], None]) -> MakerOutput | None:
    """Return the place that is kept in the journal, if it agrees with it."""
    try:
        note = journal.note(_PLACE)
        if note is None:
            return None
        found = cast("MakerOutput", json.loads(note))
        if set(found) == set(MakerOutput.__annotations__) and journal.agrees(found):
            return found
        why = "says something else than the journal"
    except (DamagedRun, ValueError, TypeError, LookupError, RecursionError):
        why = "is damaged"
    warn(f"The place that the journal keeps {why}: all answers are applied again.")
    return None


class Asked(NamedTuple):
    """The step on which a run stopped to ask a person, so that it can be asked again without a vote.

    Attributes:
        step: its number.
        climb: how far it came on its rungs, with the vote that ended it; None if an action in doubt is asked about.
    """

    step: int
    climb: Climb | None

    @classmethod
    def in_journal(cls, journal: Journal) -> Self | None:
        """Return what was last asked, if that step is still the next one.

        Raises:
            DamagedRun: the note of it is not what was written.
        """
        note = journal.note(_ASKED)
        if note is None:
            return None
        step, climb = json.loads(note)
        return cls(step, None if climb is None else Climb(*climb)) if step == journal.step + 1 else None

    def keep(self, journal: Journal) -> None:
        """Keep it, in the place of what was asked before."""
        climb = None if self.climb is None else [list(self.climb.tried), self.climb.question]
        text = json.dumps([self.step, climb])
        if text != journal.note(_ASKED):
            journal.owned()
            journal.set_note(_ASKED, text)
