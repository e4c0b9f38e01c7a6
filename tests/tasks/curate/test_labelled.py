"""Labelled rows look as results look, so results that a person corrected are labelled rows."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from maker_graph.errors import UsageError
from maker_graph.tasks.curate.labelled import LabelledRow, as_in, overlap, read_labelled
from maker_graph.tasks.curate.model_schema import ModelSchema
from maker_graph.tasks.curate.results import Ended, columns_of, write_rows
from maker_graph.tasks.curate.rows import open_rows
from tests.tasks.curate.tables import LABELLED, ORDER, written

COLUMNS = columns_of(["id", "text"], ORDER, "")


def test_labelled_rows_have_the_row_and_its_typed_record(tmp_path: Path) -> None:
    found = list(read_labelled(written(tmp_path / "l.csv", LABELLED), COLUMNS, ORDER))
    assert [each.number for each in found] == [1, 2, 3]
    assert found[1] == LabelledRow(
        2,
        {"id": "2", "text": "Tea 1 at 1.20"},
        {"name": "Tea", "count": 1, "price": "1.20", "currency": "USD", "paid": "2026-01-31"},
    )


def test_rows_without_a_label_and_columns_of_other_names_are_left_out(tmp_path: Path) -> None:
    header = "note,status,id,text,name,count,price,currency,paid\n"
    text = f"{header}?,open,1,Tea,,,,,\n,,2,Tea,,,,,\n,decided by vote,3,Tea,Tea,1,1,EUR,\n"
    assert [(each.number, sorted(each.row)) for each in read_labelled(written(tmp_path / "l.csv", text), COLUMNS, ORDER)] == [
        (3, ["id", "text"])
    ]


def test_json_lines_are_labelled_rows_too(tmp_path: Path) -> None:
    path = written(tmp_path / "l.jsonl", '{"id": "1", "text": "Tea", "name": "Tea", "count": 1, "price": "1.50"}\n')
    (found,) = read_labelled(path, COLUMNS, ORDER)
    assert found.record["price"] == "1.50"
    assert found.record["paid"] is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id,name,count,price,currency,paid\n1,Tea,1,1,EUR,\n", "has no column 'text'"),
        ("id,text\n1,Tea\n", "has no column 'name'"),
        ("id,text,name,count,price,currency,paid\n1,Tea,Tea,0,1,EUR,\n", "row 1: this is not a record of Order .count"),
        ("id,text,name,count,price,currency,paid\n1,Tea,Tea,many,1,EUR,\n", "row 1: this is not a record of Order .count"),
    ],
)
def test_a_label_that_cannot_be_right_is_told_with_its_row(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        list(read_labelled(written(tmp_path / "l.csv", text), COLUMNS, ORDER))


def test_rows_that_stand_in_two_files_are_found_by_their_content() -> None:
    one = [LabelledRow(1, {"id": "1", "text": "a"}, {}), LabelledRow(2, {"id": "2", "text": "b"}, {})]
    other = [LabelledRow(1, {"id": "3", "text": "a"}, {}), LabelledRow(2, {"text": "b", "id": "2"}, {"name": "x"})]
    assert overlap(one, other, ["id", "text"]) == [(2, 2)]
    assert overlap(one, other, ["text"]) == [(1, 1), (2, 2)]


def test_labelled_rows_of_a_file_of_another_kind_are_those_of_the_table(tmp_path: Path) -> None:
    table = open_rows(written(tmp_path / "t.jsonl", '{"n": 1, "on": true}\n{"n": null, "on": {"a": [1]}}\n'))
    rows = [
        LabelledRow(1, {"n": "1", "on": "true"}, {}),
        LabelledRow(2, {"n": "", "on": '{"a": [1]}'}, {}),
        LabelledRow(3, {"n": "1.0", "on": "true"}, {}),
    ]
    assert [each.row for each in as_in(table, rows)] == [table[0], table[1], {"n": "1.0", "on": "true"}]


def test_results_in_parquet_are_labelled_rows(tmp_path: Path) -> None:
    class Tagged(BaseModel):
        tags: list[str]
        count: int | str

    schema = ModelSchema.of(Tagged, "Tagged")
    rows = open_rows(written(tmp_path / "t.csv", "text\nx\n"))
    columns = columns_of(rows.columns, schema, "")
    out = tmp_path / "o.parquet"
    write_rows(out, rows, columns, schema, [Ended(0, rows[0], {"tags": ["a"], "count": "many"}, "decided by vote")])
    (found,) = read_labelled(out, columns, schema)
    assert found.record == {"tags": ["a"], "count": "many"}
