"""What files of labels were used for in a run. A note in its journal keeps this, so that the report can say it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from maker_graph.errors import DamagedRun
from maker_graph.journal.protocol import Journal
from maker_graph.run.label_lines import Use
from maker_graph.run.labels import LabelFile

NOTE = "labels"


class LabelsUsed(BaseModel):
    """What a file of labels was used for.

    Attributes:
        file: the path of the file.
        digest: the SHA-256 of its content at that time.
        use: what its labels are for.
        purpose: what was done with the labels. "labelled": they were collected. "audit": an audit used them. "examples":
            the prompts show them. "measured": a model was measured with them before the run.
        labels: how many labels there were.
        steps: how many steps the run had at that time.
        amended: how many of its steps had been answered later, at that time.
        said: the result, in sentences; empty if there is none.
        rows: which rows of the file were used, from 1; empty if the file has labels of steps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    digest: str
    use: Use
    purpose: Literal["labelled", "audit", "examples", "measured"]
    labels: int
    steps: int
    amended: int
    said: str = ""
    rows: list[int] = []


def keep_use(journal: Journal, file: LabelFile, purpose: Literal["labelled", "audit"], said: str = "") -> None:
    """Store what a file of labels was used for, in the place of an older entry for the same file and purpose.

    Nothing is stored if the journal cannot be written.
    """
    if not journal.writable:
        return
    account = journal.account()
    new = LabelsUsed(
        file=_name(file.path),
        digest=file.digest(),
        use=file.header.use,
        purpose=purpose,
        labels=len(file.labels),
        steps=account.steps,
        amended=account.amended,
        said=said,
    )
    before = labels_used(journal)
    kept = [each for each in before if (each.file, each.purpose) != (new.file, new.purpose)]
    if [*kept, new] != before:
        journal.set_note(NOTE, uses_note([*kept, new]))


def uses_note(uses: Sequence[LabelsUsed]) -> str:
    """Return the text of the note that says what labels were used for."""
    return json.dumps([each.model_dump(exclude_defaults=True) for each in uses])


def labels_used(journal: Journal) -> list[LabelsUsed]:
    """Return what files of labels were used for, the oldest use first.

    Raises:
        DamagedRun: the note cannot be read.
    """
    note = journal.note(NOTE)
    try:
        return [] if note is None else [LabelsUsed.model_validate(each) for each in json.loads(note)]
    except (ValidationError, ValueError, TypeError) as error:
        raise DamagedRun(f"The journal is damaged: its note of labels cannot be read ({type(error).__name__}).") from None


def _name(path: Path) -> str:
    return str(path.absolute()).encode(errors="backslashreplace").decode()
