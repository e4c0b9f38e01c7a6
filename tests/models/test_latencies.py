"""The default time-out leaves room: it follows what replies take."""

import asyncio
from random import Random
from typing import Any

import pytest

from maker_graph.errors import ProviderFailure, UsageError
from maker_graph.models.gate import Gate
from maker_graph.models.latencies import LONGEST, ROOM, Latencies
from maker_graph.models.names import TIMEOUT
from tests.conftest import Scripted, replies
from tests.models.serving import PROMPT, scripted


def test_quick_replies_leave_the_time_out_as_it_is() -> None:
    latencies = Latencies()
    for _ in range(5000):
        latencies.heard(TIMEOUT / ROOM)
    assert latencies.timeout() == TIMEOUT


def test_slow_replies_raise_it_to_several_times_what_nearly_all_of_them_take() -> None:
    latencies = Latencies()
    for _ in range(2000):
        latencies.heard(50)
    latencies.heard(119)
    latencies.heard(119)
    assert 3 * 50 <= latencies.timeout() <= 3 * 50 * 1.1, "one in a thousand may take longer"
    latencies.heard(119)
    assert 3 * 119 <= latencies.timeout() <= 3 * 119 * 1.1


def test_replies_of_ten_minutes_have_their_room() -> None:
    latencies = Latencies()
    latencies.heard(600)
    assert latencies.timeout() >= 1800


def test_requests_that_were_given_up_raise_it_too_but_a_server_that_hangs_not_without_end() -> None:
    latencies, seen = Latencies(), []
    for _ in range(5):
        seen.append(latencies.timeout())
        latencies.late(seen[-1])
    assert seen[0] == TIMEOUT
    assert 2 * TIMEOUT < seen[1] < LONGEST
    assert seen[2:] == [LONGEST] * 3


def test_a_hang_that_is_rarer_than_one_in_a_thousand_does_not_raise_it() -> None:
    latencies = Latencies()
    for _ in range(1500):
        latencies.heard(1)
    latencies.late(TIMEOUT)
    assert latencies.timeout() == TIMEOUT


def test_it_covers_latencies_of_two_kinds_of_which_the_longer_one_was_given_up_at_first() -> None:
    """Right answers take five minutes, wrong ones a second: with a fixed time-out no right answer would ever be heard."""
    rng, latencies, lost = Random(1), Latencies(), 0
    for _ in range(100):
        takes = rng.choice([1.0, 300.0])
        if takes > (limit := latencies.timeout()):
            lost += 1
            latencies.late(limit)
        else:
            latencies.heard(takes)
    assert lost <= 2
    assert latencies.timeout() > 300


async def test_samplers_that_share_a_gate_share_what_they_learn_of_its_latencies() -> None:
    now = [0.0]
    gate = Gate(clock=lambda: now[0])
    slow = Scripted(script=lambda *_: now.__setitem__(0, now[0] + 100.0) or "2")
    await scripted(model=slow, gate=gate, timeout="auto").adraw(PROMPT, 0)
    assert gate.timeout() >= 300
    other = scripted(gate=gate, timeout="auto")
    assert other._limit() == gate.timeout()
    assert scripted(gate=gate, timeout=5)._limit() == 5
    assert scripted(gate=gate)._limit() is None


async def test_a_request_that_timed_out_counts_as_a_reply_that_took_as_long_and_one_that_failed_otherwise_does_not() -> None:
    for error, grows in ((TimeoutError(), True), (ConnectionResetError(), False)):
        now = [0.0]
        gate = Gate(clock=lambda now=now: now[0])  # type: ignore[misc]  # bound to this round

        def fails(_: int, __: str, now: list[float] = now, error: Exception = error) -> str:
            now[0] += 120.0
            raise error

        with pytest.raises(ProviderFailure):
            await scripted(model=Scripted(script=fails), gate=gate, timeout="auto", patience=60).adraw(PROMPT, 0)
        assert (gate.timeout() > 2 * TIMEOUT) is grows


async def test_a_request_that_is_given_up_in_time_raises_the_default_time_out_of_those_after_it() -> None:
    gate = Gate()
    model = Scripted(script=replies("2"), delay=lambda _: 60.0)
    with pytest.raises(ProviderFailure, match="TimeoutError"):
        await scripted(model=model, gate=gate, timeout=0.05, patience=0.01).adraw(PROMPT, 0)
    assert gate.timeout() == TIMEOUT, "what was given up after so short a time says little"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await scripted(model=model, gate=gate, timeout="auto").adraw(PROMPT, 0)


@pytest.mark.parametrize("timeout", ["", "Auto", "5", 0, -1, float("nan")])
def test_a_time_out_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(UsageError, match="timeout must be a number of seconds above 0"):
        scripted(timeout=timeout)
