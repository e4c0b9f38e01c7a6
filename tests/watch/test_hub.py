"""One reader tells all who listen, each what has changed since it last heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from maker_graph import Run
from maker_graph.run.directory import Directory
from maker_graph.tasks import Hanoi
from maker_graph.watch import hub as hubs
from maker_graph.watch.hub import Finding, Hub, News, key_of
from tests.watch.homes import finding


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
    hub = Hub(lambda: finding([one, two]))
    stream = hub.listen(key_of(Directory(two)))
    first = await heard(stream)
    assert first.all
    assert [run["name"] for run in first.runs.values()] == ["one", "two"]
    assert first.chosen is not None
    async with working(hub):
        with Run.open(one) as run:
            await run.asolve()
        while True:
            later = await heard(stream)
            assert (later.all, set(later.runs) <= {key_of(Directory(one))}, later.chosen) == (False, True, None)
            if later.runs[key_of(Directory(one))]["state"] == "done":
                break


async def test_who_comes_back_hears_what_was_missed_and_to_another_server_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.01)
    one, two = made(tmp_path, "one"), made(tmp_path, "two")
    hub = Hub(lambda: finding([one, two]))
    first = await heard(hub.listen(None))
    with Run.open(one) as run:
        await run.asolve()
    hub._look()
    back = await heard(hub.listen(None, first.number))
    assert (back.all, set(back.runs)) == (False, {key_of(Directory(one))})
    for odd in ("other-3", "no", "-", f"{hub._boot}-9999999", f"{hub._boot}-x", "٣"):
        assert (await heard(hub.listen(None, odd))).all


async def test_many_who_come_at_once_are_served_by_one_look_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.001)
    with Run.create(tmp_path / "one", Hanoi(9), model="sim:perfect", k=1) as run:
        await run.asolve()
    for _ in range(5):
        hub = Hub(lambda: finding([run.directory]))
        async with working(hub):
            for news in await asyncio.gather(*(heard(hub.listen(key_of(Directory(run.directory)))) for _ in range(8))):
                assert news.chosen is not None
                assert (news.chosen["read"], news.chosen["replaced"]) == (511, False)


async def test_who_is_not_concerned_by_a_change_waits_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = made(tmp_path, "one")
    hub = Hub(lambda: finding([one]))
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
    stream = Hub(lambda: finding([one])).listen(None)
    await heard(stream)
    assert await anext(stream) is None


async def test_nobody_reads_while_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.01)
    looks = list[int]()

    def find() -> Finding:
        looks.append(1)
        return finding([tmp_path])

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
    hub = Hub(lambda: finding(found))
    stream = hub.listen(None)
    await heard(stream)
    found.append(made(tmp_path, "two"))
    hub._look()
    async with asyncio.timeout(5):
        assert set((await heard(hub.listen(None))).runs) == {key_of(Directory(one)), key_of(Directory(tmp_path / "two"))}
    assert str(hub.home(key_of(Directory(one)))) == str(one)
    assert hub.home("nothing") is None


async def test_who_finds_no_runs_for_once_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOKS", 0.01)
    found = [made(tmp_path, "one")]
    fails = [True]

    def find() -> Finding:
        if fails:
            raise PermissionError
        return finding(found)

    hub = Hub(find)
    async with working(hub):
        stream = hub.listen(None)
        assert (await heard(stream)).runs == {}
        fails.clear()
        assert set((await heard(stream)).runs) == {key_of(Directory(found[0]))}


async def test_who_comes_first_after_a_pause_hears_how_it_is_now(tmp_path: Path) -> None:
    one = made(tmp_path, "one")
    hub = Hub(lambda: finding([one]))
    stream = hub.listen(None)
    await heard(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # a generator has it
    with Run.open(one) as run:
        await run.asolve()
    assert (await heard(hub.listen(None))).runs[key_of(Directory(one))]["state"] == "done"


async def test_the_chosen_run_is_read_first_and_the_others_show_how_far_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "A_ROUND", 1e-9)
    runs = [made(tmp_path, name, disks=4) for name in ("one", "two", "three")]
    for each in runs:
        with Run.open(each) as run:
            await run.asolve()
    hub = Hub(lambda: finding(runs))
    news = await heard(hub.listen(key_of(Directory(runs[2]))))
    assert [run["steps"] for run in news.runs.values()] == [15, 15, 15]
    assert list(hub._chosen) == [key_of(Directory(runs[2]))]
    assert [run.view.detail["read"] for run in hub._runs.values()] in ([0, 0, 15], [0, 0, 0])


async def test_newer_runs_take_the_places_of_older_ones_and_it_is_told_how_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "MOST_RUNS", 2)
    found = [made(tmp_path, name) for name in ("one", "two")]
    hub = Hub(lambda: finding(found))
    first = await heard(hub.listen(None))
    assert first.more == 0
    found.insert(0, made(tmp_path, "three"))
    hub._look()
    back = await heard(hub.listen(None, first.number))
    assert (back.all, back.more) == (True, 1)
    assert sorted(run["name"] for run in back.runs.values()) == ["one", "three"]
    assert hub.home(key_of(Directory(found[2]))) is None
