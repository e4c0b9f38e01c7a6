"""CSV files in and out: the rows of the records task, its results, and the rows that a person must look at.

Nothing is quoted against spreadsheets here, so that a value is the same in the file and in the journal. The cells that a model
wrote cannot be formulas, for `Records.parse` refuses those; the other columns are the user's own and are copied as they are.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from maker_graph.core.characters import visible, without_unseen
from maker_graph.errors import UsageError
from maker_graph.files import OwnFiles, is_there
from maker_graph.tasks.records import INPUT, OUTPUT


def read_rows(content: bytes, name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header line, in UTF-8.

    Args:
        content: of the file.
        name: of the file, for what is said of it.

    Raises:
        UsageError: it is no such table, or not every cell of it could be kept; the text says where.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}, line {line}: this is no UTF-8. Save the table as CSV in UTF-8.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(f"{name}, line {line}: there is a NUL character, so this is no text. Save the table as CSV in UTF-8.")
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


def see_results(
    out: Path, rows: Sequence[Mapping[str, str]], own: OwnFiles, *, source: Path | None = None, force: bool = False
) -> None:
    """See, before anything is paid for, that results can be written to `out` and that nothing is lost by it.

    Args:
        out: the file; `review_path` gets the rows that are left open.
        rows: the task's.
        own: which files the run has written.
        source: the file of the rows.
        force: whether files of the user's may be replaced; see `OwnFiles.see`.

    Raises:
        UsageError: a file cannot be written, is the user's, or holds the rows; or one of the results has the name of a column.
    """
    names = _columns(rows)
    new = [*(name for name in OUTPUT if name not in INPUT), "row"]
    if lost := sorted(set(_alike([*names, *new])).intersection(names), key=names.index):
        raise UsageError(f"The results have columns of the same name as {_named(lost)}: rename yours, or they would be lost.")
    for path in (out, review_path(out)):
        if source is not None and is_there(source) and is_there(path) and source.samefile(path):
            raise UsageError(f"--out {out} would overwrite the input: give another file.")
    own.see(out, review_path(out), force=force)


def write_results(
    out: Path, rows: Sequence[Mapping[str, str]], answers: Iterable[Mapping[str, Any] | None], own: OwnFiles
) -> int:
    """Write the normalised rows to `out` and the open ones beside it; return the number of open ones.

    `answers` has one answer, or None, for each of the first rows. A file is there whole or not at all, and the same answers
    make the same file, however often they are written.

    Raises:
        UsageError: a file is the user's, or something else than a regular file is there; then none is written.
        LimitReached: there is no room, or no access.
    """
    done: list[dict[str, Any]] = []
    still_open: list[dict[str, Any]] = []
    for number, (row, answer) in enumerate(zip(rows, answers, strict=False), start=1):
        if answer is None:
            still_open.append({"row": number, **row})
        else:
            done.append({"row": number, **{name: value for name, value in row.items() if name not in INPUT}, **answer})
    names = _columns(rows)
    own.write(
        {
            out: _csv(["row", *(name for name in names if name not in INPUT), *OUTPUT], done),
            review_path(out): _csv(["row", *names], still_open) if still_open else None,
        }
    )
    return len(still_open)


def _columns(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the names of all columns, in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
