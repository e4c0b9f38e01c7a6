"""The runs of a database are found and followed while they are at work elsewhere, and answered, by one connection."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph import Run
from maker_graph.errors import Undecided
from maker_graph.run.directory import Directory
from maker_graph.tasks import Hanoi
from maker_graph.watch.desk import Desk
from maker_graph.watch.finding import InJournal, in_folder, named
from maker_graph.watch.following import Followed
from maker_graph.watch.hub import Hub, key_of
from tests.postgres import Postgres
from tests.run.test_review import Numbers
from tests.run.test_waiting import LAST, MOVES, STUCK, until


def test_named_runs_are_found_in_their_order_and_those_of_a_folder_by_their_age(tmp_path: Path) -> None:
    for name in ("b", "a"):
        Run.create(tmp_path / name, Hanoi(2), model="sim:perfect", k=1).close()
    (tmp_path / "other").mkdir()
    assert [found.home.name for found in in_folder(tmp_path)().runs] == ["a", "b"]
    homes = [Directory(tmp_path / name) for name in ("b", "a")]
    assert [found.home for found in named(homes)().runs] == homes


@pytest.mark.service("postgres")
async def test_a_run_elsewhere_is_followed_asks_and_is_answered(database: str) -> None:
    with Run.create("r", Hanoi(2), journal=database, **STUCK) as run:
        work = asyncio.ensure_future(run.drive(wait=True))
        find, desk = InJournal(database), Desk()
        ((home, seen),) = find().runs
        followed = Followed(home)
        for step, reply in enumerate([*MOVES, LAST], start=1):
            await until(lambda: bool(followed.look(0.0, found=find().runs[0].seen).listed["state"] == "waits"))
            view = followed.look(0.0, found=find().runs[0].seen)
            assert (view.listed["steps"], view.listed["asks"], view.detail["question"]["step"]) == (step - 1, 1, step)
            (ask,) = desk.queue(home)["asks"]
            assert (ask["step"], len(ask["replies"])) == (step, 2)
            assert "malformed" in desk.answer(home, step, "no move", candidate=False).refused
            assert desk.answer(home, step, reply, candidate=False, asked=ask["id"]).refused == ""
            await until(lambda step=step: run.step >= step)  # type: ignore[misc]  # the step of this turn
        await work
    view = followed.look(9.0, found=find().runs[0].seen)
    assert (view.listed["state"], view.listed["steps"], view.listed["asks"], view.detail["answers"]) == ("done", 3, 0, [])
    assert view.detail["path"].startswith("r --journal postgresql://")
    assert view is followed.look(10.0, found=find().runs[0].seen), "nothing is read where nothing has changed"
    assert followed.look(11.0) == view, "the run is asked, where whoever finds runs has not"
    assert seen.stamp != find().runs[0].seen.stamp
    find.connection.end()


@pytest.mark.service("postgres")
def test_open_items_are_shown_with_their_last_replies(database: str) -> None:
    with Run.create("r", Numbers(6), journal=database, model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
    find = InJournal(database)
    ((home, _),) = find().runs
    queue = Desk().queue(home)
    assert "maker-graph watch r --journal postgresql://" in queue["needs"]
    assert [(ask["step"], bool(ask["replies"])) for ask in queue["asks"]] == [(1, True), (4, True)]
    find.connection.end()


@pytest.mark.service("postgres")
def test_a_killed_process_is_told_when_its_lease_is_over_and_a_run_that_was_taken_away_is_gone(database: str) -> None:
    with Run.create("r", Hanoi(3), journal=database, **STUCK) as run, pytest.raises(Undecided):
        run.solve()
    find = InJournal(database)
    ((home, _),) = find().runs
    followed = Followed(home)
    execute = find.connection.rows
    execute("UPDATE maker_graph.runs SET said = replace(said, 'stuck', 'at work'), state = 'at work' RETURNING 1")
    assert followed.look(0.0).listed["state"] == "at work"
    execute("UPDATE maker_graph.runs SET beat = beat - interval '16 seconds' RETURNING 1")
    assert followed.look(1.0).listed["state"] == "died"
    execute("DELETE FROM maker_graph.runs RETURNING 1")
    view = followed.look(2.0)
    assert (view.listed["state"], view.listed["why"]) == ("gone", "It is not in the journal any more.")
    assert find().runs == []
    find.connection.end()


@pytest.mark.service("postgres")
def test_while_the_database_is_away_each_run_says_so_and_afterwards_all_is_as_before(
    new_postgres: Callable[..., Postgres],
) -> None:
    server = new_postgres()
    for name in ("a", "b", "c"):
        with Run.create(name, Hanoi(2), journal=server.address(), model="sim:perfect", k=1) as run:
            run.solve()
    find = InJournal(server.address())
    hub = Hub(find)
    hub._look()
    assert [run.view.listed["state"] for run in hub._runs.values()] == ["done"] * 3
    server.kill()
    hub._look()
    assert {run.view.listed["state"] for run in hub._runs.values()} == {"unreadable"}
    assert all("cannot be reached" in run.view.listed["why"] for run in hub._runs.values())
    server.start()
    hub._look()
    assert [run.view.listed["state"] for run in hub._runs.values()] == ["done"] * 3
    assert hub.home(key_of(find().runs[0].home)) is not None
    find.connection.end()


@pytest.mark.service("postgres")
def test_the_runs_that_were_heard_of_last_are_found_and_the_others_are_counted(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        Run.create(name, Hanoi(2), journal=database, model="sim:perfect", k=1).close()
    with Run.open("a", journal=database) as run:
        run.solve()
    monkeypatch.setattr("maker_graph.watch.finding.MOST_RUNS", 2)
    find = InJournal(database)
    found = find()
    assert ([each.home.name for each in found.runs], found.more) == (["a", "c"], 1)
    find.connection.end()
