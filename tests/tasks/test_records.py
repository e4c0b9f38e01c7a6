"""Records: the sample file comes out as its answers say, and only answers of the right form pass."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph.errors import Invalid
from maker_graph.models.simulation.records import RecordsRehearsal
from maker_graph.tasks.records import Records, records
from maker_graph.tasks.tables import OUTPUT

SAMPLES = Path(__file__).parents[2] / "examples" / "records"
ROW = {"address": "12 B Elm St., 10115 BERLIN", "date": "3.4.24", "amount": "1.234,50 €"}
RIGHT = {
    "street": "Elm Street",
    "house_number": "12b",
    "postcode": "10115",
    "city": "Berlin",
    "date": "2024-04-03",
    "amount": "1234.50",
    "currency": "EUR",
}


def test_the_rehearsal_knows_the_right_answer_of_all_500_sample_rows() -> None:
    task, rehearsal = records(SAMPLES / "records.csv"), RecordsRehearsal()
    with (SAMPLES / "answers.csv").open(newline="", encoding="utf-8") as file:
        truth = list(csv.DictReader(file))
    assert len(truth) == len(task.items) == 500
    for item, known in zip(task.items, truth, strict=True):
        prompt: Any = task.prompt(item)
        replies = rehearsal.replies(prompt)
        assert replies is not None
        answer: Any = task.parse(replies.right)
        assert answer == {column: known[column] for column in OUTPUT}
        assert task.check(item, answer)
        assert task.check(item, json.loads(replies.wrong[0])), "the favourite wrong answer must be able to win"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("postcode", "1011"),
        ("postcode", "10116"),
        ("house_number", "12B"),
        ("house_number", "13"),
        ("amount", "1234.5"),
        ("amount", "1,234.50"),
        ("currency", "eur"),
        ("date", "2024-02-30"),
        ("date", "20240403"),
        ("street", " "),
        ("city", ""),
    ],
)
def test_check_refuses_a_column_that_breaks_the_rules(column: str, value: str) -> None:
    task = Records([ROW])
    right: dict[str, Any] = {**RIGHT}
    assert task.check(ROW, right)
    with pytest.raises(Invalid, match=column.replace("_", ".")):
        task.check(ROW, right | {column: value})


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps(RIGHT | {"more": "x"}), json.dumps(RIGHT | {"amount": 1234.5})])
def test_the_strict_parser_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Records([ROW]).parse(text)


def test_the_object_on_the_last_line_counts() -> None:
    assert Records([ROW]).parse(f"Let me see.\n{json.dumps(RIGHT)}\n") == RIGHT
