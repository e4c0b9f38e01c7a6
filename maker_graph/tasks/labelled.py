"""Splits rows with known right answers: some are shown as examples, and the others are kept to measure a model with.

The split depends only on a hash of the rows. So it is the same each time, and equal rows are never on both sides.
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
"""Fewer different rows say nothing: even if all are right, 59 decided rows are needed to prove that 95 % are right."""

EXAMPLES = 40
"""The most rows that serve as examples. They are a tenth of the rows, but at least as many as one sample is shown."""


def with_labelled(task: Items, rows: Sequence[LabelledItem], name: str, content: Callable[[Any], str] = sorted_json) -> None:
    """Give a task its labelled rows, to measure a model with, and as examples if the task has none yet.

    Equal rows count once.

    Args:
        task: an items task.
        rows: the rows with their right answers.
        name: the name of their file, for errors.
        content: returns the content of an item; rows with the same content are equal.

    Raises:
        UsageError: equal rows have different answers, a row is an example already, or there are too few rows.
    """
    found = different(rows, name, content)
    if len(found) < LEAST:
        raise UsageError(
            f"{name} has {len(found):,} different rows, but at least {LEAST} are needed to measure anything. Label more, drawn "
            "at random, or give these to --examples and set --k and --within yourself."
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
    """Return the rows without those that are equal to an earlier one.

    >>> [each.row for each in different([LabelledItem("a", 1, 1), LabelledItem("b", 1, 2), LabelledItem("a", 1, 3)], "f")]
    [1, 2]

    Raises:
        UsageError: equal rows have different answers.
    """
    first: dict[str, LabelledItem] = {}
    for each in rows:
        before = first.setdefault(content(each.item), each)
        if sorted_json(before.answer) != sorted_json(each.answer):
            raise UsageError(
                f"{name}: rows {before.row:,} and {each.row:,} are equal but have different right answers: correct one of them."
            )
    return [*first.values()]


def see_apart(
    examples: Sequence[Example], rows: Sequence[LabelledItem], name: str, content: Callable[[Any], str] = sorted_json
) -> None:
    """Make sure that no labelled row is also an example.

    Raises:
        UsageError: some are; the error says which.
    """
    shown = {content(each.item) for each in examples}
    if both := [each.row for each in rows if content(each.item) in shown]:
        which = ", ".join(f"{row:,}" for row in both[:5]) + (", ..." if len(both) > 5 else "")
        raise UsageError(
            f"{len(both):,} rows of {name} are also examples (row {which}). A model would be measured on rows that it is "
            "shown: take them out of one of the two files."
        )
