"""What a log keeps beside its steps, in the notes of its journal."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress

from maker_graph.core.canonical import JSON
from maker_graph.core.decision import Decision
from maker_graph.core.machine import Begun, Climb
from maker_graph.errors import MakerError
from maker_graph.journal.entry import decode, encode
from maker_graph.journal.intent import Intent
from maker_graph.journal.protocol import Journal
from maker_graph.run.climbs import KeptClimbs

_AHEAD = "ahead"
"""The note of items that were decided before their turn to be committed."""


class KeptBeside(ABC):
    """The part of a log that keeps actions, items that were decided early, and climbs. All of them are in notes.

    It makes a log an `ActionLog`, a `KeepingLog` and a `ClimbLog`.
    """

    @property
    @abstractmethod
    def journal(self) -> Journal:
        """The journal with the notes."""

    def begun(self, step: int) -> Begun | None:
        """Return what is known of the action of `step` if an earlier session began it; None if none did."""
        found = self.journal.intent()
        return None if found is None or found.step != step else Begun(found.known, found.answer, found.performed)

    def intend(self, step: int, part: str) -> None:
        """Keep that the action of `step` is about to be done."""
        self.journal.intend(Intent(step, part))

    def performed(self, step: int, part: str, answer: JSON, *, known: bool = True) -> None:
        """Keep that an action was performed, and its answer if that is `known`."""
        self.journal.intend(Intent(step, part, known, answer, performed=True))

    def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
        """Keep items that were decided before their turn. An error is ignored: its cause ends the run anyway."""
        text = json.dumps([[step, encode(decision)] for step, decision in decided.items() if step > self.journal.step])
        if text != (self.journal.note(_AHEAD) or "[]"):
            with suppress(MakerError):
                self.journal.owned()
                self.journal.set_note(_AHEAD, text)

    def decided_ahead(self) -> dict[int, Decision]:
        """Return the items that an earlier session decided before their turn."""
        kept = json.loads(self.journal.note(_AHEAD) or "[]")
        return {step: decode(entry) for step, entry in kept if step > self.journal.step}

    def keep_climbs(self, climbs: Mapping[int, Climb]) -> None:
        """Keep how far each undecided step has come."""
        KeptClimbs(self.journal).write(climbs)

    def climbs(self) -> dict[int, Climb]:
        """Return how far each undecided step has come in earlier sessions."""
        return KeptClimbs(self.journal).read()
