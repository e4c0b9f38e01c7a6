"""What goes wrong between us and a provider: each fault through the real client, and the gate on a clock of its own."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from maker_graph.core.decision import Usage
from maker_graph.core.red_flags import empty
from maker_graph.errors import LimitReached, ProviderFailure, UsageError
from maker_graph.models.faults import fault_of
from maker_graph.models.gate import LONGEST_WAIT, OUTAGE, Gate, Pass
from maker_graph.models.redaction import redacted
from maker_graph.models.sampler import Call, Sampler
from tests.conftest import Scripted, replies
from tests.models.test_sampler import PROMPT, completion, server

KEY = "canary-0123456789"  # does not start with sk-


def sampler(url: str, **settings: Any) -> Sampler:
    model = ChatOpenAI(model="gpt-4.1-mini", base_url=url, api_key=KEY)  # type: ignore[arg-type]  # a string will do
    return Sampler([model], temperature=None, max_tokens=50, seed=None, **{"meter": None, **settings})


def scripted(**settings: Any) -> Sampler:
    model = settings.pop("model", Scripted(script=replies("2")))
    return Sampler([model], temperature=None, max_tokens=50, seed=None, **{"meter": None, **settings})


class Balance:
    """A meter that knows what is set aside, and what came of the rest."""

    def __init__(self, limit: int = 1000) -> None:
        self.reserved, self.open, self.settled, self.limit = 0, 0, 0, limit
        self.abandoned: list[bool] = []

    def reserve(self, most: Usage, /) -> None:
        assert most["output"] == 50
        if self.reserved >= self.limit:
            raise LimitReached("enough")
        self.reserved += 1
        self.open += 1

    def settle(self, most: Usage, call: Call, /) -> None:
        assert most["output"] == 50
        assert call.model
        self.open -= 1
        self.settled += 1

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        assert most["output"] == 50
        self.open -= 1
        self.abandoned.append(billed)


async def raised(call: Callable[[], Awaitable[object]]) -> Exception:
    """Return what `call` raises, whatever that is."""
    try:
        await call()
    except Exception as error:  # noqa: BLE001  which one is the question
        return error
    pytest.fail("nothing was raised")


def problem(code: str | None = None, message: str = "no") -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((429, problem(), {"Retry-After": "7"}), "slow_down"),
        ((429, problem("insufficient_quota"), {}), "fatal"),
        ((401, problem(), {}), "fatal"),
        ((403, problem(), {}), "fatal"),
        ((404, problem("model_not_found"), {}), "fatal"),
        ((400, problem("unknown_parameter"), {}), "fatal"),
        ((422, problem(), {}), "fatal"),
        ((400, problem("context_length_exceeded"), {}), "step"),
        ((400, problem(None, "This model's maximum context length is 8 tokens."), {}), "step"),
        ((400, problem("content_filter"), {}), "step"),
        ((413, "<html>", {}), "step"),
        ((408, problem(), {}), "transient"),
        ((409, problem(), {}), "transient"),
        ((500, problem(), {}), "transient"),
        ((503, "<html>", {}), "transient"),
        ((200, "<html>", {"Content-Type": "text/html"}), "transient"),
        ((200, "<html>", {}), "transient"),
        ((200, "", {}), "transient"),
        ((200, [], {}), "transient"),
        ((200, "null", {}), "transient"),
        ((200, '{"id": "1", "cho', {}), "transient"),
        ((200, '{"id": "1", "cho', {"Content-Length": "5000", "Connection": "close"}), "transient"),
        ((200, completion(choices=[{"message": None}]), {}), "transient"),
        ((200, completion(choices=["x"]), {}), "transient"),
        ((200, completion(usage="x"), {}), "transient"),
        ((200, problem("overloaded"), {}), "transient"),
        ((200, {"error": {"message": "no", "code": 429}}, {}), "slow_down"),
    ],
)
async def test_what_the_real_client_raises_is_told_apart(answer: tuple[int, Any, dict[str, str]], kind: str) -> None:
    with server(answer) as (url, _):
        model = ChatOpenAI(model="gpt-4.1-mini", base_url=url, api_key=KEY, max_retries=0, timeout=5)  # type: ignore[arg-type]
        errors = [await raised(lambda: asyncio.to_thread(model.invoke, "?")), await raised(lambda: model.ainvoke("?"))]
    for error in errors:
        fault = fault_of(error, openai=True)
        assert fault is not None
        assert fault.kind == kind
        assert fault.billed == (answer[0] == 200 and kind == "transient")
        assert fault.told == (7 if "Retry-After" in answer[2] else None)


async def test_a_refused_connection_passes_and_is_not_billed() -> None:
    with server((200, completion(), {})) as (url, _):
        pass
    model = ChatOpenAI(model="gpt-4.1-mini", base_url=url, api_key=KEY, max_retries=0)  # type: ignore[arg-type]
    fault = fault_of(await raised(lambda: model.ainvoke("?")), openai=True)
    assert fault is not None
    assert (fault.kind, fault.billed) == ("transient", False)


@pytest.mark.parametrize("error", [ZeroDivisionError(), TypeError("my own"), IndexError(), FileNotFoundError(2, "no", "x")])
def test_a_bug_is_no_fault_of_the_provider(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    assert fault_of(caught.value, openai=True) is None


@pytest.mark.parametrize("choices", [[], None])
async def test_a_reply_without_choices_is_an_empty_sample_and_not_tried_again(choices: list[Any] | None) -> None:
    meter = Balance()
    with server((200, completion(choices=choices), {})) as (url, asked):
        drawn = sampler(url, meter=meter)
        for sample in (drawn.draw(PROMPT, 0), await drawn.adraw(PROMPT, 1)):
            assert empty(sample)
            assert (sample.input_tokens, sample.output_tokens, sample.estimated) == (4, 0, True)
    assert len(asked) == meter.settled == 2


@pytest.mark.parametrize("answer", [(401, problem()), (404, problem()), (429, problem("insufficient_quota")), (400, problem())])
async def test_what_nothing_but_a_person_cures_stops_the_run_at_once(answer: tuple[int, Any]) -> None:
    with server((*answer, {})) as (url, asked):
        began = time.monotonic()
        with pytest.raises(ProviderFailure) as caught:
            await sampler(url, patience=3600).adraw(PROMPT, 0)
        assert time.monotonic() - began < 1
    assert len(asked) == 1
    assert caught.value.scope == "run"


async def test_a_prompt_that_is_refused_stops_the_step_only() -> None:
    refusal = pytest.raises(ProviderFailure, match="does not accept this prompt")
    with server((400, problem("context_length_exceeded"), {})) as (url, asked), refusal as caught:
        await sampler(url, patience=3600).adraw(PROMPT, 0)
    assert len(asked) == 1
    assert caught.value.scope == "step"


@pytest.mark.parametrize("said", [KEY, f"Bearer {KEY}", "sk-abc***xyz", "Bearer abc.def"])
async def test_no_key_is_in_the_failure_nor_in_what_is_printed_with_it(said: str) -> None:
    refusal = pytest.raises(ProviderFailure, match=r"Incorrect key: (Bearer )?\[key\]")
    with server((401, problem(None, f"Incorrect key: {said}"), {})) as (url, _), refusal as caught:
        await sampler(url).adraw(PROMPT, 0)
    assert said not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_key_that_the_client_knows_is_found_in_it() -> None:
    assert redacted(f"a {KEY} b", [KEY]) == "a [key] b"


async def test_a_date_in_retry_after_is_waited_for() -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    with server((429, problem(), headers), (200, completion(), {})) as (url, asked):
        await sampler(url).adraw(PROMPT, 0)
    assert datetime.now(UTC) >= until - timedelta(seconds=1)  # both of the server's dates are cut to the second
    assert len(asked) == 2


async def test_a_wait_that_the_provider_asks_for_tries_nobodys_patience() -> None:
    slow = (429, problem(), {"retry-after-ms": "300"})
    with server(slow, slow, (200, completion(), {})) as (url, asked):
        began = time.monotonic()
        assert (await sampler(url, patience=0.25).adraw(PROMPT, 0)).text == "2"
        assert time.monotonic() - began >= 0.6
    assert len(asked) == 3


async def test_a_reply_that_trickles_is_given_up_in_time_and_counts_as_billed() -> None:
    meter = Balance()

    handlers = set()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as listener:
        host, port = listener.sockets[0].getsockname()
        began = time.monotonic()
        with pytest.raises(ProviderFailure, match="TimeoutError"):
            await sampler(f"http://{host}:{port}/v1", timeout=0.3, patience=0.1, meter=meter).adraw(PROMPT, 0)
        assert time.monotonic() - began < 3
        await asyncio.gather(*(handler for handler in handlers if handler))
    assert (meter.open, meter.settled) == (0, 0)
    assert set(meter.abandoned) == {True}


async def test_the_meter_balances_under_faults_cancellation_and_ctrl_c() -> None:
    meter = Balance()
    faults = [(500, problem(), {"Retry-After": "0"}), (429, problem(), {"Retry-After": "0"}), (200, "<html>", {})]
    with server(*faults, (200, completion(), {})) as (url, asked):
        await sampler(url, meter=meter).adraw(PROMPT, 0)
    assert (len(asked), meter.reserved, meter.settled, meter.open) == (4, 4, 1, 0)
    assert meter.abandoned == [False, False, True]

    meter = Balance()
    slow = Scripted(script=replies("2"), delay=lambda _: 60.0)
    task = asyncio.ensure_future(scripted(model=slow, meter=meter).adraw(PROMPT, 0))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (meter.reserved, meter.open, meter.abandoned) == (1, 0, [True])

    def ctrl_c(*_: object) -> AIMessage:
        raise KeyboardInterrupt

    meter = Balance()
    with pytest.raises(KeyboardInterrupt):
        scripted(model=Scripted(script=ctrl_c), meter=meter).draw(PROMPT, 0)
    assert (meter.reserved, meter.open, meter.abandoned) == (1, 0, [True])


async def test_a_limit_stops_before_the_request_also_before_one_that_is_made_again() -> None:
    meter = Balance(limit=2)
    with server((500, problem(), {"Retry-After": "0"})) as (url, asked), pytest.raises(LimitReached):
        await sampler(url, meter=meter).adraw(PROMPT, 0)
    assert (len(asked), meter.open) == (2, 0)


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
    return Gate(clock=clock, chance=Random(1), notice=notice)


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
    drawn, count = scripted(rpm=1200), 0
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
    assert 3 * 20 * 0.6 <= count <= 3 * 20 + 9, count  # each of the eight may have got its leave before the end


@pytest.mark.parametrize("settings", [{"rpm": 0}, {"patience": 0}, {"timeout": -1}, {"gate": Gate(), "rpm": 60}])
def test_waits_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        scripted(**settings)


def test_a_429_that_says_at_once_shuts_the_gate_all_the_same() -> None:
    now = 0.0
    gate = Gate(clock=lambda: now, chance=Random(1))
    leave = gate.ask()
    assert isinstance(leave, Pass)
    gate.slowed(leave, 0.0, "m")
    assert isinstance(gate.ask(), float)
