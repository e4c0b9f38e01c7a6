"""Sentences of a report on the labels of a run: which files were used for what, and what an audit found."""

from collections.abc import Iterator, Sequence

from maker_graph.core.characters import visible
from maker_graph.journal.protocol import Journal
from maker_graph.run.label_lines import Use
from maker_graph.run.uses import LabelsUsed, labels_used

_FOR: dict[Use, str] = {"certify": "to certify by", "choose": "to choose by", "example": "as examples"}


def label_sentences(journal: Journal) -> list[str]:
    """Return one or two sentences for each file of labels of a run; an empty list if there are none.

    Raises:
        DamagedRun: the note on the labels cannot be read.
    """
    account = journal.account()
    return [" ".join(_said(each, (account.steps, account.amended))) for each in labels_used(journal)]


def ranges(rows: Sequence[int]) -> str:
    """Return whole numbers as a text, with consecutive numbers as a range.

    >>> ranges([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    found: list[list[int]] = []
    for row in sorted(rows):
        if found and row == found[-1][-1] + 1:
            found[-1][1:] = [row]
        else:
            found.append([row])
    return ", ".join("-".join(map(str, each)) for each in found)


def _said(used: LabelsUsed, now: tuple[int, int]) -> Iterator[str]:
    if used.purpose == "audit":
        if (used.steps, used.amended) != now:
            yield f"This audit was made before the run went on, when it had {used.steps:,} steps."
        yield used.said
    where = f"{visible(used.file)} (SHA-256 {used.digest[:16]}...)"
    if used.purpose == "audit":
        yield f"Its labels are in {where}."
    elif used.purpose == "examples":
        yield f"{used.labels:,} rows are shown as examples, of {where}: rows {ranges(used.rows)}."
    elif used.purpose == "measured":
        yield used.said
        yield f"It was measured with {used.labels:,} rows of {where}: rows {ranges(used.rows)}."
    else:
        yield f"{used.labels:,} steps were labelled {_FOR[used.use]}, in {where}."
