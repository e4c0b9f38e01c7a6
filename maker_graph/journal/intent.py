"""The note in the journal of what is about to be done outside: a part of the world acts only after it is on the disk."""

import json
from typing import NamedTuple

from maker_graph.core.canonical import JSON, sorted_json
from maker_graph.errors import DamagedRun

INTENT = "intent"
"""The name of the note."""


class Intent(NamedTuple):
    """An action: about to be performed, or performed and not committed.

    Attributes:
        step: whose answer it gives.
        part: the part that acts.
        known: whether it was performed, and `answer` is what came of it.
        answer: that.
        performed: whether it was performed, also if nothing that can be kept came of it.
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
            DamagedRun: there is none in it.
        """
        try:
            step, part, known, answer, performed = json.loads(note)
        except ValueError as error:
            raise DamagedRun(f"The journal is damaged: the note of an intent cannot be read ({error}).") from None
        return cls(step, part, known, answer, performed)
