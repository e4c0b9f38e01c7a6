"""Workers on a fleet, as processes: they share its runs, take those of the dead, and end when nothing is left."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maker_graph.errors import OutOfReach, UnusableRun, UsageError
from maker_graph.fleet.driving import Driving, Told
from maker_graph.fleet.standing import Standing
from maker_graph.fleet.submitting import submit
from maker_graph.fleet.working import work
from maker_graph.journal.postgres.fleets import Limits
from tests.fleet.fleets import entries, fleet_at, hanoi, query, states, submitted, table
from tests.postgres import Postgres

LEASE = 1.0

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(name="start")
def fixture_start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts a worker as a process; all of them are gone at the end."""
    all_: list[subprocess.Popen[bytes]] = []

    def start(address: str, fleet: str = "rows", *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "maker_graph.cli", "work", fleet, "--journal", address, "--lease", str(LEASE), *more]
        with (tmp_path / "log").open("ab") as log:
            all_.append(subprocess.Popen([*command, "--at-once", "2"], cwd=tmp_path, stdout=log, stderr=log))
        return all_[-1]

    yield start
    for each in all_:
        if each.poll() is None:
            each.send_signal(signal.SIGCONT)
            each.kill()
        each.wait()


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    """Return as soon as something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def finished(address: str) -> bool:
    """Say whether all runs are done."""
    return set(states(address)) == {"done"}


def at_work(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Say whether a worker has committed something, and goes on."""
    owners = query(address, "SELECT owner FROM maker_graph.runs WHERE state = 'at work' AND step > 0")
    return any(owner.endswith(f"-{process.pid}") for (owner,) in owners)


def test_a_worker_ends_when_all_runs_are_done_and_tells_how_the_fleet_stands(database: str, tmp_path: Path) -> None:
    submitted(database, table(tmp_path), 4)
    seen: list[Standing] = []
    found = asyncio.run(work(Driving(database, "rows", lease=LEASE), at_once=2, told=Told(stands=seen.append)))
    assert (found.done, found.steps, found.goes_on) == (4, 60, 0)
    assert found == seen[-1]
    assert fleet_at(database).workers() == [], "it said that it has ended"
    assert states(database) == ["done"] * 4


def test_a_worker_that_is_killed_or_stopped_or_loses_the_database_costs_nothing_that_was_committed(
    new_postgres: Callable[..., Postgres], database: str, tmp_path: Path, start: Start
) -> None:
    path = table(tmp_path)
    submitted(database, path, 4)
    start(database).wait(60)
    expected = entries(database)
    postgres = new_postgres()
    with postgres.database() as address:
        submitted(address, path, 4, model="sim:perfect,error=0.02,flagged=0.02,rho=0,latency=0.2", lookahead=2)
        first, second = start(address), start(address)
        wait_until(lambda: at_work(address, first) and at_work(address, second))
        first.kill()
        second.send_signal(signal.SIGSTOP)
        third = start(address)
        wait_until(lambda: at_work(address, third))
        second.send_signal(signal.SIGCONT)
        postgres.kill()
        time.sleep(0.5)
        postgres.start()
        wait_until(lambda: finished(address))
        assert second.wait(30) == third.wait(30) == 0
        assert entries(address) == expected


def test_ctrl_c_lets_go_at_once_and_the_next_worker_goes_on_without_waiting_for_the_lease(
    database: str, tmp_path: Path, start: Start
) -> None:
    submitted(database, table(tmp_path), 2, model="sim:perfect,latency=0.2", lookahead=1)
    first = start(database, "rows", "--lease", "60")
    wait_until(lambda: at_work(database, first))
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    assert "Other workers go on with the runs" in (tmp_path / "log").read_text()
    assert set(states(database)) == {"interrupted"}
    second = start(database, "rows", "--lease", "60")
    wait_until(lambda: at_work(database, second), seconds=15)


def test_what_is_wrong_with_this_machine_ends_the_worker_and_is_told_as_it_is(database: str, tmp_path: Path) -> None:
    path = table(tmp_path)
    submitted(database, path)
    path.unlink()
    with pytest.raises(UsageError, match=r"rows\.csv"):
        asyncio.run(work(Driving(database, "rows", lease=LEASE)))
    assert states(database) == ["open"] * 3
    with pytest.raises(UnusableRun, match="There is no fleet others"):
        asyncio.run(work(Driving(database, "others")))
    with pytest.raises(OutOfReach):
        asyncio.run(work(Driving("postgresql://postgres@127.0.0.1:9/none", "rows")))


def test_a_purse_that_is_empty_stops_all_runs_and_a_fuller_one_lets_them_go_on(database: str, tmp_path: Path) -> None:
    path = table(tmp_path)
    submitted(database, path, limits=Limits(max_calls=40))
    found = asyncio.run(work(Driving(database, "rows", lease=LEASE)))
    assert {each.state for each in found.states} <= {"limit", "done"}
    assert found.found.calls <= 40
    submitted(database, path, limits=Limits(max_calls=400))
    assert asyncio.run(work(Driving(database, "rows", lease=LEASE))).done == 3


def test_chains_go_on_elsewhere_as_well(database: str, start: Start) -> None:
    submit(database, "towers", hanoi([1, 2], disks=5, model="sim:perfect,latency=0.05"), Limits())
    first = start(database, "towers")
    wait_until(lambda: at_work(database, first))
    os.kill(first.pid, signal.SIGKILL)
    assert start(database, "towers").wait(60) == 0
    assert states(database) == ["done", "done"]
    assert query(database, "SELECT step FROM maker_graph.runs") == [(31,), (31,)]
