"""The gate, on a clock of its own; and with threads and tasks on the real one."""

import asyncio
import re
import threading
import time
from collections.abc import Callable
from random import Random

import pytest

from maker_graph.errors import UsageError
from maker_graph.models.gate import LONGEST_WAIT, OUTAGE, Gate, Pass
from maker_graph.models.names import TIMEOUT
from tests.conftest import Scripted, replies
from tests.models.serving import PROMPT, scripted


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, notice: Callable[[str], None] | None = None) -> Gate:
    return Gate(clock=clock, rng=Random(1), notice=notice)


def passed(gate: Gate) -> Pass:
    leave = gate.ask()
    assert isinstance(leave, Pass)
    return leave


def waits(gate: Gate) -> float:
    wait = gate.ask()
    assert isinstance(wait, float)
    return wait


def test_after_a_429_nobody_passes_before_its_200_seconds_are_over_and_not_all_come_back_at_once(clock: Clock) -> None:
    told: list[str] = []
    gate = made(clock, told.append)
    gate.slowed(passed(gate), 200, "gpt: 429")
    waiting = [waits(gate) for _ in range(8)]
    assert all(200 <= wait <= 201 for wait in waiting)
    assert len(set(waiting)) == 8
    assert told == ["gpt: 429: waiting for the 200 s that the provider asks for."]
    clock.now += 199.99
    assert waits(gate) > 0
    clock.now += 0.02
    assert not passed(gate).probe


def test_a_shorter_wait_does_not_cut_a_longer_one(clock: Clock) -> None:
    gate = made(clock)
    first, second = passed(gate), passed(gate)
    gate.slowed(first, 200, "")
    gate.slowed(second, 1, "")
    assert waits(gate) >= 200


def test_a_429_that_does_not_say_how_long_shuts_for_a_growing_time_up_to_a_minute(clock: Clock) -> None:
    gate = made(clock)
    shut = []
    for _ in range(12):
        gate.slowed(passed(gate), None, "")
        shut.append(waits(gate))
        clock.now += 70
    assert shut[0] <= 0.6
    assert all(longer > shorter for shorter, longer in zip(shut[:7:2], shut[2:9:2], strict=True))
    assert max(shut) <= LONGEST_WAIT + 1
    gate.answered(passed(gate))
    gate.slowed(passed(gate), None, "")
    assert waits(gate) <= 0.6


def test_eight_such_answers_to_one_burst_shut_it_once(clock: Clock) -> None:
    gate = made(clock)
    burst = [passed(gate) for _ in range(8)]
    clock.now += 1
    for leave in burst:
        gate.slowed(leave, None, "")
    assert waits(gate) <= 0.6


def test_a_long_wait_is_told_when_it_begins_and_once_for_all_who_wait(clock: Clock) -> None:
    told: list[str] = []
    gate = made(clock, told.append)
    for leave in [passed(gate) for _ in range(3)]:
        gate.failed(leave, 100, "gpt: 503")
    assert told == ["gpt: 503: waiting for the 100 s that the provider asks for."]
    for leave in [passed(gate) for _ in range(3)]:
        gate.slowed(leave, 20, "gpt: 429")
    assert len(told) == 1, "it is not long, and a longer one is under way"
    clock.now += 101
    for leave in [passed(gate) for _ in range(3)]:
        gate.slowed(leave, 40, "gpt: 429")
    assert told[1:] == ["gpt: 429: waiting for the 40 s that the provider asks for."]


def test_a_wait_that_has_grown_long_is_told_too(clock: Clock) -> None:
    told: list[str] = []
    gate = made(clock, told.append)
    for _ in range(9):
        gate.slowed(passed(gate), None, "gpt: 429")
        clock.now += 70
    assert told
    assert all(re.fullmatch(r"gpt: 429: waiting for [3-6][0-9] s\.", each) for each in told)


def test_a_refusal_ends_an_outage_but_says_nothing_of_how_long_replies_take(clock: Clock) -> None:
    gate = made(clock)
    failed(gate, OUTAGE)
    clock.now += 200
    leave = passed(gate)
    clock.now += 200
    gate.refused(leave)
    assert gate.down_since is None
    assert gate.timeout() == TIMEOUT


def failed(gate: Gate, times: int) -> None:
    for leave in [passed(gate) for _ in range(times)]:
        gate.failed(leave, None, "gpt: 503")


def test_failures_with_an_answer_between_are_no_outage(clock: Clock) -> None:
    gate = made(clock)
    for _ in range(5):
        failed(gate, OUTAGE - 1)
        gate.answered(passed(gate))
    assert gate.down_since is None


def test_in_an_outage_one_at_a_time_probes_ever_more_seldom_and_the_first_answer_opens_for_all(clock: Clock) -> None:
    told: list[str] = []
    gate = made(clock, told.append)
    began = clock.now
    failed(gate, OUTAGE)
    assert gate.down_since == began
    assert len(told) == 1
    assert "gpt: 503: the provider does not answer. Waiting; the next try is in" in told[0]
    intervals = []
    for _ in range(10):
        wait = waits(gate)
        intervals.append(wait)
        clock.now += wait
        probe = passed(gate)
        assert probe.probe
        assert waits(gate) <= 0.2, "while one probes, all others wait"
        gate.failed(probe, None, "gpt: 503")
    assert intervals[0] <= 1.1
    assert intervals[-1] >= LONGEST_WAIT / 2
    assert max(intervals) <= LONGEST_WAIT + 1
    clock.now += 70
    gate.answered(passed(gate))
    assert [passed(gate).probe for _ in range(8)] == [False] * 8
    assert len(told) == 2
    assert "answers again" in told[1]


def test_a_probe_whose_caller_is_gone_does_not_shut_the_gate_for_ever(clock: Clock) -> None:
    gate = made(clock)
    failed(gate, OUTAGE)
    clock.now += 2
    gate.left(passed(gate))
    assert passed(gate).probe


async def test_a_cancelled_probe_hands_the_next_caller_its_turn(clock: Clock) -> None:
    gate = made(clock)
    failed(gate, OUTAGE)
    clock.now += 2
    slow = Scripted(script=replies("2"), delay=lambda index: 60.0 if index == 0 else 0.0)
    drawn = scripted(model=slow, gate=gate)
    task = asyncio.ensure_future(drawn.adraw(PROMPT, 0))
    await asyncio.sleep(0.05)
    assert waits(gate) > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await drawn.adraw(PROMPT, 1)).text == "2"
    assert gate.down_since is None


async def test_requests_per_minute_hold_over_threads_and_tasks_together() -> None:
    drawn, count = scripted(gate=Gate(rpm=1200)), 0
    end = time.monotonic() + 3

    def plainly() -> None:
        nonlocal count
        while time.monotonic() < end:
            drawn.draw(PROMPT, 0)
            count += 1

    async def concurrently() -> None:
        nonlocal count
        while time.monotonic() < end:
            await drawn.adraw(PROMPT, 0)
            count += 1

    threads = [threading.Thread(target=plainly) for _ in range(4)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(concurrently() for _ in range(4)))
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert count <= 3 * 20 + 9  # each of the eight may have got its leave before the end
    assert count > 2 * 8, "all of them get on"


def test_a_429_that_says_at_once_shuts_the_gate_all_the_same() -> None:
    now = 0.0
    gate = Gate(clock=lambda: now, rng=Random(1))
    leave = gate.ask()
    assert isinstance(leave, Pass)
    gate.slowed(leave, 0.0, "m")
    assert isinstance(gate.ask(), float)


@pytest.mark.parametrize("rpm", [0, -1, float("inf"), float("nan")])
def test_a_rate_that_makes_no_sense_is_refused(rpm: float) -> None:
    with pytest.raises(UsageError, match="rpm"):
        Gate(rpm=rpm)


def test_without_a_notice_the_log_is_told_of_the_first_failure_and_then_each_ten_seconds(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    gate = made(clock)
    for seconds in (1, 1, 9, 1):  # the failures are at 1, 2, 11 and 12 seconds
        clock.now += seconds
        gate.failed(passed(gate), None, "gpt: 503")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["gpt: 503: requests that fail like this are made again."] * 2
    gate.answered(passed(gate))
    gate.slowed(passed(gate), 35, "gpt: 429")
    for nap in gate._naps(waits(gate)):
        clock.now += nap
    after = [record.getMessage() for record in caplog.records][2:]
    assert after[0] == "gpt: 429: waiting for the 35 s that the provider asks for."
    assert [re.sub(r"\d+ s more", "... s more", line) for line in after[1:]] == ["gpt: 429: still waiting, for ... s more."] * 3


def test_who_gives_a_notice_is_told_of_long_waits_only(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    gate = made(clock, told.append)
    gate.failed(passed(gate), None, "gpt: 503")
    gate.slowed(passed(gate), 1, "gpt: 429")
    assert told == []
    assert caplog.records == []


class Telling(Gate):
    """A gate that tells another what it learns."""

    other: Gate

    def tell_others(self, wait: float | None, times: int, what: str, *, down: bool) -> None:
        self.other.heard(wait, times, what, down=down)


@pytest.fixture(name="pair")
def fixture_pair(clock: Clock) -> tuple[Telling, Gate, list[str]]:
    """Return a gate, another one to which it tells what it learns, and what that one says."""
    told: list[str] = []
    gate = Telling(clock=clock, rng=Random(1), notice=lambda _: None)
    gate.other = made(clock, told.append)
    return gate, gate.other, told


def test_a_gate_waits_for_what_another_was_told(clock: Clock, pair: tuple[Telling, Gate, list[str]]) -> None:
    gate, other, told = pair
    gate.slowed(passed(gate), 200, "gpt: 429")
    assert waits(other) >= 200
    assert told == ["gpt: 429: waiting for 200 s."]
    clock.now += 200
    assert not passed(other).probe


def test_waits_grow_over_gates_that_tell_each_other(clock: Clock, pair: tuple[Telling, Gate, list[str]]) -> None:
    gate, other, _ = pair
    for _ in range(4):
        gate.slowed(passed(gate), None, "")
        clock.now += 70
    other.slowed(passed(other), None, "")
    assert waits(other) >= 4, "its own first one would be half a second"


def test_an_outage_that_another_gate_sees_is_one_here_and_ends_with_it(
    clock: Clock, pair: tuple[Telling, Gate, list[str]]
) -> None:
    gate, other, told = pair
    failed(gate, OUTAGE)
    assert waits(other) > 0
    assert other.down_since == clock.now
    clock.now += 5
    gate.answered(passed(gate))
    assert other.down_since is None
    assert told == ["The provider answers again, after 5 s: going on."]
    assert not passed(other).probe
