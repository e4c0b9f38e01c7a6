"""The command line, as a process: what it prints, how it ends, and what it leaves behind."""

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from maker_graph.cli import app
from maker_graph.core.decision import Reading, decide, judge
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.run.directory import summary
from maker_graph.statistics import correlated
from maker_graph.tasks import Hanoi
from tests.made import created, new_settings

Cli = Callable[..., subprocess.CompletedProcess[str]]
EXAMPLES = Path(__file__).parents[2] / "examples"
SIM = ("--model", "sim:gpt-oss-20b")
KEYS = [
    "run", "task", "model", "simulated", "steps", "total", "done", "verified", "k", "samples", "votes", "outvoted",
    "first_sample_wrong_at", "rounds", "flags", "tokens", "cost_usd", "seconds", "digest",
    "drafts", "dropped", "sessions",
]  # fmt: skip


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def test_the_default_is_a_real_model_that_errs_and_the_run_is_verified_all_the_same(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "6", "--seed", "3", "--json")
    summary = result(done)
    assert (summary["model"], summary["simulated"], summary["cost_usd"], summary["k"]) == ("tiny", False, 0.0, 3)
    assert (summary["steps"], summary["verified"]) == (63, True)
    assert sum(summary["flags"].values()) > 0
    assert "nobody scripted its errors" in " ".join(done.stderr.split())
    assert "no step is wrong is not known" in " ".join(done.stderr.split())


def test_where_the_tiny_model_is_lost_the_default_is_a_simulated_one(cli: Cli) -> None:
    for disks in ("2", "9"):
        assert result(cli("run", "hanoi", "--disks", disks, "--max-calls", "9", "--json", "-q"))["model"] == "sim:gpt-oss-20b"
    rows = EXAMPLES / "records" / "records.csv"
    done = cli("run", "records", "--input", str(rows), "--out", "out.csv", "--max-calls", "9", "--json", "-q")
    assert result(done)["model"] == "sim:gpt-oss-20b"


def test_a_weak_model_solves_hanoi_and_the_summary_adds_up(cli: Cli) -> None:
    done = cli("run", "hanoi", *SIM, "--disks", "6", "--json")
    assert done.returncode == 0, done.stderr
    summary = result(done)
    assert list(summary) == KEYS
    assert (summary["steps"], summary["total"], summary["done"], summary["verified"]) == (63, 63, True, True)
    assert summary["samples"] == summary["votes"] + sum(summary["flags"].values())
    assert (summary["model"], summary["simulated"], summary["cost_usd"]) == ("sim:gpt-oss-20b", True, 0.0)
    assert summary["outvoted"] > 0


def test_a_chain_of_single_samples_would_fail_and_k_is_planned_for_it(cli: Cli) -> None:
    summary = result(cli("run", "hanoi", *SIM, "--disks", "8", "--json", "--quiet"))
    assert summary["first_sample_wrong_at"] < 255
    assert summary["k"] == correlated.k_min(1 - 0.0358, 255, 0.99, rho=0.005, rival=0.7) == 3


def test_the_table_says_what_one_sample_per_step_would_have_done_and_that_nothing_was_spent(cli: Cli) -> None:
    done = cli("run", "hanoi", *SIM, "--disks", "5", COLUMNS="200")
    for words in ("verified", "Samples", "Red flags", "Votes that lost", "wrong first at step", "simulated, $0.00 spent"):
        assert words in done.stdout
    assert "list price: $" in done.stdout
    assert "sim:gpt-oss-20b is simulated" in done.stderr.replace("\n", " ")
    stated = re.search(r"no step is wrong: at least ([0-9.]+)\s%.* independently it would be ([0-9.]+)\s%", done.stderr)
    assert stated
    chances = [correlated.p_full(1 - 0.0358, 3, 31, rho=rho, rival=0.7) for rho in (0.005, 0.0)]
    assert [float(each) for each in stated.groups()] == pytest.approx([100 * chance for chance in chances], abs=0.05)


def test_a_perfect_model_needs_exactly_k_samples_a_step_and_any_concurrency_gives_the_same_digest(cli: Cli) -> None:
    runs = [
        result(cli("run", "hanoi", "--disks", "6", "--model", "sim:perfect", "--k", "3", "--json", "--concurrency", n))
        for n in ("1", "2", "16")
    ]
    assert {run["samples"] for run in runs} == {189}
    assert len({run["digest"] for run in runs}) == 1


def test_the_same_seed_gives_the_same_run_and_another_one_another(cli: Cli) -> None:
    one, two, three = (result(cli("run", "hanoi", *SIM, "--disks", "4", "--json", "--seed", seed)) for seed in ("7", "7", "8"))
    same = {"run": "", "seconds": 0}
    assert one | same == two | same
    assert one["samples"] != three["samples"] or one["tokens"] != three["tokens"]


def test_a_wrong_decision_leads_astray_and_the_run_ends_not_verified(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "3", "--model", "sim:perfect,error=1,favourite=1", "--k", "2", "--json")
    assert done.returncode == 1
    summary = result(done)
    assert (summary["done"], summary["verified"], summary["steps"]) == (True, False, 7)


def test_run_resume_status_and_verify_print_the_same_object(cli: Cli) -> None:
    first = cli("run", "hanoi", "--disks", "3", "--run", "r", "--json")
    others = [cli(command, "r", "--json") for command in ("resume", "status", "verify")]
    assert [done.returncode for done in others] == [0, 0, 0]
    assert {canonical_without_time(result(done)) for done in (first, *others)} == {canonical_without_time(result(first))}


def canonical_without_time(summary: dict[str, Any]) -> str:
    return json.dumps(summary | {"seconds": 0, "sessions": 0}, sort_keys=True)


def test_an_undecided_step_ends_with_3_and_the_run_can_go_on(cli: Cli) -> None:
    done = cli(
        "run", "hanoi", "--disks", "3", "--model", "sim:perfect,flagged=1", "--k", "2", "--run", "r", "--max-samples", "9"
    )
    assert done.returncode == 3
    assert "Step 1 is undecided" in done.stderr
    assert "maker-graph resume" in done.stderr
    assert cli("resume", "r").returncode == 3


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


def test_through_chat_openai_and_http(cli: Cli, simulated_server: str) -> None:
    env = {"OPENAI_BASE_URL": simulated_server, "OPENAI_API_KEY": "sk-canary"}
    done = cli("run", "hanoi", "--disks", "5", "--model", "openai:gpt-4.1-mini", "--seed", "3", "--json", **env)
    assert done.returncode == 0, done.stderr
    summary = result(done)
    assert (summary["verified"], summary["simulated"], summary["k"]) == (True, False, 3)
    assert summary["tokens"]["output"] > 31 * 3 * 400


def test_a_provider_that_refuses_ends_with_5_and_a_clear_sentence(cli: Cli, simulated_server: str) -> None:
    env = {"OPENAI_BASE_URL": simulated_server.replace("/v1", "/v2"), "OPENAI_API_KEY": "sk-canary"}
    done = cli("run", "hanoi", "--disks", "3", "--model", "openai:gpt-4.1-mini", **env)
    assert done.returncode == 5
    assert "Step 1: gpt-4.1-mini" in done.stderr
    assert "knows no model" in done.stderr
    assert "Traceback" not in done.stderr
    assert "sk-canary" not in done.stderr


def test_record_holds_every_prompt_and_reply(cli: Cli, tmp_path: Path) -> None:
    summary = result(cli("run", "hanoi", "--disks", "4", "--record", "calls.jsonl", "--json"))
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert len(calls) == summary["samples"]
    assert {call["step"] for call in calls} == set(range(1, 16))
    assert all("Current state" in call["prompt"][-1]["content"] for call in calls)


def test_a_row_that_holds_what_nobody_can_see_is_asked_like_any_other(cli: Cli, tmp_path: Path) -> None:
    rows = 'address,date,amount\n"5 Elm\u200b St., 10115 Berlin",3.4.24,$5\n"5 Elm St., 10115 Berlin",3.4.24,$5\n'
    (tmp_path / "rows.csv").write_text(rows, encoding="utf-8")
    done = cli(
        "run", "records", "--input", "rows.csv", "--out", "o.csv", "--json", "-q", "--run", "r", "--model", "sim:perfect"
    )
    result = json.loads(done.stdout)
    assert result["steps"] == 2, done.stderr
    assert "1 of 2 rows are left open" in done.stderr, "its street cannot be told without the character"
    assert json.loads(cli("verify", "r", "--json").stdout)["digest"] == result["digest"]


def test_records_come_out_right_and_open_ones_go_to_review(cli: Cli, tmp_path: Path) -> None:
    rows = (EXAMPLES / "records" / "records.csv").read_text().splitlines()[:41]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    done = cli("run", "records", "--input", "rows.csv", "--out", "clean.csv", "--json")
    assert done.returncode == 0, done.stderr
    with (EXAMPLES / "records" / "answers.csv").open(newline="", encoding="utf-8") as file:
        truth = list(csv.DictReader(file))[:40]
    with (tmp_path / "clean.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == truth
    assert not (tmp_path / "clean.review.csv").exists()
    cannot = cli(
        "run", "records", "--input", "rows.csv", "--out", "c.csv", "--model", "sim:perfect,flagged=1", "--max-samples", "4"
    )
    assert cannot.returncode == 1
    assert len((tmp_path / "c.review.csv").read_text().splitlines()) == 41


def test_a_task_of_ones_own_runs_without_a_change_here(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from maker_graph.models.simulation import Replies\n"
        "class Sums:\n"
        "    def replies(self, prompt):\n"
        "        n = int(prompt[-1][1])\n"
        "        return Replies(str(n - 1), [str(n - 2)])\n"
        "class Countdown:\n"
        "    rehearsal = Sums()\n"
        "    def start(self): return 20\n"
        "    def done(self, state): return state == 0\n"
        "    def prompt(self, state): return str(state)\n"
        "    def parse(self, text): return int(text)\n"
        "    def apply(self, state, answer): return answer\n"
        "    def total(self): return 20\n"
    )
    done = cli("run", "mine:Countdown", "--model", "sim:gpt-4.1-mini", "--json")
    assert done.returncode == 0, done.stderr
    assert result(done)["task"] == "mine:Countdown"
    wrong = cli("run", "mine:Nothing")
    assert wrong.returncode == 2
    assert "Nothing" in wrong.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "chess"], "hanoi, records"),
        (["run", "hanoi", "--lookahead", "0"], "at least 1, or auto"),
        (["run", "hanoi", "--lookahead", "many"], "at least 1, or auto"),
        (["run", "hanoi", "--lookahead", "auto"], "tiny has not learned to draft"),
        (["run", "hanoi", "--model", ""], "names no model"),
        (["run", "hanoi", "--lookahead", "4", "--draft-model", "sim:none"], "No simulated model"),
        (["run", "tests.graph.test_maker:Countdown", "--model", "sim:perfect", "--lookahead", "4"], "draft_prompt"),
        (["run", "nopackage.here:x"], "No module named"),
        (["run", "json:loads"], "cannot be made"),
        (["run", "json:JSONDecoder"], "no task"),
        (["run", "hanoi", "--model", "gpt-4.1-mini"], "provider:model"),
        (["run", "hanoi", "--model", "sim:gpt-9"], "gpt-oss-20b"),
        (["run", "hanoi", "--model", "openai:gpt-4.1-mini"], "OPENAI_API_KEY"),
        (["run", "hanoi", "--model", "anthropic:claude"], "install"),
        (["run", "hanoi", "--disks", "0"], "at least 1 disk"),
        (["run", "hanoi", "--disks", "two"], "disks"),
        (["run", "hanoi", "--disks", "1100"], "many steps"),
        (["run", "hanoi", "--k", "200"], "max_samples"),
        (["run", "hanoi", "--model", "sim:perfect,max_tokens=-5"], "at least 1"),
        (["run", "tests.graph.test_maker:Countdown"], "rehearsal"),
        (["run", "hanoi", "--k", "0"], "at least 1"),
        (["run", "hanoi", "--k", "many"], "auto"),
        (["run", "hanoi", "--model", "sim:llama-3.2-3b"], "no k reaches"),
        (["run", "hanoi", "--temperature", "hot"], "--temperature"),
        (["run", "hanoi", "--price", "cheap"], "input,output"),
        (["run", "hanoi", *SIM, "--max-cost", "1"], "--price"),
        (["run", "hanoi", "--max-samples", "0"], "max-samples"),
        (["run", "hanoi", "--run", "a b"], "no name for a run"),
        (["run", "hanoi", "--disks", "2", "--record", "nowhere/x"], "cannot be written"),
        (["run", "records"], "--input"),
        (["run", "records", "--input", "none.csv", "--out", "o.csv"], "cannot be read"),
        (["run", "records", "--input", "none.csv", "--out", "nowhere/o.csv"], "no folder"),
        (["resume", "nothing"], "no run"),
        (["status", "."], "no run"),
        (["verify", "nothing"], "no run"),
        (["simulate", "--profile", "gpt-9"], "gpt-oss-20b"),
        (["simulate", "--host", "127.0.0.1", "--port", "1x"], "port"),
    ],
)
def test_wrong_usage_gives_one_clear_sentence_and_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, args, env={"COLUMNS": "200"})
    assert done.exit_code == 2, done.stderr
    assert isinstance(done.exception, SystemExit)
    assert words in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_a_run_that_exists_is_not_overwritten(cli: Cli) -> None:
    assert cli("run", "hanoi", "--disks", "2", "--run", "r").returncode == 0
    done = cli("run", "hanoi", "--disks", "3", "--run", "r")
    assert done.returncode == 2
    assert "resume" in done.stderr


def test_a_damaged_run_ends_with_6_and_names_the_step(cli: Cli, tmp_path: Path) -> None:
    cli("run", "hanoi", "--disks", "3", "--k", "3", "--run", "r")
    settings = tmp_path / "runs" / "r" / "settings.json"
    text = settings.read_text()
    settings.write_text(text.replace('"k": 3', '"k": 2'))
    assert text != settings.read_text()
    changed = cli("resume", "r")
    assert (changed.returncode, "k was 3 and is 2" in changed.stderr) == (6, True)
    settings.write_text(text[:20])
    assert cli("status", "r").returncode == 6
    settings.write_text(text)
    with closing(sqlite3.connect(tmp_path / "runs" / "r" / "journal.db")) as db:
        db.execute("UPDATE steps SET entry = replace(entry, '[1,0,2]', '[1,0,1]') WHERE step = 1")
        db.commit()
    for command in ("resume", "verify", "status"):
        done = cli(command, "r")
        assert done.returncode == 6
        assert "step 1" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_changed_input_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('address,date,amount\n"1 Elm St., 10115 Kiel",3.4.24,$5\n')
    assert cli("run", "records", "--input", "rows.csv", "--out", "o.csv", "--run", "r").returncode == 0
    (tmp_path / "rows.csv").write_text('address,date,amount\n"2 Elm St., 10115 Kiel",3.4.24,$5\n')
    done = cli("resume", "r")
    assert (done.returncode, "no longer the file" in done.stderr) == (2, True)


def test_help_has_examples() -> None:
    for command in ("run", "resume", "verify", "status", "simulate"):
        text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"}).stdout
        assert re.search(r"Example", text)
        assert f"maker-graph {command}" in text


def started(folder: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "maker_graph.cli", *args]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, start_new_session=True
    )


def committed(folder: Path) -> int:
    path = folder / "journal.db"
    if not path.is_file():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT coalesce(max(step), 0) FROM steps").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_for(folder: Path, step: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while committed(folder) < step:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


SLOW = ("--disks", "6", "--model", "sim:gpt-oss-20b,latency=0.01", "--k", "3", "--price", "0.05,0.2", "--json")


@pytest.mark.parametrize("lookahead", ["1", "8", "auto"])
def test_kill_9_at_random_steps_and_resume_to_the_digest_of_an_unkilled_run(lookahead: str, cli: Cli, tmp_path: Path) -> None:
    whole = result(cli("run", "hanoi", *SLOW, "--run", "whole"))
    folder = tmp_path / "runs" / "killed"
    process = started(tmp_path, "run", "hanoi", *SLOW, "--run", "killed", "--lookahead", lookahead)
    for step in (3, 17, 31, 50):
        wait_for(folder, step, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        process = started(tmp_path, "resume", "killed", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    killed = json.loads(out)
    differ: dict[str, Any] = {"run": "", "seconds": 0, "sessions": 0}
    if lookahead != "1":
        assert killed["drafts"]["calls"] > 0, "a resume goes on as it was begun"
        assert killed["samples"] - killed["dropped"] == whole["samples"]
        differ |= dict.fromkeys(("samples", "tokens", "cost_usd", "drafts", "dropped"))
    assert killed | differ == whole | differ, "the same steps, votes, samples and costs, each counted once"
    assert (whole["sessions"], killed["sessions"]) == (1, 5)
    assert killed["cost_usd"] > 0
    assert killed["seconds"] > 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_130_and_the_run_can_go_on(cli: Cli, tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "runs" / "r"
    process = started(tmp_path, "run", "hanoi", *SLOW, "--run", "r")
    wait_for(folder, 5, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert "maker-graph resume" in err
    assert "Traceback" not in err
    assert 5 <= json.loads(out)["steps"] < 63
    assert result(cli("resume", "r", "--json"))["verified"]


def test_a_second_process_on_the_same_run_is_refused_and_no_step_happens_twice(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "r"
    first = started(tmp_path, "run", "hanoi", *SLOW, "--run", "r")
    wait_for(folder, 5, first)
    second = started(tmp_path, "resume", "r", "--json")
    results = [process.communicate(timeout=120) for process in (first, second)]
    assert [first.returncode, second.returncode] in ([130, 0], [0, 0]), results
    if first.returncode:
        assert "taken over" in results[0][1]
    assert result(cli("verify", "r", "--json"))["verified"]


MORE = ("--max-cost", "99", "--max-calls", "999", "--max-minutes", "99")


def stopped(cli: Cli) -> None:
    """Leave a run of 5 disks that has reached its limit."""
    args = ("--model", "sim:gpt-4.1-mini", "--price", "0.4,1.6", "--max-cost", "0.03")
    assert cli("run", "hanoi", "--disks", "5", "--run", "r", *args).returncode == 4


def test_a_run_without_its_checkpoints_goes_on_from_the_journal(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    for path in (tmp_path / "runs" / "r").glob("checkpoints.db*"):
        path.unlink()
    assert result(cli("resume", "r", *MORE, "--json"))["verified"]


def test_a_checkpoint_ahead_of_the_journal_is_set_aside_and_the_run_goes_on_from_the_journal(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    folder = tmp_path / "runs" / "r"
    old = (folder / "journal.db").read_bytes()
    assert cli("resume", "r", *MORE).returncode == 0
    (folder / "journal.db").write_bytes(old)  # as from a backup
    done = cli("resume", "r", *MORE, "--json")
    assert "is at step 31, the journal at 12" in done.stderr
    assert "set aside as checkpoints.db.aside-1" in done.stderr
    assert result(done)["verified"]


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


def test_damaged_settings_and_a_missing_journal_end_with_6(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    folder = tmp_path / "runs" / "r"
    (folder / "settings.json").write_bytes(b"\xff\xfe")
    assert cli("status", "r").returncode == 6
    for path in folder.glob("journal.db*"):
        path.unlink()
    (folder / "settings.json").write_text("{}")
    assert cli("status", "r").returncode == 6


def test_a_run_without_its_journal_is_damaged_and_nothing_is_paid_again(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    for path in (tmp_path / "runs" / "r").glob("journal.db*"):
        path.unlink()
    for command in ("resume", "status", "verify"):
        done = cli(command, "r")
        assert (done.returncode, "journal.db is missing" in done.stderr) == (6, True)


def test_a_journal_that_another_process_holds_is_busy_not_damaged(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    with closing(sqlite3.connect(tmp_path / "runs" / "r" / "journal.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        done = cli("resume", "r")
    assert (done.returncode, "try again" in done.stderr) == (2, True)


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


STUCK = ("--model", "sim:perfect,flagged=1", "--k", "2", "--max-samples", "6", "--run", "r")


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


def test_an_answer_that_nothing_waits_for_is_refused(cli: Cli) -> None:
    stopped(cli)
    done = cli("resume", "r", "--answer", "x")
    assert (done.returncode, "waits for an answer" in done.stderr) == (2, True)


def test_rungs_can_be_taken_away_and_a_stronger_model_be_given(cli: Cli) -> None:
    off = ("--hotter", "none", "--no-rephrase")
    done = cli("run", "hanoi", "--disks", "2", *STUCK, *off, "--json")
    assert (done.returncode, result(done)["samples"]) == (3, 6)
    strong = cli("run", "hanoi", "--disks", "2", *STUCK[:-1], "s", *off, "--escalate", "sim:perfect", "--json")
    assert (strong.returncode, result(strong)["samples"]) == (0, 3 * (6 + 2))


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


def test_a_wrong_setting_of_a_resume_is_not_kept(cli: Cli) -> None:
    stopped(cli)
    assert cli("resume", "r", "--price", "foo").returncode == 2
    assert cli("resume", "r", "--max-samples", "1").returncode == 2
    assert result(cli("resume", "r", *MORE, "--json"))["verified"]


def test_a_question_stays_open_over_a_resume_that_stopped_before_it(cli: Cli) -> None:
    assert cli("run", "hanoi", "--disks", "1", *STUCK).returncode == 3
    assert cli("resume", "r", "--max-calls", "20").returncode == 4
    answered = cli("resume", "r", "--answer", "move = [1, 0, 2]\\nnext_state = [[], [], [1]]")
    assert answered.returncode == 0, answered.stderr


def test_the_stronger_model_is_booked_at_its_own_price(cli: Cli) -> None:
    off = ("--hotter", "none", "--no-rephrase", "--price", "1000,1000", "--escalate", "sim:perfect", "--json")
    done = result(cli("run", "hanoi", "--disks", "1", *STUCK, *off))
    assert done["verified"]
    base = result(cli("run", "hanoi", "--disks", "1", *STUCK[:-1], "s", *off[:5], "--json"))
    assert done["cost_usd"] == base["cost_usd"] > 0, "a simulated one costs nothing"


def test_max_minutes_stops_a_run_that_hangs(cli: Cli) -> None:
    slow = ("--disks", "3", "--model", "sim:perfect,latency=3000")
    begun = time.monotonic()
    assert cli("run", "hanoi", *slow, "--max-minutes", "0.02").returncode == 4
    assert time.monotonic() - begun < 15


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


def test_a_run_is_for_its_owners_eyes(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    folder = tmp_path / "runs" / "r"
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert {oct(path.stat().st_mode)[-3:] for path in folder.iterdir()} == {"600"}
    assert {path.name for path in folder.iterdir()} == {"settings.json", "journal.db", "checkpoints.db"}


def test_verified_means_legal_moves_and_exactly_the_total(tmp_path: Path) -> None:
    jump = ["[2, 0, 1]", "[[1], [2], []]"], ["[2, 1, 2]", "[[1], [], [2]]"], ["[1, 0, 2]", "[[], [], [2, 1]]"]
    legal = ["[1, 0, 1]", "[[2], [1], []]"], ["[2, 0, 2]", "[[], [1], [2]]"], ["[1, 1, 2]", "[[], [], [2, 1]]"]
    short = (["[2, 0, 2]", "[[], [], [2, 1]]"],)
    for number, (steps, verified) in enumerate([(jump, False), (legal, True), (short, False)]):
        settings = new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1, check=False)
        with created(tmp_path / f"run-{number}", settings) as run:
            run.journal.claim()
            at = run.machine.begin()
            for move, state in steps:
                sample = Sample(0, f"move = {move}\nnext_state = {state}")
                how = Reading(parse=Hanoi(2).parse, key=None, check=None, red_flags={})
                made = decide([judge(sample, how)], Voting(AheadBy(1), max_samples=9), 1)
                at = run.machine.advance(at, made)
                run.journal.append([(made, at)])
            made_of = summary(run)
        assert (made_of["done"], made_of["verified"]) == (True, verified)


@pytest.mark.parametrize("out", ["rows.csv", "./rows.csv", "folder"])
def test_an_output_that_would_lose_something_is_refused_before_anything_is_paid(cli: Cli, tmp_path: Path, out: str) -> None:
    (tmp_path / "rows.csv").write_text('address,date,amount\n"1 Elm St., 10115 Kiel",3.4.24,$5\n')
    (tmp_path / "folder").mkdir()
    before = (tmp_path / "rows.csv").read_bytes()
    done = cli("run", "records", "--input", "rows.csv", "--out", out)
    assert done.returncode == 2
    assert (tmp_path / "rows.csv").read_bytes() == before
    assert not (tmp_path / "runs").exists()


def test_rows_that_a_simulated_model_cannot_read_are_left_open(cli: Cli, tmp_path: Path) -> None:
    rows = '"1 Elm St., 10115 Kiel",3.4.24,$5\n"Nowhere",soon,much\n"1 Elm\nSt., 10115 Kiel",3.4.24,$5\n'
    (tmp_path / "rows.csv").write_text(f"address,date,amount\n{rows}")
    done = cli("run", "records", "--input", "rows.csv", "--out", "o.csv", "--json", "--max-samples", "12")
    assert (done.returncode, result(done)["steps"]) == (1, 3)
    assert "1 of 3 rows" in done.stderr
