"""A run in a database goes on from any machine, keeps what people say there, and waits while the database is away."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import LimitReached, OutOfReach, TakenOver, Undecided, UnusableRun, UsageError
from maker_graph.journal.postgres.connection import Connection, StandingConnection
from maker_graph.run.home import Home
from maker_graph.run.left_answers import Candidate
from maker_graph.run.places import kept_place
from maker_graph.run.remote import JOURNAL, Remote
from maker_graph.tasks import Hanoi
from maker_graph.tasks.loading import load_task
from tests.postgres import Postgres
from tests.run.test_review import Numbers
from tests.run.test_waiting import LAST, MOVES, STUCK, until

pytestmark = pytest.mark.service("postgres")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Return what goes to another machine: another folder, without what this user has on the one before."""

    def go(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        return folder

    go("here")
    return go


def home(database: str, name: str = "r") -> Remote:
    return Remote(name, Connection(database))


def stuck(database: str) -> Run:
    run = Run.create("r", Hanoi(2), journal=database, **STUCK)
    with pytest.raises(Undecided):
        run.solve()
    return run


def test_it_is_found_by_its_name_elsewhere_and_ends_as_one_in_a_directory(
    database: str, elsewhere: Callable[[str], Path]
) -> None:
    how: dict[str, Any] = {"model": "sim:gpt-4.1-mini", "k": 2, "seed": 7}
    with Run.create("local", Hanoi(4), **how) as run:
        expected = run.solve()
    with Run.create("r", Hanoi(4), journal=database, max_steps=6, **how) as run:
        with pytest.raises(LimitReached):
            run.solve()
        assert run.step == 6
    folder = elsewhere("there")
    with Run.open("r", journal=database) as run:
        found = run.solve(max_steps=15)
        assert (found["digest"], found["verdict"], found["sessions"]) == (expected["digest"], "proved", 2)
        assert found["votes"] == expected["votes"]
    assert [path.name for path in folder.iterdir()] == ["state"]


def test_there_is_one_run_of_a_name_and_none_that_was_not_made(database: str, elsewhere: Callable[[str], Path]) -> None:
    with pytest.raises(UnusableRun, match="There is no journal at"):
        Run.open("r", journal=database)
    assert not home(database).is_there()
    Run.create("r", Hanoi(2), journal=database, model="sim:perfect", k=1).close()
    with pytest.raises(UnusableRun, match=r"r at postgresql.* exists: resume it"):
        Run.create("r", Hanoi(2), journal=database, model="sim:perfect", k=1)
    with pytest.raises(UnusableRun, match="There is no run other"):
        Run.open("other", journal=database)
    with pytest.raises(UsageError, match="leave out fsync"):
        Run.open("r", journal=database, fsync="normal")
    with pytest.raises(UnusableRun, match="not a name for a run"):
        Run.open("../r", journal=database)
    elsewhere("there")


def test_a_command_names_it_without_a_password_and_by_its_name_alone_where_the_environment_has_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "postgresql://me:secret@db.example:5433/runs?sslmode=require&password=secret"
    where = Remote("r", Connection(address))
    assert where.command == "r --journal 'postgresql://me@db.example:5433/runs?sslmode=require'"
    assert str(where) == "r at postgresql://me@db.example:5433/runs"
    monkeypatch.setenv(JOURNAL, address)
    assert where.command == "r"


def test_an_answer_to_a_stuck_step_is_taken_elsewhere_and_nothing_is_drawn_for_it(
    database: str, elsewhere: Callable[[str], Path]
) -> None:
    with stuck(database) as run:
        drawn = run.verify()["samples"]
    elsewhere("there")
    with Run.open("r", journal=database) as run:
        with pytest.raises(Undecided, match="malformed"):
            run.solve(answer="move it")
        assert run.verify()["samples"] == drawn
        with pytest.raises(Undecided) as second:
            run.solve(answer=MOVES[0])
        assert (run.step, next(run.steps()).decision["by"]) == (1, "person")
        assert run.verify()["samples"] == drawn + second.value.samples


def test_an_answer_where_none_is_waited_for_is_refused_and_nothing_is_drawn(
    database: str, elsewhere: Callable[[str], Path]
) -> None:
    with Run.create("r", Hanoi(2), journal=database, model="sim:perfect", k=1) as run:
        with pytest.raises(UsageError, match="No step of this run waits"):
            run.solve(answer="move it")
        assert run.verify()["samples"] == 0
    elsewhere("there")


async def test_a_run_that_waits_goes_on_when_an_answer_is_left(database: str, elsewhere: Callable[[str], Path]) -> None:
    told: list[str] = []
    with Run.create("r", Hanoi(2), journal=database, **STUCK) as run:
        work = asyncio.ensure_future(run.drive(wait=True, warn=told.append))
        other = home(database)
        for step, reply in enumerate([*MOVES, LAST], start=1):
            await until(lambda step=step: _asks(other) == step)  # type: ignore[misc]  # the step of this turn
            with other.opened() as looked:
                after = looked.journal.head
            other.answers().leave(step, reply, after)
        await work
        assert run.verify()["verdict"] == "proved"
        assert other.answers().all() == []
        seen = other.session()
        assert seen is not None
        assert (seen.said.state, seen.lives) == ("done", False)
    assert any("maker-graph watch r --journal postgresql://" in line for line in told)
    other.close()
    elsewhere("there")


def _asks(where: Home) -> int | None:
    seen = where.session()
    return None if seen is None or seen.said.question is None or seen.said.state != "waits" else seen.said.question.step


def test_open_items_are_retried_and_answered_with_their_last_replies_at_hand(
    database: str, elsewhere: Callable[[str], Path]
) -> None:
    with Run.create("r", Numbers(6), journal=database, model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
        assert [item.number for item in run.open_items()] == [1, 4]
        other = home(database)
        found = other.last_replies([1, 2, 4])
        assert set(found) == {1, 4}
        assert set(found[1]) <= {"none", "no", "-"}
        drawn = run.verify()["samples"]
        run.solve(retry_open=True)
        assert run.verify()["samples"] > drawn
        other.answers().leave(1, Candidate("1"))
        other.answers().leave(4, "not this")
        run.solve()
        assert [item.number for item in run.open_items()] == [4]
        (left,) = other.answers().all()
        assert (left.step, bool(left.refused)) == (4, True)
        other.answers().leave(4, "4")
        assert [(each.reply, each.refused) for each in other.answers().all()] == [("4", "")], "the newer one stands"
    other.close()
    elsewhere("there")


def test_without_its_input_a_run_can_be_looked_at_and_not_gone_on_with(
    database: str, elsewhere: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("address,date,amount\n5 Elm St. 10115 Berlin,3.4.24,$5\n")
    task = load_task("records", {"input": str(tmp_path / "rows.csv")})
    with Run.create("r", task, journal=database, model="sim:perfect", k=1, max_samples=3, out=tmp_path / "clean.csv") as run:
        run.solve()
    (tmp_path / "rows.csv").unlink()
    elsewhere("there")
    with Run.open("r", journal=database) as run:
        found = run.verify()
        assert (found["steps"], found["done"], found["verdict"]) == (1, None, None)
        with pytest.raises(UnusableRun, match="with which this run began, is gone"):
            run.solve()


def test_who_answers_items_leaves_what_the_last_session_said(database: str, elsewhere: Callable[[str], Path]) -> None:
    with Run.create("r", Numbers(6), journal=database, model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
        where = home(database)
        before = where.session()
        with Run.open("r", journal=database, task=Numbers(6)) as other:
            assert other.answer({1: "1"}).taken == [1]
        assert where.session() == before
        with pytest.raises(TakenOver):
            run._opened.journal.beat()
    where.close()
    elsewhere("there")


async def test_a_run_that_waits_for_an_answer_waits_for_its_database_too_and_votes_on_nothing_again(
    new_postgres: Callable[..., Postgres], elsewhere: Callable[[str], Path]
) -> None:
    server, drawn = new_postgres(), list[int]()
    with Run.create("r", Hanoi(2), journal=server.address(), **STUCK) as run:
        work = asyncio.ensure_future(run.drive(wait=True, record=lambda _: drawn.append(run.step)))
        other = Remote("r", StandingConnection(server.address()))
        await until(lambda: _asks(other) == 1)
        before = len(drawn)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(1.2)
        await asyncio.to_thread(server.start)
        other.answers().leave(1, MOVES[0], run._opened.journal.head)
        await until(lambda: _asks(other) == 2)
        assert (run.step, drawn.count(0)) == (1, before)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        other.connection.close()
    elsewhere("there")


def test_what_is_refused_or_taken_away_is_never_a_newer_answer(database: str) -> None:
    Run.create("r", Hanoi(2), journal=database, model="sim:perfect", k=1).close()
    where = home(database)
    answers = where.answers()
    answers.leave(7, "six")
    (read,) = answers.all()
    answers.leave(7, "seven")
    answers.refuse(read, "it is invalid")
    answers.remove(read)
    assert answers.waiting()[7].reply == "seven"
    where.close()


def test_the_place_of_a_run_is_kept_and_one_that_was_changed_is_told_and_not_used(
    database: str, elsewhere: Callable[[str], Path]
) -> None:
    with Run.create("r", Hanoi(4), journal=database, model="sim:perfect", k=1) as run:
        with pytest.raises(LimitReached):
            run.solve(max_steps=9)
        at = kept_place(run._opened.journal, pytest.fail)
        assert at is not None
        assert at["step"] == 9
    where = home(database)
    told: list[str] = []
    where.connection.rows("UPDATE maker_graph.notes SET value = replace(value, '9', '8') WHERE name = 'place' RETURNING 1")
    with Run.open("r", journal=database) as run:
        assert run.solve(max_steps=15, warn=told.append)["verdict"] == "proved"
    assert any("place" in line and "is damaged" in line for line in told), told
    where.close()
    elsewhere("there")


def test_files_about_it_are_in_a_folder_of_its_name_and_never_in_another_run(
    database: str, elsewhere: Callable[[str], Path]
) -> None:
    with Run.create("r", Hanoi(3), journal=database, model="sim:perfect", k=2) as run:
        run.solve()
        page, *_ = run.report()
        assert page == Path("runs/r/report.html")
        assert page.parent.stat().st_mode & 0o777 == 0o700
        assert run.audit(truth=True).file == Path("runs/r/audit.jsonl")
    elsewhere("there")
    with Run.create("runs/r", Hanoi(2), model="sim:perfect", k=1), Run.open("r", journal=database) as run:
        with pytest.raises(UsageError, match="the directory of another run"):
            run.report()
        assert not (run.directory / "report.html").exists()


def test_a_session_lives_as_long_as_it_is_heard_of_and_who_was_taken_over_leaves_the_word_to_the_new_owner(
    database: str, elsewhere: Callable[[str], Path]
) -> None:
    with Run.create("r", Hanoi(3), journal=database, model="sim:perfect", k=1) as run:
        where, journal = home(database), run._opened.journal
        assert where.session() is None
        journal.claim("one")
        run.home.voice(journal).say("at work", json.dumps({"epoch": 1, "pid": 1, "state": "at work"}))
        seen = where.session()
        assert seen is not None
        assert seen.lives
        where.connection.rows("UPDATE maker_graph.runs SET beat = beat - interval '1 minute' RETURNING 1")
        seen = where.session()
        assert seen is not None
        assert not seen.lives
        journal.beat()
        with Run.open("r", journal=database) as other:
            other.solve()
        run.home.voice(journal).say("failed", json.dumps({"epoch": 1, "pid": 1, "state": "failed"}))
        seen = where.session()
        assert seen is not None
        assert seen.said.state == "done"
        with pytest.raises(TakenOver):
            journal.beat()
    where.close()
    elsewhere("there")


async def test_a_run_waits_while_its_database_is_away_and_pays_again_for_what_was_in_flight_alone(
    new_postgres: Callable[..., Postgres], elsewhere: Callable[[str], Path]
) -> None:
    server, told, drawn = new_postgres(), list[str](), list[int]()
    how: dict[str, Any] = {"model": "sim:perfect,latency=0.02", "k": 2}
    with Run.create("r", Hanoi(6), journal=server.address(), **how) as run:
        work = asyncio.ensure_future(
            run.drive(warn=told.append, record=lambda _: drawn.append(run.step), progress=lambda _: None)
        )
        await until(lambda: run.step >= 10)
        await asyncio.to_thread(server.kill)
        await until(lambda: any("cannot be reached" in line for line in told))
        at = run.step
        await asyncio.to_thread(server.start)
        await until(lambda: run.step > at)
        await work
        found = run.verify()
    assert (found["verdict"], found["steps"], found["votes"]) == ("proved", 63, 126)
    assert found["samples"] <= len(drawn) <= 126 + 4
    assert any("the run goes on" in line for line in told)
    elsewhere("there")


async def test_a_database_that_stays_away_ends_the_run_after_its_patience_and_all_is_kept(
    new_postgres: Callable[..., Postgres], elsewhere: Callable[[str], Path]
) -> None:
    server = new_postgres(fsync="on")
    with Run.create("r", Hanoi(6), journal=server.address(), model="sim:perfect,latency=0.02", k=1) as run:
        work = asyncio.ensure_future(run.drive(patience=1.0))
        await until(lambda: run.step >= 10)
        await asyncio.to_thread(server.kill)
        with pytest.raises(OutOfReach, match="cannot be reached"):
            await work
        at = run.step
    server.start()
    with Run.open("r", journal=server.address()) as run:
        assert run.step >= at
        assert (await run.asolve())["verdict"] == "proved"
    elsewhere("there")


async def test_who_was_taken_over_while_the_database_was_away_does_not_take_the_run_back(
    new_postgres: Callable[..., Postgres], elsewhere: Callable[[str], Path]
) -> None:
    server = new_postgres()
    with Run.create("r", Hanoi(6), journal=server.address(), model="sim:perfect,latency=0.05", k=1) as run:
        work = asyncio.ensure_future(run.drive())
        await until(lambda: run.step >= 3)
        server.execute("UPDATE maker_graph.runs SET epoch = epoch + 1")
        server.kill()
        server.start()
        with pytest.raises(TakenOver):
            await work
    elsewhere("there")


def test_nothing_of_it_is_on_this_machine_but_its_mark(database: str, elsewhere: Callable[[str], Path]) -> None:
    folder = elsewhere("there")
    with Run.create("r", Hanoi(3), journal=database, model="sim:perfect", k=1) as run:
        run.solve()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.suffix for path in files] == [".watermark"]
    assert os.environ.get(JOURNAL) is None
