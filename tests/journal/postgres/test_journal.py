"""The journal in Postgres, beyond what every journal promises: connections and servers that are lost at any moment."""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.spending import NONE, Reserved, Spent
from maker_graph.errors import DamagedRun, LimitReached, OlderJournal, OutOfReach, StaleStep, TakenOver, UnusableRun
from maker_graph.journal.intent import Intent
from maker_graph.journal.postgres import schema
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.journal import PostgresJournal, find, make_run
from maker_graph.journal.protocol import Journal
from tests.journal.kept import (
    InPostgres,
    by_a_person,
    filled,
    following,
    replayed,
    with_open_steps,
)
from tests.postgres import Postgres
from tests.proxy import Proxy, Way, proxy

WAYS: list[Way] = ["up", "down"]


@pytest.fixture(name="between")
def fixture_between(postgres: Postgres) -> Iterator[Proxy]:
    """Return the network between a journal that is far away and its database."""
    with proxy(postgres.port) as found:
        yield found


@dataclass(frozen=True)
class Far:
    """Opens journals on the other side of the network."""

    address: str
    stack: ExitStack

    def __call__(self, name: str = "r", *, claim: bool = True) -> Journal:
        connection = Connection(self.address)
        journal = self.stack.enter_context(closing(PostgresJournal(connection, name, find(connection, name), "run")))
        if claim:
            journal.claim("far")
        return journal


@pytest.fixture(name="far")
def fixture_far(in_postgres: InPostgres, between: Proxy) -> Iterator[Far]:
    """Return what opens a journal on the other side of the network."""
    with ExitStack() as stack:
        yield Far(f"postgresql://postgres@127.0.0.1:{between.port}/{in_postgres.address.rpartition('/')[2]}", stack)


STRIDE: dict[Way, int] = {"up": 53, "down": 17}
"""At one in so many bytes the connection is lost; a campaign takes all of them."""


def cuts(
    between: Proxy, way: Way, act: Callable[[], None], see: Callable[[int], None], stride: dict[Way, int] | None = None
) -> None:
    """Do something again and again, and lose the connection each time at a later byte of it, until it is done before that.

    Each time `see` is told how often it was done.
    """
    times, after, outcomes = 0, 1, Counter[str]()
    while outcomes["whole"] < 8:  # the statements of which psycopg prepares one are shorter after that
        made = between.connections
        between.cut(way, after)
        act()
        between.heal()
        times += 1
        see(times)
        outcomes["lost" if between.connections > made else "whole"] += 1
        after += (stride or STRIDE)[way]
    assert outcomes["lost"] > 4


# -------------------------------------------------------------------------------- a connection that is lost once, at any byte


@pytest.mark.parametrize("way", WAYS)
def test_an_append_that_loses_its_connection_anywhere_is_done_once(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way
) -> None:
    in_postgres.open(claim=False)
    journal, at = filled(far())
    near = in_postgres.open(claim=False)

    def append() -> None:
        nonlocal at
        ((made, at),) = following(at)
        journal.append([(made, at)], Spent(cost=1.0, calls=3), Reserved(0.5, 2), {"pace": str(at["step"])})

    def see(times: int) -> None:
        account = near.account()
        assert (account.steps, journal.step, near.note("pace")) == (4 + times, 4 + times, str(4 + times))
        assert (account.spent.cost, account.spent.calls, account.reserved) == (times, 3 * times, Reserved(0.5, 2))

    cuts(between, way, append, see)
    assert replayed(in_postgres.open(claim=False))[-1] == at


@pytest.mark.campaign
@pytest.mark.parametrize("way", WAYS)
def test_an_append_that_loses_its_connection_at_every_byte_is_done_once(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STRIDE, way, 1)
    test_an_append_that_loses_its_connection_anywhere_is_done_once(in_postgres, far, between, way)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_spent_while_a_connection_is_lost_is_booked_once(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way
) -> None:
    near = in_postgres.open(claim=False)
    journal = far()

    def see(times: int) -> None:
        assert (near.account().spent.calls, near.account().reserved) == (3 * times, Reserved(0.5, 2))

    cuts(between, way, partial(journal.spend, Spent(calls=3), Reserved(0.5, 2), {"pace": "x"}), see)


@pytest.mark.parametrize("way", WAYS)
def test_what_a_former_owner_books_while_its_connection_is_lost_is_booked_once(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way
) -> None:
    in_postgres.open(claim=False)
    journal = far()
    near = in_postgres.open()

    def see(times: int) -> None:
        assert (near.account().spent.calls, near.account().reserved) == (3 * times, NONE)

    cuts(between, way, partial(journal.spend, Spent(calls=3)), see)


@pytest.mark.parametrize("way", WAYS)
def test_a_claim_that_loses_its_connection_anywhere_makes_an_owner(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way
) -> None:
    near = in_postgres.open(claim=False)
    journal = far()
    journal.spend(Spent(calls=3), Reserved(0.5, 2))

    def claim() -> None:
        journal.claim("far")

    def see(_: int) -> None:
        assert (journal.epoch, near.account().unsettled) == (near.owners(), Reserved(0.5, 2))
        journal.owned()

    cuts(between, way, claim, see)


@pytest.mark.parametrize("way", WAYS)
def test_later_answers_that_lose_their_connection_anywhere_are_given_once(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way
) -> None:
    for number, after in enumerate(range(1, 2000, 149 if way == "up" else 31)):
        name = f"r{number}"
        near = in_postgres.open(name, claim=False)
        journal = with_open_steps(far(name))
        journal.check()
        between.cut(way, after)
        journal.amend([(4, by_a_person("four")), (2, by_a_person("two"))], Spent(calls=3))
        between.heal()
        near.check()
        assert (set(near.amendments()), near.account().spent.calls) == ({2, 4}, 3), after
        journal.close()
        near.close()
        if between.passed[way] < after:
            return


@pytest.mark.parametrize("way", WAYS)
def test_notes_intents_and_beats_that_lose_their_connection_are_kept(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way
) -> None:
    near = in_postgres.open(claim=False)
    journal, _ = filled(far())
    count = 0

    def act() -> None:
        nonlocal count
        count += 1
        journal.set_note("out", str(count))
        journal.intend(Intent(5, "act", known=True, answer=count))
        journal.beat()

    def see(times: int) -> None:
        assert (near.note("out"), near.intent()) == (str(times), Intent(5, "act", known=True, answer=times))

    cuts(between, way, act, see)


@pytest.mark.parametrize("way", WAYS)
def test_who_reads_is_not_disturbed_by_a_lost_connection(in_postgres: InPostgres, far: Far, between: Proxy, way: Way) -> None:
    owner, at = filled(in_postgres.open())
    owner.append(following(at, 50))
    journal = far(claim=False)
    expected = [*owner.entries()]

    def read() -> None:
        assert [*journal.entries()] == expected
        journal.check()

    cuts(between, way, read, lambda _: None, {"up": 53, "down": 1999})


# -------------------------------------------------------------------------------------- a statement that comes after its client


def delayed(between: Proxy, act: Callable[[], None]) -> None:
    """Do something whose first attempt reaches the server after the second was made."""
    between.cut("up", 1, delays=True)
    act()
    between.heal()
    assert between.deliver() > 0


def test_an_append_that_arrives_after_it_was_made_again_changes_nothing(
    in_postgres: InPostgres, far: Far, between: Proxy
) -> None:
    near = in_postgres.open(claim=False)
    journal, at = filled(far())
    for step in following(at, 12):
        delayed(between, partial(journal.append, [step], Spent(calls=3)))
    assert (near.account().steps, near.account().spent.calls, len(replayed(near))) == (16, 36, 16)


def test_what_is_spent_and_arrives_again_is_counted_once(in_postgres: InPostgres, far: Far, between: Proxy) -> None:
    near = in_postgres.open(claim=False)
    journal = far()
    for _ in range(12):
        delayed(between, lambda: journal.spend(Spent(calls=3), Reserved(0.5, 2)))
    assert near.account().spent.calls == 36
    second = in_postgres.open()
    for _ in range(12):
        delayed(between, lambda: journal.spend(Spent(calls=1)))
    assert (second.account().spent.calls, second.account().reserved) == (48, NONE)


def test_a_claim_that_arrives_again_takes_nothing_from_its_owner(in_postgres: InPostgres, far: Far, between: Proxy) -> None:
    in_postgres.open(claim=False)
    journal, at = filled(far())
    for step in following(at, 8):
        delayed(between, partial(journal.claim, "far"))
        journal.append([step])
        journal.beat()


def test_a_claim_that_arrives_after_another_owner_has_come_is_none(in_postgres: InPostgres, far: Far, between: Proxy) -> None:
    in_postgres.open(claim=False)
    journal, at = filled(far())
    between.cut("up", 1, delays=True)
    between.refuses = True
    with pytest.raises(OutOfReach):
        journal.claim("far")
    between.heal()
    owner = in_postgres.open()
    owner.spend(Spent(calls=1))
    between.deliver()
    owner.append(following(at))


class Between(Connection):
    """A connection on which something happens before a statement, once."""

    def __init__(self, address: str, before: str = "", happens: Callable[[], object] = tuple) -> None:
        super().__init__(address)
        self.before, self.happens = before, happens

    def once(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        if statement == self.before:
            self.before = ""
            self.happens()
        return super().once(statement, values)


def test_what_is_booked_between_the_look_and_the_claim_is_not_lost(in_postgres: InPostgres) -> None:
    first = in_postgres.open()
    connection = Between(in_postgres.address, schema.CLAIM, lambda: first.spend(Spent(calls=3), Reserved(0.5, 2)))
    with closing(PostgresJournal(connection, "r", find(connection, "r"), "run")) as journal:
        journal.claim("second")
        assert (journal.account().spent.calls, journal.account().unsettled) == (3, Reserved(0.5, 2))
        assert (journal.epoch, journal.owners()) == (2, 2)


def test_an_owner_and_a_former_one_do_not_hide_from_each_other_what_they_have_booked(
    in_postgres: InPostgres, far: Far, between: Proxy
) -> None:
    in_postgres.open(claim=False)
    connection = Between(far.address)
    with closing(PostgresJournal(connection, "r", find(connection, "r"), "run")) as journal:
        journal.claim("far")
        other = in_postgres.open()
        for _ in range(2):  # as a former owner, then as the owner
            connection.before, connection.happens = schema.IF_BOOKED, partial(other.spend, Spent(calls=10))
            between.cut("down", 1)
            journal.spend(Spent(calls=1))
            assert connection.before == ""
            between.heal()
            journal.claim("far")
        assert journal.account().spent.calls == 22


def test_what_arrives_between_the_look_and_the_second_try_is_counted_once(
    in_postgres: InPostgres, far: Far, between: Proxy
) -> None:
    near = in_postgres.open(claim=False)
    connection = Between(far.address)
    with closing(PostgresJournal(connection, "r", find(connection, "r"), "run")) as journal:
        journal.claim("far")

        def arrives() -> None:
            connection.before, connection.happens = schema.SPEND, between.deliver
            between.heal()

        connection.before, connection.happens = schema.IF_BOOKED, arrives
        between.cut("up", 1, delays=True)
        journal.spend(Spent(calls=3))
        assert (near.account().spent.calls, connection.before) == (3, "")


# ------------------------------------------------------------------------------------------------ a connection that is gone


@pytest.mark.parametrize("way", WAYS)
def test_a_step_whose_outcome_nobody_knows_can_be_appended_again(
    in_postgres: InPostgres, far: Far, between: Proxy, way: Way
) -> None:
    near = in_postgres.open(claim=False)
    journal, at = filled(far())
    done = Counter[str]()
    for count, after in enumerate(range(1, 900 if way == "up" else 400, 23), start=1):
        ((made, at),) = following(at)
        between.cut(way, after)
        between.refuses = True
        try:
            journal.append([(made, at)], Spent(calls=3), Reserved(0.5, 2))
            outcome = "known"
        except OutOfReach:
            outcome = "there" if near.account().steps == at["step"] else "not there"
        between.heal()
        if outcome != "known":
            journal.append([(made, at)], Spent(calls=3), Reserved(0.5, 2))
        assert (near.account().steps, near.account().spent.calls, near.account().reserved.calls) == (4 + count, 3 * count, 2), (
            after
        )
        done[outcome] += 1
    assert replayed(near)[-1] == at
    assert done["not there" if way == "up" else "there"] > 5


def test_who_cannot_reach_the_database_says_so_and_what_it_held_counts(
    in_postgres: InPostgres, far: Far, between: Proxy
) -> None:
    in_postgres.open(claim=False)
    journal, at = filled(far())
    journal.spend(Spent(calls=1), Reserved(0.5, 2))
    between.close()
    for attempt in (
        partial(journal.append, following(at)),
        journal.owners,
        journal.beat,
        partial(journal.spend, Spent(calls=2)),
    ):
        with pytest.raises(OutOfReach):
            attempt()
    assert in_postgres.open().account().unsettled == Reserved(0.5, 2)


async def test_who_appends_in_the_event_loop_hears_that_the_database_is_out_of_reach(
    far: Far, between: Proxy, in_postgres: InPostgres
) -> None:
    in_postgres.open(claim=False)
    journal, at = filled(far())
    between.close()
    with pytest.raises(OutOfReach):
        await journal.aappend(following(at))


def test_a_run_that_is_gone_is_said(in_postgres: InPostgres) -> None:
    journal, at = filled(in_postgres.open())
    in_postgres.do("DELETE FROM maker_graph.runs")
    with pytest.raises(UnusableRun, match="no longer at"):
        journal.append(following(at))
    with closing(Connection(in_postgres.address)) as connection, pytest.raises(UnusableRun, match="no run r at"):
        find(connection, "r")


def test_a_database_that_was_put_back_while_an_owner_is_at_work_stops_it(in_postgres: InPostgres, tmp_path: Path) -> None:
    journal, at = filled(in_postgres.open(witness=tmp_path / "w.watermark"))
    old = in_postgres.copy()
    steps = following(at, 3)
    journal.append(steps)
    in_postgres.put_back(old)
    with pytest.raises(StaleStep):
        journal.append(following(steps[-1][1]))
    with pytest.raises(OlderJournal):
        journal.claim()


# -------------------------------------------------------------------------------------------------- a server that is killed


def test_a_server_that_is_killed_under_its_owners_loses_and_doubles_nothing(
    new_postgres: Callable[..., Postgres], tmp_path: Path
) -> None:
    server = new_postgres()
    with ExitStack() as stack:
        kept = InPostgres(tmp_path, stack, server.address())
        journals = [kept.open(f"r{number}") for number in range(3)]
        told: list[list[int]] = [[] for _ in journals]
        ended = threading.Event()

        def work(number: int) -> None:
            journal = journals[number]
            _, at = filled(journal)
            while not ended.is_set():
                ((made, after),) = following(at)
                try:
                    journal.append([(made, after)], Spent(calls=3))
                except OutOfReach:
                    continue
                told[number].append(after["step"])
                at = after

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                time.sleep(0.2)
                server.kill()
                server.start()
            time.sleep(0.2)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        for number, steps in enumerate(told):
            assert steps == [*range(5, 5 + len(steps))]
            journal = kept.open(f"r{number}", claim=False)
            journal.check()
            assert journal.account().spent.calls == 3 * len(steps)
            assert len(replayed(journal)) == 4 + len(steps) > 9


def test_a_server_whose_disk_is_full_stops_a_run_that_goes_on_once_there_is_room(
    new_postgres: Callable[..., Postgres], small_disk: Path, tmp_path: Path
) -> None:
    server = new_postgres()
    server.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    with server.database("TABLESPACE small") as address, ExitStack() as stack:
        kept = InPostgres(tmp_path, stack, address)
        (small_disk / "ballast").write_bytes(bytes(4_000_000))
        journal, at = filled(kept.open())
        steps = following(at, 200)
        for made, place in steps:
            try:
                journal.append([(made, place)], Spent(calls=1), notes={"pace": os.urandom(400_000).hex()})
            except LimitReached as error:
                assert "make room" in str(error)  # noqa: PT017  it comes when the disk is full
                break
        told = journal.step - 4
        assert 0 < told < len(steps)
        (small_disk / "ballast").unlink()
        journal.append(steps[told : told + 6], Spent(calls=1))
        onlooker = kept.open(claim=False)
        onlooker.check()
        assert (onlooker.step, onlooker.account().spent.calls) == (told + 10, told + 1)


def test_a_server_that_takes_no_writes_stops_a_run_before_its_next_call(in_postgres: InPostgres, postgres: Postgres) -> None:
    filled(in_postgres.open())[0].close()
    postgres.execute(f"ALTER DATABASE {in_postgres.address.rpartition('/')[2]} SET default_transaction_read_only = on")
    standby = in_postgres.open(claim=False)
    standby.check()
    assert (len(replayed(standby)), len([*standby.entries()])) == (4, 4)
    with pytest.raises(LimitReached, match="read-only"):
        standby.claim()


# ------------------------------------------------------------------------------------------------------------------ the rest


def test_a_run_is_made_once_with_its_notes(in_postgres: InPostgres) -> None:
    with closing(Connection(in_postgres.address)) as connection:
        with connection.transaction():
            assert make_run(connection, "r", '{"a":1}', "run", kept="x", notes={"plan": "{}"})
            assert not make_run(connection, "r", '{"a":2}', "other", notes={"plan": "other"})
        found = find(connection, "r")
        assert (found.settings, found.kept) == ('{"a":1}', b"x")
        with closing(PostgresJournal(Connection(in_postgres.address), "r", found, "run")) as journal:
            assert (journal.note("plan"), journal.step, journal.owners()) == ("{}", 0, 0)


def test_a_look_at_a_journal_that_is_being_amended_finds_no_damage(in_postgres: InPostgres) -> None:
    owner = with_open_steps(in_postgres.open())
    onlooker = in_postgres.open(claim=False)
    read, answers = onlooker._amendment_rows, [(2, "two"), (4, "four"), (5, "five")]

    def between_two_looks() -> Iterator[object]:
        rows = [*read()]
        step, text = answers.pop()
        owner.amend([(step, by_a_person(text))])
        return iter(rows)

    onlooker._amendment_rows = between_two_looks  # type: ignore[method-assign]  # another process may be as quick
    for _ in range(3):
        onlooker.check()
    assert set(owner.amendments()) == {2, 4, 5}


def test_the_end_of_the_journal_is_what_its_run_says(in_postgres: InPostgres) -> None:
    filled(in_postgres.open())[0].close()
    in_postgres.do("UPDATE maker_graph.runs SET step = 3")
    with pytest.raises(DamagedRun, match="its last step is not the one that the row of the run names"):
        in_postgres.open(claim=False).check()


def test_while_a_change_is_under_way_nobody_else_asks_the_database_who_the_owner_is(in_postgres: InPostgres, far: Far) -> None:
    in_postgres.open(claim=False)
    journal = far()
    assert isinstance(journal, PostgresJournal)
    far(claim=True)
    journal._seen = float("-inf")
    with journal._changing:
        journal.owned()
    with pytest.raises(TakenOver):
        journal.owned()


def test_where_nobody_answers_several_statements_in_turn_wait_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = Connection(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/runs?connect_timeout=2")
        reached = []
        for _ in range(5):
            with pytest.raises(OutOfReach):
                connection.rows("SELECT 1")
            silent.settimeout(0.1)
            with suppress(TimeoutError):
                while True:
                    reached.append(silent.accept()[0])
        assert len(reached) == 1
        for each in reached:
            each.close()
