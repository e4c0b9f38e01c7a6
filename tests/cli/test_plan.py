"""`maker-graph plan`: one object or a table, and mistakes in one sentence."""

import json

import pytest
from typer.testing import CliRunner

from maker_graph.cli import app
from tests.conftest import Cli


def test_plan_prints_one_object_with_both_models_of_errors(cli: Cli) -> None:
    args = ["--error", ".0022", "--rho", ".005", "--valid", ".968", "--steps", "1048575", "--target", ".95"]
    found = json.loads(cli("plan", *args, "--price", ".4,1.6", "--tokens", "590,538", "--rpm", "5000", "--json").stdout)
    assert {"k", "p_sub", "p_full", "votes_per_step", "samples_per_step", "samples", "cost_usd"} <= set(found["independent"])
    assert found["independent"]["samples_per_step"] == pytest.approx(3.0133 / 0.968, rel=1e-3)
    assert found["correlated"]["k"] == 4
    shown = cli("plan", *args, COLUMNS="100").stdout
    assert "If errors are independent" in shown
    assert "it takes k = 4" in " ".join(shown.split())


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
        (["--p", ".9", "--steps", "9", "--tokens", "5"], "--tokens is two numbers"),
        (["none.jsonl"], "cannot be read"),
    ],
)
def test_a_wrong_number_is_one_sentence(args: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["plan", *args])
    assert (done.exit_code, says in done.stderr, done.stdout) == (2, True, ""), done.stderr
    assert done.stderr.count("\n") == 1
