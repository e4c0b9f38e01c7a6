"""What a run makes of a calibration before its first call: its k, and what it says to expect."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from maker_graph.cli.announcement import _limit
from maker_graph.core.judging import Usage
from maker_graph.models.pricing import price_of
from maker_graph.tasks import Hanoi
from tests.conftest import Cli

ROOT = Path(__file__).parents[2]


class Sworn(Hanoi):
    """Hanoi, which must not be asked for the truth."""

    def __init__(self) -> None:
        super().__init__(3)

    def truth(self, state: Any) -> Any:
        raise AssertionError(state)

    def state_at(self, step: int) -> Any:
        raise AssertionError(step)


def test_no_run_asks_for_the_truth(cli: Cli) -> None:
    done = cli("run", "tests.cli.test_announcement:Sworn", "--json", "-q", PYTHONPATH=str(ROOT))
    assert json.loads(done.stdout)["verified"], done.stderr


def test_a_run_plans_its_k_from_a_calibration_and_says_what_to_expect(cli: Cli) -> None:
    model = "sim:perfect,error=.1,rho=.02"
    args = ["calibrate", "hanoi", "--disks", "10", "--model", model, "--no-check", "--out", "c.jsonl", "-q"]
    assert cli(*args).returncode == 0
    plan = json.loads(cli("plan", "c.jsonl", "--target", ".9", "--steps", "31", "--json").stdout)
    run = ["run", "hanoi", "--disks", "5", "--model", model, "--no-check", "--calibration", "c.jsonl"]
    done = cli(*run, "--target", ".9", "--run", "a", "--json", COLUMNS="200")
    assert json.loads(done.stdout)["k"] == plan["correlated"]["k"] > 1
    stated = re.search(r"The chance that no step is wrong: ([0-9.]+)\s% by the error rate that was measured", done.stderr)
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
        assert (done.returncode, f"made with {had}, and this run" in done.stderr) == (2, True), done.stderr
    done = cli("run", "hanoi", "--disks", "3", *model[3:], "--no-check", "--calibration", "c.jsonl", "--k", "2", "-q")
    assert (done.returncode, "{'disks': 4}" in done.stderr) == (0, True), "other disks are only told"


def test_the_tiny_model_ships_with_its_calibration(cli: Cli) -> None:
    limit = ["run", "hanoi", "--max-calls", "8", "--json"]
    done = cli(*limit, COLUMNS="200")
    assert json.loads(done.stdout)["k"] == 2
    said = " ".join(done.stderr.split())
    assert re.search(r"no step is wrong: 99\.99\d+ % by the error rate that was measured .*, 9\d % in the worst case", said)
    assert "knows only this puzzle" not in said
    for other in (["--disks", "8"], ["--no-check"], ["--temperature", ".5"], ["--max-tokens", "20"]):
        done = cli(*limit, *other, COLUMNS="200")
        assert (json.loads(done.stdout)["k"], "wrong is not known" in done.stderr) == (3, True), "of these it says nothing"


def test_a_limit_on_the_cost_is_told_beside_what_a_run_may_cost() -> None:
    assert _limit(None, 5) == "--max-cost sets a limit."
    assert _limit(9, 5) == "The limit is $9."
    assert _limit(0.5, 5) == "The limit is $0.5: the run stops there, if it comes so far."


def test_the_tiny_model_says_that_it_knows_nothing_of_other_tasks(cli: Cli, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("address,date,amount\n5 Elm St.,3.4.24,$5\n")
    done = cli("run", "records", "--input", "rows.csv", "--out", "o.csv", "--model", "tiny", "--max-calls", "1")
    assert "It knows only this puzzle" in " ".join(done.stderr.split())


def test_a_target_that_no_k_reaches_is_refused_with_the_reason(cli: Cli) -> None:
    done = cli("run", "hanoi", "--model", "sim:perfect,error=.4,rho=.3", "--target", ".999")
    assert (done.returncode, "no k reaches .999" in done.stderr, "give k (--k)" in done.stderr) == (2, True, True)


def test_what_a_run_may_cost_is_the_sum_of_its_requests_each_at_its_own_tier(cli: Cli) -> None:
    price = price_of("openai:gpt-5.4")
    assert price is not None
    env = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": ""}
    done = cli("run", "hanoi", "--disks", "10", "--model", "openai:gpt-5.4", "--k", "3", "--max-calls", "0", **env)
    said = re.search(r"([\d,]+) calls.*up to \$([\d,.]+) for", " ".join(done.stderr.split()))
    assert said, done.stderr
    calls, most = (float(number.replace(",", "")) for number in said.groups())
    assert calls * price(Usage(input=0, cached=0, output=750)) < most < calls * price(Usage(input=1500, cached=0, output=750))
