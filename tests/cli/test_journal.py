"""A run in a database on the command line: named by its name, whatever else is wrong is one sentence without a password."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph.run.remote import JOURNAL
from tests.cli.commands import STUCK, result
from tests.conftest import Cli
from tests.postgres import Postgres

pytestmark = pytest.mark.service("postgres")

RUN = ("run", "hanoi", "--disks", "3", "--model", "sim:perfect", "--k", "1", "-q")
SECRET = "gehe1m"  # noqa: S105  it is looked for


def test_every_command_takes_a_run_by_its_name_and_address(cli: Cli, database: str, tmp_path: Path) -> None:
    at = ("--journal", database)
    made = cli(*RUN, "--run", "r", *at, "--json")
    assert made.returncode == 0, made.stderr
    assert list(tmp_path.iterdir()) == []
    for command in ("status", "verify", "resume"):
        done = cli(command, "r", *at, "--json")
        assert (done.returncode, result(done)["run"], result(done)["verdict"]) == (0, "r", "proved"), done.stderr
    assert cli("certify", "r", *at, "--json").returncode == 0
    assert result(cli("audit", "r", *at, "--truth", "--json"))["file"] == "runs/r/audit.jsonl"
    assert "no items" in cli("review", "r", *at).stderr
    reported = cli("report", "r", *at)
    assert reported.stdout.startswith("runs/r/report.html"), reported.stderr
    assert cli("label", "r", *at, "--truth", "--use", "choose").returncode == 0
    assert {path.name for path in (tmp_path / "runs" / "r").iterdir()} >= {"report.html", "audit.jsonl", "labels-choose.jsonl"}


def test_what_the_environment_says_holds_for_names_and_not_for_paths(cli: Cli, database: str, tmp_path: Path) -> None:
    env = {JOURNAL: database}
    assert cli(*RUN, "--run", "r", **env).returncode == 0
    assert cli("status", "r", **env).returncode == 0
    assert "is not a run" in cli("status", "r").stderr
    assert cli(*RUN, "--run", "runs/r", **env).returncode == 0
    assert (tmp_path / "runs" / "r" / "settings.json").exists()
    again = cli(*RUN, "--run", "r", **env)
    assert (again.returncode, "resume it (maker-graph resume r)" in again.stderr) == (2, True)
    unnamed = cli(*RUN, "--json", **env)
    assert cli("status", result(unnamed)["run"], **env).returncode == 0


def test_a_stuck_step_is_answered_by_the_command_that_is_shown(cli: Cli, database: str) -> None:
    stuck = cli("run", "hanoi", "--disks", "3", "--journal", database, *STUCK)
    assert stuck.returncode == 3
    assert f"Go on with: maker-graph resume r --journal {database}" in stuck.stderr
    answered = cli("resume", "r", "--journal", database, "--answer", "move = [1, 0, 2]\\nnext_state = [[3, 2], [], [1]]")
    assert "Step 2 is undecided" in answered.stderr
    assert result(cli("status", "r", "--journal", database, "--json"))["steps"] == 1


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        (f"http://me:{SECRET}@db/runs", 2, "give postgresql://"),
        (f"postgresql://me:{SECRET}%zz@127.0.0.1/runs", 2, "cannot be read"),
        (f"postgresql://me:{SECRET}/x@127.0.0.1/runs", 2, "cannot be read"),
        (f"postgresql://me:{SECRET}@127.0.0.1:99999/runs", 2, "give the right port"),
        (f"postgresql://me:{SECRET}@[::1/runs", 2, "cannot be read"),
        (f"postgresql://me:{SECRET}@127.0.0.1/runs?pasword={SECRET}", 2, "cannot be read"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/runs?password={SECRET}", 5, "cannot be reached"),
        (f"postgresql://me:{SECRET}@no-host.invalid/runs", 2, "give the right host"),
        ("", 2, "--journal is empty"),
    ],
)
def test_a_wrong_address_is_told_in_a_sentence_without_its_password(cli: Cli, address: str, code: int, says: str) -> None:
    done = cli(*RUN, "--run", "r", "--journal", address, "--json")
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_has_no_journals_or_has_no_such_run(cli: Cli, postgres: Postgres, database: str) -> None:
    for address, says in (
        (postgres.address("nothing"), "create the database"),
        (postgres.address(user="nobody"), "give the right user"),
        (f"{database}?sslmode=require", "leave out sslmode"),
    ):
        done = cli(*RUN, "--run", "r", "--journal", address)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert "There is no journal at" in cli("resume", "r", "--journal", database).stderr
    assert cli(*RUN, "--run", "r", "--journal", database).returncode == 0
    for args, says in (
        (("status", "other", "--journal", database), "There is no run other at"),
        ((*RUN, "--run", "a/b", "--journal", database), "name the run without /"),
        ((*RUN, "--run", "a b", "--journal", database), "not a name for a run"),
        ((*RUN, "--run", "a", "--journal", database, "--fsync", "normal"), "leave out fsync"),
        (("label", "--task", "hanoi", "--journal", database), "name the run"),
    ):
        done = cli(*args)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_a_newer_form_and_one_that_is_none_are_told(cli: Cli, database: str) -> None:
    assert cli(*RUN, "--run", "r", "--journal", database).returncode == 0
    for form, code, says in ((9, 2, "newer maker_graph"), (0, 6, "its form is 0")):
        execute(database, f"UPDATE maker_graph.form SET form = {form}")  # noqa: S608  a number
        done = cli("status", "r", "--journal", database)
        assert (done.returncode, says in done.stderr) == (code, True), done.stderr


def test_settings_that_were_changed_in_the_database_are_refused(cli: Cli, database: str) -> None:
    assert cli(*RUN, "--run", "r", "--journal", database).returncode == 0
    execute(database, "UPDATE maker_graph.runs SET settings = replace(settings, 'sim:perfect', 'sim:gpt-oss-20b')")
    done = cli("status", "r", "--journal", database)
    assert (done.returncode, "the settings were changed" in done.stderr) == (6, True)
    execute(database, "UPDATE maker_graph.runs SET settings = '{'")
    assert cli("status", "r", "--journal", database).returncode == 6


def test_without_the_extra_it_says_how_to_install_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maker_graph.extras.find_spec", lambda _: None)
    done = cli(*RUN, "--run", "r", "--journal", "postgresql://db/runs")
    assert (done.returncode, "pip install 'maker-graph[fleet]'" in done.stderr) == (2, True)


def test_a_run_ends_with_5_when_its_database_stays_away_and_goes_on_afterwards(
    cli: Cli, new_postgres: Callable[..., Postgres]
) -> None:
    server = new_postgres()
    assert cli("run", "hanoi", "--disks", "3", "--journal", server.address(), *STUCK).returncode == 3
    server.kill()
    done = cli("resume", "r", "--journal", server.address(), "--patience", "0.01", "--json")
    assert (done.returncode, "cannot be reached" in json.loads(done.stdout)["reason"]) == (5, True)
    server.start()
    assert cli("status", "r", "--journal", server.address()).returncode == 0


def execute(address: str, statement: str) -> None:
    import psycopg  # noqa: PLC0415  an extra

    with psycopg.connect(address, autocommit=True) as db:
        db.execute(statement.encode())
