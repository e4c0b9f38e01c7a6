"""A request that failed is made again, by one loop only."""

import asyncio
from typing import Any

import pytest

from maker_graph.errors import ProviderFailure
from maker_graph.models.gate import Gate
from tests.models.serving import PROMPT, completion, problem, sampler, server


@pytest.mark.parametrize(
    "fault",
    [
        (429, {"error": {"message": "slow down"}}, {"Retry-After": "0"}),
        (500, {"error": {"message": "oops"}}, {"Retry-After": "0"}),
        (200, "<html>Bad gateway</html>", {}),
        (200, "<html>Bad gateway</html>", {"Content-Type": "text/html"}),
    ],
)
async def test_what_passes_is_tried_again_once_each_time(fault: tuple[int, Any, dict[str, str]]) -> None:
    with server(fault, (200, completion(), {})) as (url, asked):
        assert sampler(url).draw(PROMPT, 0).text == "2"
    assert len(asked) == 2
    with server(fault, (200, completion(), {})) as (url, asked):
        assert (await sampler(url).adraw(PROMPT, 0)).text == "2"
    assert len(asked) == 2


def test_what_never_passes_ends_in_a_clear_failure_after_six_calls_not_eighteen() -> None:
    fault = (500, {"error": {"message": "oops"}}, {"Retry-After": "0"})
    with server(fault) as (url, asked), pytest.raises(ProviderFailure, match="6 times"):
        sampler(url).draw(PROMPT, 0)
    assert len(asked) == 6


async def test_the_same_for_the_async_client() -> None:
    fault = (500, {"error": {"message": "oops"}}, {"Retry-After": "0"})
    with server(fault) as (url, asked), pytest.raises(ProviderFailure, match="6 times"):
        await sampler(url).adraw(PROMPT, 0)
    assert len(asked) == 6


async def test_a_wait_that_the_provider_asks_for_tries_nobodys_patience() -> None:
    slow = (429, problem(), {"retry-after-ms": "300"})
    with server(slow, slow, (200, completion(), {})) as (url, asked):
        assert (await sampler(url, patience=0.4).adraw(PROMPT, 0)).text == "2"
    assert len(asked) == 3


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("patience", "asks"), [(1.0, 3600), (None, 3600), (60.0, 61)])
async def test_a_provider_that_asks_to_wait_longer_than_the_patience_is_not_waited_for(
    status: int, patience: float | None, asks: int
) -> None:
    told: list[str] = []
    gate = Gate(notice=told.append)
    refusal = pytest.raises(ProviderFailure, match=f"asks to wait {asks:,} s, but the patience is")
    with server((status, problem(), {"Retry-After": str(asks)})) as (url, asked):
        with refusal as caught:
            await asyncio.wait_for(sampler(url, patience=patience, gate=gate).adraw(PROMPT, 0), 60)
        with refusal:  # nor does anybody else wait at the gate
            await asyncio.to_thread(sampler(url, patience=patience, gate=gate).draw, PROMPT, 0)
    assert len(asked) == 2
    assert caught.value.status == status
    assert told == []


def test_a_microstep_that_tries_again_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with server((500, {"error": {"message": "oops"}}, {"Retry-After": "0"}), (200, completion(), {})) as (url, _):
        sampler(url).draw(PROMPT, 0)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "maker_graph"]
    assert "oops" in said
    assert said.endswith("requests that fail like this are made again.")
