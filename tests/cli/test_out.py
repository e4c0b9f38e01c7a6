"""`--out`, `--record`, `--plot` and the report: no file of the user's is replaced unless that is asked for."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.runs import Run
from maker_graph.tasks.loading import load_task
from tests.cli.commands import MORE, result
from tests.conftest import Cli

ROWS = 'address,date,amount\n"5 Elm St., 10115 Berlin",3.4.24,$5\n"7 Elm St., 10115 Berlin",3.4.24,$6\n'
RUN = ("run", "records", "--input", "rows.csv", "--model", "sim:perfect", "--k", "1", "--run", "r", "-q")


@pytest.fixture(autouse=True)
def _rows(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)


def null(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("make", [os.mkfifo, null, Path.mkdir])
@pytest.mark.parametrize("place", ["o.csv", "o.review.csv"])
def test_what_is_no_regular_file_is_refused_before_a_run_is_made(
    cli: Cli, tmp_path: Path, make: Callable[[Path], None], place: str, force: tuple[str, ...]
) -> None:
    make(tmp_path / place)
    done = cli(*RUN, "--out", "o.csv", *force)
    assert (done.returncode, f"{place} is a" in done.stderr) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", place}


def linked(path: Path) -> None:
    path.with_name("far").write_text("mine")
    path.symlink_to("far")


@pytest.mark.parametrize("make", [lambda path: path.write_text("mine"), linked])
@pytest.mark.parametrize("place", ["o.csv", "o.review.csv"])
def test_a_file_of_the_users_is_replaced_with_force_alone(
    cli: Cli, tmp_path: Path, make: Callable[[Path], None], place: str
) -> None:
    make(tmp_path / place)
    refused = cli(*RUN, "--out", "o.csv")
    assert (refused.returncode, f"{place} is there already" in refused.stderr) == (2, True)
    assert ((tmp_path / place).read_text(), (tmp_path / "runs").exists()) == ("mine", False)
    assert cli(*RUN, "--out", "o.csv", "--force").returncode == 0
    assert (tmp_path / "o.csv").read_text().startswith("row,street,")
    assert (tmp_path / "o.csv").is_symlink() == (tmp_path / "far").exists() or place == "o.review.csv"


def test_what_the_run_has_written_it_writes_again_until_it_is_changed(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    assert cli(*RUN, "--out", "o.csv", "--max-calls", "1").returncode == 4
    assert out.read_text().count("\n") == 2
    assert cli("resume", "r", "--max-calls", "9").returncode == 0
    assert out.read_text().count("\n") == 3
    assert cli("resume", "r").returncode == 0, "nothing is new"
    out.write_text("an hour of work")
    refused = cli("resume", "r", "--json")
    assert (refused.returncode, "was changed since this run wrote it" in result(refused)["reason"]) == (2, True)
    assert out.read_text() == "an hour of work"
    assert cli("resume", "r", "--out", "p.csv").returncode == 0
    assert (tmp_path / "p.csv").read_text().count("\n") == 3
    assert cli("resume", "r", "--out", "o.csv", "--force").returncode == 0
    assert out.read_text() == (tmp_path / "p.csv").read_text()


def test_force_is_for_the_file_as_it_was_and_outlives_a_resume(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    out.write_text("may go")
    assert cli(*RUN, "--out", "o.csv", "--force", "--max-calls", "0").returncode == 4
    out.write_text("may not go")
    assert cli("resume", "r", "--max-calls", "9").returncode == 2
    assert out.read_text() == "may not go"


def test_a_second_run_does_not_overwrite_the_results_of_the_first(cli: Cli, tmp_path: Path) -> None:
    assert cli(*RUN, "--out", "o.csv").returncode == 0
    before = (tmp_path / "o.csv").read_bytes()
    again = cli(*RUN[:-2], "s", "-q", "--out", "o.csv")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert (tmp_path / "o.csv").read_bytes() == before


def test_results_that_cannot_be_written_at_the_end_are_kept_in_the_run_and_told(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "sub").mkdir()
    assert cli(*RUN, "--out", "sub/o.csv", "--max-calls", "1").returncode == 4
    (tmp_path / "sub" / "o.csv").unlink()
    (tmp_path / "sub").rmdir()
    refused = cli("resume", "r", "--max-calls", "9")
    assert (refused.returncode, "there is no folder" in refused.stderr) == (2, True)
    (tmp_path / "o.csv").mkdir()

    def appears(_: object) -> None:
        (tmp_path / "p.csv").touch()

    with Run.open(tmp_path / "runs" / "r") as run:
        with pytest.raises(UsageError, match=r"p\.csv is there already"):
            run.solve(out=tmp_path / "p.csv", max_calls=9, progress=appears)
        assert run.verify()["verdict"] == "consistent"
        run.solve(out=tmp_path / "p.csv", force=True)
    assert (tmp_path / "p.csv").read_text().count("\n") == 3


@pytest.mark.parametrize("out", ["runs/r/o.csv", "runs/r/journal.db"])
def test_the_runs_own_directory_is_no_place_for_results(cli: Cli, out: str) -> None:
    assert cli(*RUN, "--out", "o.csv").returncode == 0
    done = cli("resume", "r", "--out", out, "--force")
    assert (done.returncode, "run's own directory" in done.stderr) == (2, True)
    assert cli("verify", "r").returncode == 0


def test_the_same_holds_in_python(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    out.write_text("mine")
    task = load_task("records", {"input": str(tmp_path / "rows.csv")})
    with pytest.raises(UsageError, match=r"in Python force=True"):
        Run.create(tmp_path / "r", task, model="sim:perfect", out=out)
    assert not (tmp_path / "r").exists()
    with Run.create(tmp_path / "r", task, model="sim:perfect", out=out, force=True) as run:
        assert out.read_text() == "mine"
        run.solve()
    assert out.read_text().startswith("row,")


def test_columns_that_would_be_lost_are_refused_before_anything_is_paid(cli: Cli, tmp_path: Path) -> None:
    for header, words in (("date,address,date,amount", "'date', 'date'"), ("address,date,amount,currency", "'currency'")):
        (tmp_path / "rows.csv").write_text(f"{header}\n1,2,3,4\n")
        done = cli(*RUN, "--out", "o.csv")
        assert (done.returncode, words in done.stderr, (tmp_path / "runs").exists()) == (2, True, False)


# -------------------------------------------------------------------------------------------------------------------- records


def test_a_record_is_appended_to_and_half_a_line_is_ended(cli: Cli, tmp_path: Path) -> None:
    run = ("run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--k", "1", "-q", "--record", "calls.jsonl")
    assert cli(*run).returncode == 0
    with (tmp_path / "calls.jsonl").open("a") as file:
        file.write('{"step": 4, "mod')
    assert cli(*run).returncode == 0
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in (*lines[:3], *lines[4:])] == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize("make", [os.mkfifo, null, Path.mkdir, lambda path: path.write_text("address,date\n")])
def test_what_is_no_record_is_not_appended_to(cli: Cli, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "calls.jsonl")
    done = cli("run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--record", "calls.jsonl", "-q")
    assert (done.returncode, "calls.jsonl" in done.stderr, (tmp_path / "runs").exists()) == (2, True, False)


# -------------------------------------------------------------------------------------------------------------------- figures


def test_figures_that_are_there_stay_as_they_are_and_others_are_the_users(cli: Cli, tmp_path: Path) -> None:
    assert cli("plan", "--plot", "figures").returncode == 0
    assert cli("plan", "--plot", "figures").returncode == 0, "the same figures"
    mine = next((tmp_path / "figures").iterdir())
    figure = mine.read_bytes()
    mine.write_bytes(b"mine")
    refused = cli("plan", "--plot", "figures")
    assert (refused.returncode, f"{mine.name} is there already" in refused.stderr) == (2, True)
    assert mine.read_bytes() == b"mine"
    assert cli("plan", "--plot", "figures", "--force").returncode == 0
    assert mine.read_bytes() == figure


def test_a_report_that_the_user_has_changed_is_the_users(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--max-calls", "2", "--run", "r", "-q").returncode == 4
    assert cli("report", "r").returncode == 0
    assert cli("resume", "r", *MORE[2:4]).returncode == 0
    assert cli("report", "r").returncode == 0, "another page, in the place of its own"
    page = tmp_path / "runs" / "r" / "report.html"
    page.write_text("my remarks")
    refused = cli("report", "r")
    assert (refused.returncode, "was changed since this run wrote it" in refused.stderr) == (2, True)
    assert page.read_text() == "my remarks"
    assert cli("report", "r", "--force").returncode == 0
    assert page.read_text().startswith("<!doctype html>")
