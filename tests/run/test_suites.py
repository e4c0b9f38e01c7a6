"""A test command runs in a copy, within its time, and the edits that turn it red are found."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from maker_graph.run.suites import Suite, blamed


def suite(root: Path, command: str, seconds: float = 60) -> Suite:
    root.mkdir(exist_ok=True)
    return Suite(command, root, seconds)


def test_the_command_sees_the_edits_and_the_tree_does_not(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.py").write_text("old")
    done = suite(tree, "cat a.py; echo more > a.py; touch new.py; test $(pwd) != " + str(tree)).tested({Path("a.py"): b"new"})
    assert done.green
    assert done.last == "new"
    assert [(each.name, each.read_text()) for each in tree.iterdir()] == [("a.py", "old")]


def test_a_red_command_tells_how_it_ended_and_what_it_said_last(tmp_path: Path) -> None:
    done = suite(tmp_path / "tree", "echo no; exit 7").tested({})
    assert (done.green, done.why, done.last) == (False, "it ended with exit code 7", "no")


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_began(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    done = suite(tmp_path / "tree", f"(sleep 3; touch {mark}) & sleep 60", seconds=1).tested({})
    assert (done.green, done.why) == (False, "it did not end within 1 seconds")
    time.sleep(3)
    assert not mark.exists()


def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert suite(tmp_path / "tree", f"(sleep 1; touch {mark}) &").tested({}).green
    time.sleep(2)
    assert not mark.exists()


def test_keys_are_not_in_the_environment_and_the_copy_is_imported_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-1")
    monkeypatch.setenv("SOME_TOKEN", "canary-2")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "installed_elsewhere.py").write_text("where = 'here'")
    done = suite(tree, "env; cd /; python -c 'import installed_elsewhere as i; print(i.where)'").tested({})
    assert "canary" not in done.last
    assert done.last.endswith("here")


def test_environments_caches_and_pipes_are_not_copied_and_links_stay_links(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in (".git", "__pycache__", "venv", "kept"):
        (tree / name).mkdir(parents=True)
    (tree / "venv" / "pyvenv.cfg").touch()
    (tree / "link").symlink_to("kept")
    os.mkfifo(tree / "pipe")
    assert suite(tree, "ls -a | tr '\\n' ' '; test -L link").tested({}).last.split() == [".", "..", "kept", "link"]


@pytest.mark.parametrize("bad", [set(), {1}, {13}, {1, 2}, {4, 9, 13}, set(range(1, 14))])
def test_each_edit_that_alone_turns_the_suite_red_is_blamed(bad: set[int]) -> None:
    runs = list[list[int]]()

    def is_green(some: Sequence[int]) -> bool:
        runs.append([*some])
        return not bad & {*runs[-1]}

    assert blamed(range(1, 14), is_green) == sorted(bad)
    assert len(runs) <= 1 + 5 * len(bad)


def test_of_edits_that_are_red_together_the_later_one_is_blamed() -> None:
    assert blamed([1, 2, 3, 4], lambda some: not {2, 4} <= {*some}) == [4]


def test_of_an_output_without_end_only_the_end_is_kept(tmp_path: Path) -> None:
    tested = Suite("yes | head -c 30000000; echo the end; exit 3", tmp_path).tested({})
    assert (tested.green, tested.missing) == (False, False)
    assert tested.last.endswith("the end")
    assert len(tested.last) <= 2_000


def test_a_process_that_left_the_group_and_holds_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    assert Suite("setsid sleep 20 & true", tmp_path).tested({}).green
