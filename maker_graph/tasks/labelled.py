"""Rows whose right answers are known, split: some are shown as examples, the others are kept to measure with.

The split is a hash of what the rows hold. So it is the same each time, and rows that hold the same are never on both sides.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from maker_graph.core.canonical import sorted_json
from maker_graph.core.examples import SHOWN, Example
from maker_graph.core.items import Items, LabelledItem
from maker_graph.errors import UsageError

OPTION = "labelled"
"""The name of the option with the file."""

LEAST = 30
"""So few different rows say nothing: even without an error, 59 decided ones are needed to prove that 95 % are right."""

EXAMPLES = 40
"""So many rows are shown as examples at most: a tenth of them, and no fewer than one sample is shown."""


def with_labelled(task: Items, rows: Sequence[LabelledItem], name: str, content: Callable[[Any], str] = sorted_json) -> None:
    """Give a task its labelled rows: to measure with, and as examples if it has none yet.

    Rows that hold the same as one before count once.

    Args:
        task: an items task.
        rows: with their right answers; the file `name` says so.
        name: of the file, for what is said of it.
        content: of an item: rows with the same one are the same row.

    Raises:
        UsageError: two rows hold the same and have different answers, a row is an example already, or there are too few.
    """
    found = different(rows, name, content)
    if len(found) < LEAST:
        raise UsageError(
            f"{name} has {len(found):,} different rows: with fewer than {LEAST} nothing can be measured. Label more, at "
            "random, or give them to --examples and say --k and --within yourself."
        )
    if task.examples:
        see_apart(task.examples, found, name, content)
        task.labelled = found
        return
    shown = min(EXAMPLES, max(SHOWN, len(found) // 10))
    ranked = sorted(found, key=lambda each: hashlib.sha256(f"example {content(each.item)}".encode()).digest())
    task.examples = [Example(each.item, sorted_json(each.answer), each.row) for each in ranked[:shown]]
    task.labelled = sorted(ranked[shown:], key=lambda each: each.row)


def different(rows: Sequence[LabelledItem], name: str, content: Callable[[Any], str] = sorted_json) -> list[LabelledItem]:
    """Return the rows without those that hold the same as one before.

    >>> [each.row for each in different([LabelledItem("a", 1, 1), LabelledItem("b", 1, 2), LabelledItem("a", 1, 3)], "f")]
    [1, 2]

    Raises:
        UsageError: two rows hold the same and have different answers.
    """
    first: dict[str, LabelledItem] = {}
    for each in rows:
        before = first.setdefault(content(each.item), each)
        if sorted_json(before.answer) != sorted_json(each.answer):
            raise UsageError(
                f"{name}: rows {before.row:,} and {each.row:,} hold the same and have different right answers: mend one."
            )
    return [*first.values()]


def see_apart(
    examples: Sequence[Example], rows: Sequence[LabelledItem], name: str, content: Callable[[Any], str] = sorted_json
) -> None:
    """See that no labelled row is an example too.

    Raises:
        UsageError: some are; the text says which.
    """
    shown = {content(each.item) for each in examples}
    if both := [each.row for each in rows if content(each.item) in shown]:
        which = ", ".join(f"{row:,}" for row in both[:5]) + (", ..." if len(both) > 5 else "")
        raise UsageError(
            f"{len(both):,} rows of {name} are examples too (row {which}). A model would be measured on what it is shown: take "
            "them out of one of the two files."
        )
