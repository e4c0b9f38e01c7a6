"""Results: every row in its order with all that it had, and a name that would hide another is refused."""

import csv
from pathlib import Path
from typing import Any

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.curate.json_schema import JsonSchema
from maker_graph.tasks.curate.results import Ended, columns_of, write_rows
from maker_graph.tasks.curate.rows import open_rows
from tests.tasks.curate.tables import ORDER, ROWS, written

RECORD: dict[str, Any] = {"name": "Coffee", "count": 3, "price": "2.50", "currency": "EUR", "paid": None}


@pytest.mark.parametrize("mine", ["price", "Price ", "status", "sta\u00adtus"])
def test_a_column_that_collides_is_refused_and_a_prefix_is_the_way_out(mine: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be told apart.*--prefix new_"):
        columns_of(["id", mine], ORDER, "")
    columns = columns_of(["id", mine], ORDER, "new_")
    assert columns.new == ["new_name", "new_count", "new_price", "new_currency", "new_paid", "new_status"]
    with pytest.raises(UsageError, match="told apart"):
        columns_of(["new_name"], ORDER, "new_")


def test_csv_has_every_row_in_order_and_the_open_ones_stand_beside_it_too(tmp_path: Path) -> None:
    rows = open_rows(written(tmp_path / "t.csv", ROWS))
    ended = [
        Ended(0, rows[0], RECORD, "decided by vote"),
        Ended(1, rows[1], {"name": "Tea"}, "open", "count is not decided"),
        Ended(2, rows[2], RECORD, "decided by program"),
    ]
    write_rows(tmp_path / "o.csv", rows, columns_of(rows.columns, ORDER, ""), ORDER, ended)
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as file:
        first, second, third = csv.DictReader(file)
    assert first == {
        **rows[0],
        "name": "Coffee",
        "count": "3",
        "price": "2.50",
        "currency": "EUR",
        "paid": "",
        "status": "decided by vote",
    }
    assert (second["text"], second["name"], second["status"]) == ("Tea 1 at 1.20", "", "open")
    assert third["text"] == "Cake\nbig 2 at 4"
    with (tmp_path / "o.review.csv").open(newline="", encoding="utf-8") as file:
        (review,) = csv.DictReader(file)
    assert (review["row"], review["id"], review["name"], review["status"]) == ("2", "2", "Tea", "open: count is not decided")


def test_json_lines_keep_the_very_text_of_a_row(tmp_path: Path) -> None:
    text = '{ "b" : 1.10, "a": [1e2, "\\u00fc"] }'
    rows = open_rows(written(tmp_path / "t.jsonl", f"{text}\n{{}}\n"))
    ended = [Ended(0, rows[0], RECORD, "decided by vote"), Ended(1, rows[1], {}, "open")]
    write_rows(tmp_path / "o.jsonl", rows, columns_of(rows.columns, ORDER, ""), ORDER, ended)
    first, second = (tmp_path / "o.jsonl").read_text().splitlines()
    assert first.startswith('{"b" : 1.10, "a": [1e2, "\\u00fc"], "name": "Coffee", "count": 3')
    assert second == '{"name": null, "count": null, "price": null, "currency": null, "paid": null, "status": "open"}'


def test_a_field_that_is_named_row_stands_once_among_the_open_rows(tmp_path: Path) -> None:
    schema = JsonSchema({"properties": {"row": {"type": "string"}}}, "x")
    rows = open_rows(written(tmp_path / "t.csv", "text\nx\n"))
    write_rows(tmp_path / "o.csv", rows, columns_of(rows.columns, schema, ""), schema, [Ended(0, rows[0], {}, "open")])
    assert (tmp_path / "o.review.csv").read_text().splitlines() == ["text,row,status", "x,,open"]


def test_a_field_without_a_name_is_refused() -> None:
    schema = JsonSchema({"properties": {" ": {}}}, "x")
    with pytest.raises(UsageError, match="a field without a name"):
        columns_of(["id"], schema, "")
    assert columns_of(["id"], schema, "new").new == ["new ", "newstatus"]
