"""A schema is found by its name, and no text that a spreadsheet runs is a value."""

from pathlib import Path

import pytest

from maker_graph.errors import Invalid, UsageError
from maker_graph.tasks.curate.schema import load_named, load_schema, see_cells
from tests.tasks.curate.tables import written

CODE = "from beside import FIELD\nfrom pydantic import BaseModel\nclass Own(BaseModel):\n    name: FIELD\nnumber = 1\n"


def test_a_model_is_found_in_a_file_with_what_it_imports_from_beside_it(tmp_path: Path) -> None:
    written(tmp_path / "beside.py", "FIELD = str\n")
    found = load_schema(f"{written(tmp_path / 'own.py', CODE)}:Own")
    assert list(found.fields) == ["name"]
    assert list(found.inputs.values()) == [tmp_path / "own.py"]


def test_two_files_of_the_same_name_are_two(tmp_path: Path) -> None:
    for folder, value in (("a", "1"), ("b", "2")):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "same.py", f"value = {value}\n")
    assert [load_named(f"{tmp_path / each / 'same.py'}:value", "it", "a value").value for each in ("a", "b", "a")] == [1, 2, 1]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("Order", "names nothing: give the schema as a pydantic model as module:Model"),
        ("nowhere.at.all:Order", "cannot be loaded .ModuleNotFoundError"),
        ("none.py:Order", "none.py is not there"),
        ("none.json", "none.json cannot be read"),
        ("pathlib:Path", "is not a pydantic model with fields"),
    ],
)
def test_what_is_no_schema_is_told(source: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        load_schema(source)


def test_a_file_that_fails_when_it_is_loaded_is_told_and_not_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "bad.py", "1 / 0\n")
    with pytest.raises(UsageError, match=r"bad.py:X cannot be loaded \(ZeroDivisionError"):
        load_schema(f"{path}:X")
    written(path, "raise SystemExit(0)\n")
    with pytest.raises(UsageError, match=r"cannot be loaded \(SystemExit: 0"):
        load_schema(f"{path}:X")
    written(path, "X = 1\n")
    assert load_named(f"{path}:X", "it", "a value").value == 1


@pytest.mark.parametrize(
    "value", ["=1+1", " =A1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\uff1dA1", "\n=A1", "- item", "-5-3"]
)
def test_what_a_spreadsheet_would_run_is_no_value(value: str) -> None:
    with pytest.raises(Invalid, match="name begins like a formula"):
        see_cells({"name": value})


@pytest.mark.parametrize("value", ["-12.50", "+49 30 1234", "-1,234.50", "-5 %", "a=b", "-", "+", "1-2", "", "\u00a35"])
def test_numbers_and_plain_texts_are_values(value: str) -> None:
    see_cells({"name": value, "count": -1, "none": None, "list": ["=x"]})
