"""However a command ends: its exit code is its own, and `--json` prints one object that says why."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import STUCK, result, stopped
from tests.conftest import Cli, run_here
from tests.models.serving import completion, http, raw_server

ODD = """
import sys
from maker_graph.tasks import Hanoi
class Odd(Hanoi):
    def __init__(self): super().__init__(2)
    def apply(self, state, answer):
        if state["previous"] is not None: self.fails()
        return super().apply(state, answer)
class Fails(Odd):
    def fails(self): raise KeyError("sk-0123456789abcdef")
class Exits(Odd):
    def fails(self): sys.exit(0)
"""


@pytest.mark.parametrize("task", ["Fails", "Exits"])
def test_a_crash_is_70_and_one_sentence_and_what_was_committed_is_kept(cli: Cli, tmp_path: Path, task: str) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    args = ("run", f"odd:{task}", "--model", "sim:perfect", "--k", "1", "--run", "r", "--json", "-q")
    done = cli(*args, MAKER_GRAPH_TRACEBACK="")
    assert (done.returncode, result(done)["exit_code"]) == (70, 70)
    assert done.stderr.count("\n") == 1
    for words in ("Error: this should not happen: ", "of odd.py", "report it to the maintainers", "MAKER_GRAPH_TRACEBACK=1"):
        assert words in done.stderr
    assert "sk-0123456789abcdef" not in done.stderr + done.stdout
    assert result(cli("status", "r", "--json"))["steps"] == 1
    traced = cli(*args[:-4], "--run", "s", "--json", "-q", MAKER_GRAPH_TRACEBACK="1")
    assert (traced.returncode, "Traceback" in traced.stderr, "in fails" in traced.stderr) == (70, True, True)
    assert "sk-0123456789abcdef" not in traced.stderr


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        (["run", "hanoi", "--k", "0", "--json"], 2, "at least 1"),
        (["run", "hanoi", "--disks", "two", "--json"], 2, "--disks"),
        (["run", "--json"], 2, "TASK"),
        (["run", "hanoi", "--no-such", "--json"], 2, "--no-such"),
        (["no-such", "--json"], 2, "no-such"),
        (["--json"], 2, "--json"),
        (["status", "none", "--json"], 2, "is not a run"),
        (["plan", "--json"], 2, "Nothing is known"),
        (["plan", "none", "--json"], 2, "cannot be read"),
        (["certify", "none", "--json"], 2, "is not a run"),
        (["calibrate", "hanoi", "--model", "sim:none", "--json"], 2, "There is no simulated model"),
        (["check-task", "os:sep", "--json"], 2, "cannot be made"),
        (["run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--max-calls", "1", "--json"], 4, "limit of 1 call is"),
    ],
)
def test_an_error_is_one_object_too(cli: Cli, args: list[str], code: int, reason: str) -> None:
    done = cli(*args)
    said = result(done)
    assert (done.returncode, said["exit_code"], reason in said["reason"]) == (code, code, True), said
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "args",
    [
        ["run", "hanoi", "--disks", "2", "--model", "sim:perfect"],
        ["plan", "--p", ".99", "--steps", "9"],
        ["plan", "--plot", "figures"],
        ["check-task", "hanoi", "--disks", "2"],
        ["calibrate", "hanoi", "--disks", "2", "--model", "sim:perfect", "--out", "c.jsonl"],
    ],
)
def test_what_ends_well_is_one_object_with_code_0_and_no_reason(cli: Cli, args: list[str]) -> None:
    done = cli(*args, "--json")
    assert (done.returncode, result(done)["exit_code"], result(done)["reason"]) == (0, 0, None)


def test_a_stuck_step_is_in_the_object_of_the_run_and_of_whoever_looks(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "1", *STUCK, "--json", COLUMNS="200")
    said = result(done)
    assert (done.returncode, said["exit_code"], said["steps"]) == (3, 3, 0)
    assert said["reason"].startswith("Step 1 is undecided after ")
    assert (said["stuck"]["step"], said["stuck"]["samples"]) == (1, said["samples"])
    assert said["flags"] == said["stuck"]["flags"]
    assert sum(said["flags"].values()) == said["samples"]
    looked = result(cli("status", "r", "--json"))
    assert {**looked, "seconds": 0, "exit_code": 3, "reason": said["reason"]} == {**said, "seconds": 0}
    shown = cli("status", "r", COLUMNS="200").stdout
    assert re.search(r"Stuck +at step 1, after \d+ samples, votes none", shown)
    assert re.search(r"One sample per step +nobody can tell: no step is decided", shown)
    answered = result(cli("resume", "r", "--answer", "move = [1, 0, 2]\\nnext_state = [[], [], [1]]", "--json"))
    assert (answered["verified"], answered["stuck"], sum(answered["flags"].values()) > 0) == (True, None, True)
    assert (answered["steps"], answered["given"]) == (1, {"person": 1})
    assert re.search(r"Steps +1 of 1, 1 answered by a person", cli("status", "r", COLUMNS="200").stdout)


def test_why_a_run_is_not_at_a_good_end_is_said(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    assert result(cli("verify", "r", "--json"))["reason"] == "The run is not done: 12 of 31 steps."
    (tmp_path / "rows.csv").write_text('address,date,amount\n"Nowhere",soon,much\n')
    args = ("--input", "rows.csv", "--out", "o.csv", "--model", "sim:perfect", "--max-samples", "9")
    done = cli("run", "records", *args, "--json")
    assert done.returncode == 3
    assert result(done)["reason"].startswith("1 of 1 item is left open for a person: maker-graph review ")


def costs(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return result(done)["cost_usd"]


def test_what_it_cost_is_null_where_no_price_is_known(cli: Cli) -> None:
    args = ("--model", "openai:m", "--k", "1", "--no-probe", "--no-check", "-q", "--json")
    with raw_server(lambda _: [http(completion())]) as url:
        env = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": url}
        unread = cli("run", "hanoi", "--disks", "1", *args, "--max-samples", "2", "--hotter", "none", "--no-rephrase", **env)
        assert (unread.returncode, result(unread)["cost_usd"], result(unread)["drafts"]["cost_usd"]) == (3, None, None)
        priced = cli("run", "hanoi", "--disks", "1", *args, "--max-samples", "2", "--hotter", "none", "--price", "0,0", **env)
        assert result(priced)["cost_usd"] == 0.0, "a price of nothing is a price"
    assert costs(cli("run", "hanoi", "--disks", "1", "--model", "sim:perfect", "--json")) == 0.0
    assert costs(cli("run", "hanoi", "--disks", "3", "--model", "tiny", "--json")) == 0.0


def test_a_stronger_model_without_a_price_is_not_booked_at_the_price_of_the_first(cli: Cli) -> None:
    off = ("--hotter", "none", "--no-rephrase", "--escalate", "openai:m", "--price", "1000,1000", "--json", "-q")
    with raw_server(lambda _: [http(completion())]) as url:
        done = cli("run", "hanoi", "--disks", "1", *STUCK, *off, OPENAI_API_KEY="any", OPENAI_BASE_URL=url)
    assert (done.returncode, result(done)["cost_usd"]) == (3, None)


def test_a_table_says_that_a_price_is_not_known(tmp_path: Path) -> None:
    args = ("--model", "openai:m", "--k", "1", "--no-probe", "--max-samples", "2", "--hotter", "none", "--no-rephrase")
    with raw_server(lambda _: [http(completion())]) as url:
        env = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": url, "COLUMNS": "200"}
        done = run_here(tmp_path, "run", "hanoi", "--disks", "1", *args, **env)
    assert "not known: a model has no price (--price tells it)" in done.stdout


def test_json_has_no_number_that_json_does_not_know(cli: Cli) -> None:
    done = cli("plan", "--p", "0.4", "--steps", "1000", "--json")
    json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
