"""What a report says of the labels of a run: which files were used for what, and what an audit found."""

from collections.abc import Iterator

from maker_graph.core.characters import visible
from maker_graph.run.journal import Journal
from maker_graph.run.label_lines import Use
from maker_graph.run.uses import LabelsUsed, labels_used

_FOR: dict[Use, str] = {"certify": "to certify by", "choose": "to choose by", "example": "as examples"}


def label_sentences(journal: Journal) -> list[str]:
    """Return what to say of the labels of a run, a sentence or two for each file; nothing if there are none.

    Raises:
        DamagedRun: the note of them cannot be read.
    """
    account = journal.account()
    return [" ".join(_said(each, (account.steps, account.amended))) for each in labels_used(journal)]


def _said(used: LabelsUsed, now: tuple[int, int]) -> Iterator[str]:
    if used.purpose == "audit":
        if (used.steps, used.amended) != now:
            yield f"This audit was made before the run went on, when it had {used.steps:,} steps."
        yield used.said
    where = f"{visible(used.file)} (SHA-256 {used.digest[:16]}...)"
    if used.purpose == "audit":
        yield f"Its labels are in {where}."
    else:
        yield f"{used.labels:,} steps were labelled {_FOR[used.use]}, in {where}."
