"""The rows of a table become records: by a program, else by a vote, and each by itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.core.checks import broken_rule
from maker_graph.errors import Invalid, UsageError
from maker_graph.tasks.curate.labelled import LabelledRow
from maker_graph.tasks.curate.rows import open_rows
from maker_graph.tasks.curate.task import Curate, object_in
from tests.tasks.curate.tables import ORDER, ROWS, written

TEA: dict[str, Any] = {"name": "Tea", "count": 1, "price": "1.20", "currency": "EUR", "paid": None}


@pytest.fixture
def rows(tmp_path: Path) -> Any:
    return open_rows(written(tmp_path / "t.csv", ROWS))


def test_a_row_is_asked_about_by_itself(rows: Any) -> None:
    prompts = [json.dumps(Curate(rows, ORDER).prompt(rows[place])) for place in range(3)]
    assert ["Tea" in each for each in prompts] == [False, True, False]


def test_a_reply_is_an_object_alone_or_on_its_last_line(rows: Any) -> None:
    task, text = Curate(rows, ORDER), '{"name": "Tea", "count": 1, "price": "1.20"}'
    for reply in (text, f"I see.\n{text}\n", json.dumps(json.loads(text), indent=1)):
        assert task.parse(reply, rows[1]) == TEA
    for reply in (f"```json\n{text}\n```", f"{text}\nDone.", f"{text} {text}", ""):
        with pytest.raises(ValueError, match=r"."):
            task.parse(reply, rows[1])
    with pytest.raises(Invalid, match="does not stand in the row"):
        task.parse(text, rows[0])
    assert object_in("{\n}") == "{\n}"


def test_a_record_that_breaks_a_rule_when_it_is_read_again_is_invalid_and_never_an_error(rows: Any) -> None:
    task = Curate(rows, ORDER)
    assert task.check(rows[1], TEA)
    assert broken_rule(task.check, rows[1], {**TEA, "count": 0}) == "count: Input should be greater than or equal to 1"
    assert "price" in str(broken_rule(task.check, rows[1], {"name": "Tea", "count": 1}))


def test_the_program_answers_first_and_is_held_to_the_schema(rows: Any) -> None:
    def sure_of_tea(row: dict[str, Any]) -> dict[str, Any] | None:
        return {"name": "Tea", "count": 1, "price": "1.20"} if row["id"] == "2" else None

    task = Curate(rows, ORDER, program=sure_of_tea)
    assert [task.given(rows[place]) for place in range(3)] == [None, TEA, None]


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"name": "Tea", "count": "1", "price": 1}, "The program on row 2: this is not a record of Order .count"),
        ({"name": "Tea", "count": 3, "price": 4}, "row 2: this is not a record of Order .three cannot cost 4"),
        ({"name": "Tea"}, "row 2: this is not a record"),
        ("Tea", "row 2 returned 'Tea': return a dict of fields, or None"),
        ({"name": {1, 2}}, "row 2 returned something that is not plain JSON"),
        (KeyError("x"), "row 2 failed with KeyError: 'x'. The row has the columns "),
        (SystemExit(0), "row 2 failed with SystemExit: 0"),
    ],
)
def test_what_a_program_must_not_return_is_told_with_the_row(rows: Any, found: Any, problem: str) -> None:
    def program(row: dict[str, Any]) -> Any:  # noqa: ARG001  the contract's
        if isinstance(found, BaseException):
            raise found
        return found

    with pytest.raises(UsageError, match=problem):
        Curate(rows, ORDER, program=program).given(rows[1])


def test_without_truth_a_simulated_model_is_refused_before_anything_is_made(rows: Any, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="give --truth FILE with labelled rows that hold each row of the input, or name a real --model"
    ):
        Run.create(tmp_path / "r", Curate(rows, ORDER), model="sim:perfect", k=2)
    assert not (tmp_path / "r").exists()


def test_the_truth_must_know_each_row_and_be_one(rows: Any) -> None:
    tea, other = LabelledRow(1, rows[1], TEA), LabelledRow(2, rows[1], {**TEA, "count": 2})
    with pytest.raises(UsageError, match="no record for row 1 of the input"):
        Curate(rows, ORDER, truth=[tea])
    with pytest.raises(UsageError, match=r"two records for the same row .row 2"):
        Curate(rows, ORDER, truth=[tea, other])
