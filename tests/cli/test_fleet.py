"""`maker-graph submit`, `work`, `seal`, and the status of a fleet."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import result
from tests.conftest import Cli
from tests.fleet.fleets import MODEL, query, states, table

SUBMIT = ("submit", "records", "--input", "rows.csv", "--fleet", "rows", "--model", MODEL, "--k", "2")


@pytest.fixture(name="journal")
def fixture_journal(database: str, tmp_path: Path) -> str:
    """Return the address of a database; a small table is there."""
    table(tmp_path, 20)
    return database


def test_a_fleet_from_its_submission_to_its_seal(cli: Cli, journal: str, tmp_path: Path) -> None:
    at = ("--journal", journal)
    done = cli(*SUBMIT, "--shards", "3", *at)
    assert (done.returncode, "The fleet rows has 3 runs, rows-00000 and so on" in done.stderr) == (0, True)
    assert "was submitted already" in cli(*SUBMIT, "--shards", "3", *at).stderr
    status = result(cli("status", "--fleet", "rows", "--json", *at))
    assert (status["states"], status["steps"], status["total"], status["workers"]) == ({"open": 3}, 0, 20, [])
    worked = cli("work", "rows", "--lease", "1", *at)
    assert worked.returncode == 0, worked.stderr
    assert "3 done" in worked.stdout
    assert cli("status", "rows-00001", *at).returncode == 0
    sealed = result(cli("seal", "rows", "--out", "all.csv", "--no-report", "--json", *at))
    assert (sealed["steps"], sealed["verdict"], sealed["exit_code"]) == (20, "consistent", 0)
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 21


def test_the_journal_may_stand_in_the_environment(cli: Cli, journal: str) -> None:
    done = cli(*SUBMIT, "--shards", "2", "--json", MAKER_GRAPH_JOURNAL=journal)
    assert result(done) == {
        "fleet": "rows",
        "made": True,
        "runs": 2,
        "limited": False,
        "reopened": 0,
        "exit_code": 0,
        "reason": None,
    }
    assert "Steps" in cli("status", "--fleet", "rows", MAKER_GRAPH_JOURNAL=journal).stdout


def test_runs_that_wait_are_told_with_what_to_do_and_other_limits_let_them_go_on(cli: Cli, journal: str) -> None:
    at = ("--journal", journal)
    assert cli(*SUBMIT, "--shards", "2", "--max-calls", "10", *at).returncode == 0
    worked = cli("work", "rows", "--lease", "1", *at)
    assert worked.returncode == 4
    assert "rows-00000 is limit: The purse that this run shares" in worked.stderr
    assert "submit rows again with a higher --max-cost or --max-calls" in worked.stderr
    again = cli(*SUBMIT, "--shards", "2", "--max-calls", "1000", *at)
    assert "Of its runs, 2 had stopped and can go on" in again.stderr
    assert cli("work", "rows", "--lease", "1", *at).returncode == 0
    assert states(journal) == ["done", "done"]


def test_a_name_that_no_fleet_has_is_refused_by_each_command(cli: Cli, journal: str) -> None:
    cli(*SUBMIT, "--shards", "1", "--journal", journal)
    for command in (("status", "--fleet", "../rows"), ("work", "../rows", "--quiet"), ("seal", "../rows")):
        done = cli(*command, "--journal", journal)
        assert (done.returncode, "'../rows' is not a name for a fleet" in done.stderr) == (2, True)


def test_who_means_a_folder_is_told_how_to_name_it(cli: Cli, journal: str) -> None:
    cli(*SUBMIT, "--shards", "1", "--journal", journal)
    assert cli("run", "hanoi", "--disks", "1", "--run", "mine", "--quiet").returncode == 0
    done = cli("status", "mine", MAKER_GRAPH_JOURNAL=journal)
    assert done.returncode == 2
    assert "There is no run mine at postgresql://" in done.stderr
    assert "name that: runs/mine." in done.stderr
    assert cli("status", "runs/mine", MAKER_GRAPH_JOURNAL=journal).returncode == 0


def test_a_file_names_runs_of_any_task(cli: Cli, journal: str, tmp_path: Path) -> None:
    lines = [{"seed": 7}, {"seed": 8, "set": {"disks": 4}, "k": 3}, {"task": "records", "set": {"input": "rows.csv"}}]
    (tmp_path / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    at = ("--journal", journal, "--fleet", "mixed", "--model", MODEL, "--k", "2", "--disks", "3")
    done = cli("submit", "hanoi", "--runs", "runs.jsonl", *at)
    assert done.returncode == 0, done.stderr
    assert query(journal, "SELECT total FROM maker_graph.runs ORDER BY name") == [(7,), (15,), (20,)]
    found = [json.loads(text) for (text,) in query(journal, "SELECT settings FROM maker_graph.runs ORDER BY name")]
    assert [(each["task"], each["voting"]["seed"]) for each in found] == [("hanoi", 7), ("hanoi", 8), ("records", 1)]
    assert "was submitted already" in cli("submit", "hanoi", "--runs", "runs.jsonl", *at).stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"k": "x"}', "Line 2 of runs.jsonl does not describe a run: k:"),
        ('{"set": {"discs": 1}}', "Line 2 of runs.jsonl: "),
        ('{"cascade": "none.json"}', "Line 2 of runs.jsonl: "),
    ],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_made(
    cli: Cli, journal: str, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "runs.jsonl").write_text(f'{{"seed": 1}}\n{line}\n')
    done = cli("submit", "hanoi", "--runs", "runs.jsonl", "--fleet", "f", "--model", MODEL, "--journal", journal)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert query(journal, "SELECT to_regclass('maker_graph.runs')") == [(None,)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((*SUBMIT, "--shards", "2"), "A fleet is in a journal that all machines reach: give --journal URL"),
        ((*SUBMIT, "--journal", "postgresql://127.0.0.1:9/x"), "Give --shards N to cut"),
        (
            (*SUBMIT, "--shards", "2", "--journal", "mysql://x/y"),
            "The address of the journal cannot be read: give postgresql://",
        ),
        (("submit", "hanoi", "--fleet", "f", "--shards", "2", "--journal", "postgresql://127.0.0.1:9/x"), "cannot be cut"),
        (("work", "rows", "--journal", "postgresql://127.0.0.1:9/x", "--engine", "cron"), "--engine must be dbos or ray"),
        (("work", "rows", "--journal", "postgresql://127.0.0.1:9/x", "--lease", "inf"), "'--lease'"),
        (("status",), "Name either a run or a fleet"),
    ],
)
def test_a_mistake_of_the_users_is_told(cli: Cli, tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    table(tmp_path, 5)
    done = cli(*args)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_away_is_told(cli: Cli) -> None:
    done = cli("work", "rows", "--journal", "postgresql://me:secret@127.0.0.1:9/x")
    assert done.returncode == 5
    assert done.stderr.startswith("Error: "), "and no empty bar before it"
    assert "cannot be reached" in done.stderr
    assert "secret" not in done.stderr
