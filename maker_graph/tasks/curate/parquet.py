"""Parquet files: they are read by row groups, two of them in memory, and written with the types of the input's columns.

A model sees plain JSON: dates and times as ISO 8601, decimals as digits in quotes, NaN and infinity as null. The results keep
the values themselves.
"""

import hashlib
import json
import math
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from itertools import accumulate, groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from maker_graph.core.canonical import JSON
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.extras import need_extra
from maker_graph.tasks.curate.columns import named, see_header
from maker_graph.tasks.curate.prompts import kinds_of
from maker_graph.tasks.curate.results import Columns, Ended, cell
from maker_graph.tasks.curate.rows import Rows
from maker_graph.tasks.curate.schema import RecordSchema
from maker_graph.tasks.slices import Slice

KEPT = 2
"""How many row groups are in memory at once."""

BATCH = 10_000
"""How many rows are written together, as a row group of the results."""


def _arrow() -> Any:
    need_extra("curate", "Parquet", "pyarrow")
    import pyarrow.parquet  # noqa: PLC0415  an extra, and heavy

    return pyarrow


class ParquetRows:
    """The rows of a Parquet file, or of a slice of it. For a slice, only the row groups that hold it are read.

    Attributes:
        path: the file.
        first: how many rows of the file come before these.
        columns: the names of the columns.
        types: the schema of the file, as pyarrow has it.

    Raises:
        UsageError: it is not a Parquet file.
    """

    def __init__(self, path: Path, only: Slice | None = None) -> None:
        """Take a file, or only a slice of it."""
        arrow = _arrow()
        try:
            self._file = arrow.parquet.ParquetFile(path)
        except arrow.ArrowInvalid as error:
            raise UsageError(f"{path} is not a Parquet file: {visible(str(error))[:200]}.") from None
        self.path = path
        self.types = self._file.schema_arrow
        self.columns = list(self.types.names)
        see_header(self.columns, str(path))
        sizes = (self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups))
        self._ends = list(accumulate(sizes))
        there = self._ends[-1] if self._ends else 0
        self.first, self._rows = (0, there) if only is None else (only.first, max(0, min(only.rows, there - only.first)))
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._rows

    def slice(self, first: int, rows: int) -> Slice:
        """Return a slice of the table."""
        return Slice(first=first, rows=rows)

    def digest(self, only: Slice) -> str:
        """Return the SHA-256, in hex, of the types of the columns and of the rows of a slice as a model sees them."""
        digest = hashlib.sha256(str([(field.name, str(field.type)) for field in self.types]).encode())
        place, end = only.first, min(only.first + only.rows, self._ends[-1] if self._ends else 0)
        while place < end:
            group = bisect_right(self._ends, place)
            until = min(end, self._ends[group], place + BATCH)
            with self._lock:
                rows = self._group(group).slice(place - (self._ends[group - 1] if group else 0), until - place)
            columns = [self._values(name, rows.column(name), place) for name in self.columns]
            for row in zip(*columns, strict=True):
                digest.update(json.dumps(row).encode() + b"\n")
            place = until
        return digest.hexdigest()

    def __getitem__(self, place: int) -> dict[str, JSON]:
        """Return the row at `place`: column -> plain JSON.

        Raises:
            IndexError: there is no such row.
            UsageError: a value of the row cannot be read; the error says which.
        """
        if not 0 <= place < len(self):
            raise IndexError(place)
        place += self.first
        group = bisect_right(self._ends, place)
        with self._lock:
            row = self._group(group).slice(place - (self._ends[group - 1] if group else 0), 1)
        return {name: self._value(name, row.column(name), place) for name in self.columns}

    def table(self, places: Sequence[int]) -> Any:
        """Return the rows at `places`, in that order, as a table of pyarrow, which also holds values that Python cannot."""
        parts = []
        in_file = (place + self.first for place in places)
        for group, inside in groupby(in_file, key=lambda place: bisect_right(self._ends, place)):
            begin = self._ends[group - 1] if group else 0
            with self._lock:
                parts.append(self._group(group).take([place - begin for place in inside]))
        return _arrow().concat_tables(parts)

    def _values(self, name: str, column: Any, place: int) -> list[JSON]:
        """Return the values of a column as plain JSON; the first one is from the row at `place` in the file."""
        try:
            return [*map(_plain, column.to_pylist())]
        except (ValueError, OverflowError, NotImplementedError):  # Python cannot hold all, so each is read by itself
            return [self._value(name, column.slice(each, 1), place + each) for each in range(len(column))]

    def _value(self, name: str, column: Any, place: int) -> JSON:
        """Return the only value of a column as plain JSON. If Python cannot hold it, it is the text that pyarrow makes of it.

        Raises:
            UsageError: the value cannot be read; the error says where.
        """
        try:
            try:
                return _plain(column[0].as_py())
            except (ValueError, OverflowError):  # for example nanoseconds
                return _plain(column.cast(_arrow().string())[0].as_py())
        except (ValueError, OverflowError, NotImplementedError) as error:
            reason = visible(str(error).partition("\n")[0])[:160].rstrip(".")
            raise UsageError(
                f"{self.path}, row {place + 1}: {named([name])} of type {visible(str(column.type))[:80]} cannot be read "
                f"({reason}). Convert the column, or take it out."
            ) from None

    def _group(self, group: int) -> Any:
        if group not in self._groups:
            try:
                self._groups[group] = self._file.read_row_group(group)
            except (OSError, ValueError) as error:
                reason = visible(str(error))[:200]
                raise UsageError(f"{self.path} cannot be read ({reason}): put it back as it was, and go on.") from None
            while len(self._groups) > KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(group)
        return self._groups[group]


def _plain(value: Any) -> JSON:
    """Return a value of Parquet as plain JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):  # a map of Arrow is a list of pairs
        return [_plain(each) for each in value]
    return next((form(value) for kinds, form in _FORMS if isinstance(value, kinds)), str(value))


_FORMS: Sequence[tuple[tuple[type, ...], Callable[[Any], str]]] = (
    ((date, time), lambda value: value.isoformat()),  # a datetime is a date
    ((bytes,), bytes.hex),
)


class ParquetWriter:
    """A context manager that writes rows of results to a Parquet file."""

    def __init__(self, path: Path, rows: Rows, columns: Columns, schema: RecordSchema, number: str | None = None) -> None:
        self._arrow = arrow = _arrow()
        self._source = rows if isinstance(rows, ParquetRows) else None
        self._columns = columns
        self._number = number
        own: dict[str, Any] = {name: self._source.types.field(name) for name in columns.input} if self._source else {}
        fields = [arrow.field(number, arrow.int64())] if number else []
        fields += [own.get(name, arrow.field(name, arrow.string())) for name in columns.input]
        kinds = {column: _KINDS.get(kinds_of(schema, field), _TEXT) for field, column in columns.fields.items()}
        self._made = {column: made for column, (_, made) in kinds.items()}
        fields += [arrow.field(column, getattr(arrow, kind)()) for column, (kind, _) in kinds.items()]
        self._schema = arrow.schema([*fields, arrow.field(columns.status, arrow.string())])
        self._writer = arrow.parquet.ParquetWriter(path, self._schema)
        self._places: list[int] = []
        self._batch: list[dict[str, Any]] = []

    def write(self, ended: Ended) -> None:
        """Write a row. A field of several kinds, or of a nested kind, is written as a text, as in a cell of CSV."""
        row: dict[str, Any] = {self._number: ended.place + 1} if self._number else {}
        if self._source is None:
            row |= {name: _text(ended.row.get(name)) for name in self._columns.input}
        for name, value in self._columns.values(ended).items():
            row[name] = None if value is None else self._made.get(name, cell)(value)
        self._places.append(ended.place)
        self._batch.append(row)
        if len(self._batch) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        if not self._batch:
            return
        source = None if self._source is None else self._source.table(self._places)
        columns = [
            source.column(field.name).cast(field.type)
            if source is not None and field.name in self._columns.input
            else self._arrow.array([row.get(field.name) for row in self._batch], field.type)
            for field in self._schema
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        self._places, self._batch = [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._writer.close()


_TEXT = ("string", cell)
_KINDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "integer": ("int64", int),
    "number": ("float64", float),
    "boolean": ("bool_", bool),
}
"""Kind of JSON -> type of Arrow, and the function that makes its values; anything else is a text."""


def _text(value: JSON) -> str | None:
    return None if value is None else cell(value)
