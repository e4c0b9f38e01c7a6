"""DBOS gives each open run to one worker, and what a dead one had to another."""

import asyncio
from collections.abc import Callable

import pytest

from maker_graph.errors import LimitReached, MakerError, OutOfReach
from maker_graph.fleet.engines.dbos import DbosEngine
from tests.fleet.fleets import query
from tests.postgres import Postgres

RUNS = [f"rows-{place:05}" for place in range(6)]


def statuses(address: str) -> list[tuple[str, str]]:
    """Return the workflows: run, status."""
    rows = query(address, "SELECT workflow_uuid, status FROM dbos.workflow_status ORDER BY 1")
    return [(identity.split("/")[0], status) for identity, status in rows]


def nobody(_: MakerError | None) -> None:
    """Be told of an end."""


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Return as soon as something is true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  it comes from another thread
            await asyncio.sleep(0.02)


async def test_each_run_is_driven_once_and_so_many_at_once(database: str) -> None:
    engine, driven, now, most = DbosEngine(database, "rows", "me"), list[str](), 0, 0

    async def drive(run: str) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.1)
        now -= 1
        driven.append(run)

    async with engine.work(drive, 2, nobody):
        for _ in range(2):
            await asyncio.to_thread(engine.submit, RUNS, ["me"])
        await until(lambda: len(driven) == len(RUNS))
        await until(lambda: statuses(database) == [(run, "SUCCESS") for run in RUNS])
    assert sorted(driven) == RUNS
    assert most == 2


async def test_a_worker_that_ends_leaves_its_runs_to_the_next(database: str) -> None:
    begun, driven = asyncio.Event(), list[str]()

    async def waits(_: str) -> None:
        begun.set()
        await asyncio.sleep(60)

    async def drive(run: str) -> None:
        driven.append(run)

    first = DbosEngine(database, "rows", "first")
    async with first.work(waits, 2, nobody):
        await asyncio.to_thread(first.submit, RUNS[:1], ["first"])
        await begun.wait()
    assert statuses(database) == [(RUNS[0], "PENDING")]
    second = DbosEngine(database, "rows", "second")
    async with second.work(drive, 2, nobody):
        await asyncio.to_thread(second.submit, RUNS[:1], ["first", "second"])
        await asyncio.sleep(1.5)
        assert not driven, "the first one lives"
        await asyncio.to_thread(second.submit, RUNS[:1], ["second"])
        await until(lambda: driven)
    assert driven == RUNS[:1]
    assert statuses(database) == [(RUNS[0], "SUCCESS")]


async def test_a_run_that_was_given_to_a_worker_which_did_not_hear_of_it_is_given_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maker_graph.fleet.engines.dbos.LOST", 0.2)
    engine, driven = DbosEngine(database, "rows", "me"), list[str]()

    async def drive(run: str) -> None:
        driven.append(run)

    async with engine.work(drive, 2, nobody):
        await asyncio.to_thread(engine.submit, RUNS[:1], ["me"])
        await until(lambda: statuses(database) == [(RUNS[0], "SUCCESS")])
        query(database, "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = 'me', owner_xid = 'x'")
        await asyncio.to_thread(engine.submit, [], ["me"])
        assert len(driven) == 1, "it may be on its way"
        await asyncio.sleep(0.25)
        await asyncio.to_thread(engine.submit, [], ["me"])
        await until(lambda: len(driven) == 2)


async def test_two_fleets_in_one_database_have_nothing_to_do_with_each_other(database: str) -> None:
    driven = list[str]()

    async def drive(run: str) -> None:
        driven.append(run)

    other = DbosEngine(database, "others", "me")
    async with other.work(drive, 1, nobody):
        await asyncio.to_thread(other.submit, ["others-00000"], ["me"])
        await until(lambda: driven)
    engine = DbosEngine(database, "rows", "me")
    async with engine.work(drive, 1, nobody):
        await asyncio.to_thread(engine.submit, RUNS[:1], ["me"])
        await until(lambda: len(driven) == 2)
    assert driven == ["others-00000", RUNS[0]]


async def test_a_database_that_is_away_is_told(database: str) -> None:
    async def drive(_: str) -> None:
        raise AssertionError

    away = DbosEngine("postgresql://postgres@127.0.0.1:9/none", "rows", "me")
    with pytest.raises(OutOfReach, match="DBOS cannot reach its tables"):
        async with away.work(drive, 1, nobody):
            pass
    engine = DbosEngine(database, "rows", "me")
    async with engine.work(drive, 1, nobody):
        pass  # nothing of the other one is left


async def test_a_user_who_may_not_make_the_tables_is_told_what_to_do(postgres: Postgres, database: str) -> None:
    async def drive(_: str) -> None:
        raise AssertionError

    name = f"no_{database.rpartition('/')[2]}"
    postgres.execute(f"CREATE ROLE {name} LOGIN")
    try:
        engine = DbosEngine(postgres.address(database.rpartition("/")[2], name), "rows", "me")
        with pytest.raises(LimitReached, match=r"permission denied .* GRANT CREATE ON DATABASE"):
            async with engine.work(drive, 1, nobody):
                pass
    finally:
        postgres.execute(f"DROP ROLE {name}")
