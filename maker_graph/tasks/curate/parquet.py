"""Parquet in and out: read by row groups, of which two are in memory, and written with the types of the input's columns.

A model sees plain JSON: dates and times as ISO 8601, decimals as digits in quotes, numbers that are none as null. The results
keep the values themselves.
"""

import math
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from maker_graph.core.canonical import JSON
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.extras import need_extra
from maker_graph.tasks.curate.columns import see_header
from maker_graph.tasks.curate.prompts import kinds_of
from maker_graph.tasks.curate.results import Columns, Ended, cell
from maker_graph.tasks.curate.rows import Rows
from maker_graph.tasks.curate.schema import RecordSchema

KEPT = 2
"""Row groups that are in memory at once."""

BATCH = 10_000
"""Rows that are written together: a row group of the results."""


def _arrow() -> Any:
    need_extra("curate", "Parquet", "pyarrow")
    import pyarrow.parquet  # noqa: PLC0415  an extra, and heavy

    return pyarrow


class ParquetRows:
    """The rows of a Parquet file.

    Attributes:
        path: of the file.
        columns: the names of its columns.
        types: the schema of the file, as pyarrow has it.

    Raises:
        UsageError: it is no such file.
    """

    def __init__(self, path: Path) -> None:
        arrow = _arrow()
        try:
            self._file = arrow.parquet.ParquetFile(path)
        except arrow.ArrowInvalid as error:
            raise UsageError(f"{path} is no Parquet file: {visible(str(error))[:200]}.") from None
        self.path = path
        self.types = self._file.schema_arrow
        self.columns = list(self.types.names)
        see_header(self.columns, str(path))
        sizes = (self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups))
        self._ends = list(accumulate(sizes))
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, place: int) -> dict[str, JSON]:
        """Return the row at `place`: column -> plain JSON."""
        return {name: _plain(value) for name, value in self.values(place).items()}

    def values(self, place: int) -> dict[str, Any]:
        """Return the row at `place` with the values that Python has for it.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= place < len(self):
            raise IndexError(place)
        group = bisect_right(self._ends, place)
        with self._lock:
            table = self._group(group)
        (row,) = table.slice(place - (self._ends[group - 1] if group else 0), 1).to_pylist()
        found: dict[str, Any] = row
        return found

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
    """Writes rows of results to a Parquet file: a context manager."""

    def __init__(self, path: Path, rows: Rows, columns: Columns, schema: RecordSchema, number: str | None = None) -> None:
        self._arrow = arrow = _arrow()
        self._source = rows if isinstance(rows, ParquetRows) else None
        self._columns = columns
        self._number = number
        own: dict[str, Any] = {name: self._source.types.field(name) for name in columns.input} if self._source else {}
        fields = [arrow.field(number, arrow.int64())] if number else []
        fields += [own.get(name, arrow.field(name, arrow.string())) for name in columns.input]
        kinds = {field: kinds_of(schema, field) for field in columns.fields}
        self._texts = {columns.fields[field] for field, kind in kinds.items() if kind not in _KINDS}
        fields += [
            arrow.field(column, getattr(arrow, _KINDS.get(kinds[field], "string"))())
            for field, column in columns.fields.items()
        ]
        self._schema = arrow.schema([*fields, arrow.field(columns.status, arrow.string())])
        self._writer = arrow.parquet.ParquetWriter(path, self._schema)
        self._batch: list[dict[str, Any]] = []

    def write(self, ended: Ended) -> None:
        """Write a row; a field of several kinds, or of a nested one, is written as a text, as in a cell of CSV."""
        if self._source is None:
            row: dict[str, Any] = {name: _text(ended.row.get(name)) for name in self._columns.input}
        else:
            row = self._source.values(ended.place)
        new = self._columns.values(ended)
        row |= {name: _text(value) if name in self._texts else value for name, value in new.items()}
        self._batch.append({self._number: ended.place + 1, **row} if self._number else row)
        if len(self._batch) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._writer.write_table(self._arrow.Table.from_pylist(self._batch, schema=self._schema))
            self._batch = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._writer.close()


_KINDS = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool_"}
"""Kind of JSON -> type of Arrow."""


def _text(value: JSON) -> str | None:
    return None if value is None else cell(value)
