"""Inputs of a task: files by their content, and what the task declares."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph.errors import UnusableRun, UsageError
from maker_graph.tasks.inputs import declared, digests_of, file_input, files_of, see_declared, see_files


class Declaring:
    def __init__(self, inputs: Any) -> None:
        self.inputs = inputs


def test_a_file_counts_by_its_content_and_plain_json_by_its_value(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"rows" * 100_000)
    a, b = file_input(tmp_path / "a"), file_input(tmp_path / "b")
    assert a.digest == b.digest != file_input(tmp_path / "none").digest
    one = digests_of(declared(Declaring({"rows": tmp_path / "a", "way": {"x": 1, "y": [2]}})))
    assert one == digests_of(declared(Declaring(lambda: {"rows": tmp_path / "b", "way": {"y": (2,), "x": 1}})))
    assert one["way"] != digests_of(declared(Declaring({"way": {"x": 1}})))["way"]
    assert declared(object()) == {}


def test_only_options_that_are_files_are_inputs(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    there, text = tmp_path / "a", str(tmp_path / "a")
    assert files_of({"input": "relative"}) == {}
    values = {"rows": there, "out": tmp_path / "new", "folder": tmp_path, "name": text, "size": 3, "input": text}
    assert set(files_of(values)) == {"rows", "input"}, "a text is a file if it is what --input gives"


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ([], "Declaring.inputs must be a mapping from names"),
        ({1: "a"}, "must be a mapping from names"),
        ({"a": {1, 2}}, r"Declaring.inputs\['a'\] is neither a Path nor plain JSON"),
        (lambda _: {}, r"must be a function that is called as Declaring.inputs\(\)"),
        (lambda: 1 / 0, "Declaring.inputs failed with ZeroDivisionError"),
        ({"a": Path("/nowhere/at/all")}, "declares the input /nowhere/at/all, which is not there"),
        ({"a": Path("/")}, "which is not a regular file"),
    ],
)
def test_what_cannot_be_digested_is_told(inputs: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        digests_of(declared(Declaring(inputs)))


def test_a_changed_input_is_named(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("a")
    options = {"rows": str(rows), "size": 3}
    task = Declaring({"words": rows, "way": 1})
    began = digests_of({**files_of({"rows": rows}), **declared(task)})
    see_files("t", began, options)
    see_declared("t", began, options, task)
    for changed, problem in (
        ({"words": rows, "way": 2}, "The input 'way' of t is no longer what this run began with: put it back"),
        ({"words": rows}, "The input 'way' of t is no longer"),
        ({"words": rows, "way": 1, "more": 1}, "t declares the input 'more', but did not"),
        ({"words": tmp_path / "none", "way": 1}, "none, with which this run began, is gone"),
    ):
        with pytest.raises(UnusableRun, match=problem):
            see_declared("t", began, options, Declaring(changed))
    rows.write_text("b")
    with pytest.raises(UnusableRun, match=r"rows.csv is no longer the file that this run began with: put that one back, or"):
        see_files("t", began, options)
    with pytest.raises(UnusableRun, match=r"rows.csv is no longer the file"):
        see_declared("t", began, options, task)
    rows.unlink()
    with pytest.raises(UnusableRun, match=r"rows.csv, with which this run began, is gone"):
        see_files("t", began, options)
