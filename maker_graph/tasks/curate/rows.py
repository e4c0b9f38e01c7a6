"""The rows of a file, read one at a time: CSV and JSON Lines by their offsets, Parquet by its row groups.

A file is read through once when it is opened. Any fault in it is reported then, with its line, before anything is paid for.
Afterwards each row is read from its place in the file, so a million rows take only 16 bytes of memory each. For a slice of a
file, only the header and the bytes of the slice are read.
"""

import csv
import importlib
import io
import json
import os
import threading
import weakref
from array import array
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol, TypeVar, runtime_checkable

from maker_graph.core.canonical import JSON, MAX_DEPTH
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.files import odd_kind, text_of
from maker_graph.tasks.curate.columns import see_header
from maker_graph.tasks.slices import CHUNK, Slice, digest_of_bytes

LONGEST_CELL = 2**31 - 1
"""The most characters of a cell of CSV: the most that the csv module can take, in place of its default of 131,072."""


class Rows(Protocol):
    """The rows of a file.

    Attributes:
        path: the file.
        columns: the names of all columns, in their order.
    """

    path: Path
    columns: Sequence[str]

    def __len__(self) -> int:
        """Return how many rows there are."""
        ...

    def __getitem__(self, place: int, /) -> dict[str, JSON]:
        """Return the row at `place`, from 0: column -> value; a text in CSV, plain JSON elsewhere."""
        ...


@runtime_checkable
class FileRows(Rows, Protocol):
    """The rows of a file that can be cut.

    Attributes:
        first: how many rows of the file come before these; 0 unless they are a slice.
    """

    first: int

    def slice(self, first: int, rows: int) -> Slice:
        """Return the slice of `rows` rows that come after the first `first` ones, with which they can be opened again."""
        ...

    def digest(self, only: Slice) -> str:
        """Return the SHA-256 of a slice of the whole table, in hex.

        Raises:
            UsageError: the file has changed since it was opened.
        """
        ...


def open_rows(path: Path, only: Slice | None = None) -> Rows:
    """Return the rows of a file, which is CSV, JSON Lines or Parquet by its suffix, or only those of a slice.

    Raises:
        UsageError: the file cannot be read, has no rows, or is no such table; the error says where.
    """
    return opened(_kind_of(path), path, only)


AnyRows = TypeVar("AnyRows", bound=Rows)


def opened(kind: Callable[[Path, Slice | None], AnyRows], path: Path, only: Slice | None = None) -> AnyRows:
    """Return the rows of a file of a known kind, with any suffix, or only those of a slice.

    Raises:
        UsageError: as in `open_rows`.
    """
    try:
        if odd := odd_kind(path):
            raise UsageError(f"{path} is {odd}: put the rows into a regular file, because each resume reads them again.")
        rows = kind(path, only)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if not len(rows):
        raise UsageError(f"{path} has no rows.")
    return rows


def kind_of(path: Path) -> str:
    """Return the kind of a table by its suffix: "csv", "jsonl" or "parquet".

    Raises:
        UsageError: the suffix is none of these.
    """
    kind = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}.get(path.suffix.lower())
    if kind is None:
        raise UsageError(
            f"{path}: the name of a table must end in .csv, .jsonl (JSON Lines) or .parquet. Rename or convert the file."
        )
    return kind


def _kind_of(path: Path) -> Callable[[Path, Slice | None], Rows]:
    kind = kind_of(path)
    if kind == "parquet":
        parquet = importlib.import_module("maker_graph.tasks.curate.parquet")  # it needs this module, and an extra
        rows: Callable[[Path, Slice | None], Rows] = parquet.ParquetRows
        return rows
    return CsvRows if kind == "csv" else JsonRows


class _Lines:
    """The rows of a text file, each known by where it begins and ends; a row may span several lines."""

    def __init__(self, path: Path, only: Slice | None) -> None:
        self.path = path
        self.first = 0 if only is None else only.first
        self._file: IO[bytes] = path.open("rb")
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._stamp = self._stamped()
        self._begins, self._ends = array("Q"), array("Q")

    def __len__(self) -> int:
        return len(self._begins)

    def text(self, place: int) -> str:
        """Return the text of the row at `place`, with its line end.

        Raises:
            IndexError: there is no such row.
            UsageError: the file has changed since it was opened.
        """
        begin, end = self._begins[place], self._ends[place]
        with self._lock:
            self._see_same()
            self._file.seek(begin)
            return self._file.read(end - begin).decode()

    def digest(self, only: Slice) -> str:
        """Return the SHA-256 of the header and of the bytes of a slice of the whole table, in hex."""
        with self._lock:
            self._see_same()
            return digest_of_bytes(self._file, only)

    def _see_same(self) -> None:
        if self._stamped() != self._stamp:
            raise UsageError(f"{self.path} was changed while it was read: put it back as it was, and go on.")

    def _stamped(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    def _add(self, begin: int, end: int) -> None:
        self._begins.append(begin)
        self._ends.append(end)

    def _span(self, first: int, rows: int) -> tuple[int, int]:
        return (self._begins[first], self._ends[first + rows - 1]) if rows else (0, 0)


class _Bytes(io.RawIOBase):
    """The bytes of a file from `begin` to `end`; None is the end of the file."""

    def __init__(self, path: Path, begin: int, end: int | None) -> None:
        self._file = path.open("rb")
        self._file.seek(begin)
        self._left = end if end is None else end - begin

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        room = len(buffer) if self._left is None else min(len(buffer), self._left)
        read = self._file.readinto(memoryview(buffer)[:room])
        self._left = self._left if self._left is None else self._left - read
        return read

    def close(self) -> None:
        self._file.close()
        super().close()


class _Reading:
    """The lines of a file in order, with the number and the place of the last one read. LF, CR LF and CR end a line.

    With a `span`, only the lines in these bytes are read, and they are counted from 1.
    """

    def __init__(self, path: Path, kind: str, span: tuple[int, int] | None = None) -> None:
        self._path, self._kind = path, kind
        self._from: int = 0 if span is None else span[0]
        self._to = None if span is None else span[1]
        self.line = 0
        self.begin = self.end = 0
        self._row: tuple[int, int] | None = None

    def row(self) -> tuple[int, int]:
        """Return the line and the place where the last row that was read begins."""
        found, self._row = self._row or (self.line, self.begin), None
        return found

    def __iter__(self) -> Iterator[str]:
        source = io.BufferedReader(_Bytes(self._path, self._from, self._to), CHUNK)
        encoding, self.end = "utf-8", self._from
        if self._from == 0 and source.peek(len(BOM_UTF8))[: len(BOM_UTF8)] == BOM_UTF8:
            encoding, self.end = "utf-8-sig", len(BOM_UTF8)
        with io.TextIOWrapper(source, encoding=encoding, newline="", errors="surrogateescape") as file:
            for line in file:
                self.line += 1
                content = line.encode(errors="surrogateescape")
                if "\0" in line or not line.isascii():
                    self._see_text(content)
                self.begin, self.end = self.end, self.end + len(content)
                self._row = self._row or (self.line, self.begin)
                yield line

    def _see_text(self, content: bytes) -> None:
        try:
            text_of(content, "", "")
        except UsageError as error:
            what = str(error).partition(": ")[2].replace("Save  in", f"Save {self._kind} in")
            raise UsageError(f"{self._path}, line {self.line}: {what}") from None


class CsvRows(_Lines):
    """The rows of a CSV file with a header line, in UTF-8, with or without a byte order mark.

    Cells are separated by commas, and quoted with double quotes. An empty line is not a row.

    Attributes:
        columns: the names in the header.

    Raises:
        UsageError: it is no such table; the error names the line.
    """

    def __init__(self, path: Path, only: Slice | None = None) -> None:
        """Take a file, or only a slice of it."""
        super().__init__(path, only)
        _allow_long_cells()
        self._header = 0
        self.columns: Sequence[str] = []
        for span in (None,) if only is None else ((0, only.header), only.span):
            lines = _Reading(path, "the table as CSV", span)
            try:
                self._take(lines)
            except csv.Error as error:
                raise UsageError(f"{path}, line {lines.line}: {error}. Is a quote missing, or one too many?") from None
        if not self._header:
            raise UsageError(f"{path} is empty: it needs a header line and rows.")

    def _take(self, lines: _Reading) -> None:
        """Take the header, if there is none yet, and the rows in some lines."""
        for cells in csv.reader(lines, strict=True):
            first, begin = lines.row()
            if not cells:
                continue
            if not self._header:
                self.columns, self._header = cells, lines.end
                see_header(cells, str(self.path))
            elif len(cells) != len(self.columns):
                raise UsageError(
                    f"{self.path}, line {first}: {len(cells)} fields, but the header has {len(self.columns)}. "
                    "A field with a comma must be in quotes."
                )
            else:
                self._add(begin, lines.end)

    def slice(self, first: int, rows: int) -> Slice:
        """Return a slice of the table."""
        return Slice(first=first, rows=rows, header=self._header, span=self._span(first, rows))

    def __getitem__(self, place: int) -> dict[str, JSON]:
        """Return the row at `place`: column -> text."""
        (cells,) = csv.reader(io.StringIO(self.text(place), newline=""), strict=True)
        return dict(zip(self.columns, cells, strict=True))


def _allow_long_cells() -> None:
    """Let the csv module read cells of any length, by raising the limit of the whole process."""
    if csv.field_size_limit() < LONGEST_CELL:
        csv.field_size_limit(LONGEST_CELL)


class JsonRows(_Lines):
    """The rows of a JSON Lines file, each an object; a row need not have all columns.

    Attributes:
        columns: all keys, in the order in which they first appear.

    Raises:
        UsageError: it is no such file; the error names the line.
    """

    def __init__(self, path: Path, only: Slice | None = None) -> None:
        """Take a file, or only a slice of it."""
        super().__init__(path, only)
        lines = _Reading(path, "the table as JSON Lines", None if only is None else only.span)
        columns = dict.fromkeys(() if only is None else only.columns or ())
        for line in lines:
            if not line.strip():
                continue
            try:
                row = read_object(line)
            except ValueError as error:
                raise UsageError(f"{path}, line {lines.line}: {visible(str(error))[:200]}.") from None
            columns.update(dict.fromkeys(row))
            self._add(lines.begin, lines.end)
        self.columns: Sequence[str] = list(columns)
        if columns:
            see_header(self.columns, str(path))

    def slice(self, first: int, rows: int) -> Slice:
        """Return a slice of the table."""
        return Slice(first=first, rows=rows, span=self._span(first, rows), columns=tuple(self.columns))

    def __getitem__(self, place: int) -> dict[str, JSON]:
        """Return the row at `place`: key -> plain JSON."""
        return read_object(self.text(place))


def read_object(text: str) -> dict[str, JSON]:
    """Return the JSON object in `text`, which may have any length.

    Raises:
        ValueError: it is not a JSON object, names a key twice, or holds something that is not JSON.
    """
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError(f"this is nested more than {MAX_DEPTH} deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON ({error.msg} at character {error.pos + 1})") from None
    if not isinstance(found, dict):
        raise ValueError('this is not a JSON object: each line is {"column": value, ...}')  # noqa: TRY004  of a text
    if "\\u" in text:
        _see_whole(found)
    return found


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set[str]()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:40]!r} stands twice in an object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON: write null, or leave the key out")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


def _see_whole(row: Mapping[str, Any]) -> None:
    """Make sure that a row can be written again, which half of a character cannot."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("there is half of a character in it (a lone surrogate)") from None
