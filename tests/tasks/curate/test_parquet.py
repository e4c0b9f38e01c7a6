"""Parquet: read by row groups, and written with the types that the columns had."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from maker_graph.errors import UsageError
from maker_graph.tasks.curate.json_schema import JsonSchema
from maker_graph.tasks.curate.results import Ended, columns_of, write_rows
from maker_graph.tasks.curate.rows import open_rows
from tests.tasks.curate.tables import ORDER, written

RECORD: dict[str, Any] = {"name": "Tea", "count": 1, "price": "1.20", "currency": "EUR", "paid": None}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    columns = {
        "id": pa.array([1, 2, 3], pa.int8()),
        "when": pa.array([datetime(2026, 1, 2), None, None], pa.timestamp("us")),  # noqa: DTZ001  as in the file
        "dec": pa.array([Decimal("1.50"), None, None]),
        "odd": [float("nan"), 1.5, None],
        "raw": [b"\x01", None, None],
        "nested": [[{"a": 1}], [], None],
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=1)
    return tmp_path / "t.parquet"


def test_a_model_sees_plain_json(table: Path) -> None:
    rows = open_rows(table)
    assert len(rows) == 3
    assert rows[0] == {"id": 1, "when": "2026-01-02T00:00:00", "dec": "1.50", "odd": None, "raw": "01", "nested": [{"a": 1}]}
    assert [rows[place]["id"] for place in (2, 0, 1, 2)] == [3, 1, 2, 3]


def test_results_keep_the_types_of_the_columns(table: Path, tmp_path: Path) -> None:
    rows, out = open_rows(table), tmp_path / "o.parquet"
    ended = [
        Ended(0, rows[0], RECORD, "decided by vote"),
        Ended(1, rows[1], {}, "open"),
        Ended(2, rows[2], RECORD, "decided by vote"),
    ]
    write_rows(out, rows, columns_of(rows.columns, ORDER, ""), ORDER, ended)
    found, before = parquet.read_table(out), parquet.read_table(table)
    assert [found.schema.field(name) for name in before.column_names] == list(before.schema)
    assert [str(found.schema.field(name).type) for name in ("count", "price", "status")] == ["int64", "string", "string"]
    assert found.column("dec").to_pylist() == before.column("dec").to_pylist()
    assert found.column("status").to_pylist() == ["decided by vote", "open", "decided by vote"]
    assert parquet.read_table(tmp_path / "o.review.parquet").column("row").to_pylist() == [2]


def test_rows_of_another_kind_are_written_as_text(tmp_path: Path) -> None:
    rows = open_rows(written(tmp_path / "t.jsonl", '{"id": 1, "n": {"a": 1}}\n'))
    write_rows(tmp_path / "o.parquet", rows, columns_of(rows.columns, ORDER, ""), ORDER, [Ended(0, rows[0], RECORD, "x")])
    (row,) = parquet.read_table(tmp_path / "o.parquet").to_pylist()
    assert (row["id"], row["n"], row["count"]) == ("1", '{"a": 1}', 1)


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a Parquet file"):
        open_rows(written(tmp_path / "t.parquet", "a,b\n"))


def test_values_for_which_python_has_none_are_shown_as_text_and_kept(tmp_path: Path) -> None:
    columns = {
        "when": pa.array([1577836800000000001], pa.timestamp("ns")),
        "lasts": pa.array([5], pa.duration("ns")),
        "day": pa.array([2**30], pa.date32()),
        "kind": pa.array(["a"]).dictionary_encode(),
    }
    table = pa.table(columns)
    parquet.write_table(table, tmp_path / "t.parquet")
    rows = open_rows(tmp_path / "t.parquet")
    assert rows[0]["when"] == "2020-01-01 00:00:00.000000001"
    write_rows(tmp_path / "o.parquet", rows, columns_of(rows.columns, ORDER, ""), ORDER, [Ended(0, rows[0], RECORD, "x")])
    found = parquet.read_table(tmp_path / "o.parquet").select(table.column_names)
    assert found.cast(table.schema).equals(table)


def test_a_value_that_nobody_can_read_is_told_with_its_row_and_column(tmp_path: Path) -> None:
    wrong = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    parquet.write_table(pa.table({"a": wrong}), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match="row 1: 'a' of type string cannot be read"):
        open_rows(tmp_path / "t.parquet")[0]


def test_a_field_that_is_a_number_or_a_text_is_written_as_a_text(tmp_path: Path) -> None:
    schema = JsonSchema(
        {"properties": {"a": {"anyOf": [{"type": "number"}, {"type": "string"}]}, "b": {"type": "number"}}}, "x"
    )
    rows = open_rows(written(tmp_path / "t.csv", "text\nx\n"))
    ended = [Ended(0, rows[0], {"a": 1.5, "b": 2**60 + 1}, "x")]
    write_rows(tmp_path / "o.parquet", rows, columns_of(rows.columns, schema, ""), schema, ended)
    (row,) = parquet.read_table(tmp_path / "o.parquet").to_pylist()
    assert (row["a"], row["b"]) == ("1.5", float(2**60))
