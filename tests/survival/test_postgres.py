"""Processes that commit to a journal in Postgres: killed, stopped and taken over, and Postgres itself is killed."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.journal.kept import InPostgres
from tests.journal.worker import see, told
from tests.postgres import Postgres
from tests.survival.harness import Child, Children, wait_until


class Workers:
    """Starts processes that commit to a run, each under a name of its own.

    Attributes:
        last: the step at which the run ends.
    """

    def __init__(self, children: Children, kept: InPostgres, last: int) -> None:
        kept.open(claim=False).close()
        self.last = last
        self._kept, self._file = kept, kept.folder / "told"
        self._children = children
        self._count = 0

    def start(self) -> Child:
        """Start one, and return it when it is the owner."""
        self._count += 1
        who = f"w{self._count}"
        call = f"work({self._kept.address!r}, 'r', {str(self._file)!r}, who={who!r}, last={self.last}, pause=0.002)"
        child = self._children.start(self._kept.folder, "script", source=f"from tests.journal.worker import work\n{call}")
        wait_until(lambda: any(line.who == who for line in told(self._file)), 30)
        return child

    @property
    def step(self) -> int:
        """The last step that was told."""
        return max((line.step for line in told(self._file) if line.what == "step"), default=0)

    def done(self, step: int) -> bool:
        """Say whether a step was committed, or the run has ended."""
        ended = any(
            line.what == "end" for line in told(self._file)
        )  # it may have been killed before it could tell the last one
        return ended or self.step >= step

    def see(self) -> Counter[str]:
        """See that all is well in the end, and count what was told."""
        return see(self._kept, "r", self._file, self.last)


@pytest.fixture
def server(new_postgres: Callable[..., Postgres]) -> Postgres:
    return new_postgres()


@pytest.fixture
def kept(server: Postgres, tmp_path: Path) -> Iterator[InPostgres]:
    with ExitStack() as stack:
        yield InPostgres(tmp_path, stack, server.address())


def survived(workers: Workers, times: int, happen: Callable[[Child], Child]) -> Counter[str]:
    """Let something happen to the owner so many times, see that all is well in the end, and count what was told."""
    chance, owner = random.Random(times), workers.start()
    for _ in range(times):
        wait_until(partial(workers.done, workers.step + 1))
        time.sleep(chance.uniform(0, 0.02))
        owner = happen(owner)
    assert owner.wait(60) == 0
    return workers.see()


def test_40_kills_of_its_owner_lose_nothing_and_double_nothing(children: Children, kept: InPostgres) -> None:
    workers, ended = Workers(children, kept, 1000), Counter[int]()

    def kill(owner: Child) -> Child:
        ended[owner.kill()] += 1
        return workers.start()

    survived(workers, 40, kill)
    assert ended == {-signal.SIGKILL: 40}


def test_of_20_owners_that_were_stopped_and_taken_over_each_is_refused_when_it_wakes(
    children: Children, kept: InPostgres
) -> None:
    workers = Workers(children, kept, 800)

    def stop(owner: Child) -> Child:
        owner.send(signal.SIGSTOP)
        new = workers.start()
        wait_until(partial(workers.done, workers.step + 1))
        owner.send(signal.SIGCONT)
        assert owner.wait() == 0
        return new

    assert survived(workers, 20, stop)["refused"] == 20


def test_6_kills_of_the_server_under_a_process_cost_it_nothing(children: Children, kept: InPostgres, server: Postgres) -> None:
    def kill(owner: Child) -> Child:
        server.kill()
        server.start()
        return owner

    workers = Workers(children, kept, 300)
    assert survived(workers, 6, kill)["away"] > 0
