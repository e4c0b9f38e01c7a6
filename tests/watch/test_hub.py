"""One reader tells all who listen, each what has changed since it last heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from maker_graph import Run
from maker_graph.tasks import Hanoi
from maker_graph.watch import hub as hubs
from maker_graph.watch.hub import Hub, News, key_of


def made(folder: Path, name: str, disks: int = 2) -> Path:
    with Run.create(folder / name, Hanoi(disks), model="sim:perfect", k=1):
        pass
    return folder / name


async def heard(stream: AsyncIterator[News | None]) -> News:
    async with asyncio.timeout(10):
        news = await anext(stream)
    assert news is not None
    return news


@asynccontextmanager
async def working(hub: Hub) -> AsyncIterator[None]:
    work = asyncio.ensure_future(hub.work())
    yield
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_who_comes_gets_all_and_then_what_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.01)
    one, two = made(tmp_path, "one"), made(tmp_path, "two")
    hub = Hub(lambda: [one, two])
    stream = hub.listen(key_of(two))
    first = await heard(stream)
    assert first.all
    assert [run["name"] for run in first.runs.values()] == ["one", "two"]
    assert first.chosen is not None
    async with working(hub):
        with Run.open(one) as run:
            await run.asolve()
        while True:
            later = await heard(stream)
            assert (later.all, set(later.runs) <= {key_of(one)}, later.chosen) == (False, True, None)
            if later.runs[key_of(one)]["state"] == "done":
                break


async def test_who_comes_back_hears_what_was_missed_and_to_another_server_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.01)
    one, two = made(tmp_path, "one"), made(tmp_path, "two")
    hub = Hub(lambda: [one, two])
    first = await heard(hub.listen(None))
    with Run.open(one) as run:
        await run.asolve()
    hub._look()
    back = await heard(hub.listen(None, first.number))
    assert (back.all, set(back.runs)) == (False, {key_of(one)})
    for odd in ("other-3", "no", "-", f"{hub._boot}-9999999", f"{hub._boot}-x", "٣"):
        assert (await heard(hub.listen(None, odd))).all


async def test_many_who_come_at_once_are_served_by_one_look_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.001)
    with Run.create(tmp_path / "one", Hanoi(9), model="sim:perfect", k=1) as run:
        await run.asolve()
    for _ in range(5):
        hub = Hub(lambda: [run.directory])
        async with working(hub):
            for news in await asyncio.gather(*(heard(hub.listen(key_of(run.directory))) for _ in range(8))):
                assert news.chosen is not None
                assert (news.chosen["read"], news.chosen["replaced"]) == (511, False)


async def test_who_is_not_concerned_by_a_change_waits_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = made(tmp_path, "one")
    hub = Hub(lambda: [one])
    stream = hub.listen(None)
    await heard(stream)
    asks, since = list[int](), hub._since

    def counted(seen: int | None, chosen: str | None, now: int) -> News | None:
        asks.append(now)
        return since(seen, chosen, now)

    monkeypatch.setattr(hub, "_since", counted)
    waits = asyncio.ensure_future(anext(stream))
    hub._number += 1  # of a run that this listener has not chosen
    await asyncio.sleep(0.1)
    async with hub._changed:
        hub._changed.notify_all()
    await asyncio.sleep(0.1)
    assert len(asks) <= 3
    assert not waits.done()
    waits.cancel()


async def test_who_is_up_to_date_hears_that_the_server_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LIVES", 0.01)
    one = made(tmp_path, "one")
    stream = Hub(lambda: [one]).listen(None)
    await heard(stream)
    assert await anext(stream) is None


async def test_nobody_reads_while_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.01)
    looks = list[int]()

    def find() -> list[Path]:
        looks.append(1)
        return [tmp_path]

    hub = Hub(find)
    async with working(hub):
        await asyncio.sleep(0.1)
        assert looks == []
        stream = hub.listen(None)
        await heard(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # a generator has it
        await asyncio.sleep(0.1)
        number = len(looks)
        await asyncio.sleep(0.2)
        assert len(looks) == number


async def test_a_run_that_is_no_longer_found_is_told_of_and_a_new_one_comes_along(tmp_path: Path) -> None:
    one = made(tmp_path, "one")
    found = [one]
    hub = Hub(lambda: found)
    stream = hub.listen(None)
    await heard(stream)
    found.append(made(tmp_path, "two"))
    hub._look()
    async with asyncio.timeout(5):
        assert set((await heard(hub.listen(None))).runs) == {key_of(one), key_of(tmp_path / "two")}
    assert hub.directory(key_of(one)) == one
    assert hub.directory("nothing") is None
