"""From a name to a task."""

from pathlib import Path

import pytest

from maker_graph import UnknownTask, UnusableRun, UsageError
from maker_graph.core.guarding import guarded
from maker_graph.tasks import Hanoi, Records
from maker_graph.tasks.loading import LoadedTask, described, load_task

ROWS = 'address,date,amount,note\n"1 Elm St., 10115 Kiel",3.4.24,$5,x\n'


def test_a_task_that_ships_is_made_by_its_name_and_options() -> None:
    loaded = load_task("hanoi", {"disks": 4})
    assert (loaded.name, loaded.options, guarded(loaded.task).done(guarded(loaded.task).start())) == (
        "hanoi",
        {"disks": 4},
        False,
    )


def test_records_keep_the_digest_of_their_file_and_all_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    loaded = load_task("records", {"input": str(path)})
    assert isinstance(loaded.task, Records)
    assert loaded.task.items[0]["note"] == "x"
    assert load_task("records", loaded.options).options == loaded.options
    path.write_text(ROWS.replace("Elm", "Oak"))
    with pytest.raises(UnusableRun, match="no longer the file"):
        load_task("records", loaded.options)


def test_a_task_is_described_by_what_makes_it_again() -> None:
    for task in (Hanoi(3), Hanoi(3, source=1, target=0)):
        loaded = described(task)
        again = guarded(load_task(loaded.name, loaded.options).task)
        assert again.prompt(again.start()) == task.prompt(task.start())
        assert described(loaded) is loaded


class Own(Hanoi):
    """A task of a user's own."""


def test_a_task_of_ones_own_goes_by_its_class() -> None:
    loaded = described(Own(3))
    assert loaded.name == f"{__name__}:Own"
    assert isinstance(loaded, LoadedTask)


@pytest.mark.parametrize(
    ("name", "text"),
    [("hanoj", "There is no task"), ("no.such:Task", "cannot be made"), ("os:sep", "cannot be made"), ("os:getpid", "no task")],
)
def test_what_is_no_task_is_told(name: str, text: str) -> None:
    with pytest.raises(UnknownTask, match=text):
        load_task(name, {})


def test_options_that_a_task_cannot_have_are_told() -> None:
    with pytest.raises(UsageError):
        load_task("hanoi", {"disks": 0})
