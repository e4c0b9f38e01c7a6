"""CSV files in and out: the rows of the records task, its results, and the rows that a person must look at.

Nothing is quoted against spreadsheets here, so that a value is the same in the file and in the journal. The cells that a model
wrote cannot be formulas, for `Records.parse` refuses those; the other columns are the user's own and are copied as they are.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maker_graph.errors import UsageError
from maker_graph.files import destination, replacing
from maker_graph.tasks.records import INPUT, OUTPUT


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header line, in UTF-8.

    Raises:
        UsageError: the file cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            rows = [dict(row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    if missing := [column for column in INPUT if column not in columns]:
        raise UsageError(
            f"{path} has no column {missing[0]!r}; it needs {', '.join(INPUT)} and has {', '.join(columns) or 'none'}."
        )
    if not rows:
        raise UsageError(f"{path} has no rows.")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise UsageError(f"{path}, line {number}: the number of fields is not that of the header.")
    return rows


def review_path(out: Path) -> Path:
    """Return the file beside `out` that gets the rows on which no answer won.

    >>> review_path(Path("clean.csv")).name
    'clean.review.csv'
    """
    return out.with_suffix(f".review{out.suffix}")


def see_writable(out: Path) -> Path:
    """See that nothing stands in the way of `out` and of the file beside it; return the path of that one, `review_path`.

    Raises:
        UsageError: something else than a regular file is there, or nobody can tell what is.
    """
    review = review_path(out)
    for path in (out, review):
        try:
            destination(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error}.") from None
    return review


def write_results(out: Path, rows: Sequence[Mapping[str, str]], answers: Iterable[Mapping[str, Any] | None]) -> int:
    """Write the normalised rows to `out` and the open ones beside it; return the number of open ones.

    `answers` has one answer, or None, for each of the first rows. A file is there whole or not at all, and the same answers
    make the same file, however often they are written.

    Raises:
        UsageError: a file cannot be written, or something else than a regular file is there; then none is written.
    """
    review = see_writable(out)
    done: list[dict[str, Any]] = []
    still_open: list[dict[str, Any]] = []
    for number, (row, answer) in enumerate(zip(rows, answers, strict=False), start=1):
        if answer is None:
            still_open.append({"row": number, **row})
        else:
            done.append({"row": number, **{name: value for name, value in row.items() if name not in INPUT}, **answer})
    kept = [name for name in (rows[0] if rows else ()) if name not in (*INPUT, *OUTPUT, "row")]
    _write(out, ["row", *kept, *OUTPUT], done)
    if still_open:
        _write(review, ["row", *(name for name in rows[0] if name != "row")], still_open)
    else:
        destination(review).unlink(missing_ok=True)
    return len(still_open)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    try:
        with replacing(path) as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}.") from None
