"""What can be said of a run from its directory alone."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph import LimitReached
from maker_graph.core.items import Items
from maker_graph.errors import DamagedRun, UnusableRun
from maker_graph.run.directory import opened
from maker_graph.run.summary import summary
from maker_graph.runs import Run
from maker_graph.tasks import Hanoi, curation
from maker_graph.tasks.inputs import digests_of, file_input
from maker_graph.tasks.loading import LoadedTask, cut_task, described, load_task
from tests.made import created, new_settings
from tests.tasks.curate.tables import written

FOREIGN = """
print("imported")
from maker_graph.tasks import Hanoi, curation
class Task(Hanoi):
    def __init__(self):
        print("called")
        super().__init__(2)
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a finished run of a task that does not ship; its module, in the working directory, says when it is imported."""
    monkeypatch.chdir(tmp_path)
    named = {"task": "foreign:Task", "options": {}}
    settings = new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1).model_copy(update=named)
    with created(tmp_path / "r", settings):
        pass
    with Run.open("r", task=Hanoi(2)) as run:
        assert run.solve()["verified"]
    (tmp_path / "foreign.py").write_text(FOREIGN, encoding="utf-8")
    return tmp_path / "r"


def test_looking_at_a_run_imports_nothing_of_what_its_settings_name(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Run.open(foreign) as run:
        looked = run.verify()
        assert (looked["steps"], looked["votes"], looked["flags"]) == (3, 3, {})
        assert {
            looked[name] for name in ("verdict", "because", "verified", "wrong", "single_wrong", "done", "digest", "total")
        } == {None}
        assert len(list(run.steps())) == 3
        assert run.certify().steps == 3
        with pytest.raises(UnusableRun, match="does not know"):
            run.solve()
        assert (run.directory / "report.html") in run.report()
    assert "foreign" not in sys.modules
    assert capsys.readouterr().out == ""


def test_the_task_is_imported_when_its_code_is_trusted(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "foreign", raising=False)
    with Run.open(foreign, trust=True) as run:
        assert run.verify()["verified"]
    assert capsys.readouterr().out == "imported\ncalled\n"
    del sys.modules["foreign"]


def test_a_run_that_names_what_it_should_not_is_looked_at_all_the_same(tmp_path: Path) -> None:
    for number, name in enumerate(["code:interact", "antigravity:x", "os:getcwd", "nowhere:Task", "no module at all"]):
        settings = new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1).model_copy(update={"task": name})
        with created(tmp_path / f"r{number}", settings):
            pass
        with opened(tmp_path / f"r{number}") as run:
            assert summary(run)["steps"] == 0
    assert "antigravity" not in sys.modules


class Reads(Hanoi):
    """Declares the file that it reads."""

    def __init__(self, path: Path) -> None:
        super().__init__(2)
        self.inputs = {"moves": path, "form": 1}


def test_a_task_that_is_handed_in_is_held_against_the_inputs_with_which_its_run_began(tmp_path: Path) -> None:
    path = tmp_path / "moves"
    path.write_text("a")
    with Run.create(tmp_path / "r", Reads(path), model="sim:perfect", k=1, max_calls=1) as run, pytest.raises(LimitReached):
        run.solve()
    path.write_text("b")
    other = Reads(path)
    with Run.open(tmp_path / "r", task=other) as run:
        for look in (run.solve, run.verify):
            with pytest.raises(UnusableRun, match=r"moves is no longer the file that this run began with: put that one back"):
                look()
    with (
        Run.open(tmp_path / "r", task=Hanoi(2)) as run,
        pytest.raises(UnusableRun, match="The input 'moves' of"),
    ):
        run.solve()
    path.rename(tmp_path / "moved")
    (tmp_path / "moved").write_text("a")
    with Run.open(tmp_path / "r", task=Reads(tmp_path / "moved")) as run:
        assert run.solve(max_calls=9)["verdict"] == "proved", "it counts by its content"


def test_a_task_that_is_handed_in_is_held_against_the_files_among_the_options_too(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    rows.write_text("a")
    loaded = LoadedTask("mine:Task", {"rows": str(rows)}, Hanoi(2), digests_of({"rows": file_input(rows)}))
    Run.create(tmp_path / "r", loaded, model="sim:perfect", k=1).close()
    rows.write_text("b")
    with Run.open(tmp_path / "r", task=Hanoi(2)) as run, pytest.raises(UnusableRun, match="rows is no longer the file"):
        run.solve()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/null")])
@pytest.mark.parametrize("name", ["settings.json", "journal.db", "journal.db-wal", "journal.watermark", "checkpoints.db"])
def test_what_is_no_file_in_a_run_is_told_and_not_waited_for(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    with created(tmp_path / "r", new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1)):
        pass
    (tmp_path / "r" / name).unlink(missing_ok=True)
    make(tmp_path / "r" / name)
    with pytest.raises(DamagedRun, match=rf"{name} is a (pipe|folder|device): put the file back"), opened(tmp_path / "r"):
        pass


LOCALE = """
from pathlib import Path
from tests.made import created, new_settings
from tests.tasks.curate.tables import written
options = {"disks": 2, "input": "z\\u00fcrich"}
settings = new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1).model_copy(update={"options": options})
with created(Path("r"), settings, notes={"out": "\\u4e2d"}):
    pass
"""


def test_what_is_written_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", LOCALE], cwd=tmp_path, env=env, check=True, timeout=60)
    with opened(tmp_path / "r") as run:
        assert run.settings.options["input"] == "z\u00fcrich"
        assert run.journal.note("out") == "\u4e2d"


class Parity(Items):
    """Numbers, each odd or even; every third is known to a program."""

    def __init__(self, numbers: Path) -> None:
        self.inputs = {"own": numbers}
        self.items = numbers.read_text().split()

    def given(self, item: str) -> str | None:
        return self.truth(item) if int(item) % 3 == 0 else None

    def prompt(self, item: str) -> str:
        return f"Is {item} odd or even?"

    def parse(self, text: str) -> str:
        return {"odd": "odd", "even": "even"}[text.strip()]

    def truth(self, item: str) -> str:
        return "odd" if int(item) % 2 else "even"

    def rehearse(self, item: str) -> tuple[str, list[str]]:
        return self.truth(item), ["odd", "even"]


def test_a_run_of_a_slice_is_one_of_its_items_alone_whoever_makes_the_task(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    numbers.write_text("0 1 2 3 4 5 6 7 8 9")
    whole = load_task(f"{__name__}:Parity", {"numbers": str(numbers)})
    for place, slice_ in enumerate(cut_task(whole, 3)):
        with Run.create(tmp_path / f"n-{place}", slice_, model="sim:perfect", k=1) as run:
            found = run.solve()
        assert (found["steps"], found["total"], found["done"], found["wrong"]) == (3 + (place == 0), 3 + (place == 0), True, 0)
    with Run.open(tmp_path / "n-1", task=whole.task) as run:  # the whole is handed in
        assert [each.answer for each in run.steps()] == ["even", "odd", "even"]
        assert run.verify()["wrong"] == 0
    with Run.open(tmp_path / "n-2", trust=True) as run:
        assert run.verify()["wrong"] == 0
    numbers.write_text("0 1 2 3 4 5 6 7 8 10")
    with Run.open(tmp_path / "n-1", task=whole.task) as run, pytest.raises(UnusableRun, match="is no longer the file"):
        run.verify()


def test_a_run_of_a_slice_of_a_table_reads_nothing_else_of_it(tmp_path: Path) -> None:
    schema = written(tmp_path / "s.json", '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    rows = [f"{place},the {place}th" for place in range(9)]
    table = written(tmp_path / "t.csv", "\n".join(["id,text", *rows]))
    truth = written(tmp_path / "l.csv", "\n".join(["id,text,n", *(f"{row},{place}" for place, row in enumerate(rows))]))
    (_, second, _) = cut_task(described(curation(table, str(schema), truth=truth)), 3)
    with Run.create(tmp_path / "run", second, model="sim:perfect", k=1, max_steps=1) as run, pytest.raises(LimitReached):
        run.solve()
    content = table.read_bytes()
    assert second.slice is not None
    assert second.slice.span is not None
    begin, end = second.slice.span
    table.write_bytes(content[: second.slice.header] + b"\xff" * (begin - second.slice.header) + content[begin:end] + b'"')
    with Run.open(tmp_path / "run") as run:
        assert run.solve(max_steps=9)["steps"] == 3
        assert [each.answer for each in run.steps()] == [{"n": 3}, {"n": 4}, {"n": 5}]
    table.write_bytes(content + b"\n")
    with Run.open(tmp_path / "run", task=curation(table, str(schema), truth=truth)) as run:
        assert run.verify()["steps"] == 3, "the task in memory is the whole, and only the slice is held against the run"
    table.write_bytes(content.replace(b"the 4th", b"the 5th"))
    with Run.open(tmp_path / "run") as run, pytest.raises(UnusableRun, match=r"t\.csv is no longer the file"):
        run.verify()
