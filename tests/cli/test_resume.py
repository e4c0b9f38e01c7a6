"""`maker-graph resume`: what holds over sessions, what may be another, and what is set aside."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands import MORE, STUCK, result, stopped
from tests.conftest import Cli


def test_max_cost_ends_with_4_and_a_higher_one_goes_on_to_the_end(cli: Cli) -> None:
    args = ("--model", "sim:gpt-4.1-mini", "--price", "0.4,1.6", "--json")
    done = cli("run", "hanoi", "--disks", "5", "--run", "r", "--max-cost", "0.03", *args)
    assert done.returncode == 4
    summary = result(done)
    assert 0 < summary["steps"] < 31
    assert 0.027 < summary["cost_usd"] <= 0.03, "what a call may cost at most is reserved before it is made"
    assert "--max-cost" in done.stderr
    again = cli("resume", "r", "--json")
    assert again.returncode == 4, "neither the limit nor what was spent is reset by a resume"
    assert result(cli("resume", "r", *MORE, "--price", "0.4,1.6", "--json"))["verified"]


def test_max_calls_and_max_minutes_end_with_4_and_hold_over_resumes(cli: Cli) -> None:
    done = cli(
        "run", "hanoi", "--disks", "5", "--model", "sim:perfect", "--k", "3", "--run", "r", "--max-calls", "20", "--json"
    )
    assert (done.returncode, result(done)["steps"]) == (4, 6)
    assert "--max-calls" in done.stderr
    assert cli("resume", "r").returncode == 4
    timed = cli("resume", "r", "--max-calls", "999", "--max-minutes", "0.0001")
    assert (timed.returncode, "--max-minutes" in timed.stderr) == (4, True)
    assert result(cli("resume", "r", *MORE[2:], "--json"))["verified"]


def test_max_steps_ends_with_4_and_holds_over_resumes(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "3", "--model", "sim:perfect", "--run", "r", "--max-steps", "3", "--json")
    assert (done.returncode, result(done)["steps"], "--max-steps" in result(done)["reason"]) == (4, 3, True)
    assert cli("resume", "r").returncode == 4
    ended = cli("resume", "r", "--max-steps", "7", "--json")
    assert (result(ended)["steps"], "left to vote on" in ended.stderr) == (7, False)
    again = cli("resume", "r", "--json")
    assert (result(again)["steps"], "No step was left to vote on." in again.stderr) == (7, True)
    assert cli("run", "hanoi", "--max-steps", "0").returncode == 2


def test_a_price_once_given_holds_for_every_resume(cli: Cli) -> None:
    stopped(cli)
    summary = result(cli("resume", "r", *MORE, "--json"))
    tokens = summary["tokens"]
    assert summary["cost_usd"] == pytest.approx((0.4 * tokens["input"] + 1.6 * tokens["output"]) / 1e6, abs=1e-5)


def test_what_was_drawn_for_a_step_that_was_not_decided_is_counted(cli: Cli) -> None:
    args = ("--model", "sim:perfect,flagged=1", "--k", "2", "--max-samples", "9", "--price", "1,1", "--json")
    summary = result(cli("run", "hanoi", "--disks", "3", "--run", "r", *args))
    assert (summary["steps"], summary["samples"]) == (0, 24), "eight on each rung"
    assert summary["tokens"]["output"] > 0
    assert summary["cost_usd"] > 0
    again = cli("resume", "r", "--max-samples", "11", "--json")
    assert again.returncode == 3
    assert result(again)["samples"] == 54


def test_a_wrong_setting_of_a_resume_is_not_kept(cli: Cli) -> None:
    stopped(cli)
    assert cli("resume", "r", "--price", "foo").returncode == 2
    assert cli("resume", "r", "--max-samples", "1").returncode == 2
    assert result(cli("resume", "r", *MORE, "--json"))["verified"]


def test_a_changed_input_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('address,date,amount\n"1 Elm St., 10115 Kiel",3.4.24,$5\n')
    assert cli("run", "records", "--input", "rows.csv", "--out", "o.csv", "--run", "r").returncode == 0
    (tmp_path / "rows.csv").write_text('address,date,amount\n"2 Elm St., 10115 Kiel",3.4.24,$5\n')
    done = cli("resume", "r")
    assert (done.returncode, "no longer the file" in done.stderr) == (2, True)


def test_a_task_that_asks_something_else_now_is_not_gone_on_with(cli: Cli, tmp_path: Path) -> None:
    code = (tmp_path / "mine.py").write_text
    text = (
        "from maker_graph.tasks import Hanoi\n"
        "class Mine(Hanoi):\n"
        "    def __init__(self): super().__init__(4)\n"
        "    def prompt(self, state): return [*super().prompt(state)]\n"
    )
    code(text)
    args = ("--model", "sim:perfect", "--max-calls", "9")
    assert cli("run", "mine:Mine", "--run", "r", *args).returncode == 4
    code(text.replace("[*", "[('system', 'Be brief.'), *"))
    done = cli("resume", "r")
    assert (done.returncode, "no longer the one" in done.stderr) == (2, True)
    assert cli("status", "r").returncode == 0, "looking is allowed"
    code(text)
    assert cli("resume", "r", *MORE[2:]).returncode == 0


def test_an_answer_that_nothing_waits_for_is_refused(cli: Cli) -> None:
    stopped(cli)
    done = cli("resume", "r", "--answer", "x")
    assert (done.returncode, "waits for an answer" in done.stderr) == (2, True)


def test_a_question_stays_open_over_a_resume_that_stopped_before_it(cli: Cli) -> None:
    assert cli("run", "hanoi", "--disks", "1", *STUCK).returncode == 3
    assert cli("resume", "r", "--max-calls", "20").returncode == 4
    answered = cli("resume", "r", "--answer", "move = [1, 0, 2]\\nnext_state = [[], [], [1]]")
    assert answered.returncode == 0, answered.stderr


def test_a_run_without_its_checkpoints_goes_on_from_the_journal(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    for path in (tmp_path / "runs" / "r").glob("checkpoints.db*"):
        path.unlink()
    assert result(cli("resume", "r", *MORE, "--json"))["verified"]


@pytest.mark.parametrize(
    ("witness", "said"),
    [
        ("the high-water mark", "steps 13 to 31"),
        ("another one, outside", "steps 13 to 31"),
        ("a checkpoint", "ends at step 12, and a checkpoint is at 31"),
    ],
)
def test_a_journal_put_back_is_refused_with_what_is_missing_and_accepted_without_a_new_budget(
    cli: Cli, tmp_path: Path, witness: str, said: str
) -> None:
    stopped(cli)
    folder, elsewhere = tmp_path / "runs" / "r", {"XDG_STATE_HOME": str(tmp_path / "other")}
    old = {path: path.read_bytes() for path in folder.iterdir()}
    spent = result(cli("resume", "r", *MORE, "--json"))
    (folder / "journal.db").write_bytes(old[folder / "journal.db"])  # as from a backup
    if witness != "the high-water mark":
        (folder / "journal.watermark").write_bytes(old[folder / "journal.watermark"])
    env = elsewhere if witness == "a checkpoint" else {}
    refused = cli("resume", "r", *MORE, **env)
    assert refused.returncode == 6
    assert re.search(f"older copy.*{said}.*--accept-loss", refused.stderr)
    limited = cli("resume", "r", "--accept-loss", *MORE, "--max-calls", str(spent["samples"]), **env)
    assert (limited.returncode, "calls is reached" in limited.stderr) == (4, True), "the budget was reset"
    done = cli("resume", "r", "--accept-loss", *MORE, "--json", **env)
    assert result(done)["verified"]
    assert result(done)["cost_usd"] > 1.3 * spent["cost_usd"], "what was spent on the missing steps stays counted"
    assert "is at step 31, the journal at 12: it is set aside as checkpoints.db.aside-1" in limited.stderr


def test_damaged_checkpoints_are_set_aside_and_the_run_goes_on_from_the_journal(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    folder = tmp_path / "runs" / "r"
    with closing(sqlite3.connect(folder / "checkpoints.db")) as db:
        db.execute("UPDATE checkpoints SET checkpoint = x'c1c1c1'")
        db.commit()
    again = cli("resume", "r", "--json", *MORE, "--max-calls", "25")
    assert (again.returncode, "is set aside" in again.stderr) == (4, True)
    (folder / "checkpoints.db").write_bytes(b"no database" * 1000)
    done = cli("resume", "r", *MORE, "--json")
    assert "is set aside as checkpoints.db.aside-2" in done.stderr
    assert result(done)["verified"]


def test_a_journal_that_another_process_holds_is_busy_not_damaged(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    with closing(sqlite3.connect(tmp_path / "runs" / "r" / "journal.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        done = cli("resume", "r")
    assert (done.returncode, "try again" in done.stderr) == (2, True)
