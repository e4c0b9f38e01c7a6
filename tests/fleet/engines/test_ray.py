"""Ray drives runs in actors: killed ones are replaced, and so is the process that hands out."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from maker_graph.fleet.driving import Driving, drive
from maker_graph.fleet.submitting import submit
from maker_graph.journal.postgres.fleets import Limits
from tests.fleet.fleets import entries, hanoi, query, states, submitted, table

pytestmark = [pytest.mark.service("ray"), pytest.mark.xdist_group("ray")]

SLOW = "sim:perfect,error=0.02,flagged=0.02,rho=0,latency=0.2"


@pytest.fixture(name="start")
def fixture_start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Return what starts `maker-graph work --engine ray` on a small cluster of its own."""
    all_: list[subprocess.Popen[bytes]] = []

    def start(address: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "maker_graph.cli", "work", "rows", "--engine", "ray", "--journal", address]
        with (tmp_path / "log").open("ab") as log:
            work = subprocess.Popen(
                [*command, "--lease", "2", "--at-once", "2"], cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
            )
        all_.append(work)
        return work

    yield start
    for each in all_:
        kill(each)


def kill(work: subprocess.Popen[bytes]) -> None:
    """Kill a process with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(work.pid, signal.SIGKILL)
    work.wait()


def wait_until(true: Callable[[], object], seconds: float = 120) -> None:
    """Return as soon as something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def owners(address: str) -> list[int]:
    """Return the processes that have committed something and are at work."""
    rows = query(address, "SELECT owner FROM maker_graph.runs WHERE state = 'at work' AND step > 0")
    return [int(owner.rpartition("-")[2]) for (owner,) in rows]


def test_actors_that_are_killed_and_a_driver_that_is_killed_cost_nothing_that_was_committed(
    database: str, tmp_path: Path, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    submitted(database, table(tmp_path), 4, model=SLOW, lookahead=2)
    first = start(database)
    wait_until(lambda: owners(database))
    os.kill(owners(database)[0], signal.SIGKILL)
    before = query(database, "SELECT sum(step) FROM maker_graph.runs")
    wait_until(lambda: query(database, "SELECT sum(step) FROM maker_graph.runs") > before)
    kill(first)
    second = start(database)
    assert second.wait(120) == 0
    assert states(database) == ["done"] * 4
    found = entries(database)
    query(database, "DELETE FROM maker_graph.fleets")
    submitted(database, table(tmp_path), 4)
    for place in range(4):
        asyncio.run(drive(f"rows-0000{place}", Driving(database, "rows")))
    assert found == entries(database)


def test_ctrl_c_lets_go_of_the_runs(database: str, start: Callable[[str], subprocess.Popen[bytes]]) -> None:
    submit(database, "rows", hanoi([1, 2], disks=5, model=SLOW), Limits())
    work = start(database)
    wait_until(lambda: owners(database))
    os.kill(work.pid, signal.SIGINT)
    assert work.wait(30) == 130
    assert set(states(database)) == {"interrupted"}
