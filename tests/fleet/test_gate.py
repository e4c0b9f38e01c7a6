"""The gate of a worker of a fleet, with a real database: one rate, and one wait for all."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing
from types import SimpleNamespace
from typing import cast

import pytest

from maker_graph.errors import UnusableRun
from maker_graph.fleet.gate import FleetGate, Slot
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.rate import LATE, LEAD, Lease, Rate
from maker_graph.models.gate import OUTAGE, Pass
from tests.fleet.rates import fleet_with, most_within
from tests.postgres import Postgres

Made = Callable[..., FleetGate]


@pytest.fixture(name="gate")
def fixture_gate() -> Iterator[Made]:
    """Return what makes gates of a fleet; all are closed at the end."""
    with ExitStack() as stack:
        yield lambda address, **how: stack.enter_context(closing(FleetGate(address, "f", **how)))


async def asked(gate: FleetGate, calls: int, at_once: int, times: list[float]) -> None:
    """Make calls at once, each of which takes a moment; keep when each was made."""
    left = iter(range(calls))

    async def one() -> None:
        for _ in left:
            leave = await gate.aenter()
            times.append(leave.since)
            await asyncio.sleep(0.01)
            gate.answered(leave)

    await asyncio.gather(*(one() for _ in range(at_once)))


async def test_workers_keep_to_one_rate_together_in_every_second(database: str, gate: Made) -> None:
    fleet_with(database, 6000)
    times: list[float] = []
    await asyncio.gather(*(asked(gate(database), 100, 20, times) for _ in range(3)))
    assert len(times) == 300
    assert most_within(sorted(times), 1.0) <= 100


def test_threads_and_event_loops_share_a_gate(database: str, gate: Made) -> None:
    fleet_with(database, 6000)
    shared, times = gate(database), list[float]()

    def one() -> None:
        for _ in range(20):
            leave = shared.enter()
            times.append(leave.since)
            shared.answered(leave)

    threads = [threading.Thread(target=one) for _ in range(4)]
    threads += [threading.Thread(target=lambda: asyncio.run(asked(shared, 80, 5, times)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 160
    assert most_within(sorted(times), 1.0) <= 100


def test_a_slot_that_is_not_used_in_time_is_given_up(database: str) -> None:
    fleet_with(database, 6000)
    now = 0.0
    with closing(FleetGate(database, "f", clock=lambda: time.monotonic() + now)) as late:
        slot = late._slot()
        assert slot is not None
        found = slot.result()
        now = found.until - time.monotonic() + 1
        assert late._used(found) == 0.0
        assert late.given_up == 1
        assert found.until == pytest.approx(found.at + LATE)
        assert isinstance(late.enter(), Pass), "and another is taken"


async def test_where_the_database_is_far_away_slots_are_taken_farther_ahead(database: str, gate: Made) -> None:
    fleet_with(database, 6000)
    far = gate(database)
    lease = far._rate.lease

    def late(wanted: int, lead: float = LEAD) -> Lease:
        found = lease(wanted, lead)
        time.sleep(0.2)
        return found

    far._rate = cast("Rate", SimpleNamespace(lease=late, clock=far._rate.clock))
    async with asyncio.timeout(10):
        for _ in range(3):
            far.answered(await far.aenter())


async def test_a_429_that_one_worker_sees_shuts_the_gates_of_all_and_they_hear_why(database: str, gate: Made) -> None:
    fleet_with(database, 6000)
    told: list[str] = []
    first, second = gate(database), gate(database, notice=told.append)
    await second.aenter()
    first.slowed(await first.aenter(), 40, "m: 429")
    await until(database, "shut_until IS NOT NULL")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.aenter(), 1)
    assert told == ["m: 429: waiting for 40 s."]
    late = gate(database, notice=told.append)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(late.aenter(), 0.5)
    assert "m: 429" in told[1], "who comes later hears it too"


async def until(address: str, what: str) -> None:
    """Wait until this is true of the fleet."""
    with closing(Connection(address)) as db:
        while not db.rows(f"SELECT {what} FROM maker_graph.fleets")[0][0]:  # noqa: ASYNC110, S608  in another process; ours
            await asyncio.sleep(0.01)


async def test_the_time_of_a_429_that_does_not_say_how_long_grows_from_one_worker_to_the_next(
    database: str, gate: Made
) -> None:
    fleet_with(database, None)
    first, second = gate(database), gate(database)
    for times, shut in enumerate((first, second, first), start=1):
        shut.slowed(await shut.aenter(), None, "m: 429")
        async with asyncio.timeout(5):
            await until(database, f"shuts = {times}")


async def test_an_outage_is_one_for_all_and_the_first_answer_opens_the_gates_of_all(database: str, gate: Made) -> None:
    fleet_with(database, 6000)
    told: list[str] = []
    first, second = gate(database, notice=lambda _: None), gate(database, notice=told.append)
    leaves = [await first.aenter() for _ in range(OUTAGE)]
    for leave in leaves:
        first.failed(leave, None, "m: no answer")
    await until(database, "shut_until IS NOT NULL")
    probes = [asyncio.ensure_future(each.aenter()) for each in (first, second, first, second)]
    done, waiting = await asyncio.wait(probes, timeout=4, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.3)
    assert len([each for each in probes if each.done()]) == 1, "one probes for all"
    assert second.down_since is not None
    prober = first if probes.index(next(iter(done))) in {0, 2} else second
    prober.answered(next(iter(done)).result())
    async with asyncio.timeout(5):
        assert not (await asyncio.gather(*waiting))[0].probe
    assert second.down_since is None
    assert told[-1].startswith("The provider answers again")


async def test_where_the_database_cannot_be_reached_the_gate_waits_and_the_event_loop_does_not(
    new_postgres: Callable[..., Postgres], gate: Made
) -> None:
    server, told, beats = new_postgres(), list[str](), list[float]()
    fleet_with(server.address(), 6000)
    waits = gate(server.address(), notice=told.append)
    await waits.aenter()
    server.kill()

    async def beat() -> None:
        while True:
            beats.append(time.monotonic())
            await asyncio.sleep(0.01)

    beating = asyncio.ensure_future(beat())
    waiting = asyncio.ensure_future(waits.aenter())
    await asyncio.sleep(1)
    assert not waiting.done()
    assert len(beats) > 20
    assert "cannot be reached" in told[0]
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        assert isinstance(await waiting, Pass)
    beating.cancel()


def test_who_waits_for_a_fleet_that_is_gone_is_told(database: str, gate: Made) -> None:
    fleet_with(database, 6000)
    left = gate(database)
    Connection(database).rows("DELETE FROM maker_graph.fleets RETURNING 1")
    with pytest.raises(UnusableRun, match="no fleet f"):
        left.enter()


def test_a_caller_that_is_cancelled_leaves_its_slot_to_the_next(database: str) -> None:
    with closing(FleetGate(database, "f")) as gate:
        gone, waiting = Future[Slot](), Future[Slot]()
        gone.cancel()
        gate._wanted.extend([gone, waiting])
        gate._give(Slot(1.0, 2.0))
        assert waiting.result(0) == Slot(1.0, 2.0)


async def test_a_gate_that_is_closed_lets_nobody_wait(database: str) -> None:
    fleet_with(database, 1)
    gate = FleetGate(database, "f")
    await gate.aenter()
    waiting = asyncio.ensure_future(gate.aenter())
    await asyncio.sleep(0.1)
    gate.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
