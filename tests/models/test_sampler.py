"""The one place that calls a model: its account, its seeds, and how a request ends."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage

from maker_graph.core.judging import Usage
from maker_graph.errors import LimitReached, ProviderFailure, UsageError
from maker_graph.models.calls import Call
from maker_graph.models.gate import Gate
from maker_graph.models.sampler import Sampler
from tests.conftest import Scripted, replies
from tests.models.serving import PROMPT, Balance, completion, problem, sampler, scripted, server


class Told:
    """A meter that notes what it is told."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def reserve(self, most: Usage, /) -> None:
        self.notes.append(("reserve", most))

    def settle(self, most: Usage, call: Call, /) -> None:
        self.notes.append(("settle", most, call.temperature, call.prompt[-1], call.sample.text))

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        self.notes.append(("abandon", most, billed))


def test_a_meter_is_told_the_most_before_each_request_and_what_was_used_after() -> None:
    told, most = Told(), Usage(input=4, cached=0, output=50)
    model = Scripted(script=replies("2"))
    Sampler([model], temperature=(0.0, 0.1), max_tokens=50, seed=None, calls={"meter": told}).draw(PROMPT, 1)
    assert told.notes == [("reserve", most), ("settle", most, 0.1, ("human", "1 + 1?"), "2")]


@pytest.mark.parametrize("error", [ZeroDivisionError("my bug"), KeyError("x"), RuntimeError(), AssertionError()])
async def test_an_error_of_the_models_own_code_ends_the_run_in_a_sentence_that_names_it_and_is_not_tried_again(
    error: Exception,
) -> None:
    def script(_: int, __: str) -> str:
        raise error

    meter = Balance()
    drawn = scripted(model=Scripted(script=script), patience=3600, meter=meter)
    named = pytest.raises(ProviderFailure, match=f"^Scripted: {type(error).__name__}.*Providers do not fail in this way")
    for sample in (drawn.adraw("?", 0), asyncio.to_thread(drawn.draw, "?", 0)):
        with named as caught:
            await sample
        assert (caught.value.__cause__, caught.value.scope) == (error, "run")
    assert (meter.reserved, meter.open, meter.abandoned) == (2, 0, [True, True])


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("mine")])
async def test_an_error_of_the_meter_is_not_taken_for_a_providers(error: Exception) -> None:
    class Broken(Balance):
        def settle(self, _: Usage, __: Call, /) -> None:
            raise error

    with pytest.raises(type(error)) as caught:
        await scripted(meter=Broken(), patience=3600).adraw("?", 0)
    assert caught.value is error


@pytest.mark.parametrize("odd", [HumanMessage("2"), ChatMessage(content="2", role="model")])
async def test_what_is_no_message_of_a_models_is_no_reply(odd: Any) -> None:
    given = [odd, AIMessage("2")]
    model = Scripted(script=lambda _, __: given.pop(0))
    assert (await scripted(model=model, patience=3600).adraw("?", 0)).text == "2"


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
        with pytest.raises(ProviderFailure, match="TimeoutError"):
            async with asyncio.timeout(60):  # of a reply that never ends
                await sampler(f"http://{host}:{port}/v1", timeout=0.3, patience=0.1, meter=meter).adraw(PROMPT, 0)
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


@pytest.mark.parametrize("calls", [{"patience": 0}, {"timeout": -1}])
def test_waits_that_make_no_sense_are_refused(calls: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        scripted(**calls)


def test_an_unknown_way_of_making_requests_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'gates'.*meter, gate, copies, patience, timeout"):
        scripted(gates=Gate())
