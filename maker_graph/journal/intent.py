"""The intent: a note in the journal that a part is about to act on the world.

It is on the disk before the action begins. So a run that was killed in between knows that the action may have been performed.
"""

import json
from typing import NamedTuple

from maker_graph.core.canonical import JSON, sorted_json
from maker_graph.errors import DamagedRun

INTENT = "intent"
"""The name of the note."""


class Intent(NamedTuple):
    """An action that is about to be performed, or was performed and is not committed yet.

    Attributes:
        step: the step whose answer the action gives.
        part: the part that acts.
        known: whether the action was performed and its answer is known.
        answer: what the action returned, if `known`.
        performed: whether the action was performed. Its answer may still be unknown, if it could not be kept.
    """

    step: int
    part: str
    known: bool = False
    answer: JSON = None
    performed: bool = False

    def text(self) -> str:
        """Return the text of the note."""
        return sorted_json(list(self))

    @classmethod
    def of(cls, note: str) -> "Intent":
        """Return the intent in a note.

        Raises:
            DamagedRun: the note cannot be read.
        """
        try:
            step, part, known, answer, performed = json.loads(note)
        except (ValueError, TypeError) as error:
            raise DamagedRun(f"The journal is damaged: the note of an intent cannot be read ({error}).") from None
        return cls(step, part, known, answer, performed)
