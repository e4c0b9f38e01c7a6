"""The purse of a fleet: never below what was really called, never above its limit, whoever is killed."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from maker_graph.core.spending import NONE, Reserved, Spent
from maker_graph.errors import LimitReached, TakenOver
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import Fleet as Fleets
from maker_graph.journal.postgres.journal import PostgresJournal
from maker_graph.journal.postgres.purse import CALLS_AT_ONCE, PART
from maker_graph.models.calls import Call
from tests.journal.postgres.purses import CALLS, MOST, STEPS, Fleet, Worker, reply
from tests.postgres import Postgres

# ------------------------------------------------------------------------------------------------- one thing after the other


def purse(fleet: Fleet) -> tuple[int, float]:
    stands = fleet.stands()
    return stands.calls, stands.cost


def fleet_of(address: str, runs: int = 2, **limits: float | None) -> Fleet:
    fleet = Fleet(address)
    fleet.make(runs, **limits)
    return fleet


def called(worker: Worker, times: int = 1, tokens: int = 1) -> None:
    for _ in range(times):
        worker.ledger.reserve(MOST)
        worker.ledger.settle(MOST, reply(tokens))


def test_a_run_takes_calls_in_portions_and_gives_back_what_it_did_not_use(database: str) -> None:
    fleet = fleet_of(database, max_calls=100_000)
    worker = Worker(fleet, "r0")
    called(worker)
    assert purse(fleet)[0] == CALLS_AT_ONCE
    called(worker, CALLS_AT_ONCE // 2 - 1)
    assert purse(fleet)[0] == CALLS_AT_ONCE, "no more is taken while there is some"
    worker.commit()
    worker.end("done")
    assert purse(fleet) == (CALLS_AT_ONCE // 2, CALLS_AT_ONCE // 2)


def test_the_last_call_of_a_purse_is_made_and_not_one_more(database: str) -> None:
    fleet = fleet_of(database, max_calls=11)
    worker = Worker(fleet, "r0")
    called(worker, 11)
    with pytest.raises(LimitReached, match="--max-calls"):
        called(worker)
    worker.end("paused")
    assert purse(fleet)[0] == 11


def test_a_run_that_found_the_purse_empty_is_opened_again_once_others_give_something_back(database: str) -> None:
    fleet = fleet_of(database, max_calls=11)
    rows = Connection(database)
    name = str(rows.rows("SELECT name FROM maker_graph.fleets")[0][0])
    first, second = Worker(fleet, "r0"), Worker(fleet, "r1")
    called(first)
    with pytest.raises(LimitReached):
        called(second, 11)
    with pytest.raises(LimitReached):
        called(first, 11)
    first.end("limit")
    assert Fleets(rows, name).refilled() == 0
    rows.rows("UPDATE maker_graph.fleets SET calls = calls - 1 RETURNING 1")
    assert Fleets(rows, name).refilled() == 1
    assert Fleets(rows, name).refilled() == 0, "it is open now"
    rows.close()


def test_near_its_end_a_purse_is_not_held_by_one_run(database: str) -> None:
    fleet = fleet_of(database, max_calls=40)
    first, second = Worker(fleet, "r0"), Worker(fleet, "r1")
    called(first)
    assert purse(fleet)[0] <= 5
    called(second, 30)
    assert first.ledger.since.calls + second.ledger.since.calls == 31


def test_a_commit_reserves_no_more_than_the_purse_has(database: str) -> None:
    fleet = fleet_of(database, max_calls=10)
    worker = Worker(fleet, "r0")
    called(worker, 6)
    worker.commit()  # it would hold six calls for the next step, as many as the last one took
    assert worker.journal.account().reserved.calls == 4
    with closing(fleet.journal("r0")) as again:  # as after a kill
        again.claim()
        assert purse(fleet)[0] == 10


def test_what_a_killed_worker_was_granted_comes_back_when_another_ends_the_run(database: str) -> None:
    fleet = fleet_of(database, max_calls=100_000)
    killed = Worker(fleet, "r0")
    called(killed, 4)
    killed.commit()
    called(killed)
    assert purse(fleet)[0] == CALLS_AT_ONCE
    heir = Worker(fleet, "r0")
    called(heir)
    heir.commit()
    heir.end("done")
    stands = fleet.stands()
    assert stands.calls == stands.granted_calls == stands.used_calls
    assert 6 <= stands.calls <= 4 + 8 + 1, "called, or held at the kill"


def test_a_new_owner_knows_that_the_last_one_gave_back_after_it_had_looked(database: str) -> None:
    fleet = fleet_of(database, max_calls=100_000)
    first = Worker(fleet, "r0")
    called(first)
    late = fleet.journal("r0")
    first.end("paused")
    late.claim()
    assert late.provide(Spent(), Reserved(1.0, 1), Reserved(1.0, 1)) == Reserved(1.0, 1)
    late.spend(Spent(), Reserved(1.0, 1))
    assert fleet.stands().short == 0
    assert purse(fleet)[0] > 1


def test_a_raised_purse_lets_a_paused_run_go_on(database: str) -> None:
    fleet = fleet_of(database, max_calls=5, max_cost=100.0)
    worker = Worker(fleet, "r0")
    with pytest.raises(LimitReached):
        called(worker, 6)
    worker.end("paused")
    with pytest.raises(LimitReached):
        called(Worker(fleet, "r1"))
    fleet.allow(max_calls=9)
    called(Worker(fleet, "r1"), 4)


def test_calls_that_cost_more_than_was_estimated_are_charged_all_the_same_and_then_no_other_is_made(database: str) -> None:
    fleet = fleet_of(database, max_cost=50.0)
    first, second = Worker(fleet, "r0"), Worker(fleet, "r1")
    called(first, tokens=60)
    first.commit()
    assert purse(fleet)[1] >= 60
    with pytest.raises(LimitReached):
        called(second)
    first.end("paused")
    assert fleet.stands().short == 0
    assert purse(fleet)[1] == 60


def test_an_amendment_and_a_claim_are_charged_too(database: str) -> None:
    fleet = fleet_of(database, max_calls=100_000)
    with closing(fleet.journal("r0")) as journal:
        journal.claim()
        journal.amend([], Spent(cost=3.0, calls=2))
        assert purse(fleet) == (2, 3.0)
        journal.spend(Spent(cost=1.0, calls=1), Reserved(2.0, 4))
        journal.claim()
        assert purse(fleet) == (7, 6.0)
        assert journal.account().unsettled == Reserved(2.0, 4)


def test_what_a_refused_owner_books_late_takes_the_place_of_what_was_unsettled_of_it(database: str) -> None:
    fleet = fleet_of(database, max_calls=100_000)
    old = Worker(fleet, "r0")
    old.ledger.reserve(MOST)
    old.ledger.reserve(MOST)
    heir = Worker(fleet, "r0")
    assert heir.journal.account().unsettled == Reserved(2.0, 2)
    old.ledger.settle(MOST, reply(5))
    old.ledger.settle(MOST, reply(1))
    old.ledger.close()
    account = heir.journal.account()
    assert (account.spent.calls, account.spent.cost) == (2, 6.0)
    assert account.unsettled == NONE
    heir.end("done")
    assert purse(fleet) == (2, 6.0)
    assert fleet.stands().short == 0


def test_a_refused_owner_that_books_more_than_it_had_reserved_is_charged_with_the_rest(database: str) -> None:
    fleet = fleet_of(database, max_calls=100_000)
    with closing(fleet.journal("r0")) as old, closing(fleet.journal("r0")) as heir:
        old.claim()
        old.spend(Spent(), Reserved(1.0, 2))
        heir.claim()
        heir.spend(Spent(), Reserved(1.0, 1))
        old.spend(Spent(cost=5.0, calls=3))
        old.spend(Spent(cost=5.0, calls=3))
        account = heir.account()
        assert (account.spent.calls, account.unsettled, account.reserved) == (6, NONE, Reserved(1.0, 1))
        assert purse(fleet) == (7, 11.0)
        stands = fleet.stands()
        assert (stands.granted_calls, stands.granted_cost, stands.short) == (7, 11.0, 0)


def test_a_refused_owner_reserves_nothing_for_another_call(database: str) -> None:
    fleet = fleet_of(database)
    old = Worker(fleet, "r0")
    called(old)
    Worker(fleet, "r0")
    with pytest.raises(TakenOver):
        called(old, 10)
    assert old.ledger.since.calls <= 2, "what was reserved before it was taken over"


def test_a_run_that_is_done_takes_nothing_more(database: str) -> None:
    fleet = fleet_of(database)
    worker = Worker(fleet, "r0")
    called(worker)
    worker.end("done")
    with pytest.raises(LimitReached):
        worker.journal.provide(Spent(), Reserved(1.0, 1), Reserved(1.0, 1))
    assert purse(fleet)[0] == 1


def test_a_booking_whose_answer_was_lost_is_made_once(database: str) -> None:
    fleet = fleet_of(database, max_calls=100_000)
    worker = Worker(fleet, "r0")
    called(worker)
    fleet.db.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )
    worker.end("done")
    assert purse(fleet) == (1, 1.0)


# --------------------------------------------------------------------------------------------------- anything, in any order


class Run:
    """What really happened to a run: calls, and what the rules make of its account."""

    def __init__(self) -> None:
        self.made = 0
        self.spent = 0
        self.unsettled = 0
        self.owner: Owner | None = None


class Owner:
    """A worker, and what it did that is not booked."""

    def __init__(self, run: Run, worker: Worker) -> None:
        self.run, self.worker = run, worker
        self.under_way: list[Call] = []
        self.covered = 0

    @property
    def journal(self) -> PostgresJournal:
        return self.worker.journal


class World:
    """Owners that come, go, pay and die, in an order that a seed makes."""

    def __init__(self, address: str, seed: int) -> None:
        self.rng, self.fleet = random.Random(seed), Fleet(address)
        self.max_calls = self.rng.choice([20, 40])
        self.fleet.make(3, max_calls=self.max_calls, max_cost=self.rng.choice([None, 1e6]))
        self.runs = {f"r{number}": Run() for number in range(3)}
        self.owners: list[Owner] = []
        self.dry = 0

    def claim(self) -> None:
        name, run = self.rng.choice(list(self.runs.items()))
        if run.owner is not None:
            run.owner.covered = run.owner.worker.journal.account().reserved.calls
            run.unsettled += run.owner.covered
        run.owner = Owner(run, Worker(self.fleet, name))
        self.owners.append(run.owner)

    def reserve(self, owner: Owner) -> None:
        try:
            owner.worker.ledger.reserve(MOST)
        except LimitReached:
            self.dry += 1
        except TakenOver:
            assert owner.run.owner is not owner
        else:
            owner.run.made += 1
            owner.under_way.append(reply(self.rng.choice([1, 1, 1, 9])))

    def settle(self, owner: Owner) -> None:
        if owner.under_way:
            owner.worker.ledger.settle(MOST, owner.under_way.pop())

    def commit(self, owner: Owner) -> None:
        taken = owner.worker.ledger.since.calls
        with suppress(TakenOver):
            owner.worker.commit()
        self.booked(owner, taken)

    def close(self, owner: Owner) -> None:
        while owner.under_way:
            self.settle(owner)
        taken = owner.worker.ledger.since.calls
        owner.worker.end("paused")
        self.booked(owner, taken)
        self.leave(owner)

    def kill(self, owner: Owner) -> None:
        self.leave(owner)

    def leave(self, owner: Owner) -> None:
        if owner.run.owner is owner:
            owner.covered = owner.journal.account().reserved.calls
            owner.run.unsettled += owner.covered
            owner.run.owner = None
        owner.journal.close()
        self.owners.remove(owner)

    def booked(self, owner: Owner, taken: int) -> None:
        owner.run.spent += taken
        if owner.run.owner is not owner:
            settled = min(taken, owner.covered)
            owner.covered -= settled
            owner.run.unsettled -= settled

    def more(self) -> None:
        self.max_calls += 20
        self.fleet.allow(max_calls=self.max_calls)

    def step(self) -> None:
        if not self.owners or self.rng.random() < 0.05:
            return self.claim()
        if self.rng.random() < 0.005:
            return self.more()
        owner = self.rng.choice(self.owners)
        acts = [self.reserve] * 8 + [self.settle] * 8 + [self.commit] * 4 + [self.close, self.kill]
        act = self.rng.choice(acts)
        return act(owner)

    def judge(self) -> None:
        stands = self.fleet.stands()
        assert stands.calls == stands.granted_calls, "what was taken is with the runs"
        assert stands.cost == pytest.approx(stands.granted_cost)
        assert not stands.short, "a run uses what it was not granted"
        assert sum(run.made for run in self.runs.values()) <= stands.calls <= self.max_calls
        for name, spent, reserved, unsettled in self.fleet.accounts():
            run = self.runs[name]
            assert (spent, unsettled + (0 if run.owner else reserved)) == (run.spent, run.unsettled)
            assert spent + reserved + unsettled >= run.made


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_whatever_order_the_purse_is_right(database: str, seed: int) -> None:
    world = World(database, seed)
    for _ in range(200):
        world.step()
        world.judge()
    for owner in list(world.owners):
        world.close(owner)
    world.judge()
    for name in world.runs:
        Worker(world.fleet, name).end("done")
    stands = world.fleet.stands()
    assert stands.calls == stands.used_calls == sum(run.spent + run.unsettled for run in world.runs.values())
    assert world.dry, "the purse was never empty"


# ---------------------------------------------------------------------------------------------------------- real processes

RUNS, WORKERS = 8, 4


class Workers:
    """Processes that go on with the runs of a fleet."""

    def __init__(self, address: str, file: Path) -> None:
        self.address, self.file, self.started = address, file, 0
        self.alive: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.started += 1
        command = [sys.executable, "-m", "tests.journal.postgres.purses", self.address, str(self.file), str(self.started)]
        self.alive.append(subprocess.Popen(command))

    def end(self, worker: subprocess.Popen[bytes], how: int) -> None:
        worker.send_signal(how)
        if how == signal.SIGKILL:
            worker.wait()
            self.alive.remove(worker)
            self.start()

    def wait(self) -> None:
        for worker in self.alive:
            assert worker.wait(60) == 0
        self.alive.clear()

    def calls(self) -> int:
        """How many calls were really made."""
        return self.file.stat().st_size


@pytest.fixture(name="server")
def fixture_server(new_postgres: Callable[..., Postgres]) -> Postgres:
    """Return a Postgres of the test's own."""
    return new_postgres()


@pytest.fixture(name="workers")
def fixture_workers(server: Postgres, tmp_path: Path) -> Iterator[Workers]:
    """Return what starts workers; none is left."""
    (tmp_path / "calls").touch()
    workers = Workers(server.address(), tmp_path / "calls")
    yield workers
    for worker in workers.alive:
        worker.kill()
        worker.wait()


def test_workers_that_are_killed_and_stopped_share_a_purse_and_so_if_postgres_is_killed(
    server: Postgres, workers: Workers
) -> None:
    needed, limit = RUNS * STEPS * CALLS, 400
    fleet, rng, stopped = fleet_of(workers.address, RUNS, max_calls=limit), random.Random(1), list[subprocess.Popen[bytes]]()
    most = limit + 2 * WORKERS * CALLS  # what is booked when Postgres dies may be counted once more, but is never called
    for _ in range(WORKERS):
        workers.start()
    for event in range(10):
        time.sleep(rng.uniform(0.1, 0.4))
        victim = rng.choice(workers.alive)
        if victim.poll() is None:
            how = signal.SIGSTOP if event % 3 == 0 else signal.SIGKILL
            workers.end(victim, how)
            stopped += [victim] if how == signal.SIGSTOP else []
        if event in {2, 6}:
            server.kill()
            server.start()
        made, stands = workers.calls(), fleet.stands()
        assert made <= stands.calls <= most
        assert made <= limit
    for worker in stopped:
        worker.send_signal(signal.SIGCONT)
    workers.wait()
    stands = fleet.stands()
    assert workers.calls() <= stands.calls == stands.granted_calls <= most
    assert workers.calls() <= limit
    assert limit - stands.calls <= WORKERS * limit // PART, "no more is left than what each gave back at its end"
    fleet.allow(max_calls=10 * needed)
    for _ in range(2):
        workers.start()
    workers.wait()
    stands = fleet.stands()
    assert (stands.done, stands.short) == (RUNS, 0)
    assert needed <= workers.calls() <= stands.calls == stands.used_calls
