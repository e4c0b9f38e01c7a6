"""Labelled rows: a file in the form of the results, with the columns of the input and those of the schema.

So the results of a run can be used as labelled rows once a person has corrected them. Rows without labels are left out: those
whose status is `open`, and those without a status whose columns of the schema are all empty.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from maker_graph.core.canonical import JSON, sorted_json
from maker_graph.core.characters import visible
from maker_graph.core.checks import failed
from maker_graph.errors import Invalid, UsageError
from maker_graph.tasks.curate.columns import folded, named
from maker_graph.tasks.curate.results import OPEN, Columns, cell
from maker_graph.tasks.curate.rows import Rows, kind_of, open_rows
from maker_graph.tasks.curate.schema import RecordSchema, as_text


class LabelledRow(NamedTuple):
    """A row with the record that is right.

    Attributes:
        number: the number of the row in its file, from 1.
        row: the columns of the input.
        record: the right record: field -> plain JSON.
        status: what the file says of the row; empty if it says nothing.
    """

    number: int
    row: dict[str, JSON]
    record: dict[str, JSON]
    status: str = ""


def read_labelled(path: Path, columns: Columns, schema: RecordSchema) -> Iterator[LabelledRow]:
    """Yield the labelled rows of a file; columns with other names are left out.

    Args:
        path: the file: CSV, JSON Lines or Parquet, by its suffix.
        columns: the columns of the results, as in `Curate.columns`.
        schema: the schema of the records.

    Raises:
        UsageError: the file cannot be read, lacks a column, or the record of a row breaks the schema; the error says which.
    """
    rows = open_rows(path)
    kind = kind_of(path)
    text_only = kind == "csv"
    lacking = [name for name in (*columns.input, *columns.fields.values()) if name not in rows.columns]
    if lacking and (text_only or len(lacking) == len([*columns.input, *columns.fields])):
        raise UsageError(
            f"{path} has no column {named(lacking[:1])}. Labelled rows have the columns of the input "
            f"({named(columns.input)}) and those of the schema ({named(columns.fields.values())})."
        )
    status = next((name for name in rows.columns if folded(name) == folded(columns.status)), None)
    for number in range(1, len(rows) + 1):
        row = rows[number - 1]
        labels = {field: row.get(column) for field, column in columns.fields.items()}
        said = str(row.get(status or "") or "")
        if said.startswith(OPEN) or (not said and all(value in {None, ""} for value in map(_plain, labels.values()))):
            continue
        source = {name: row[name] for name in columns.input if name in row}
        texts = str if kind == "parquet" else ()  # Parquet holds values that fit no column as texts
        values = {
            name: schema.cell(name, str(value)) if text_only or isinstance(value, texts) else value
            for name, value in labels.items()
        }
        given = {name: value for name, value in values.items() if value is not None or name in row}
        record = record_of(schema, given, source, partial("{}, row {}".format, path, number))
        yield LabelledRow(number, source, record, said)


def _plain(value: JSON) -> JSON:
    return str(value) if isinstance(value, list | dict) else value


def record_of(schema: RecordSchema, values: dict[str, JSON], row: dict[str, JSON], where: Callable[[], str]) -> dict[str, JSON]:
    """Return the record made of values that a person or a program gave.

    Raises:
        UsageError: they make no record; the error begins with what `where` returns.
    """
    try:
        return schema.read(as_text(values), row)
    except (Invalid, ValueError) as error:
        raise UsageError(f"{where()}: this is not a record of {schema.name} ({visible(str(error))[:200]}).") from None
    except Exception as error:
        raise failed(f"{where()}: the schema {schema.name}", error) from error


def identity(row: dict[str, JSON], columns: Iterable[str]) -> str:
    """Return a text that tells a row from others: the content of the columns of the input."""
    return sorted_json({name: row.get(name) for name in columns})


def as_in(table: Rows, rows: Iterable[LabelledRow]) -> list[LabelledRow]:
    """Return labelled rows, from a file of another kind than the table, with the values that the same rows have in the table.

    A number in JSON is a text in CSV. So two rows are the same if each value is the same text in a cell.
    """
    found = [*rows]
    known = {_cells(each.row, table.columns): each.row for each in found}
    for place in range(len(table)):
        row = table[place]
        if (name := _cells(row, table.columns)) in known:
            known[name] = row
    return [each._replace(row=known[_cells(each.row, table.columns)]) for each in found]


def _cells(row: dict[str, JSON], columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(cell(row.get(name)) for name in columns)


def overlap(rows: Iterable[LabelledRow], others: Iterable[LabelledRow], columns: Sequence[str]) -> list[tuple[int, int]]:
    """Return the rows that are in both, by the content of the columns of the input, as pairs (number, other number)."""
    known: dict[str, int] = {}
    for each in rows:
        known.setdefault(identity(each.row, columns), each.number)
    found = ((known.get(identity(each.row, columns)), each.number) for each in others)
    return [(number, other) for number, other in found if number is not None]
