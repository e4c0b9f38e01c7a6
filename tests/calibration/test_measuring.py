"""Calibrations: what they measure is the truth, and what was paid for is never asked again."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from maker_graph.calibration.measuring import Asked, Step, calibrate, measured, opened, read
from maker_graph.cli import app
from maker_graph.errors import LimitReached, UsageError
from maker_graph.models.tiny_lm.engine import WEIGHTS
from maker_graph.run.account import Limits
from maker_graph.tasks import Hanoi
from tests.conftest import Scripted

Cli = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
MODEL = "sim:perfect,error=0.1,rho=0.05,flagged=0.06,favourite=0.7"


def asked_of(**changes: Any) -> Asked:
    given: dict[str, Any] = {
        "task": "hanoi", "options": {"disks": 3}, "total": 7, "models": ["scripted"], "caps": {"scripted": 99}, "steps": 7,
        "samples": 3, "temperature": (0.0, 0.1), "check": True, "truth": True, "seed": None,
    }  # fmt: skip
    return Asked(**{**given, **changes})


def results_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return found


# --------------------------------------------------------------------------------------------------------- what is measured


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


def test_the_samples_are_drawn_as_in_a_run(tmp_path: Path) -> None:
    # the first at temperature 0, the others at .1, with the cap; flags and rules of the task as there
    task = Hanoi(3)

    def script(index: int, prompt: str) -> str:
        if index == 0:
            return "no move at all"
        if index == 1:
            return "move = [3, 0, 2]\nnext_state = [[2, 1], [], [3]]" if "[[3, 2, 1], [], []]" in prompt else ""
        steps = (task.state_at(step) for step in range(7))
        state = next(state for state in steps if f"Current state: {state['pegs']}" in prompt)
        answer = task.truth(state)
        return f"move = {answer['move']}\nnext_state = {answer['next_state']}"

    model = Scripted(script=script)
    with opened(tmp_path / "c.jsonl", asked_of()) as calibration:
        asyncio.run(calibrate(calibration, task, model, "scripted"))
        result = calibration.conclude("scripted", (1.0, 2.0))
    assert Counter((call["index"], call["temperature"], call["max_tokens"]) for call in model.log) == {
        (0, 0.0, 99): 7, (1, 0.1, 99): 7, (2, 0.1, 99): 7,
    }  # fmt: skip
    assert result.flags == {"empty": 6 / 21, "invalid": 1 / 21, "malformed": 7 / 21}
    assert (result.p.value, result.valid.value, result.hard) == (1.0, 7 / 21, [])


def step_of(number: int, *sequence: int | str, right: int | None = 0) -> Step:
    return Step(
        model="scripted", step=number, sequence=list(sequence), right=right, candidates=["a", "b", "c"], input=3, cached=0,
        lengths=[5] * len(sequence), seconds=[0.5] * len(sequence), cost=0.01,
    )  # fmt: skip


def test_the_largest_rival_is_bounded_by_how_often_two_wrong_samples_agree() -> None:
    steps = [step_of(n, 1, 1) for n in range(40)] + [step_of(n, 1, 2) for n in range(40, 100)]
    result = measured(asked_of(samples=2), "scripted", steps, None)
    assert result.both_wrong == (100, 40)
    assert 0.4**0.5 < result.rival < 0.75
    assert measured(asked_of(samples=2), "scripted", [step_of(0, 0, 1)], None).rival == 1.0


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


# ------------------------------------------------------------------------------------------------------ what a file survives


def test_a_calibration_that_is_killed_goes_on_and_ends_as_if_nothing_had_happened(tmp_path: Path, cli: Cli) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--model", f"{MODEL},latency=0.02", "--steps", "120", "--out"]
    command = [sys.executable, "-m", "maker_graph.cli", *args, "killed.jsonl", "-q"]
    killed = tmp_path / "killed.jsonl"
    for kill in range(3):
        with subprocess.Popen(command, cwd=tmp_path) as process:
            while not killed.exists() or killed.read_bytes().count(b"\n") < 20 * (kill + 1):
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        with killed.open("a") as file:  # what a machine that lost its power may leave
            file.write('{"model": "half a li')
    (again,) = results_of(cli(*args, "killed.jsonl", "--json"))
    (whole,) = results_of(cli(*args, "whole.jsonl", "--json"))
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}
    steps = [line["step"] for line in map(json.loads, killed.read_text().splitlines()) if "step" in line]
    assert len(steps) == len(set(steps)) == 120
    assert killed.stat().st_mode & 0o777 == 0o600


def test_a_limit_stops_it_and_a_higher_one_goes_on(cli: Cli, tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--model", MODEL, "--steps", "100", "--out", "c.jsonl", "-q"]
    stopped = cli(*args, "--max-calls", "50")
    assert (stopped.returncode, "limit of 50 calls" in stopped.stderr) == (4, True)
    kept = (tmp_path / "c.jsonl").read_text().count('"sequence"')
    assert 15 <= kept <= 25
    assert cli(*args, "--max-calls", "60").returncode == 4
    assert cli(*args, "--max-calls", "200").returncode == 0
    asked, (result,) = read(tmp_path / "c.jsonl")
    assert (asked.steps, result.samples) == (100, 200)
    assert "is not finished" not in cli("plan", "c.jsonl").stderr


def test_the_cost_of_earlier_calls_counts(tmp_path: Path) -> None:
    task, path = Hanoi(3), tmp_path / "c.jsonl"
    model = Scripted(script=lambda _, __: "x" * 400)
    limits = Limits(cost=0.09)

    def go_on() -> int:
        with opened(path, asked_of(samples=2)) as calibration:
            with pytest.raises(LimitReached, match=r"limit of \$0.09"):
                asyncio.run(calibrate(calibration, task, model, "scripted", price=lambda _: 0.01, limits=limits, concurrency=2))
            return len(calibration.steps)

    assert (go_on(), go_on()) == (4, 4)


def test_another_calibration_is_not_mixed_into_a_file(cli: Cli, tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "4", "--model", MODEL, "--out", "c.jsonl", "-q"]
    assert cli(*args).returncode == 0
    before = (tmp_path / "c.jsonl").read_bytes()
    other = cli(*args, "--samples", "3")
    assert (other.returncode, "another samples" in other.stderr) == (2, True)
    assert cli(*args).returncode == 0
    assert (tmp_path / "c.jsonl").read_bytes() == before


@pytest.mark.parametrize("text", ["", "hello\n", '{"a": 1}\n', '{"calibration": 1}\n'])
def test_what_is_no_calibration_is_refused_and_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"is no calibration"):
        read(path)
    if text:
        with pytest.raises(UsageError, match=r"is no calibration"), opened(path, asked_of()):
            pass
        assert path.read_text() == text


# ---------------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["hanoi", "--model", MODEL, "--samples", "1"], "at least 2"),
        (["hanoi", "--model", "sim:none"], "No simulated model"),
        (["hanoi", "--model", "openai:gpt-4.1-mini"], "OPENAI_API_KEY"),
        (["hanoi", "--model", MODEL, "--model", "sim:perfect", "--price", "1,1"], "--price is of one model"),
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


def test_several_models_are_compared_the_cheapest_first_and_it_says_why(cli: Cli) -> None:
    models = ["sim:gpt-4.1-mini", "sim:qwen-3", "sim:llama-3.2-3b"]
    args = [word for model in models for word in ("--model", model)]
    done = cli("calibrate", "hanoi", "--steps", "200", *args, "--out", "c.jsonl", "--target", ".9", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("steps without an error") :]
    places = [table.index(model) for model in models]
    assert places == sorted(places)
    assert "sim:gpt-4.1-mini is the cheapest: k = " in table
    assert "no k reaches it with sim:llama-3.2-3b" in " ".join(table.split())
    several = cli("plan", "c.jsonl")
    assert (several.returncode, "--model" in several.stderr) == (2, True)
    assert cli("plan", "c.jsonl", "--model", "sim:qwen-3").returncode == 0


def test_without_the_extra_one_sentence_says_how_to_get_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    hidden = re.compile(r"(scipy|matplotlib)([._-].*)?")
    for folder in {Path(entry) for entry in sys.path if entry.endswith("site-packages")}:
        for package in folder.iterdir():
            if not hidden.fullmatch(package.name):
                (site / package.name).symlink_to(package)
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{site}"}

    def bare(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-m", "maker_graph.cli", *args]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    asked = bare("calibrate", "hanoi", "--model", MODEL)
    assert (asked.returncode, asked.stderr) == (
        2, "Error: calibrate needs scipy and matplotlib: pip install 'maker-graph[plan]'.\n",
    )  # fmt: skip
    assert bare("plan", "--p", ".9", "--steps", "100", "--json").returncode == 0
    run = bare("run", "hanoi", "--disks", "3", "--json", "-q")
    assert json.loads(run.stdout)["verified"], run.stderr


# ---------------------------------------------------------------------------------------------------- what a run makes of it


class Sworn(Hanoi):
    """Hanoi, which must not be asked for the truth."""

    def __init__(self) -> None:
        super().__init__(3)

    def truth(self, state: Any) -> Any:
        raise AssertionError(state)

    def state_at(self, step: int) -> Any:
        raise AssertionError(step)


def test_no_run_asks_for_the_truth(cli: Cli) -> None:
    done = cli("run", "tests.calibration.test_measuring:Sworn", "--json", "-q", PYTHONPATH=str(ROOT))
    assert json.loads(done.stdout)["verified"], done.stderr


def test_a_run_plans_its_k_from_a_calibration_and_says_what_to_expect(cli: Cli) -> None:
    model = "sim:perfect,error=.1,rho=.02"
    args = ["calibrate", "hanoi", "--disks", "10", "--model", model, "--no-check", "--out", "c.jsonl", "-q"]
    assert cli(*args).returncode == 0
    plan = json.loads(cli("plan", "c.jsonl", "--target", ".9", "--steps", "31", "--json").stdout)
    run = ["run", "hanoi", "--disks", "5", "--model", model, "--no-check", "--calibration", "c.jsonl"]
    done = cli(*run, "--target", ".9", "--run", "a", "--json", COLUMNS="200")
    assert json.loads(done.stdout)["k"] == plan["correlated"]["k"] > 1
    stated = re.search(r"The chance that no step is wrong: ([0-9.]+)\s% by what was measured", done.stderr)
    assert stated
    assert float(stated[1]) == pytest.approx(100 * plan["correlated"]["p_full"], abs=0.06)
    other = cli(*run[:4], "--model", "sim:perfect", "--calibration", "c.jsonl")
    assert (other.returncode, "calibrate that first" in other.stderr) == (2, True)


def test_a_calibration_of_other_samples_than_those_of_the_run_is_refused(cli: Cli) -> None:
    model = ["hanoi", "--disks", "4", "--model", "sim:perfect,error=.1"]
    assert cli("calibrate", *model, "--no-check", "--out", "c.jsonl", "-q").returncode == 0
    had = "--no-check --max-tokens 750 --temperature 0,0.1"
    for other in ([], ["--no-check", "--temperature", "1"], ["--no-check", "--max-tokens", "99"]):
        done = cli("run", *model, *other, "--calibration", "c.jsonl", "--k", "2", COLUMNS="300")
        assert (done.returncode, f"made with {had}, and this run" in done.stderr, "Traceback" in done.stderr) == (
            2,
            True,
            False,
        ), done.stderr
    done = cli("run", "hanoi", "--disks", "3", *model[3:], "--no-check", "--calibration", "c.jsonl", "--k", "2", "-q")
    assert (done.returncode, "{'disks': 4}" in done.stderr) == (0, True), "other disks are only told"


def test_the_tiny_model_ships_with_its_calibration(cli: Cli) -> None:
    limit = ["run", "hanoi", "--max-calls", "8", "--json"]
    done = cli(*limit, COLUMNS="200")
    assert json.loads(done.stdout)["k"] == 2
    assert re.search(r"no step is wrong: 99\.99\d+\s% by what was measured, 9\d\s% at the worst", done.stderr)
    for other in (["--disks", "8"], ["--no-check"], ["--temperature", ".5"], ["--max-tokens", "20"]):
        done = cli(*limit, *other, COLUMNS="200")
        assert (json.loads(done.stdout)["k"], "wrong is not known" in done.stderr) == (3, True), "of these it says nothing"


def test_the_calibration_that_ships_is_of_the_weights_that_ship() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:16]
    assert digest == "f1cbef6845597f58", (
        "calibrate the new weights (examples/train_tiny_lm/README.md), then put their digest here"
    )


def test_a_target_that_no_k_reaches_is_refused_with_the_reason(cli: Cli) -> None:
    done = cli("run", "hanoi", "--model", "sim:perfect,error=.4,rho=.3", "--target", ".999")
    assert (done.returncode, "no k reaches .999" in done.stderr, "say with which k" in done.stderr) == (2, True, True)
