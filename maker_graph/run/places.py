"""Places: the state of the machine, kept in the journal now and then. They serve a run that has no checkpoints.

A place is a note of the journal. It is written in the same statement as the step that led to it, so it is never further
than the journal. Whoever goes on with the run starts from the place if it agrees with the journal, and applies the later
answers. If it is damaged or does not agree, a warning says so, and all answers are applied again from the first one.
"""

import json
import time
from collections.abc import Callable
from typing import NamedTuple, Self, cast

from maker_graph.core.machine import Climb, MakerOutput
from maker_graph.errors import DamagedRun
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes

STEPS = 1000
"""A new place is kept after this many steps."""

SECONDS = 5.0
"""A new place is kept after this many seconds too, if there was a step."""

_PLACE = "place"
_ASKED = "asked"


class Places:
    """Decides when a run keeps its place in the journal."""

    def __init__(self, step: int) -> None:
        """Begin at this step. Its place need not be kept."""
        self._step, self._at = step, time.monotonic()

    def due(self, at: MakerOutput) -> Notes:
        """Return the note of a place, to be committed with its step, if it is time to keep one; else no notes."""
        now = time.monotonic()
        if not at["done"] and at["step"] - self._step < STEPS and now - self._at < SECONDS:
            return NO_NOTES
        return self.note(at)

    def note(self, at: MakerOutput) -> Notes:
        """Return the note of a place. The caller keeps it: the time to the next place starts now."""
        self._step, self._at = at["step"], time.monotonic()
        return {_PLACE: json.dumps(at, separators=(",", ":"))}


def kept_place(journal: Journal, warn: Callable[[str], None]) -> MakerOutput | None:
    """Return the place that the journal keeps; None if there is none, or `warn` was told why it is of no use."""
    try:
        note = journal.note(_PLACE)
        if note is None:
            return None
        found = cast("MakerOutput", json.loads(note))
        if set(found) == set(MakerOutput.__annotations__) and journal.agrees(found):
            return found
        why = "does not agree with the journal's steps"
    except (DamagedRun, ValueError, TypeError, LookupError, RecursionError):
        why = "is damaged"
    warn(f"The place that the journal keeps {why}: all answers are applied again.")
    return None


class Asked(NamedTuple):
    """The step on which a run stopped to ask a person. It is kept so that the person is asked again without a new vote.

    Attributes:
        step: the number of the step.
        climb: the rungs that voted on it, with the last vote; None if the question is about an action in doubt.
    """

    step: int
    climb: Climb | None

    @classmethod
    def in_journal(cls, journal: Journal) -> Self | None:
        """Return what was last asked; None if nothing was, or if that step is not the next one any more.

        Raises:
            DamagedRun: the note was changed since it was written.
        """
        note = journal.note(_ASKED)
        if note is None:
            return None
        step, climb = json.loads(note)
        return cls(step, None if climb is None else Climb(*climb)) if step == journal.step + 1 else None

    def keep(self, journal: Journal) -> None:
        """Write it to the journal, in the place of what was asked before."""
        climb = None if self.climb is None else [list(self.climb.tried), self.climb.question]
        text = json.dumps([self.step, climb])
        if text != journal.note(_ASKED):
            journal.owned()
            journal.set_note(_ASKED, text)
