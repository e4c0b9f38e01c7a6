"""The rate of a fleet: slots, and what is known of the provider, in the row that all workers share."""

from itertools import pairwise

import pytest

from maker_graph.errors import UnusableRun
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.rate import AHEAD, LEAD, PROBING, SPACING, Rate
from tests.fleet.rates import fleet_with


def rate_of(address: str, rpm: float | None = 6000) -> Rate:
    fleet_with(address, rpm)
    return Rate(Connection(address), "f")


def at(address: str, **columns: str) -> None:
    """Set columns of the fleet to what SQL says."""
    setting = ", ".join(f"{name} = {value}" for name, value in columns.items())
    Connection(address).rows(f"UPDATE maker_graph.fleets SET {setting} RETURNING 1")  # noqa: S608  of this test


def test_slots_of_two_workers_stand_apart_by_what_the_rate_says(database: str) -> None:
    rate, other = rate_of(database), Rate(Connection(database), "f")
    slots = [*rate.lease(5).slots, *other.lease(7).slots, *rate.lease(1).slots]
    assert len(slots) == 13
    assert [later - sooner for sooner, later in pairwise(slots)] == pytest.approx([0.01 * SPACING] * 12, abs=1e-6)


def test_no_slot_is_farther_away_than_is_allowed(database: str) -> None:
    rate = rate_of(database)
    before = rate.clock()
    lease = rate.lease(1000)
    assert before + LEAD <= lease.slots[0]
    assert lease.slots[-1] <= rate.clock() + AHEAD
    assert 30 <= len(lease.slots) <= 40
    assert 0 < lease.wait <= AHEAD / 2 + 0.01 * SPACING
    assert len(rate.lease(1000).slots) <= 5, "all but those of the time that has passed since"


def test_no_burst_follows_a_pause(database: str) -> None:
    rate = rate_of(database)
    at(database, next="clock_timestamp() - interval '1 hour'")
    slots = rate.lease(1000).slots
    assert len(slots) <= 40
    assert slots[0] >= rate.clock() - 1


def test_a_slow_rate_gives_one_slot_at_a_time(database: str) -> None:
    rate = rate_of(database, 30)
    assert len(rate.lease(3).slots) == 1
    lease = rate.lease(2)
    assert lease.slots == []
    assert 1 <= lease.wait <= 2 * SPACING


def test_a_rate_that_is_changed_holds_at_once(database: str) -> None:
    rate = rate_of(database, 60)
    rate.lease(1)
    at(database, rpm="60000")
    lease = rate.lease(100)
    assert lease.slots or lease.wait < AHEAD


def test_a_clock_that_is_set_back_shuts_nobody_out(database: str) -> None:
    rate = rate_of(database)
    at(database, next="clock_timestamp() + interval '1 hour'")
    assert rate.lease(10).wait <= AHEAD
    at(database, rpm="60")
    assert rate.lease(10).wait <= AHEAD + SPACING


def test_without_a_rate_no_slot_is_needed(database: str) -> None:
    lease = rate_of(database, None).lease(10)
    assert (lease.slots, lease.limited, lease.shut) == ([], False, 0)


@pytest.mark.parametrize("rpm", [None, 6000])
def test_while_it_is_shut_nobody_gets_a_slot(database: str, rpm: float | None) -> None:
    rate = rate_of(database, rpm)
    rate.shut(30, 2, "m: 429", down=False)
    lease = rate.lease(10)
    assert lease.slots == []
    assert 29 < lease.shut <= 30
    assert (lease.times, lease.why, lease.down) == (2, "m: 429", False)


def test_a_shorter_wait_does_not_cut_a_longer_one(database: str) -> None:
    rate = rate_of(database)
    rate.shut(30, 1, "", down=False)
    rate.shut(1, 1, "", down=False)
    assert rate.lease(1).shut > 29


@pytest.mark.parametrize("rpm", [None, 6000])
def test_during_an_outage_one_worker_probes_for_all(database: str, rpm: float | None) -> None:
    rate = rate_of(database, rpm)
    rate.shut(0.001, 1, "m: no answer", down=True)
    at(database, shut_until="clock_timestamp()")
    first, second = rate.lease(10), rate.lease(10)
    assert (len(first.slots), second.slots) == (1, [])
    assert PROBING - 1 < second.shut <= PROBING
    rate.shut(2, 2, "m: no answer", down=True)
    assert 1 < rate.lease(1).shut <= 2, "the probe has failed: the next one is told"
    rate.open()
    found = rate.lease(3)
    assert (found.shut, found.down, found.times) == (0, False, 0)


def test_a_fleet_that_is_gone_is_told(database: str) -> None:
    rate = rate_of(database)
    Connection(database).rows("DELETE FROM maker_graph.fleets RETURNING 1")
    with pytest.raises(UnusableRun, match="no fleet f"):
        rate.lease(1)
