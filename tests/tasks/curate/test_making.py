"""The options of curate: what they make, what is refused, and that they mean the same in whatever folder a run goes on."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import UnusableRun, UsageError
from maker_graph.tasks import Curate, curation
from maker_graph.tasks.loading import described, load_task, options_named, runs_foreign_code
from tests.tasks.curate.tables import LABELLED, ROWS, Order, written

CODE = "from tests.tasks.curate.tables import Order\ndef program(row):\n    return None\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path / "t.csv", ROWS)
    written(tmp_path / "l.csv", LABELLED)
    written(tmp_path / "o.py", CODE)
    return tmp_path


def test_names_of_files_are_kept_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    texts = ["schema=o.py:Order", "program=o.py:program", "per_field=true", "prefix=n_"]
    kept = options_named("curate", texts, Path("t.csv"))
    assert kept["schema"] == f"{folder / 'o.py'}:Order"
    monkeypatch.chdir("/")
    task: Any = load_task("curate", kept).task
    assert len(task.items) == 15
    assert task.columns.status == "n_status"
    assert options_named("curate", ["schema=mine.models:Order", "input=/x"])["schema"] == "mine.models:Order"


def test_a_task_that_is_made_in_python_by_names_is_gone_on_with_by_its_options(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    loaded = described(curation("t.csv", "o.py:Order", program="o.py:program", prefix="n_"))
    assert loaded.name == "curate"
    with Run.create(folder / "run", loaded, model="openai:any") as run:
        began = run.settings.began
    monkeypatch.chdir("/")
    again = load_task("curate", loaded.options, began)
    assert (again.options, len(again.task.items)) == (loaded.options, 3)  # type: ignore[union-attr]  # it has items
    assert described(curation(folder / "t.csv", Order)).options == {}, "a class has no name by which it is found again"


def test_a_schema_or_a_program_in_python_is_foreign_code_and_a_json_schema_is_none() -> None:
    assert runs_foreign_code("curate", {"input": "x", "schema": "o.py:Order"})
    assert runs_foreign_code("curate", {"input": "x", "schema": "o.json", "program": "o.py:program"})
    assert not runs_foreign_code("curate", {"input": "x", "schema": "o.json"})


def test_in_python_the_model_and_the_program_are_given_as_such(folder: Path) -> None:
    task = curation(folder / "t.csv", Order, program=lambda row: None, truth=folder / "l.csv")  # noqa: ARG005  the contract's
    assert isinstance(task, Curate)
    with Run.create(folder / "r", task, model="sim:perfect,error=.1", k=2, out=folder / "o.csv") as run:
        assert run.solve()["verdict"] == "right"
    assert (folder / "o.csv").read_text().count("decided by vote") == 3
    written(folder / "t.csv", ROWS.replace("Tea", "Cup"))
    with Run.open(folder / "r", task=task) as run, pytest.raises(UnusableRun, match=r"t.csv is no longer the file"):
        run.solve()


def test_examples_that_hold_no_labels_and_a_program_that_is_none_are_refused(folder: Path) -> None:
    written(folder / "e.csv", LABELLED.split("\n")[0] + "\n1,x,,,,,\n")
    with pytest.raises(UsageError, match="holds no labelled rows"):
        curation(folder / "t.csv", Order, examples=folder / "e.csv")
    with pytest.raises(UsageError, match="program must be a function"):
        curation(folder / "t.csv", Order, program=f"{folder / 'o.py'}:Order.__name__")


def test_examples_are_shown_before_the_row_and_never_the_row_itself(folder: Path) -> None:
    task = curation(folder / "t.csv", Order, examples=folder / "l.csv")
    assert [each.item["id"] for each in task.examples] == ["1", "2", "3"]
    assert '"name": "Coffee"' in task.examples[0].reply


def test_the_truth_and_the_examples_may_be_of_another_kind_than_the_table(folder: Path) -> None:
    table = written(folder / "t.jsonl", '{"id": 1, "text": "Coffee, 3 at 2.50"}\n{"id": 2, "text": "Tea 1 at 1.20"}\n')
    task: Any = curation(table, Order, truth=folder / "l.csv", examples=folder / "l.csv")
    assert task.truth(task.items[0])["price"] == "2.50"
    assert [each.item["id"] for each in task.examples] == [1, 2, "3"], "so none is shown before itself"
