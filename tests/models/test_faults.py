"""What a failed request failed for: each fault through the real client."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from maker_graph.errors import ProviderFailure
from maker_graph.models.faults import fault_of
from tests.models.serving import KEY, PROMPT, completion, problem, raised, sampler, server


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


@pytest.mark.parametrize("answer", [(401, problem()), (404, problem()), (429, problem("insufficient_quota")), (400, problem())])
async def test_what_nothing_but_a_person_cures_stops_the_run_at_once(answer: tuple[int, Any]) -> None:
    with server((*answer, {})) as (url, asked), pytest.raises(ProviderFailure) as caught:
        async with asyncio.timeout(60):  # of an hour for which it would try what may pass
            await sampler(url, patience=3600).adraw(PROMPT, 0)
    assert len(asked) == 1
    assert caught.value.scope == "run"


async def test_a_prompt_that_is_refused_stops_the_step_only() -> None:
    refusal = pytest.raises(ProviderFailure, match="does not accept this prompt")
    with server((400, problem("context_length_exceeded"), {})) as (url, asked), refusal as caught:
        await sampler(url, patience=3600).adraw(PROMPT, 0)
    assert len(asked) == 1
    assert caught.value.scope == "step"


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (401, {"message": "Incorrect API key provided: sk-canary.", "code": "invalid_api_key"}, "API key"),
        (403, {"message": "no"}, "not allowed"),
        (404, {"message": "no such model", "code": "model_not_found"}, "knows no model"),
        (400, {"message": "too long", "code": "context_length_exceeded"}, "does not accept"),
        (429, {"message": "pay", "code": "insufficient_quota"}, "quota"),
    ],
)
def test_what_will_not_pass_stops_at_the_first_call_and_says_what_to_do(
    status: int, error: dict[str, str], advice: str
) -> None:
    with server((status, {"error": error}, {})) as (url, asked), pytest.raises(ProviderFailure, match=advice) as caught:
        sampler(url).draw(PROMPT, 0)
    assert len(asked) == 1
    assert caught.value.status == status
    assert "sk-canary" not in str(caught.value)


@pytest.mark.parametrize("said", [KEY, f"Bearer {KEY}", "sk-abc***xyz", "Bearer abc.def"])
async def test_no_key_is_in_the_failure_nor_in_what_is_printed_with_it(said: str) -> None:
    refusal = pytest.raises(ProviderFailure, match=r"Incorrect key: (Bearer )?\[key\]")
    with server((401, problem(None, f"Incorrect key: {said}"), {})) as (url, _), refusal as caught:
        await sampler(url).adraw(PROMPT, 0)
    assert said not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_date_in_retry_after_is_waited_for() -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    with server((429, problem(), headers), (200, completion(), {})) as (url, asked):
        await sampler(url).adraw(PROMPT, 0)
    assert datetime.now(UTC) >= until - timedelta(seconds=1)  # both of the server's dates are cut to the second
    assert len(asked) == 2
