"""`maker-graph run --labelled`: from a table and labelled rows to clean rows, a review queue and what the labels back."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maker_graph.calibration.file import read_samples
from tests.cli.commands import result
from tests.conftest import Cli
from tests.models.serving import gateway

SCHEMA = """
from pydantic import BaseModel, ConfigDict

class Price(BaseModel):
    model_config = ConfigDict(extra="forbid")
    amount: int
"""
INPUT, LABELLED, FIVE = 12, 30, 5
"""Rows of the input, labelled rows, and how many of these become examples."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write a table, its right records, labelled rows and a schema."""
    (tmp_path / "schema.py").write_text(SCHEMA)
    (tmp_path / "rows.csv").write_text("text\n" + "".join(f"costs {place}\n" for place in range(INPUT)))
    rows = "".join(f"costs {place},{place},decided\n" for place in range(INPUT))
    (tmp_path / "truth.csv").write_text(f"text,amount,status\n{rows}")
    labels = "".join(f"costs {1000 + place},{1000 + place}\n" for place in range(LABELLED))
    (tmp_path / "labels.csv").write_text(f"text,amount\n{labels}")
    return tmp_path


CURATE = ("run", "curate", "--input", "rows.csv", "--schema", "schema.py:Price", "--labelled", "labels.csv")
SIM = (
    *CURATE,
    "--truth",
    "truth.csv",
    "--model",
    "sim:perfect,error=.3,favourite=1",
    "--out",
    "clean.csv",
    "--temperature",
    ".7",
)


def test_one_command_measures_chooses_runs_and_says_what_the_labels_back(cli: Cli, table: Path) -> None:
    done = cli(*SIM, "--run", "r")
    assert done.returncode in {0, 3}
    assert "30 labelled rows: 5 are examples, 25 are measured." in done.stderr
    assert "8 samples of each row at each of the temperatures 0.7, 200 calls" in done.stderr
    assert "Chosen: " in done.stderr
    assert "Backed by labels" in done.stdout
    assert len((table / "clean.csv").read_text().splitlines()) == INPUT + 1
    again = cli(*SIM, "--run", "r", "--json")
    assert again.returncode == done.returncode
    assert "With 95 % confidence at most" in result(again)["backing"]
    assert result(again)["sessions"] == 2, "the same command goes on with its run, and asks nothing"
    assert read_samples(table / "runs" / "r.labelled" / "t0.7.jsonl")[0].labels.keys() == set(range(LABELLED - FIVE))
    (table / "clean.csv").unlink()
    resumed = cli("resume", "r", "--json")
    assert (table / "clean.csv").exists()
    assert result(resumed)["backing"] == result(again)["backing"]
    assert cli("report", "r").returncode == 0
    page = (table / "runs" / "r" / "report.html").read_text()
    assert "5 rows are shown as examples" in page
    assert "It was measured with 25 rows" in page


@pytest.mark.usefixtures("table")
def test_a_run_without_a_name_goes_by_what_was_asked_for(cli: Cli) -> None:
    first = result(cli(*SIM, "--json"))
    assert first["run"] == result(cli(*SIM, "--json"))["run"]
    other = result(cli(*SIM, "--json", "--target", ".9", "--force"))
    assert other["run"] != first["run"]


@pytest.mark.usefixtures("table")
def test_a_run_of_something_else_is_not_gone_on_with(cli: Cli) -> None:
    assert cli(*SIM, "--run", "r", "-q").returncode in {0, 3}
    other = cli(*SIM, "--run", "r", "--target", ".9", "--json")
    assert (other.returncode, "is a run of something else" in result(other)["reason"]) == (2, True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--k", "3"], "leave out --k"),
        (["--within", "3"], "leave out --within"),
        (["--escalate", "sim:perfect"], "leave out --escalate"),
        (["--temperature", "0,.7"], "give --temperature one number"),
        (["--per-field"], "leave out per_field"),
        (["--examples", "labels.csv"], "rows of .*labels.csv are also examples"),
    ],
)
def test_what_labelled_rows_choose_cannot_be_said_beside_them(cli: Cli, table: Path, args: list[str], says: str) -> None:
    done = cli(*SIM, *args)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line] != []
    assert re.search(says, " ".join(done.stderr.split()))
    assert not (table / "runs").exists()
    assert not (table / "clean.csv").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("note,amount\ncosts 1,1\n", "has no column 'text'"),
        ("text,amount\n" + "costs 1,1\n" * 100, "1 different rows"),
        ("text,amount\n" + "".join(f"costs {place},{place}\n" for place in range(29)), "29 different rows"),
        ("text,amount\n" + "".join(f"costs {place},free\n" for place in range(40)), "row 1: this is not a record of"),
        ("text,amount\n" + "".join(f"costs {place % 35},{place}\n" for place in range(40)), "are equal but have different"),
        ("", "is empty"),
    ],
)
def test_labelled_rows_that_cannot_be_used_are_told_in_a_sentence_and_nothing_is_asked(
    cli: Cli, table: Path, content: str, says: str
) -> None:
    (table / "labels.csv").write_text(content)
    done = cli(*SIM)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert not (table / "runs").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--out", "labels.csv"], "would overwrite the input"),
        (["--provenance", "labels.csv"], "would overwrite the input"),
        (["--out", "gone/clean.csv"], "there is no folder"),
        (["--out", "truth.csv"], "would overwrite the input"),
        (["--out", "schema.csv"], "is there already"),
        (["--max-cost", "1"], "No price is known"),
        (["--draft-model", "nope:x", "--lookahead", "3"], "nope"),
    ],
)
def test_what_the_run_after_it_could_not_do_is_told_before_anything_is_measured(
    cli: Cli, table: Path, args: list[str], says: str
) -> None:
    (table / "schema.csv").write_text("mine")
    done = cli(*SIM, *args, "--run", "r")
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert not (table / "runs").exists()
    assert (table / "schema.csv").read_text() == "mine"


def test_something_else_in_the_place_of_the_samples_is_told(cli: Cli, table: Path) -> None:
    (table / "runs").mkdir()
    (table / "runs" / "r.labelled").write_text("mine")
    done = cli(*SIM, "--run", "r")
    assert done.returncode == 2
    assert "cannot be made (File exists)" in " ".join(done.stderr.split())


def test_a_task_that_takes_no_labelled_rows_says_so(cli: Cli) -> None:
    done = cli("run", "hanoi", "--labelled", "labels.csv")
    assert (done.returncode, "labelled" in done.stderr) == (2, True)


def test_the_limits_are_of_the_measuring_and_the_run_together(cli: Cli, table: Path) -> None:
    stopped = cli(*SIM, "--run", "r", "--max-calls", "100", "--json")
    assert stopped.returncode == 4
    assert not (table / "runs" / "r").exists()
    assert "is not a run yet: labelled rows are being measured" in cli("resume", "r").stderr.replace("\n", " ")
    between = cli(*SIM, "--run", "r", "--max-calls", "210", "--json")
    assert between.returncode == 4
    assert result(between)["samples"] <= 210 - 8 * (LABELLED - FIVE)
    assert cli(*SIM, "--run", "r", "--max-calls", "4400", "--json").returncode in {0, 3}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Serve a model that is always right, a little slowly; yield what was asked."""

    def reply(body: dict[str, Any]) -> str:
        time.sleep(0.005)
        return json.dumps({"amount": int(json.loads(body["messages"][-1]["content"])["text"].removeprefix("costs "))})

    with gateway(reply, cache=False) as (url, asked):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        yield asked


def test_killed_anywhere_the_same_command_goes_on_and_pays_for_nothing_twice(table: Path, provider: Counter[str]) -> None:
    width = 8
    args = [*CURATE, "--model", "openai:small", "--out", "clean.csv", "--temperature", ".7", "--no-probe", "-q"]
    command = [sys.executable, "-m", "maker_graph.cli", *args, "--concurrency", str(width)]
    measured = 8 * (LABELLED - FIVE)
    for enough in (80, measured + 15):
        process = subprocess.Popen(command, cwd=table, env=dict(os.environ), stderr=subprocess.DEVNULL)
        while process.poll() is None and provider.total() < enough:
            time.sleep(0.002)
        process.kill()
        process.wait()
        assert not (table / "clean.csv").exists()
    done = subprocess.run(command, cwd=table, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    of_rows = sum(number for asked, number in provider.items() if int(json.loads(asked)["text"].split()[1]) < INPUT)
    assert measured <= provider.total() - of_rows <= measured + 2 * width
    assert 5 * INPUT <= of_rows <= 5 * INPUT + 5 * width
    lines = (table / "clean.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == [str(place) for place in range(INPUT)]
