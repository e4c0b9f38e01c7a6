"""`maker-graph plan --labelled`: a table and a promise, one object, pictures, a file for a run, mistakes in one sentence."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from maker_graph.cli import app
from tests.calibration.voted import drawn_rows, row_of, written
from tests.conftest import Cli


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    return written(tmp_path / "votes.jsonl", [row_of(i, each) for i, each in enumerate(drawn_rows(400))])


def test_it_chooses_says_what_is_proved_and_writes_what_a_run_takes(cli: Cli, votes: Path, tmp_path: Path) -> None:
    args = ["plan", "--labelled", f"sim:toy@0.7={votes}", "--target", ".95", "--max-review", ".5", "--steps", "3"]
    done = cli(*args, "--out", "c.json", "--plot", "figs", COLUMNS="140")
    said = " ".join(done.stdout.split())
    assert "sim:toy at 0.7: 400 labelled rows, 16 samples each" in said
    assert "400 labelled rows drawn at random from this source, used only to choose among these cascades" in said
    assert "A chain of 3 steps" in said
    assert "names no model" not in said
    folder = next(tmp_path.rglob("c.json")).parent
    cascade = json.loads((folder / "c.json").read_text())
    assert cascade["rungs"][0]["model"] == "sim:toy"
    assert cascade["rungs"][0]["temperature"] == 0.7
    assert {path.name for path in (folder / "figs").iterdir()} == {"labelled-error.png", "labelled-cost.png"}
    again = cli(*args, "--out", "c.json")
    assert again.returncode == 2
    assert "c.json" in again.stderr
    assert cli(*args, "--out", "c.json", "--force", "--json").returncode == 0


def test_one_object_holds_all_of_it(cli: Cli, votes: Path) -> None:
    found = json.loads(cli("plan", "--labelled", str(votes), "--target", ".95", "--json").stdout)
    assert found["exit_code"] == 0
    assert found["chosen"] in {line["name"] for line in found["cascades"] if line["proved"]}
    assert found["statement"].startswith("400 labelled rows drawn at random from this source")


def test_where_nothing_is_proved_no_file_is_written_and_it_says_why(cli: Cli, votes: Path) -> None:
    done = cli("plan", "--labelled", str(votes), "--target", ".999", "--out", "none.json", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["chosen"], Path("none.json").exists()) == (3, None, False)
    assert "No cascade is proved to reach the target 0.999" in found["reason"]
    assert cli("plan", "--labelled", str(votes), "--target", ".999").returncode == 0


def test_cascades_written_down_before_are_tried_in_their_order(votes: Path, tmp_path: Path) -> None:
    listed = [
        {"name": "a", "rungs": [{"model": "m", "k": 5, "within": 5}]},
        {"rungs": [{"model": "m", "k": 2, "within": 3}, {"model": "m", "k": 3}]},
    ]
    (tmp_path / "cascades.json").write_text(json.dumps(listed))
    args = [
        "plan",
        "--labelled",
        f"m={votes}",
        "--cascades",
        str(tmp_path / "cascades.json"),
        "--choose-share",
        ".3",
        "--anytime",
        "--json",
    ]
    found = json.loads(CliRunner().invoke(app, args).stdout)
    assert [line["name"] for line in found["cascades"]] == ["a", "m ahead by 2 within 3 votes, then m ahead by 3"]
    assert found["chosen_on"] > 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--labelled", "none.jsonl"], "none.jsonl cannot be read"),
        (["--labelled", "x", "--p", ".9"], "leave out --model, --p, --price"),
        (["--labelled", "x", "--target", "1"], "must lie between 0 and 1"),
        (["--labelled", "x", "--max-review", "2"], "must be at least 0 and at most 1"),
        (["--cascades", "x"], "need --labelled FILE"),
        (["--p", ".9", "--steps", "3", "--out", "x"], "need --labelled FILE"),
    ],
)
def test_a_mistake_is_one_sentence(args: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["plan", *args])
    assert (done.exit_code, says in done.stderr, done.stdout) == (2, True, ""), done.stderr
    assert done.stderr.count("\n") == 1


def test_files_may_follow_one_another(votes: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other.jsonl", [row_of(i, each) for i, each in enumerate(drawn_rows(400, seed=2))])
    done = CliRunner().invoke(app, ["plan", "--labelled", str(votes), str(other), "--json"])
    assert {line["name"].split()[0] for line in json.loads(done.stdout)["cascades"]} == {"votes", "other"}
