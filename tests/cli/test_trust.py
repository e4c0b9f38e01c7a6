"""Code of a foreign run: looking imports nothing, and what must replay or go on asks for a word of the user's."""

import json
import shutil
from pathlib import Path

import pytest

from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.run.settings import read_settings
from tests.cli.commands import MORE, result
from tests.conftest import Cli

CODE = """
from pathlib import Path
from maker_graph.tasks import Hanoi
Path("imported").touch()
class Mine(Hanoi):
    def __init__(self): super().__init__(3)
"""


@pytest.fixture
def mine(cli: Cli, tmp_path: Path) -> Path:
    """Leave a run of a task of the user's own, stopped at a limit; return what its code leaves when it is imported."""
    (tmp_path / "mine.py").write_text(CODE)
    assert cli("run", "mine:Mine", "--model", "sim:perfect", "--k", "2", "--max-calls", "9", "--run", "r", "-q").returncode == 4
    imported = tmp_path / "imported"
    imported.unlink()
    return imported


@pytest.mark.parametrize("command", ["status", "certify", "report"])
def test_to_look_imports_nothing_also_of_a_run_that_was_made_here(cli: Cli, mine: Path, command: str) -> None:
    done = cli(command, "r")
    assert (done.returncode, mine.exists()) == (0, False), done.stderr


def test_status_says_what_the_journal_says_by_itself(cli: Cli, mine: Path) -> None:
    said = result(cli("status", "r", "--json"))
    assert (said["steps"], said["samples"], said["done"], said["verified"]) == (4, 9, None, None)
    assert "the task is code" in cli("status", "r", COLUMNS="200").stdout
    assert not mine.exists()


@pytest.mark.parametrize("word", [("--trust",), ("--task", "mine:Mine")])
def test_a_word_of_the_users_replays(cli: Cli, mine: Path, word: tuple[str, ...]) -> None:
    refused = cli("verify", "r", "--json")
    assert (refused.returncode, mine.exists(), "--task mine:Mine" in result(refused)["reason"]) == (2, False, True)
    assert result(cli("status", "r", *word, "--json"))["total"] == 7
    assert result(cli("verify", "r", *word, "--json"))["reason"] == "The run is not done: 4 of 7 steps."
    assert mine.exists()


def test_to_go_on_where_the_run_was_made_needs_no_word(cli: Cli, mine: Path) -> None:
    assert cli("resume", "r", *MORE[2:4]).returncode == 0
    assert mine.exists()


@pytest.mark.parametrize("word", [("--trust",), ("--task", "mine:Mine")])
def test_to_go_on_with_a_run_from_elsewhere_needs_a_word_once(
    cli: Cli, tmp_path: Path, mine: Path, word: tuple[str, ...]
) -> None:
    shutil.copytree(tmp_path / "runs" / "r", tmp_path / "runs" / "received")
    refused = cli("resume", "received", "--json")
    assert (refused.returncode, mine.exists(), "--trust" in result(refused)["reason"]) == (2, False, True)
    assert cli("resume", "received", *word, "--max-calls", "11").returncode == 4
    assert cli("resume", "received", *MORE[2:4]).returncode == 0


@pytest.mark.parametrize("command", ["status", "verify", "certify", "report", "resume"])
def test_a_forged_name_is_not_called_also_in_the_place_of_a_run_that_was_made_here(
    cli: Cli, tmp_path: Path, mine: Path, command: str
) -> None:
    run = tmp_path / "runs" / "r"
    settings = json.loads((run / "settings.json").read_text()) | {"task": "mine:forged"}
    (run / "settings.json").write_text(json.dumps(settings))
    for path in run.glob("journal.*"):
        path.unlink()
    create_journal(run / "journal.db", read_settings(json.dumps(settings), "").origin())
    done = cli(command, "r")
    assert (done.returncode, mine.exists()) == (2 if command in {"verify", "certify", "resume"} else 0, False), done.stderr
