"""`maker-graph calibrate`: what it measures is the truth, and what was paid for is never asked again."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from maker_graph.calibration.file import read_calibration
from maker_graph.cli import app
from tests.conftest import Cli
from tests.models.serving import completion, http, raw_server, simulated
from tests.survival.harness import Children, wait_until

ROOT = Path(__file__).parents[2]
MODEL = "sim:perfect,error=0.1,rho=0.05,flagged=0.06,favourite=0.7"


def results_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return found


def test_a_simulated_model_shows_its_profile(cli: Cli) -> None:
    args = [
        "calibrate",
        "hanoi",
        "--disks",
        "20",
        "--model",
        MODEL,
        "--samples",
        "4",
        "--no-check",
        "--out",
        "c.jsonl",
        "--json",
    ]
    (found,) = results_of(cli(*args))
    for name, truth in (("p", 0.9), ("error", 0.1), ("rho", 0.05), ("valid", 0.94)):
        assert found[name]["low"] <= truth <= found[name]["high"], name
    assert found["rho"]["high"] - found["rho"]["low"] < 0.1
    assert 0.7 <= found["rival"] < 0.85
    assert found["both_wrong"][0] > found["both_wrong"][1] > 0
    assert set(found["flags"]) == {"malformed", "refused", "truncated"}
    assert found["samples"] == 4000
    worst = found["hard"][0]
    assert 4 >= worst["valid"] >= worst["wrong"] == sum(worst["answers"].values()) >= 3


def test_without_truth_the_error_rate_is_that_of_disagreement_and_shared_errors_are_not_seen(cli: Cli) -> None:
    args = ["calibrate", "hanoi", "--disks", "14", "--no-check", "--no-truth", "--json", "-q"]
    (found,) = results_of(cli(*args, "--model", "sim:perfect,error=0.1,rho=0,favourite=1", "--out", "a.jsonl"))
    assert found["error"]["low"] <= 0.1 <= found["error"]["high"]
    assert (found["truth"], found["rho"], found["rival"]) == (False, None, 1.0)
    (blind,) = results_of(cli(*args, "--model", "sim:perfect,error=1,rho=0,favourite=1", "--out", "b.jsonl"))
    assert blind["error"]["value"] == 0.0
    shown = cli(*args[:-2], "--model", "sim:perfect,error=1,rho=0,favourite=1", "--out", "b.jsonl").stdout
    assert "errors that all of them share are not seen" in " ".join(shown.split())
    plan = json.loads(cli("plan", "b.jsonl", "--json").stdout)
    assert any("all samples of a step share was not seen" in warning for warning in plan["warnings"])
    assert "correlated" not in plan


def test_a_limit_stops_it_and_a_higher_one_goes_on(cli: Cli, tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--model", MODEL, "--steps", "100", "--out", "c.jsonl", "-q"]
    stopped = cli(*args, "--max-calls", "50")
    assert (stopped.returncode, "limit of 50 calls" in stopped.stderr) == (4, True)
    kept = (tmp_path / "c.jsonl").read_text().count('"sequence"')
    assert 15 <= kept <= 25
    assert cli(*args, "--max-calls", "60").returncode == 4
    assert cli(*args, "--max-calls", "200").returncode == 4, "samples of steps that were cut short count"
    assert cli(*args, "--max-calls", "300").returncode == 0
    asked, (result,) = read_calibration(tmp_path / "c.jsonl")
    assert (asked.steps, result.samples) == (100, 200)
    assert "is not finished" not in cli("plan", "c.jsonl").stderr


def test_another_calibration_is_not_mixed_into_a_file(cli: Cli, tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "4", "--model", MODEL, "--out", "c.jsonl", "-q"]
    assert cli(*args).returncode == 0
    before = (tmp_path / "c.jsonl").read_bytes()
    other = cli(*args, "--samples", "3")
    assert (other.returncode, "other values of samples" in other.stderr) == (2, True)
    assert cli(*args).returncode == 0
    assert (tmp_path / "c.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["hanoi", "--model", MODEL, "--samples", "1"], "at least 2"),
        (["hanoi", "--model", "sim:none"], "There is no simulated model"),
        (["hanoi", "--model", "openai:gpt-4.1-mini"], "OPENAI_API_KEY"),
        (["hanoi", "--model", MODEL, "--model", "sim:perfect", "--price", "1,1"], "--price IN,OUT is for one model"),
        (["records", "--input", str(ROOT / "examples/records/records.csv"), "--model", MODEL], "--no-truth"),
        (["nothing", "--model", MODEL], "no task"),
        (["hanoi", "--model", MODEL, "--out", "no/such/folder.jsonl"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_sentence(args: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["calibrate", *args])
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr
    assert done.stderr.count("\n") == 1


def test_records_are_calibrated_without_truth(cli: Cli) -> None:
    rows = str(ROOT / "examples/records/records.csv")
    args = ["calibrate", "records", "--input", rows, "--model", "sim:perfect,error=0.2", "--no-truth", "--samples", "5"]
    (found,) = results_of(cli(*args, "--json"))
    assert 0 < found["error"]["value"] < 0.3


def test_a_calibration_that_is_killed_goes_on_and_ends_as_if_nothing_had_happened(
    cli: Cli, children: Children, tmp_path: Path
) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--model", f"{MODEL},latency=0.02", "--steps", "120", "--out"]
    killed = tmp_path / "killed.jsonl"

    def lines() -> int:
        return killed.read_bytes().count(b"\n") if killed.exists() else 0

    for kill in range(3):
        child = children.start(tmp_path, "command", args=[*args, "killed.jsonl", "-q"])
        wait_until(lambda kill=kill: lines() >= 20 * (kill + 1))  # type: ignore[misc]  # a default is how a loop's value stays
        assert child.kill() == -signal.SIGKILL, child.said
        with killed.open("a") as file:  # what a machine that lost its power may leave
            file.write('{"model": "half a li')
    (again,) = results_of(cli(*args, "killed.jsonl", "--json"))
    (whole,) = results_of(cli(*args, "whole.jsonl", "--json"))
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}
    steps = [line["step"] for line in map(json.loads, killed.read_text().splitlines()) if "step" in line]
    assert len(steps) == len(set(steps)) == 120
    assert killed.stat().st_mode & 0o777 == 0o600


def test_a_second_process_on_the_same_file_is_refused_and_the_first_is_not_disturbed(
    cli: Cli, children: Children, tmp_path: Path
) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--model", f"{MODEL},latency=0.05", "--steps", "80", "--out", "c.jsonl"]
    first = children.start(tmp_path, "command", args=[*args, "--json", "-q"])
    wait_until(lambda: (tmp_path / "c.jsonl").exists() and "sequence" in (tmp_path / "c.jsonl").read_text())
    second = cli(*args, "--json")
    assert (second.returncode, json.loads(second.stdout)["exit_code"]) == (2, 2)
    assert "Another process calibrates into c.jsonl: wait for it" in second.stderr
    assert first.wait() == 0, first.said
    steps = [line["step"] for line in map(json.loads, (tmp_path / "c.jsonl").read_text().splitlines()) if "step" in line]
    assert len(steps) == len(set(steps)) == 80


def test_no_kill_begins_a_limit_anew(cli: Cli, children: Children, tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> list[bytes]:
        asked.append(request)
        time.sleep(0.5)
        return [http(completion())]

    args = ["calibrate", "hanoi", "--disks", "3", "--model", "openai:m", "--steps", "7", "--samples", "20", "--no-probe", "-q"]
    command = ["", *args, "--out", "c.jsonl", "--max-calls", "90"]
    source = f"import sys; from maker_graph.cli import main; sys.argv = {command}; main()"
    with raw_server(answer) as url:
        for _ in range(9):
            most = len(asked) + 5
            child = children.start(tmp_path, "script", source=source, env={"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": url})
            told = tmp_path / f"{child.pid}.err"
            while len(asked) < most and not (told.exists() and "limit" in told.read_text()):
                time.sleep(0.01)
            if len(asked) < most:
                break
            assert child.kill() == -signal.SIGKILL
        assert child.wait() == 4
    said = r"The limit of 90 calls is reached \(with \d+ calls, \$0.0000, that were under way when a process was killed\)"
    assert re.search(said, told.read_text())
    assert 20 <= len(asked) <= 90
    assert cli("plan", "c.jsonl").returncode == 2


def test_of_two_models_each_is_paid_at_its_own_price_and_a_plan_knows_what_both_cost(cli: Cli) -> None:
    args = ["calibrate", "hanoi", "--disks", "3", "--steps", "7", "--no-probe", "-q", "--json", "--model", "openai:a"]
    with raw_server(lambda request: [http(simulated(request))]) as url:
        env = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": url}
        asked = [*args, "--emit", "openai:b", "--price"]
        (known,) = results_of(cli(*asked, "openai:a=1,1; openai:b=10,10", "--out", "known.jsonl", **env))
        assert 1 < known["price"][0] == known["price"][1] < 10
        cost = known["price"][0] * (known["input"] + known["output"]) * known["samples"] / 1e6
        assert known["cost_usd"] == pytest.approx(cost, rel=1e-3)
        (half,) = results_of(cli(*asked, "1,1", "--out", "half.jsonl", **env))
        assert (half["price"], half["cost_usd"]) == (None, None)
        for out, is_known in (("known.jsonl", True), ("half.jsonl", False)):
            plan = json.loads(cli("plan", out, "--json").stdout)
            assert (plan["independent"]["cost_usd"] is not None) == is_known
        unknown = cli(*args, "--emit", "openai:b", "--price", "1,1", "--max-cost", "1", "--out", "c.jsonl", **env)
        assert "No price is known for openai:b" in unknown.stderr
        strange = cli(*args, "--price", "openai:c=1,1", "--out", "c.jsonl", **env)
        assert "--price names openai:c, which is not asked" in strange.stderr
