"""CSV files in and out: the rows of the records task, its results, and the rows that a person must look at.

Nothing is quoted against spreadsheets here, so that a value is the same in the file and in the journal. The cells that a model
wrote cannot be formulas, for `Records.parse` refuses those; the other columns are the user's own and are copied as they are.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from unicodedata import normalize

from maker_graph.core.characters import visible, without_unseen
from maker_graph.core.items import DecidedItem
from maker_graph.errors import UsageError
from maker_graph.files import text_of

INPUT = ("address", "date", "amount")
OUTPUT = ("street", "house_number", "postcode", "city", "date", "amount", "currency")
"""The columns that a row must have, and those that the results have in their place."""


def read_rows(content: bytes, name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header line, in UTF-8.

    Args:
        content: of the file.
        name: of the file, for what is said of it.

    Raises:
        UsageError: it is no such table, or not every cell of it could be kept; the text says where.
    """
    text = text_of(content, name, "the table as CSV")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = next(reader, [])
        _see_columns(columns, name)
        rows = []
        for cells in filter(None, reader):  # an empty line is no row
            if len(cells) != len(columns):
                raise UsageError(
                    f"{name}, line {reader.line_num}: {len(cells)} fields, and the header has {len(columns)}. "
                    "A field with a comma must be in quotes."
                )
            rows.append(dict(zip(columns, cells, strict=True)))
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: {error}. Is a quote missing, or one too many?") from None
    if not rows:
        raise UsageError(f"{name} has no rows.")
    return rows


def _see_columns(columns: Sequence[str], name: str) -> None:
    """See that each column has a name of its own, and that those of `INPUT` are there.

    Raises:
        UsageError: they do not.
    """
    had = visible(", ".join(columns)) or "none"
    if missing := [column for column in INPUT if column not in columns]:
        raise UsageError(f"{name} has no column {missing[0]!r}; it needs {', '.join(INPUT)} and has {had}.")
    nameless = [number for number, column in enumerate(columns, start=1) if not _folded(column)]
    if nameless:
        raise UsageError(f"{name}: column {nameless[0]} of the header has no name. Give it one, or take the column out.")
    if same := _alike(columns):
        raise UsageError(f"{name} has columns that cannot be told apart: {_named(same)}. Rename one of them.")


def _alike(columns: Iterable[str]) -> list[str]:
    """Return the names that are those of others among `columns` too, as `_folded` says."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(_folded(column), []).append(column)
    return [column for group in groups.values() if len(group) > 1 for column in group]


def _folded(column: str) -> str:
    """Return a name without what hardly anybody sees: case, blanks, how letters are encoded, characters that do not show."""
    return " ".join(without_unseen(normalize("NFC", column)).casefold().split())


def _named(columns: Iterable[str]) -> str:
    return ", ".join(f"'{visible(column)}'" for column in columns)


def review_path(out: Path) -> Path:
    """Return the file beside `out` that gets the rows on which no answer won.

    >>> review_path(Path("clean.csv")).name
    'clean.review.csv'
    """
    return out.with_suffix(f".review{out.suffix}")


def see_columns(rows: Sequence[Mapping[str, str]]) -> None:
    """See that all columns of the rows can be kept beside those of the results.

    Raises:
        UsageError: one of the results has the name of a column.
    """
    names = _columns(rows)
    new = [*(name for name in OUTPUT if name not in INPUT), "row"]
    if lost := sorted(set(_alike([*names, *new])).intersection(names), key=names.index):
        raise UsageError(f"The results have columns of the same name as {_named(lost)}: rename yours, or they would be lost.")


def write_rows(out: Path, rows: Sequence[Mapping[str, str]], decided: Iterable[DecidedItem]) -> None:
    """Write the normalised rows to `out`, and the open ones to the file beside it, if there are any."""
    names = _columns(rows)
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


def _columns(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the names of all columns, in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _opened(path: Path) -> IO[str]:
    return path.open("w", encoding="utf-8", newline="")


def _writer(file: IO[str], columns: Sequence[str]) -> "csv.DictWriter[str]":
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    return writer
