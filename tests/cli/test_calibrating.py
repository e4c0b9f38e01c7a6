"""`maker-graph calibrate --temperatures` and `--labelled`: the same steps at each temperature; steps that people labelled."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from maker_graph.calibration.file import read_calibration, read_samples
from maker_graph.calibration.steps import state_at
from maker_graph.cli import app
from maker_graph.core.answers import candidate_of
from maker_graph.tasks.hanoi import Hanoi
from tests.conftest import Cli

SIM = ["--model", "sim:perfect,error=.2,rho=.3", "--no-check"]


def test_the_same_steps_are_asked_at_each_temperature_and_planned_with(cli: Cli) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--steps", "40", *SIM, "--temperatures", "0,.1,.7", "--out", "c.jsonl"]
    done = cli(*args, COLUMNS="140")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "The same steps at each temperature" in said
    assert "5 of 5" in said
    assert "maker-graph plan --labelled c-t0.jsonl --labelled c-t0.1.jsonl --labelled c-t0.7.jsonl" in said
    again = json.loads(cli(*args, "--json").stdout)
    assert again["files"] == ["c-t0.jsonl", "c-t0.1.jsonl", "c-t0.7.jsonl"]
    assert [each["temperature"] for each in again["temperatures"]] == [[0, 0], [0.1, 0.1], [0.7, 0.7]]
    assert again["spent"]["calls"] == 3 * 40 * 8, "what was paid for is not asked again"
    plan = json.loads(cli("plan", *(f"--labelled={file}" for file in again["files"]), "--target", ".7", "--json").stdout)
    assert plan["cascade"]["rungs"][0]["temperature"] in {0, 0.1, 0.7}
    assert plan["cascade"]["rungs"][0]["max_tokens"] > 0


def test_the_steps_are_the_same(tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--steps", "10", *SIM, "--temperatures", "0,1", "--out", str(tmp_path / "c")]
    assert CliRunner().invoke(app, [*args, "-q"]).exit_code == 0
    (request, cold), (other, hot) = (read_samples(tmp_path / f"c-t{heat}") for heat in (0, 1))
    assert (request.temperature, other.temperature, request.samples) == ((0.0, 0.0), (1.0, 1.0), 8)
    assert {step.step for step in cold} == {step.step for step in hot}


def test_limits_are_of_all_files_together(tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--steps", "10", *SIM, "--temperatures", "0,1", "--out", str(tmp_path / "c")]
    done = CliRunner().invoke(app, [*args, "-q", "--max-calls", "120"])
    assert done.exit_code == 4, done.stderr
    assert sum(len(step.sequence) for heat in (0, 1) for step in read_samples(tmp_path / f"c-t{heat}")[1]) <= 120
    done = CliRunner().invoke(app, [*args, "-q", "--max-calls", "240", "--json"])
    assert done.exit_code == 0, done.stderr
    assert 160 <= json.loads(done.stdout)["spent"]["calls"] <= 240


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--temperatures", "0"], "at least two numbers"),
        (["--temperatures", "0,hot"], "--temperatures must be at least two numbers"),
        (["--temperatures", "0,-1"], "at least 0"),
        (["--temperatures", "0,none"], "at least two numbers"),
        (["--temperatures", "0,1", "--temperature", "0"], "give one of them"),
        (["--labelled", "none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(args: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["calibrate", "hanoi", "--disks", "3", *SIM, *args])
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr


def labels_of(folder: Path, use: str = "certify", **changes: Any) -> Path:
    """Return a file of labels of hanoi's steps: two right ones, one wrong, and one that nobody could say."""
    header = {
        "labels": 1, "task": "hanoi", "options": {"disks": 3}, "inputs": {}, "population": 7, "seed": 1, "run": None,
        "use": use,
    }  # fmt: skip
    task = Hanoi(disks=3)
    lines: list[dict[str, Any]] = [{**header, **changes}]
    for step in (1, 4):
        answer = task.truth(state_at(task, step - 1))
        lines.append({"step": step, "answer": answer, "candidate": candidate_of(answer), "who": "anna", "when": ""})
    lines.append({"step": 6, "answer": 1, "candidate": "1", "who": "anna", "when": ""})
    lines.append({"step": 7, "unsure": True, "who": "anna", "when": ""})
    path = folder / f"labels-{use}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_labelled_steps_are_asked_and_held_against_their_labels(tmp_path: Path) -> None:
    out = tmp_path / "c.jsonl"
    args = ["calibrate", "hanoi", "--disks", "3", "--model", "sim:perfect", "--no-check", "--out", str(out), "-q"]
    assert CliRunner().invoke(app, [*args, "--labelled", str(labels_of(tmp_path))]).exit_code == 0
    request, (result,) = read_calibration(out)
    assert (request.steps, request.use, sorted(request.labels)) == (4, "certify", [0, 3, 5, 6])
    assert result.p.value == 0.5, "what contradicts its label, and what nobody could label, counts as wrong"
    plan = json.loads(CliRunner().invoke(app, ["plan", "--labelled", str(out), "--json"]).stdout)
    assert plan["cascades"][0]["wrong"] == 2


@pytest.mark.parametrize(
    ("use", "changes", "says"),
    [
        ("example", {}, "are shown as examples"),
        ("certify", {"options": {"disks": 4}}, "with other options or another input"),
        ("certify", {"run": "r1"}, "of the steps of one run"),
    ],
)
def test_labels_that_do_not_fit_are_refused(use: str, changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "3", *SIM, "--out", str(tmp_path / "c"), "-q"]
    done = CliRunner().invoke(app, [*args, "--labelled", str(labels_of(tmp_path, use, **changes))])
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "c").exists()


def test_labels_to_choose_by_measure_and_certify_nothing(tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "3", *SIM, "--out", str(tmp_path / "c"), "-q"]
    assert CliRunner().invoke(app, [*args, "--labelled", str(labels_of(tmp_path, "choose"))]).exit_code == 0
    done = CliRunner().invoke(app, ["plan", "--labelled", str(tmp_path / "c")])
    assert "were used to choose by" in done.stderr


def test_three_temperatures_in_the_place_of_a_runs_two_mean_the_same(tmp_path: Path) -> None:
    args = ["calibrate", "hanoi", "--disks", "8", "--steps", "5", *SIM, "--out", str(tmp_path / "c"), "-q", "--json"]
    done = CliRunner().invoke(app, [*args, "--temperature", "0,.1,.7"])
    assert done.exit_code == 0, done.stderr
    assert [Path(file).name for file in json.loads(done.stdout)["files"]] == ["c-t0", "c-t0.1", "c-t0.7"]


def test_variants_are_asked_and_told_of(cli: Cli) -> None:
    args = ["calibrate", "hanoi", "--disks", "5", "--steps", "20", "--samples", "6", *SIM, "--variants", "--out", "v.jsonl"]
    done = cli(*args, COLUMNS="140")
    assert done.returncode == 0, done.stderr
    assert "of two samples of the same variant" in " ".join(done.stdout.split())
    refused = cli("calibrate", "decompose", "--set", "problem=1 + 1", "--model", "sim:perfect", "--variants")
    assert refused.returncode == 2
    mixed = cli(
        "run", "hanoi", "--disks", "5", "--model", "sim:perfect,error=.2,rho=.3", "--no-check", "--calibration", "v.jsonl"
    )
    assert mixed.returncode == 2
    assert "--variants" in mixed.stderr
