"""The file of a review queue is read as a spreadsheet and a person leave it."""

import csv
import io
import json
from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.run.answers import exported, read_answers
from maker_graph.run.review import OpenItem

ITEMS = [
    OpenItem(2, [("system", "Read it."), ("human", "Price: a")], {'"1"': 2, '"2"': 1}, {}, 3),
    OpenItem(9, [("human", "=cmd()\nsecond line")], {}, {"empty": 3}, 3),
]


def test_what_is_exported_can_be_filled_in_and_read(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in exported(ITEMS, as_csv=False).splitlines()]
    assert [(line["item"], line["answer"]) for line in lines] == [(2, None), (9, None)]
    assert lines[0]["question"] == "Read it.\n\nPrice: a"
    rows = list(csv.DictReader(io.StringIO(exported(ITEMS, as_csv=True), newline="")))
    assert [row["question"][:6] for row in rows] == ["Read i", "'=cmd("]  # no spreadsheet runs it
    assert rows[0]["ballot"] == '2 for "1"; 1 for "2"'
    path = tmp_path / "a.CSV"
    path.write_text("note,answer,item\nx,-5,2\ny,,9\n")
    assert read_answers(path) == {2: "-5"}


def test_json_answers_are_texts_or_json_and_the_same_one_may_stand_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"item": 2, "answer": {"b": 1, "a": [1]}}\n\n{"item": "9", "answer": "x"}\n{"item": 9, "answer": "x"}\n')
    assert read_answers(path) == {2: '{"a":[1],"b":1}', 9: "x"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "item\n2\n", "needs one column item and one column answer, and has item"),
        ("a.csv", 'item,answer\n2,"x\n', "line"),
        ("a.csv", "item,answer\n-2,x\n", "line 2: the item must be a whole number"),
        ("a.csv", "item,answer\n2,Elm St., 5\n", "line 2: 3 fields, and the header has 2"),
        ("a.csv", "item,answer,answer\n2,x,y\n", "needs one column item and one column answer"),
        ("a.jsonl", "[1]\n", "an object with"),
        ("a.jsonl", '{"item": 2, "item": 4, "answer": 1}\n', "line 1: this is not JSON .a key stands twice"),
        ("a.jsonl", '{"item": 2, "answer": NaN}\n', "line 1: this is not JSON .NaN"),
        ("a.jsonl", '{"item": 1.5, "answer": 1}\n', "must be a whole number"),
        ("a.jsonl", "[" * 100_000, "not JSON"),
        ("a.jsonl", '{"item": 1, "answer": 1e999}', "line 1: the answer is not JSON"),
    ],
)
def test_what_is_no_such_file_is_told_with_its_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=says):
        read_answers(tmp_path / name)


@pytest.mark.parametrize("text", ["=1", " =1", "\t@x", "\uff1d1", "+1", "-1"])
def test_no_cell_that_is_exported_is_a_formula(text: str) -> None:
    exports = exported([OpenItem(1, [("human", text)], {}, {}, 0)], as_csv=True)
    assert next(csv.DictReader(io.StringIO(exports, newline="")))["question"] == f"'{text}"


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError):
            read_answers(path)


def test_a_question_may_hold_any_line_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    asked = OpenItem(3, [("human", "a\u2028b\u2029c\x85d\r\ne")], {}, {}, 1)
    path.write_bytes(exported([asked], as_csv=False).replace("null", '"x\u2028"').encode())
    assert read_answers(path) == {3: "x\u2028"}
