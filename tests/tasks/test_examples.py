"""A file of examples, and the tasks that take one."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph import UsageError
from maker_graph.core.examples import Example
from maker_graph.core.items import Items
from maker_graph.run.populations import task_steps
from maker_graph.tasks.examples import read_examples, takes_examples
from maker_graph.tasks.hanoi import Hanoi
from maker_graph.tasks.loading import SHIPPED, load_task, options_named

ROW = {"address": "5 Elm St., 10115 Berlin", "date": "3.4.24", "amount": "$5"}
ANSWER = {"street": "Elm Street"}


class Own(Items):
    items = ("a",)

    def __init__(self, examples: str = "mine") -> None:
        self.said = examples

    def prompt(self, item: str) -> str:
        return item


def test_a_reply_is_a_text_or_the_json_of_an_answer(tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl"
    file.write_text('{"item": "a", "reply": " A "}\n\n{"item": [1], "answer": {"b": 2, "a": 1}}\n')
    assert read_examples(file) == [Example("a", " A "), Example([1], '{"a":1,"b":2}')]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no examples"),
        ("[]", "line 1: an example must be"),
        ('{"item": 1}', "line 1: an example must be"),
        ('{"item": 1, "answer": 1}\n{"item": 1, "answer": 1, "reply": "x"}', "line 2: an example must be"),
        ('{"item": 1, "reply": 3}', "line 1: reply must be the text"),
        ("{", "line 1: this is not JSON"),
        ('{"item": 1, "answer": NaN}', "line 1: this is not JSON"),
        ('{"item": 1, "item": 2, "answer": 1}', "line 1: this is not JSON"),
        ("[" * 100_000, "line 1: this is not JSON"),
    ],
)
def test_what_is_no_example_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "examples.jsonl"
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_examples(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_examples(tmp_path / "none")


def test_records_takes_examples_and_its_run_notices_if_they_change(tmp_path: Path) -> None:
    rows, examples = tmp_path / "rows.csv", tmp_path / "examples.jsonl"
    rows.write_text("address,date,amount\nx 1,y,z\n")
    examples.write_text(json.dumps({"item": ROW, "answer": ANSWER}) + "\n")
    options = options_named("records", [f"examples={examples}"], rows)
    loaded = load_task("records", options)
    assert isinstance(loaded.task, Items)
    assert loaded.task.examples == [Example(ROW, json.dumps(ANSWER, separators=(",", ":")))]
    assert set(loaded.inputs) == {"input", "examples"}
    examples.write_text(json.dumps({"item": {"address": 3}, "answer": ANSWER}) + "\n")
    with pytest.raises(UsageError, match="cannot ask about example 1"):
        load_task("records", options)


def test_only_items_take_examples_and_an_option_of_ones_own_stays_ones_own() -> None:
    assert [takes_examples(each) for each in (SHIPPED["records"], Hanoi, Own, int)] == [True, False, False, False]
    with pytest.raises(UsageError, match="no option 'examples'"):
        options_named("hanoi", ["examples=x"])
    loaded = load_task("tests.tasks.test_examples:Own", {"examples": "theirs"})
    assert (loaded.task.said, loaded.task.examples) == ("theirs", ())  # type: ignore[union-attr]


def test_an_example_among_the_items_is_never_labelled() -> None:
    task: Any = load_task("tests.tasks.test_examples:Plain", {}).task
    task.examples = [Example("b", "B")]
    assert [*task_steps(task).steps] == [1, 3]


class Plain(Items):
    items = ("a", "b", "c")

    def prompt(self, item: str) -> str:
        return item
