"""Field by field: each is decided by itself, and a record that then breaks a rule is open, and not lost."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.items import DecidedItem
from maker_graph.errors import UsageError
from maker_graph.tasks.curate.fields import CurateFields
from maker_graph.tasks.curate.labelled import LabelledRow
from maker_graph.tasks.curate.rows import open_rows
from tests.tasks.curate.tables import ORDER, ROWS, written

FIELDS = list(ORDER.fields)
TEA: dict[str, Any] = {"name": "Tea", "count": 1, "price": "1.20", "currency": "EUR", "paid": None}
CAKE: dict[str, Any] = {"name": "Cake", "count": 3, "price": "4", "currency": "EUR", "paid": None}


@pytest.fixture
def rows(tmp_path: Path) -> Any:
    return open_rows(written(tmp_path / "t.csv", ROWS))


def test_each_field_is_a_question_of_its_own(rows: Any) -> None:
    task = CurateFields(rows, ORDER)
    assert len(task.items) == 15
    assert task.items[6] == {"row": rows[1], "field": "count"}
    prompt: Any = task.prompt(task.items[6])
    system, _ = prompt
    assert "count: whole number" in system[1]
    assert "currency" not in system[1]
    assert task.parse('{"count": 1}', task.items[6]) == {"count": 1}
    assert task.check(task.items[6], {"count": 1})


def decided(task: CurateFields, rows: Any, *records: dict[str, Any]) -> Iterator[DecidedItem]:
    for place, record in enumerate(records):
        for at, field in enumerate(FIELDS):
            item = {"row": rows[place], "field": field}
            status: Any = "decided" if field in record else "open"
            answer = {field: record[field]} if field in record else None
            yield DecidedItem(place * len(FIELDS) + at + 1, item, status, answer, "vote" if at else "program")
    assert len(task.items)


def test_a_record_that_breaks_a_rule_across_fields_is_open_and_says_why(rows: Any, tmp_path: Path) -> None:
    task = CurateFields(rows, ORDER)
    partly = {name: TEA[name] for name in ("name", "price")}
    coffee = {**TEA, "name": "Coffee"}
    assert task.write(decided(task, rows, coffee, partly, CAKE), tmp_path / "o.csv") == 1
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["name"], row["status"]) for row in csv.DictReader(file)] == [
            ("Coffee", "decided by program and vote"),
            ("", "open"),
            ("", "open"),
        ]
    with (tmp_path / "o.review.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["row"], row["name"], row["count"], row["status"]) for row in csv.DictReader(file)] == [
            ("2", "Tea", "", "open: count, currency, paid is not decided"),
            ("3", "Cake", "3", "open: three cannot cost 4"),
        ]


def test_a_program_may_be_sure_of_some_fields_alone(rows: Any) -> None:
    task = CurateFields(rows, ORDER, program=lambda row: {"count": 1, "paid": None} if row["id"] == "2" else None)
    assert [task.given(task.items[place]) for place in range(4, 10)] == [None, None, {"count": 1}, None, None, {"paid": None}]
    whole = CurateFields(rows, ORDER, program=lambda row: CAKE if row["id"] == "3" else None)
    with pytest.raises(UsageError, match=r"The program on row 3: this is not a record of Order .three cannot cost 4"):
        whole.given(whole.items[10])


def test_examples_of_a_field_are_of_that_field(rows: Any) -> None:
    solved = [LabelledRow(1, rows[1], TEA), LabelledRow(2, rows[0], {**TEA, "name": "Coffee"})]
    task: Any = CurateFields(rows, ORDER, examples=solved)
    variant = task.variants(task.items[11])[0]
    assert [message[1] for message in variant.prompt if message[0] == "assistant"] == ['{"count": 1}', '{"count": 1}']
    assert variant.parse('{"count": 2}') == {"count": 2}
