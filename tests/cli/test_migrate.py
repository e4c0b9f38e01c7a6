"""`maker-graph run migrate`: from a tree to a patch, with tests, and into the tree."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import result
from tests.conftest import Cli

OWN = Path(__file__).parents[1] / "tasks" / "migrate" / "own.py"
CODE = '''"""A module."""


def hello(name, n: int, e):
    """Greet."""
    x = "hello %s and %r" % (name, e)  # kept
    y = "%d items of %s" % (n, name)
    z = "%d" % e
    return x, y, z
'''
RUN = ("--model", "sim:perfect", "--k", "2", "--run", "r", "-q")
TEST = "python -c \"import pkg.a; assert pkg.a.hello('a', 1, 2) == ('hello a and 2', '1 items of a', '2')\""


def git(root: Path, *words: str) -> str:
    settings = ("-c", "user.email=a@example.org", "-c", "user.name=a")
    command = ["git", *settings, *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "a.py").write_text(CODE)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "a")
    return root


def test_a_run_ends_with_a_patch_that_git_takes(cli: Cli, tree: Path, tmp_path: Path) -> None:
    done = cli("run", "migrate", "--path", "tree/pkg", "--out", "x.patch", *RUN)
    assert done.returncode == 0, done.stderr
    assert "2 edits in 1 file, 1 stay as they are, 0 not done" in done.stderr
    assert (tree / "pkg" / "a.py").read_text() == CODE
    git(tree, "apply", "../x.patch")
    assert 'x = f"hello {name!s} and {e!r}"  # kept' in (tree / "pkg" / "a.py").read_text()
    assert not (tmp_path / "x.patch.review").exists()
    assert cli("verify", "r").returncode == 0
    assert cli("report", "r", "-q").returncode in {0, 2}


def test_apply_changes_a_clean_tree_and_a_second_time_nothing(cli: Cli, tree: Path) -> None:
    done = cli("run", "migrate", "--path", "tree/pkg", "--apply", *RUN)
    assert done.returncode == 0, done.stderr
    assert "1 file changed" in done.stderr
    changed = (tree / "pkg" / "a.py").read_text()
    assert 'f"{n:d} items of {name!s}"' in changed
    again = cli("resume", "r", "--apply", "-q")
    assert again.returncode == 0
    assert "already" in again.stderr
    assert (tree / "pkg" / "a.py").read_text() == changed
    assert cli("verify", "r").returncode == 0


def test_a_tree_that_is_not_clean_is_refused_before_anything_is_paid(cli: Cli, tree: Path, tmp_path: Path) -> None:
    (tree / "pkg" / "a.py").write_text(CODE + "\n# mine\n")
    done = cli("run", "migrate", "--path", "tree/pkg", "--apply", *RUN)
    assert done.returncode == 2
    assert "commit or stash them first" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_tree_that_changed_while_the_votes_went_on_is_left_as_it_is(cli: Cli, tree: Path) -> None:
    assert cli("run", "migrate", "--path", "tree/pkg", "--out", "x.patch", *RUN).returncode == 0
    mine = CODE.replace("Greet", "Greet me")
    (tree / "pkg" / "a.py").write_text(mine)
    git(tree, "commit", "-qam", "b")
    done = cli("resume", "r", "--apply", "-q")
    assert done.returncode == 2
    assert "was changed since the run began" in done.stderr
    assert (tree / "pkg" / "a.py").read_text() == mine


def test_tests_that_are_green_change_nothing_and_run_in_a_copy(cli: Cli, tree: Path) -> None:
    done = cli("run", "migrate", "--path", "tree/pkg", "--out", "x.patch", "--test", f"{TEST} && touch mark", "--yes", *RUN)
    assert done.returncode == 0, done.stderr
    assert "The tests are green with all of them." in done.stderr
    assert not (tree / "mark").exists()


def test_an_edit_that_turns_the_tests_red_is_found_and_left_out(cli: Cli, tree: Path, tmp_path: Path) -> None:
    command = "grep -q 'items of %s' pkg/a.py"
    done = cli("run", "migrate", "--path", "tree/pkg", "--out", "x.patch", "--test", command, "--yes", "--apply", *RUN)
    assert done.returncode == 3, done.stderr
    assert "red with the edit of a.py, line 7 (item 2): it is left out" in done.stderr
    assert (tmp_path / "x.patch.review").read_text().startswith("a.py:7:9: item 2: the tests are red with it")
    changed = (tree / "pkg" / "a.py").read_text()
    assert "items of %s" in changed
    assert "hello {name!s}" in changed
    patch = (tmp_path / "x.patch").read_bytes()
    assert cli("resume", "r", "-q").returncode == 3
    assert (tmp_path / "x.patch").read_bytes() == patch


def test_tests_that_are_red_before_blame_nothing(cli: Cli, tree: Path) -> None:  # noqa: ARG001
    done = cli("run", "migrate", "--path", "tree/pkg", "--out", "x.patch", "--test", "echo broken; false", "--yes", *RUN)
    assert done.returncode == 0
    assert "The tests are red before any edit (it ended with exit code 1), so no edit will be blamed" in done.stderr
    assert "broken" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--test", "true"), "add --yes to agree"),
        (("--yes",), "belong to --test"),
        (("--test", " ", "--yes"), "--test is empty"),
        (("--rule", "nothing"), "There is no rule 'nothing'"),
        (("--rule", "nowhere.py:Rule"), "There is no file"),
        (("--path", "nowhere"), "is not a folder"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(
    cli: Cli, tree: Path, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    path = () if "--path" in words else ("--path", str(tree))
    done = cli("run", "migrate", *path, "--out", "x.patch", *words, *RUN)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_migration_needs_a_place_for_its_edits_and_other_tasks_have_none(cli: Cli, tree: Path) -> None:
    assert "--out PATCH, or --apply" in cli("run", "migrate", "--path", str(tree), *RUN).stderr
    done = cli("run", "hanoi", "--disks", "3", "--apply", *RUN)
    assert done.returncode == 2
    assert "such as migrate" in done.stderr


def test_open_sites_wait_for_a_person_who_types_the_code(cli: Cli, tree: Path, tmp_path: Path) -> None:
    (tree / "pkg" / "a.py").write_text("x = old(1)\ny = old(\n    2)\n")
    model = ("--model", "sim:perfect,flagged=1", "--k", "2", "--max-samples", "4", "--run", "r", "-q")
    done = cli("run", "migrate", "--path", "tree/pkg", "--rule", f"{OWN}:Sure", "--out", "x.patch", *model)
    assert done.returncode == 3, done.stderr
    assert "1 edit in 1 file, 0 stay as they are, 1 not done" in done.stderr
    assert "item 2: no answer won: old( 2)" in (tmp_path / "x.patch.review").read_text()
    assert "never" not in (tmp_path / "x.patch").read_text()
    (tmp_path / "answers.jsonl").write_text(json.dumps({"item": 2, "answer": "new(2)"}) + "\n")
    resumed = cli("resume", "r", "--answers", "answers.jsonl", "--task", "migrate", "-q")
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "x.patch").read_text().endswith("+y = new(2)\n")
    assert not (tmp_path / "x.patch.review").exists()


def test_a_rule_of_ones_own_is_not_imported_because_a_directory_names_it(cli: Cli, tree: Path) -> None:
    (tree / "pkg" / "a.py").write_text("x = old(1)\n")
    assert cli("run", "migrate", "--path", "tree/pkg", "--rule", f"{OWN}:Plain", "--out", "x.patch", *RUN).returncode == 0
    done = cli("verify", "r")
    assert done.returncode == 2
    assert "is code" in done.stderr
    assert cli("verify", "r", "--trust").returncode == 0


def test_a_run_that_stopped_writes_no_patch_and_asks_no_more_if_the_code_has_changed(
    cli: Cli, tree: Path, tmp_path: Path
) -> None:
    (tree / "pkg" / "a.py").write_text("x = old(1), old(2), old(3)\n")
    words = ("--path", "tree/pkg", "--rule", f"{OWN}:Plain", "--out", "x.patch", "--lookahead", "1", "--max-calls", "3")
    done = cli("run", "migrate", *words, *RUN)
    assert done.returncode == 4
    assert not (tmp_path / "x.patch").exists()
    before = (tree / "pkg" / "a.py").read_text()
    (tree / "pkg" / "a.py").write_text("something else\n")
    refused = cli("resume", "r", "--max-calls", "99", "--task", "migrate")
    assert refused.returncode == 2
    assert "no longer what this run began with" in refused.stderr
    (tree / "pkg" / "a.py").write_text(before)
    assert cli("resume", "r", "--max-calls", "99", "--task", "migrate", "-q").returncode == 0
    assert (tmp_path / "x.patch").exists()


def test_tests_that_were_asked_for_are_not_forgotten_by_a_resume(cli: Cli, tree: Path, tmp_path: Path) -> None:
    (tree / "pkg" / "a.py").write_text("x = old(1), old(2), old(3)\n")
    rule = ("--rule", f"{OWN}:Plain")
    words = ("--path", "tree/pkg", *rule, "--out", "x.patch", "--lookahead", "1", "--max-calls", "3", "--test", "true", "--yes")
    assert cli("run", "migrate", *words, *RUN).returncode == 4
    on = ("--max-calls", "99", "--task", "migrate", "-q")
    refused = cli("resume", "r", *on)
    assert refused.returncode == 2
    assert "add --test true, or --test none" in refused.stderr
    assert not (tmp_path / "x.patch").exists()
    assert cli("resume", "r", "--test", "none", *on).returncode == 0
    assert (tmp_path / "x.patch").exists()


def test_a_patch_never_takes_the_place_of_the_code(cli: Cli, tree: Path) -> None:
    done = cli("run", "migrate", "--path", "tree/pkg", "--out", "tree/pkg/a.py", "--force", *RUN)
    assert done.returncode == 2
    assert "is a file of the code" in done.stderr
    assert (tree / "pkg" / "a.py").read_text() == CODE


def test_the_figures_can_be_read_as_json(cli: Cli, tree: Path) -> None:  # noqa: ARG001
    done = cli("run", "migrate", "--path", "tree/pkg", "--out", "x.patch", *RUN, "--json")
    assert result(done)["verdict"] == "right"


def test_a_patch_that_is_there_is_refused_before_the_tests_run(cli: Cli, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "x.patch").write_text("mine")
    done = cli("run", "migrate", "--path", str(tree), "--out", "x.patch", "--test", "true", "--yes", *RUN)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert "The tests run" not in done.stderr


def test_a_test_command_that_is_missing_is_refused_before_anything_is_paid(cli: Cli, tree: Path, tmp_path: Path) -> None:
    done = cli("run", "migrate", "--path", str(tree), "--out", "x.patch", "--test", "no-such-command", "--yes", *RUN)
    assert done.returncode == 2
    assert "no-such-command cannot be run" in done.stderr
    assert not (tmp_path / "runs").exists()
