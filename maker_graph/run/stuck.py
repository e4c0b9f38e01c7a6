"""The step on which a run last stopped undecided. The run keeps it in a note of its journal."""

import json
from typing import NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from maker_graph.errors import DamagedRun, Undecided
from maker_graph.journal.protocol import Journal

_NOTE = "stuck"


class Stuck(TypedDict):
    """The step on which a run last stopped undecided.

    Attributes:
        step: its number, from 1.
        reason: why nobody won, in one sentence.
        ballot: candidate -> votes, of the last rung.
        flags: red flag -> discarded samples, on all rungs.
        samples: how many samples were drawn, on all rungs.
        passed: whether the step is contested. Then no model votes on it again, and it waits for a person's answer.
    """

    step: int
    reason: str
    ballot: dict[str, int]
    flags: dict[str, int]
    samples: int
    passed: NotRequired[bool]


def stuck_note(step: int, error: Undecided) -> tuple[str, str]:
    """Return the name and the text of the note about the step on which a run stops undecided."""
    stuck = Stuck(
        step=step, reason=error.reason, ballot=error.ballot, flags=error.flags, samples=error.samples, passed=error.passed
    )
    return _NOTE, json.dumps(stuck)


def kept_stuck(journal: Journal) -> Stuck | None:
    """Return the step on which the run stopped undecided; None if there is none, or if it has been decided since.

    Raises:
        DamagedRun: the note cannot be read.
    """
    if (note := journal.note(_NOTE)) is None:
        return None
    try:
        stuck = TypeAdapter(Stuck).validate_json(note)
    except ValidationError as error:
        raise DamagedRun(f"The journal is damaged: the note of its stuck step cannot be read ({error.title}).") from None
    return stuck if stuck["step"] == journal.step + 1 else None


def stuck_step(journal: Journal) -> int | None:
    """Return the number of the step on which the run stopped undecided; None as for `kept_stuck`.

    Raises:
        DamagedRun: the note cannot be read.
    """
    stuck = kept_stuck(journal)
    return None if stuck is None else stuck["step"]
