"""How a session of a run ends: its exit code, and what a person is told to do."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.commands import STUCK, result
from tests.conftest import Cli


def test_a_wrong_decision_leads_astray_and_the_run_ends_contradicted(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "3", "--model", "sim:perfect,error=1,favourite=1", "--k", "2", "--json")
    assert done.returncode == 1
    summary = result(done)
    assert (summary["done"], summary["verdict"], summary["verified"], summary["steps"]) == (True, "contradicted", False, 7)
    assert (summary["wrong"], summary["reason"]) == (1, "The run is contradicted: the goal is not reached.")


def test_a_provider_that_refuses_ends_with_5_and_a_clear_sentence(cli: Cli, simulated_server: str) -> None:
    env = {"OPENAI_BASE_URL": simulated_server.replace("/v1", "/v2"), "OPENAI_API_KEY": "sk-canary"}
    done = cli("run", "hanoi", "--disks", "3", "--model", "openai:gpt-4.1-mini", **env)
    assert done.returncode == 5
    assert "Step 1: gpt-4.1-mini" in done.stderr
    assert "knows no model" in done.stderr
    assert "Traceback" not in done.stderr
    assert "sk-canary" not in done.stderr


def test_rows_that_a_simulated_model_cannot_read_are_left_open(cli: Cli, tmp_path: Path) -> None:
    rows = '"1 Elm St., 10115 Kiel",3.4.24,$5\n"Nowhere",soon,much\n"1 Elm\nSt., 10115 Kiel",3.4.24,$5\n'
    (tmp_path / "rows.csv").write_text(f"address,date,amount\n{rows}")
    done = cli("run", "records", "--input", "rows.csv", "--out", "o.csv", "--json", "--max-samples", "12")
    assert (done.returncode, result(done)["steps"], result(done)["verdict"]) == (3, 3, "open")
    assert "1 of 3 items" in done.stderr


def test_an_undecided_step_ends_with_3_and_the_run_can_go_on(cli: Cli) -> None:
    done = cli(
        "run", "hanoi", "--disks", "3", "--model", "sim:perfect,flagged=1", "--k", "2", "--run", "r", "--max-samples", "9"
    )
    assert done.returncode == 3
    assert "Step 1 is undecided" in done.stderr
    assert "maker-graph resume" in done.stderr
    assert cli("resume", "r").returncode == 3


def test_a_person_answers_a_stuck_step_and_the_answer_is_checked_like_a_samples(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", "hanoi", "--disks", "1", *STUCK)
    assert done.returncode == 3
    for words in ("Step 1 is undecided", "Tried: base, temperature, rephrased", "--answer", "Current state: [[1], [], []]"):
        assert words in done.stderr
    for answer, words in (("I do not know", "malformed"), ("move = [1, 0, 1]\\nnext_state = [[1], [], []]", "invalid")):
        refused = cli("resume", "r", "--answer", answer)
        assert (refused.returncode, words in refused.stderr) == (3, True)
    answered = cli("resume", "r", "--answer", "move = [1, 0, 2]\\nnext_state = [[], [], [1]]", "--json")
    assert answered.returncode == 0, answered.stderr
    assert result(answered)["verified"]
    with closing(sqlite3.connect(tmp_path / "runs" / "r" / "journal.db")) as db:
        assert json.loads(db.execute("SELECT entry FROM steps").fetchone()[0])[7] == "person"
