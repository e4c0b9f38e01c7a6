"""Edits of a tree are made all of them or none, whatever happens meanwhile."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.run.applying import Change, apply, git_directory, is_applied, recover, see_clean

NAMES = [f"f{number:03}.py" for number in range(60)]
CHANGES = [Change(name, f"before {name}\n".encode(), f"after {name}\n".encode()) for name in NAMES]


def git(root: Path, *words: str) -> str:
    settings = ("-c", "user.email=a@example.org", "-c", "user.name=a")
    command = ["git", *settings, *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    for change in CHANGES:
        (root / change.path).write_bytes(change.before)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "a")
    return root


def held(root: Path) -> str:
    """Say what a tree holds: "before", "after", or both."""
    kinds = {change.before: "before" for change in CHANGES} | {change.after: "after" for change in CHANGES}
    return " ".join(sorted({kinds.get((root / name).read_bytes(), "other") for name in NAMES}))


def intent(root: Path) -> Path:
    return root / ".git" / "maker-graph-apply.json"


def test_all_changes_are_made_and_modes_are_kept(tree: Path) -> None:
    (tree / NAMES[0]).chmod(0o755)
    git(tree, "commit", "-qam", "mode")
    see_clean(tree, NAMES)
    apply(tree, CHANGES)
    assert held(tree) == "after"
    assert is_applied(tree, CHANGES)
    assert (tree / NAMES[0]).stat().st_mode & 0o777 == 0o755
    assert not intent(tree).exists()


def test_a_tree_must_be_clean_and_know_its_files(tree: Path, tmp_path: Path) -> None:
    (tree / "new.py").touch()
    see_clean(tree, NAMES)
    with pytest.raises(UsageError, match=r"git does not know new\.py"):
        see_clean(tree, ["new.py"])
    (tree / NAMES[3]).write_text("mine")
    with pytest.raises(UsageError, match=rf"has changes that are not committed \({NAMES[3]}\)"):
        see_clean(tree, NAMES)
    with pytest.raises(UsageError, match="is in no git repository"):
        see_clean(tmp_path, [])
    assert git_directory(tmp_path) is None


def test_a_file_that_was_changed_meanwhile_refuses_all(tree: Path) -> None:
    (tree / NAMES[-1]).write_text("mine")
    with pytest.raises(UsageError, match="was changed since the run began"):
        apply(tree, CHANGES)
    assert held(tree) == "before other"
    assert not intent(tree).exists()


APPLY = """
from pathlib import Path
from tests.run.test_applying import CHANGES, apply
print("begin", flush=True)
apply(Path({tree!r}), CHANGES)
"""


@pytest.mark.parametrize("after", range(5))
def test_a_kill_at_any_moment_leaves_all_or_nothing_once_somebody_comes_next(tree: Path, after: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(APPLY).format(tree=str(tree))],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    process.stdout.readline()
    wanted = after * 12
    while process.poll() is None and sum((tree / name).read_bytes().startswith(b"after") for name in NAMES) < wanted:
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    began = intent(tree).exists()
    said = recover(tree)
    assert (said is not None) == began
    assert held(tree) in {"before", "after"}
    assert not intent(tree).exists()
    if held(tree) == "after":
        git(tree, "commit", "-qam", "applied")
    see_clean(tree, NAMES)


MIDWAY = """
import os, signal
from pathlib import Path
from maker_graph.errors import LimitReached
from maker_graph.run import applying
from tests.run.test_applying import CHANGES
write = applying.write_whole
def until(path, content, **more):
    if path.name == {path!r} and content.startswith(b"after"):
        {happens}
    return write(path, content, **more)
applying.write_whole = until
try:
    applying.apply(Path({tree!r}), CHANGES)
except LimitReached as error:
    print(error)
"""
"""What happens when one of the files is written."""


def midway(tree: Path, path: str, happens: str) -> subprocess.CompletedProcess[str]:
    script = MIDWAY.format(tree=str(tree), path=path, happens=happens)
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)


def half(tree: Path, path: str) -> None:
    """Leave what a kill midway leaves behind."""
    assert midway(tree, path, "os.kill(os.getpid(), signal.SIGKILL)").returncode == -signal.SIGKILL


def test_a_disk_that_is_full_midway_changes_nothing(tree: Path) -> None:
    done = midway(tree, NAMES[30], "raise OSError(28, 'No space left on device')")
    assert "No space left on device): nothing is changed" in done.stdout
    assert held(tree) == "before"
    assert not intent(tree).exists()


def test_what_was_begun_is_completed_by_whoever_comes_next(tree: Path) -> None:
    half(tree, NAMES[30])
    assert held(tree) == "after before"
    with pytest.raises(UsageError, match="was interrupted"):
        apply(tree, CHANGES)
    assert recover(tree) == f"An --apply that was interrupted is complete now: 60 files in {tree}."
    assert held(tree) == "after"
    assert recover(tree) is None


def test_what_was_begun_is_taken_back_if_somebody_changed_a_file_meanwhile(tree: Path) -> None:
    half(tree, NAMES[30])
    (tree / NAMES[40]).write_text("mine")
    said = recover(tree)
    assert said is not None
    assert "was taken back" in said
    assert held(tree) == "before other"
    assert (tree / NAMES[40]).read_text() == "mine"
    assert not intent(tree).exists()


def test_an_intent_that_names_files_outside_of_the_tree_is_refused(tree: Path) -> None:
    intent(tree).write_text('{"files": [["../other.py", "", ""]]}')
    with pytest.raises(UsageError, match="cannot be read"):
        recover(tree)
    assert not (tree.parent / "other.py").exists()


def test_a_file_at_which_git_was_told_not_to_look_is_refused(tree: Path) -> None:
    git(tree, "update-index", "--assume-unchanged", NAMES[1])
    see_clean(tree, NAMES[:1])
    with pytest.raises(UsageError, match=f"to overlook changes of {NAMES[1]}"):
        see_clean(tree, NAMES)


def test_without_git_there_is_nothing_to_complete(tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert recover(tree) is None
    with pytest.raises(UsageError, match="git is not installed"):
        see_clean(tree, NAMES)
