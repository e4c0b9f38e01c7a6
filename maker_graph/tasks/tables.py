"""The tables of the records task: the columns of its rows, its results, and the rows that a person must look at.

Cells are not escaped for spreadsheets, so that a value is the same in the file and in the journal. The cells that a model wrote
cannot be formulas, because the schema refuses those. The other columns are the user's, and are copied as they are.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from maker_graph.core.characters import visible
from maker_graph.core.items import DecidedItem
from maker_graph.errors import UsageError
from maker_graph.tasks.curate.columns import alike, named
from maker_graph.tasks.curate.results import review_path

INPUT = ("address", "date", "amount")
OUTPUT = ("street", "house_number", "postcode", "city", "date", "amount", "currency")
"""The columns that a row must have, and the columns that replace them in the results."""


def see_input(columns: Sequence[str], name: str) -> None:
    """Make sure that a table has the columns of `INPUT`.

    Raises:
        UsageError: the table lacks one.
    """
    had = visible(", ".join(columns)) or "none"
    if missing := [column for column in INPUT if column not in columns]:
        raise UsageError(f"{name} has no column {missing[0]!r}; it needs {', '.join(INPUT)} and has {had}.")


def see_columns(names: Sequence[str]) -> None:
    """Make sure that all columns of the rows can be kept beside the new columns of the results.

    Raises:
        UsageError: a new column has the name of a column of the rows.
    """
    new = [*(name for name in OUTPUT if name not in INPUT), "row"]
    if lost := sorted(set(alike([*names, *new])).intersection(names), key=names.index):
        raise UsageError(f"The results need the names of your columns {named(lost)}: rename yours, or they would be lost.")


def write_rows(out: Path, names: Sequence[str], decided: Iterable[DecidedItem]) -> None:
    """Write the normalised rows to `out`, and the open ones to the file beside it, if there are any."""
    with ExitStack() as stack:
        kept = [name for name in names if name not in INPUT]
        done, review = _writer(stack.enter_context(_opened(out)), ["row", *kept, *OUTPUT]), None
        for number, row, _, answer, _ in decided:
            if isinstance(answer, Mapping):
                done.writerow({"row": number, **{name: value for name, value in row.items() if name not in INPUT}, **answer})
                continue
            if review is None:
                review = _writer(stack.enter_context(_opened(review_path(out))), ["row", *names])
            review.writerow({"row": number, **row})


def _opened(path: Path) -> IO[str]:
    return path.open("w", encoding="utf-8", newline="")


def _writer(file: IO[str], columns: Sequence[str]) -> "csv.DictWriter[str]":
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    return writer
