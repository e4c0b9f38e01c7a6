"""`maker-graph plan`: one object or a table, and mistakes in one sentence."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from maker_graph.calibration.file import open_calibration
from maker_graph.cli import app
from tests.calibration.making import at, request_of, result_of
from tests.conftest import Cli


def test_plan_prints_one_object_with_both_models_of_errors(cli: Cli) -> None:
    args = ["--error", ".0022", "--rho", ".005", "--valid", ".968", "--steps", "1048575", "--target", ".95"]
    found = json.loads(cli("plan", *args, "--price", ".4,1.6", "--tokens", "590,538", "--rpm", "5000", "--json").stdout)
    assert {"k", "p_sub", "p_full", "votes_per_step", "samples_per_step", "samples", "cost_usd"} <= set(found["independent"])
    assert found["independent"]["samples_per_step"] == pytest.approx(3.0133 / 0.968, rel=1e-3)
    assert found["correlated"]["k"] == 4
    shown = cli("plan", *args, COLUMNS="100").stdout
    assert "If errors are independent" in shown
    assert "and k = 4 is needed" in " ".join(shown.split())
    assert "\n> 3 " in shown
    assert "\n> 4 " in shown


def test_a_plan_from_numbers_takes_the_list_price_of_a_model_and_says_what_is_missing(cli: Cli) -> None:
    args = ["plan", "--p", ".9", "--steps", "9", "--tokens", "1000,100", "--json"]
    priced = json.loads(cli(*args, "--model", "sim:gpt-4.1-mini").stdout)
    own = json.loads(cli(*args, "--price", ".4,1.6").stdout)
    assert priced["independent"]["cost_usd"] == own["independent"]["cost_usd"] > 0
    for more, says in (
        (["--model", "openai:no-such-model"], "No price is known for openai:no-such-model: give --price"),
        (["--price", "1,1"], "The cost needs the tokens of a sample: give --tokens"),
    ):
        found = json.loads(cli("plan", "--p", ".9", "--steps", "9", "--json", *more).stdout)
        assert found["independent"]["cost_usd"] is None
        assert [each for each in found["warnings"] if says in each]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "Nothing is known of the model"),
        (["--p", ".9"], "--steps is missing"),
        (["--p", ".9", "--error", ".1", "--steps", "9"], "say the same thing"),
        (["--p", "1.5", "--steps", "9"], "p must be above 0 and at most 1"),
        (["--p", ".9", "--steps", "9", "--target", "1"], "must lie between 0 and 1"),
        (["--p", ".9", "--steps", "9", "--rho", "1"], "rho must be"),
        (["--p", ".9", "--steps", "9", "--valid", "0"], "valid must be"),
        (["--p", ".9", "--steps", "9", "--tokens", "5"], "--tokens must be two numbers"),
        (["none.jsonl"], "cannot be read"),
    ],
)
def test_a_wrong_number_is_one_sentence(args: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["plan", *args])
    assert (done.exit_code, says in done.stderr, done.stdout) == (2, True, ""), done.stderr
    assert done.stderr.count("\n") == 1


def test_the_parts_of_a_task_are_planned_together(cli: Cli, tmp_path: Path) -> None:
    files = []
    for name, total, p in (("choose", 900, 0.99), ("verdict", 100, 0.9)):
        with open_calibration(tmp_path / f"{name}.jsonl", request_of(part=name, total=total, steps=1)) as calibration:
            calibration._write(result_of(model="scripted", p=at(p), error=at(1 - p)))
        files.append(str(tmp_path / f"{name}.jsonl"))
    found = json.loads(cli("plan", *files, "--target", ".9", "--json").stdout)
    choose, verdict = found["parts"]["choose"]["correlated"], found["parts"]["verdict"]["correlated"]
    assert found["k"] == {"choose": choose["k"], "verdict": verdict["k"]}
    assert choose["k"] < verdict["k"]
    assert found["p_full"] == pytest.approx(choose["p_full"] * verdict["p_full"])
    assert found["p_full"] >= 0.9
    assert found["samples"] == pytest.approx(choose["samples"] + verdict["samples"])
    said = cli("plan", *files, "--target", ".9").stdout
    assert f"Run with --k choose={choose['k']},verdict={verdict['k']}" in " ".join(said.split())
    for args, says in (([*files, files[0]], "Two files are about the part 'choose'"), ([*files, "--p", ".9"], "leave out --p")):
        failed = cli("plan", *args)
        assert failed.returncode == 2
        assert says in failed.stderr
