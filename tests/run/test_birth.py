"""A run's directory is there as a whole or not at all."""

import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from maker_graph.errors import UnusableRun, UsageError
from maker_graph.run.birth import cradle
from maker_graph.run.directory import opened
from tests.made import created, new_settings
from tests.survival.harness import settings_of


def test_what_a_killed_maker_left_is_removed_by_the_next_one_of_that_name(tmp_path: Path) -> None:
    for name in (".r.making-abc", ".other.making-abc", ".r.making", "r.making-abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "journal.db").write_text("half of it")
    with created(tmp_path / "r", settings_of(2)):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"r", ".other.making-abc", ".r.making", "r.making-abc"}


def test_a_maker_that_is_at_work_is_left_alone(tmp_path: Path) -> None:
    with cradle(tmp_path / "r") as first:
        (first / "journal.db").write_text("half of it")
        with cradle(tmp_path / "r") as second:
            assert second != first
        assert not second.exists()
        assert (first / "journal.db").exists()
    assert not list(tmp_path.iterdir())


def test_a_run_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), cradle(tmp_path / "r") as made:
        (made / "journal.db").write_text("half of it")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


MAKE = """
import sys
from pathlib import Path
from maker_graph.errors import UnusableRun
from tests.survival.harness import settings_of
from tests.made import created
settings = settings_of(2)
print("ready", flush=True)
sys.stdin.readline()
try:
    with created(Path(sys.argv[1]), settings):
        print("made")
except UnusableRun as error:
    print(error)
"""


def test_of_many_who_make_the_same_run_at_once_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    command, root = [sys.executable, "-c", MAKE, str(tmp_path / "r")], Path(__file__).parents[2]
    with ExitStack() as stack:
        makers = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ)
            )
            for _ in range(4)
        ]
        for maker in makers:
            assert maker.stdout is not None
            assert maker.stdout.readline() == "ready\n"
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write("\n")
            maker.stdin.flush()
        said = [maker.communicate(timeout=60)[0] for maker in makers]
    assert said.count("made\n") == 1, said
    assert sum("exists: resume it" in text for text in said) == 3, said
    assert {path.name for path in tmp_path.iterdir()} == {"r"}
    with opened(tmp_path / "r") as run:
        assert run.journal.step == 0


def test_a_run_is_made_in_an_empty_directory_and_in_no_other(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with created(tmp_path / "empty", settings_of(2)) as run:
        assert run.journal.step == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link"):
        with pytest.raises(UnusableRun, match="is not a run: give another"), created(tmp_path / name, settings_of(2)):
            pass
    assert (tmp_path / "full" / "mine.txt").read_text() == (tmp_path / "file").read_text() == "mine"


def test_notes_are_there_from_the_first_moment(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of(2), notes={"options": "{}", "plan": "é"}):
        pass
    with opened(tmp_path / "r") as run:
        assert (run.journal.note("options"), run.journal.note("plan")) == ("{}", "é")


def test_settings_with_a_name_that_is_no_text_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1).model_copy(update={"options": {"input": "z\udcfc.csv"}})
    with pytest.raises(UsageError, match="UTF-8"), created(tmp_path / "r", settings):
        pass
    assert not list(tmp_path.iterdir())
