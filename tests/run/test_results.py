"""The files of an items task are there whole or not at all, and nothing of the user's is lost."""

import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.core.items import DecidedItem, Items
from maker_graph.errors import LimitReached, UsageError
from maker_graph.files import OwnFiles
from maker_graph.run.results import see_out, write_out
from maker_graph.simulation import Replies
from tests.made import OPEN, decisions


class Words(Items):
    """Three words, written as the tests say."""

    items: Any = ("a", "b", "c")

    def prompt(self, item: Any) -> str:
        return str(item)


class Two(Words):
    """Writes open items into a second file."""

    def outputs(self, out: Path) -> list[Path]:
        return [out, out.with_suffix(".open")]

    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        rest = [each for each in decided if each.status == "open" or not out.write_text(str(each.answer))]
        if rest:
            out.with_suffix(".open").write_text(",".join(each.item for each in rest))


class Failing(Words):
    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        out.write_text(str(next(iter(decided))))
        raise KeyError("half")


class Nothing(Words):
    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        assert list(decided)
        assert not out.exists()


class More(Words):
    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        out.write_text(str(list(decided)))
        out.with_name("more").write_text("x")


class Folder(Two):
    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        out.write_text(str(list(decided)))
        out.with_suffix(".open").mkdir()


class Lost(Words):
    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:  # noqa: ARG002  the contract's
        Path("/none/template").read_text()


class Full(Words):
    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:  # noqa: ARG002  the contract's
        with Path("/dev/full").open("w") as file:
            file.write("x" * 100_000)


class Short(Words):
    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        out.write_text(str(next(iter(decided))))


class Elsewhere(Words):
    def outputs(self, out: Path) -> list[Path]:
        return [out, out.parent / "sub" / "x"]


def test_any_items_task_has_results_and_open_items_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    assert write_out(Words(), out, decisions(["A", OPEN]), OwnFiles()) == 1
    assert [json.loads(line)["status"] for line in out.read_text().splitlines()] == ["decided", "open"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_is_no_longer_needed_goes(tmp_path: Path) -> None:
    out, own = tmp_path / "o.txt", OwnFiles()
    assert write_out(Two(), out, decisions(["A", OPEN, OPEN]), own) == 2
    assert out.with_suffix(".open").read_text() == "b,c"
    assert write_out(Two(), out, decisions(["A", "B", "C"]), own) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["o.txt"]


def test_null_and_other_false_values_are_answers(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    assert write_out(Words(), out, decisions([None, False, ""]), OwnFiles()) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["status"], line["answer"]) for line in lines] == [("decided", None), ("decided", False), ("decided", "")]


class Absent(Words):
    """Nothing is in any of the words, but in the last one is not a reply that can be read."""

    items = ("a", "b")

    def parse(self, text: str) -> Any:
        return {"none": None}[text]

    def rehearse(self, item: str) -> Replies:
        return Replies("none" if item == "a" else "?", ["!"])


def test_an_item_that_is_decided_by_null_is_not_open(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    with Run.create(tmp_path / "r", Absent(), model="sim:perfect", k=2, max_samples=4, out=out) as run:
        assert run.solve()["verdict"] == "open"
    assert [json.loads(line)["status"] for line in out.read_text().splitlines()] == ["decided", "open"]


@pytest.mark.parametrize("found", [None, 5, "o.txt", ["o.txt"], [], [None], KeyError("x")])
def test_what_outputs_returns_is_looked_at(tmp_path: Path, found: Any) -> None:
    class Odd(Words):
        def outputs(self, out: Path) -> Any:  # noqa: ARG002  the contract's
            if isinstance(found, Exception):
                raise found
            return found

    for call in (
        lambda: see_out(Odd(), tmp_path / "o.txt", OwnFiles()),
        lambda: write_out(Odd(), tmp_path / "o.txt", decisions([]), OwnFiles()),
    ):
        with pytest.raises(UsageError, match=r"Odd.outputs (must return|failed)"):
            call()


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (Failing(), "Failing.write failed with KeyError"),
        (Nothing(), "has not written the file"),
        (More(), "More.write has written more, which More.outputs does not name"),
        (Folder(), "Folder.write has written o.open"),
        (Lost(), "Lost.write failed with FileNotFoundError"),
        (Elsewhere(), "must return `out` and files beside it"),
    ],
)
def test_a_task_that_cannot_write_changes_nothing(tmp_path: Path, task: Items, says: str) -> None:
    out, own = tmp_path / "o.txt", OwnFiles()
    write_out(Words(), out, decisions(["A"]), own)
    before = out.read_bytes()
    with pytest.raises(UsageError, match=says):
        write_out(task, out, decisions(["B"]), own)
    assert (out.read_bytes(), [path.name for path in tmp_path.iterdir()]) == (before, ["o.txt"])


def test_a_full_disk_is_no_fault_of_the_task(tmp_path: Path) -> None:
    with pytest.raises(LimitReached, match="No space left"):
        write_out(Full(), tmp_path / "o.txt", decisions(["A"]), OwnFiles())
    assert not list(tmp_path.iterdir())


def test_open_items_that_the_task_does_not_look_at_are_counted(tmp_path: Path) -> None:
    assert write_out(Short(), tmp_path / "o.txt", decisions(["A", OPEN, OPEN]), OwnFiles()) == 2


def test_results_go_to_another_disk_where_a_link_points_there(tmp_path: Path) -> None:
    places = [Path("/dev/shm"), Path(gettempdir()), Path.home()]  # noqa: S108  nothing is left there
    other = next((each for each in places if each.is_dir() and each.stat().st_dev != tmp_path.stat().st_dev), None)
    if other is None:
        pytest.skip("this machine has one disk")
    with TemporaryDirectory(dir=other) as folder:
        (tmp_path / "o.jsonl").symlink_to(Path(folder) / "far")
        write_out(Words(), tmp_path / "o.jsonl", decisions(["A"]), OwnFiles())
        assert json.loads((Path(folder) / "far").read_text())["answer"] == "A"
        assert [path.name for path in Path(folder).iterdir()] == ["far"]
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl"]


def test_a_file_of_the_users_or_an_input_is_not_replaced(tmp_path: Path) -> None:
    out, own = tmp_path / "o.txt", OwnFiles()
    out.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        see_out(Words(), out, own)
    with pytest.raises(UsageError, match="is there already"):
        write_out(Words(), out, decisions(["A"]), own)
    with pytest.raises(UsageError, match="would overwrite the input"):
        see_out(Words(), out, own, sources=[out], force=True)
    assert out.read_text() == "mine"
    see_out(Words(), out, own, force=True)
    write_out(Words(), out, decisions(["A"]), own)
    assert json.loads(out.read_text())["answer"] == "A"


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        write_out(Words(), tmp_path / "none" / "o.txt", decisions(["A"]), OwnFiles())


def test_what_a_killed_process_has_left_of_results_goes_with_the_next(tmp_path: Path) -> None:
    drafts: list[Path] = []

    class Watched(Words):
        def write(self, decided: Iterable[DecidedItem], out: Path) -> None:  # noqa: ARG002  the contract's
            drafts.append(out.parent)
            out.write_text("x")

    own = OwnFiles()
    write_out(Watched(), tmp_path / "o.txt", decisions([OPEN]), own)
    left, other = drafts[0], tmp_path / ".results-of-another"
    left.mkdir()
    other.mkdir()
    write_out(Watched(), tmp_path / "o.txt", decisions([OPEN]), own)
    assert sorted(tmp_path.iterdir()) == [other, tmp_path / "o.txt"]
