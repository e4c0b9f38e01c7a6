"""Fleets in a database of journals: which runs nobody works on, which workers live, and who looks after them."""

import time
from contextlib import closing

import pytest

from maker_graph.errors import UnusableRun
from maker_graph.fleet.submitting import submit
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import Fleet, Limits
from tests.fleet.fleets import fleet_at, hanoi, journal_at, query, states


@pytest.fixture(name="fleet")
def fixture_fleet(database: str) -> Fleet:
    """Return a fleet of three runs."""
    submit(database, "towers", hanoi([1, 2, 3]), Limits(max_calls=9))
    return fleet_at(database, "towers")


def test_a_fleet_that_is_not_there_is_told(fleet: Fleet, database: str) -> None:
    assert fleet.found().limits == Limits(9, None, None)
    with pytest.raises(UnusableRun, match=r"There is no fleet other at postgresql://.*: maker-graph submit --fleet other"):
        fleet_at(database, "other").found()


def test_a_fleet_that_was_deleted_under_its_workers_is_told(fleet: Fleet, database: str) -> None:
    fleet.beat("me", 9)
    query(database, "DELETE FROM maker_graph.fleets")
    with pytest.raises(UnusableRun, match="There is no fleet towers"):
        fleet.beat("me", 9)


def test_a_run_is_open_until_somebody_is_at_work_on_it_and_again_when_nothing_is_heard_of_that_one(
    fleet: Fleet, database: str
) -> None:
    assert fleet.open_runs(9) == ["towers-00000", "towers-00001", "towers-00002"]
    with closing(journal_at(database, "towers-00001", lease=0.2)) as journal:
        journal.claim("somebody")
        assert fleet.open_runs(9) == ["towers-00000", "towers-00002"]
        time.sleep(0.25)
        assert fleet.open_runs(9) == ["towers-00000", "towers-00001", "towers-00002"]
        journal.beat()
        assert fleet.open_runs(2) == ["towers-00000", "towers-00002"]
        journal.say("interrupted")
        assert fleet.open_runs(2) == ["towers-00000", "towers-00001"]
        journal.say("done")
    assert fleet.open_runs(9) == ["towers-00000", "towers-00002"]


def test_a_run_on_which_somebody_is_at_work_does_not_fail(fleet: Fleet, database: str) -> None:
    with closing(journal_at(database, "towers-00001")) as journal:
        journal.claim("somebody")
        fleet.fail("towers-00000", "{}")
        fleet.fail("towers-00001", "{}")
        assert states(database) == ["failed", "at work", "open"]
        assert [each.name for each in fleet.waiting(9)] == ["towers-00000"]
        assert fleet.reopen(["failed"]) == 1
        assert states(database) == ["open", "at work", "open"]


def test_runs_are_counted_by_state(fleet: Fleet, database: str) -> None:
    with closing(journal_at(database, "towers-00001")) as journal:
        journal.claim("somebody")
    found = {each.state: (each.runs, each.steps, each.total) for each in fleet.by_state()}
    assert found == {"open": (2, 0, 14), "at work": (1, 0, 7)}
    query(database, "UPDATE maker_graph.runs SET total = NULL WHERE name = 'towers-00000'")
    assert {each.state: each.total for each in fleet.by_state()} == {"open": None, "at work": 7}


def test_a_worker_lives_as_long_as_it_is_heard_within_its_lease(fleet: Fleet) -> None:
    fleet.beat("one", 0.2)
    fleet.beat("two", 60)
    assert {each.name: each.lives for each in fleet.workers()} == {"one": True, "two": True}
    time.sleep(0.25)
    assert {each.name: each.lives for each in fleet.workers()} == {"one": False, "two": True}
    fleet.beat("one", 0.2)
    fleet.gone("two")
    assert {each.name: each.lives for each in fleet.workers()} == {"one": True}


def test_one_worker_at_a_time_looks_after_a_fleet_and_one_that_is_stopped_meanwhile_lets_go(
    fleet: Fleet, database: str
) -> None:
    other, third = fleet_at(database, "towers"), Fleet(Connection(database), "others")
    with fleet.alone(0.3) as first:
        with other.alone(0.3) as second, third.alone(0.3) as of_another:
            assert (first, second, of_another) == (True, False, True)
        time.sleep(0.5)
        with other.alone(0.3) as second:
            assert second
        assert fleet.open_runs(1), "it goes on, and whoever looks after the fleet twice harms nothing"
