"""A run in a database survives the death of its process, of its machine, and of the database: nothing is lost or doubled."""

import asyncio
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from maker_graph import Run
from maker_graph.run.remote import JOURNAL
from maker_graph.tasks import Hanoi
from tests.postgres import Postgres
from tests.proxy import proxy
from tests.survival.harness import Child, Children, wait_until

pytestmark = pytest.mark.service("postgres")

HOW: dict[str, Any] = {"model": "sim:gpt-4.1-mini,latency=0.01", "k": 2, "seed": 5}
DISKS = 7

WORKS = """
import os
from maker_graph import Run
file = os.open("calls", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with Run.open("r", journal=os.environ["MAKER_GRAPH_JOURNAL"]) as run:
    run.solve(record=lambda call: os.write(file, b"." * (call.name == "sample")), lookahead=int(os.environ.get("AHEAD", "1")))
"""


class Expected(NamedTuple):
    """The run that nothing happens to: its digest, its samples, and those of the step that took most: so many are in flight."""

    digest: str
    samples: int
    most: int


def expected() -> Expected:
    """Solve the run that nothing happens to."""
    with Run.create("whole", Hanoi(DISKS), **HOW) as run:
        found = run.solve()
        most = max(step.samples for step in run.steps())
    assert found["digest"] is not None
    return Expected(found["digest"], found["samples"], most)


class Machines:
    """Machines on which a process works on the run, one after the other: each has nothing of the one before."""

    def __init__(self, children: Children, folder: Path, address: str, ahead: int = 1) -> None:
        self._children, self._folder, self._address, self._ahead = children, folder, address, ahead
        self._folders: list[Path] = []

    def start(self) -> Child:
        """Start a process on a new machine."""
        folder = self._folder / f"machine-{len(self._folders)}"
        folder.mkdir()
        self._folders.append(folder)
        env = {JOURNAL: self._address, "XDG_STATE_HOME": str(folder / "state"), "AHEAD": str(self._ahead)}
        return self._children.start(folder, "script", source=WORKS, env=env)

    @property
    def calls(self) -> int:
        """How many samples were drawn, on all machines."""
        return sum(len((each / "calls").read_bytes()) for each in self._folders if (each / "calls").exists())


@pytest.mark.parametrize("ahead", [1, 4])
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(
    children: Children, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.chdir(tmp_path)
    digest, samples, most = expected()
    Run.create("r", Hanoi(DISKS), journal=database, **HOW).close()
    machines, chance, kills = Machines(children, tmp_path, database, ahead), random.Random(ahead), 0
    while True:
        before, child = machines.calls, machines.start()
        if kills >= 8:
            break
        wait_until(lambda before=before: machines.calls > before)  # type: ignore[misc]  # of this turn
        time.sleep(chance.random() * 0.2)
        kills += child.kill() == -signal.SIGKILL
    assert child.wait(60) == 0, child.said
    with Run.open("r", journal=database) as run:
        found, account = run.verify(), run._opened.journal.account()
        steps = [(step.step, step.samples) for step in run.steps()]
    assert (found["digest"], found["verdict"], found["sessions"]) == (digest, "proved", kills + 1)
    assert [step for step, _ in steps] == list(range(1, 2**DISKS))
    assert sum(drawn for _, drawn in steps) == samples
    # A sample is told just after it is drawn, so what a kill took with it may not have been told.
    dropped = 0 if ahead == 1 else found["dropped"]
    assert machines.calls <= samples + dropped + kills * most * ahead
    assert account.spent.calls + account.unsettled.calls >= machines.calls


def test_who_is_stopped_and_wakes_up_after_another_has_gone_on_is_refused(
    children: Children, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digest, samples, most = expected()
    Run.create("r", Hanoi(DISKS), journal=database, **HOW).close()
    machines = Machines(children, tmp_path, database)
    one = machines.start()
    wait_until(lambda: machines.calls > 6)
    one.send(signal.SIGSTOP)
    two = machines.start()
    wait_until(lambda before=machines.calls: machines.calls > before + 6)  # type: ignore[misc]  # as it is now
    one.send(signal.SIGCONT)
    assert one.wait(60) != 0
    assert "TakenOver" in one.said[1]
    assert two.wait(60) == 0, two.said
    with Run.open("r", journal=database) as run:
        found = run.verify()
    assert (found["digest"], found["sessions"]) == (digest, 2)
    assert machines.calls <= samples + 2 * most


def test_a_database_that_is_killed_under_a_run_costs_it_what_was_in_flight(
    children: Children, new_postgres: Callable[..., Postgres], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digest, samples, most = expected()
    server = new_postgres()
    Run.create("r", Hanoi(DISKS), journal=server.address(), **HOW).close()
    machines = Machines(children, tmp_path, server.address())
    child = machines.start()
    for _ in range(3):
        wait_until(lambda before=machines.calls: machines.calls > before + 10)  # type: ignore[misc]  # as it is now
        server.kill()
        server.start()
    assert child.wait(60) == 0, child.said
    with Run.open("r", journal=server.address()) as run:
        found = run.verify()
    assert (found["digest"], found["verdict"]) == (digest, "proved")
    assert machines.calls <= samples + 3 * most


@pytest.mark.parametrize("seed", range(3))
async def test_a_network_that_loses_connections_at_any_byte_loses_and_doubles_no_step(
    postgres: Postgres, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("maker_graph.run.reach.FIRST", 0.01)
    digest, samples, most = await asyncio.to_thread(expected)
    chance, drawn, told = random.Random(seed), list[str](), list[str]()
    with proxy(postgres.port) as network:
        address = database.replace(str(postgres.port), str(network.port))
        with Run.create("r", Hanoi(DISKS), journal=address, **HOW) as run:
            work = asyncio.ensure_future(run.drive(record=lambda call: drawn.append(call.name), warn=told.append, lookahead=4))
            while not work.done():
                network.cut(chance.choice(["up", "down"]), chance.randrange(1, 9000), delays=chance.random() < 0.3)
                await asyncio.sleep(0.05)
                network.deliver()
            await work
            network.heal()
            found, account = run.verify(), run._opened.journal.account()
            steps = [step.step for step in run.steps()]
        assert network.connections > 5
    assert (found["digest"], found["verdict"]) == (digest, "proved")
    assert steps == list(range(1, 2**DISKS))
    outages = sum("waits for it" in line for line in told)
    assert drawn.count("sample") <= samples + found["dropped"] + outages * most * 4
    assert account.spent.calls + account.unsettled.calls >= len(drawn)
