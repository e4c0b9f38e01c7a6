"""From a name to a task."""

from pathlib import Path

import pytest

from maker_graph import UnknownTask, UnusableRun, UsageError
from maker_graph.core.guarding import guarded
from maker_graph.tasks import Hanoi, Records
from maker_graph.tasks.loading import LoadedTask, described, load_task, options_named

ROWS = 'address,date,amount,note\n"1 Elm St., 10115 Kiel",3.4.24,$5,x\n'


def test_a_task_that_ships_is_made_by_its_name_and_options() -> None:
    loaded = load_task("hanoi", {"disks": 4})
    assert (loaded.name, loaded.options, guarded(loaded.task).done(guarded(loaded.task).start())) == (
        "hanoi",
        {"disks": 4},
        False,
    )


def test_records_keep_all_columns_of_their_file_and_notice_another_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    loaded = load_task("records", {"input": str(path)})
    assert isinstance(loaded.task, Records)
    assert loaded.task.items[0]["note"] == "x"
    assert load_task("records", loaded.options, loaded.inputs).options == loaded.options
    before = {**loaded.options, "digest": loaded.inputs["input"]}
    assert load_task("records", before).inputs == loaded.inputs, "as it was kept by 0.1.0"
    path.write_text(ROWS.replace("Elm", "Oak"))
    for options, began in ((loaded.options, loaded.inputs), (before, None)):
        with pytest.raises(UnusableRun, match=r"rows.csv is no longer the file that this run began with: put that one back"):
            load_task("records", options, began)


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
    [
        ("hanoj", "There is no task"),
        ("no.such:Task", "There is no module no for"),
        ("os:sep", "cannot be made"),
        ("os:getpid", "not a task"),
        ("to/mine.py:Task", "write mine:Task"),
        ("hanio", r"did you mean hanoi\?"),
        ("mine.py", "write mine:Mine"),
        ("os:Mine", "module 'os' has no attribute 'Mine'"),
    ],
)
def test_what_is_no_task_is_told(name: str, text: str) -> None:
    with pytest.raises(UnknownTask, match=text):
        load_task(name, {})


def test_options_that_a_task_cannot_have_are_told() -> None:
    with pytest.raises(UsageError, match="at least 1 disk"):
        load_task("hanoi", {"disks": 0})
    with pytest.raises(UsageError, match=r"hanoi has no option 'disk': its options are disks \(int, 10 if left out\), source"):
        load_task("hanoi", {"disk": 4})
    with pytest.raises(UsageError, match=r"records needs input \(Path\): give --input FILE, or --set input=VALUE"):
        load_task("records", {})


MADE = Own(3)


def test_what_is_made_already_takes_no_options() -> None:
    assert load_task(f"{__name__}:MADE", {}).task is MADE
    with pytest.raises(UsageError, match="is an instance"):
        load_task(f"{__name__}:MADE", {"disks": 3})
    for texts, source in ((["disks=3"], None), ([], Path("rows.csv"))):
        with pytest.raises(UsageError, match="takes no settings: leave out --set and --input"):
            options_named(f"{__name__}:MADE", texts, source)
    assert options_named(f"{__name__}:MADE", []) == {}


class Stored(Own):
    """A task that reads a file, and says how it reads."""

    class Inner(Hanoi):
        """Found inside."""

    made = 0

    def __init__(self, rows: Path, way: str = "plain") -> None:
        type(self).made += 1
        super().__init__(int(rows.read_text()))
        self.inputs = {"way": way}


def test_a_task_of_ones_own_is_made_with_options_and_held_against_its_inputs_before_it_is_made_again(tmp_path: Path) -> None:
    rows = tmp_path / "rows.txt"
    rows.write_text("3")
    name = f"{__name__}:Stored"
    loaded = load_task(name, options_named(name, [f"rows={rows}"]))
    assert (loaded.options, sorted(loaded.inputs)) == ({"rows": str(rows)}, ["rows", "way"])
    assert load_task(name, loaded.options, loaded.inputs).inputs == loaded.inputs
    made = Stored.made
    rows.write_text("4")
    with pytest.raises(UnusableRun, match=r"rows.txt is no longer the file"):
        load_task(name, loaded.options, loaded.inputs)
    rows.unlink()
    with pytest.raises(UnusableRun, match=r"rows.txt, with which this run began, is gone"):
        load_task(name, loaded.options, loaded.inputs)
    assert Stored.made == made, "nothing was parsed in vain"
    rows.write_text("3")
    with pytest.raises(UnusableRun, match=r"The input 'way' of .* is no longer what this run began with"):
        load_task(name, {**loaded.options, "way": "other"}, loaded.inputs)


def test_a_task_that_stands_in_a_class_is_found() -> None:
    assert isinstance(load_task(described(Stored.Inner(3)).name, {"disks": 3}).task, Stored.Inner)
