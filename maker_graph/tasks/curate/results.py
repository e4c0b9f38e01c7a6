"""The results of `curate`: every row of the input in its order, with all its columns, then those of the schema, then `status`.

They are written as CSV, JSON Lines or Parquet, by the suffix of the file. Columns of the input keep what they held: JSON Lines
keeps the very text of the row, and Parquet the types of the columns.
"""

import csv
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from maker_graph.core.canonical import JSON
from maker_graph.errors import UsageError
from maker_graph.tasks.curate.columns import alike, folded, named
from maker_graph.tasks.curate.rows import JsonRows, Rows, kind_of
from maker_graph.tasks.curate.schema import RecordSchema

STATUS = "status"
"""The name of the last column. It holds `open`, or `decided by` and who decided: program, vote or person."""

OPEN = "open"


class Ended(NamedTuple):
    """How a row ended.

    Attributes:
        place: the place of the row, from 0.
        row: the row.
        record: field -> value; for an open row, those fields that are decided.
        status: the value of the column `status`.
        why: why the row is open, if that is known.
    """

    place: int
    row: Mapping[str, JSON]
    record: Mapping[str, JSON]
    status: str
    why: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the row has no record."""
        return self.status == OPEN


class Columns(NamedTuple):
    """The columns of the results.

    Attributes:
        input: the columns of the rows.
        fields: field of a record -> its column.
        status: the last column.
    """

    input: Sequence[str]
    fields: Mapping[str, str]
    status: str

    @property
    def new(self) -> list[str]:
        """The columns that are not in the input."""
        return [*self.fields.values(), self.status]

    def values(self, ended: Ended) -> dict[str, JSON]:
        """Return the values of the new columns."""
        return {**{column: ended.record.get(field) for field, column in self.fields.items()}, self.status: ended.status}


def columns_of(input: Sequence[str], schema: RecordSchema, prefix: str) -> Columns:  # noqa: A002  the columns of the input
    """Return the columns of the results; `prefix` is put before the names of the new ones.

    Raises:
        UsageError: a column would have no name, or two names could not be told apart.
    """
    if nameless := [field for field in schema.fields if not folded(f"{prefix}{field}")]:
        raise UsageError(f"{schema.name} has a field without a name ({nameless[0]!r}): name it, because it becomes a column.")
    found = Columns(input, {field: f"{prefix}{field}" for field in schema.fields}, f"{prefix}{STATUS}")
    if lost := sorted(set(alike([*input, *found.new])), key=folded):
        raise UsageError(
            f"The results would have columns that cannot be told apart: {named(lost)}. Put a text before those of the schema, "
            "such as --prefix new_, or rename yours."
        )
    return found


def review_path(out: Path) -> Path:
    """Return the file beside `out` that gets the open rows.

    >>> review_path(Path("clean.csv")).name
    'clean.review.csv'
    """
    return out.with_suffix(f".review{out.suffix}")


class Writer(Protocol):
    """Writes rows of results, one after the other."""

    def write(self, ended: Ended, /) -> None:
        """Write a row."""
        ...


def write_rows(out: Path, rows: Rows, columns: Columns, schema: RecordSchema, ended: Iterable[Ended]) -> None:
    """Write the results to `out`, and the open rows to the file beside it, if there are any.

    An open row has no record, so its new columns are empty in `out`. In the file of the open rows they hold those fields that
    are decided.
    """
    with ExitStack() as stack:
        done = _writer(stack, out, rows, columns, schema)
        review: Writer | None = None
        for each in ended:
            if not each.is_open:
                done.write(each)
                continue
            done.write(each._replace(record={}))
            review = review or _writer(stack, review_path(out), rows, columns, schema, numbered=True)
            review.write(each._replace(status=f"{OPEN}: {each.why}" if each.why else OPEN))


def _writer(
    stack: ExitStack, path: Path, rows: Rows, columns: Columns, schema: RecordSchema, *, numbered: bool = False
) -> Writer:
    number = "row" if numbered and "row" not in map(folded, [*columns.input, *columns.new]) else None
    kind = kind_of(path)
    if kind == "parquet":
        parquet = importlib.import_module("maker_graph.tasks.curate.parquet")  # it needs this module, and an extra
        writer: Writer = stack.enter_context(parquet.ParquetWriter(path, rows, columns, schema, number))
        return writer
    file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    return CsvWriter(file, columns, number) if kind == "csv" else JsonWriter(file, rows, columns, number)


class CsvWriter:
    """Writes CSV: text as it is, null as an empty cell, and everything else as JSON."""

    def __init__(self, file: IO[str], columns: Columns, number: str | None = None) -> None:
        self._writer = csv.writer(file)
        self._columns = columns
        self._number = number
        self._writer.writerow([*([number] if number else []), *columns.input, *columns.new])

    def write(self, ended: Ended) -> None:
        """Write a row."""
        cells = [ended.row.get(name) for name in self._columns.input]
        cells += self._columns.values(ended).values()
        self._writer.writerow([*([ended.place + 1] if self._number else []), *map(cell, cells)])


class JsonWriter:
    """Writes JSON Lines. If the input is JSON Lines too, the text of its rows is kept as it is."""

    def __init__(self, file: IO[str], rows: Rows, columns: Columns, number: str | None = None) -> None:
        self._file = file
        self._texts = rows if isinstance(rows, JsonRows) else None
        self._columns = columns
        self._number = number

    def write(self, ended: Ended) -> None:
        """Write a row."""
        more: dict[str, JSON] = {self._number: ended.place + 1} if self._number else {}
        new = _inside({**more, **self._columns.values(ended)})
        old = _inside(ended.row) if self._texts is None else self._texts.text(ended.place).strip()[1:-1].strip()
        self._file.write("{" + ", ".join(filter(None, (old, new))) + "}\n")


def _inside(row: Mapping[str, JSON]) -> str:
    return json.dumps(row, ensure_ascii=False)[1:-1]


def cell(value: Any) -> str:
    """Return the text of a value in a cell of CSV.

    >>> [cell(each) for each in ("a", None, True, 1.5, ["x"])]
    ['a', '', 'true', '1.5', '["x"]']
    """
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def see_suffixes(out: Path) -> Iterator[Path]:
    """Yield the files to which results are written.

    Raises:
        UsageError: the suffix of `out` is not that of a table.
    """
    kind_of(out)
    yield from (out, review_path(out))
