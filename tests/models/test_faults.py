"""What a failed request failed for: each fault through the real client."""

import asyncio
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from maker_graph.errors import LimitReached, ProviderFailure
from maker_graph.models.envelopes import ErrorReply, NoReply
from maker_graph.models.faults import LONG_WAIT, Fault, fault_of
from maker_graph.models.openai import with_own_clients
from tests.models.serving import KEY, PROMPT, completion, problem, raised, sampler, server


def copied(url: str, *, blocking: bool) -> BaseChatModel:
    """Return a ChatOpenAI with the client that a sampler gives it."""
    model = ChatOpenAI(model="gpt-4.1-mini", base_url=url, api_key=KEY, max_retries=0)  # type: ignore[arg-type]  # a string will do
    return with_own_clients([model], lambda: 5.0, blocking=blocking)[0]


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
        ((200, problem("overloaded"), {}), "transient"),
        ((200, {"error": {"message": "no", "code": 429}}, {}), "slow_down"),
    ],
)
async def test_what_the_real_client_raises_is_told_apart(answer: tuple[int, Any, dict[str, str]], kind: str) -> None:
    with server(answer) as (url, _):
        errors = [await raised(lambda: asyncio.to_thread(copied(url, blocking=True).invoke, "?"))]
        errors.append(await raised(lambda: copied(url, blocking=False).ainvoke("?")))
    for error in errors:
        fault = fault_of(error, openai=True)
        assert fault is not None
        assert fault.kind == kind
        assert fault.billed == (answer[0] == 200 and kind == "transient")
        assert fault.told == (7 if "Retry-After" in answer[2] else None)


async def test_a_refused_connection_passes_and_is_not_billed() -> None:
    with server((200, completion(), {})) as (url, _):
        pass
    fault = fault_of(await raised(lambda: copied(url, blocking=False).ainvoke("?")), openai=True, seconds=60)
    assert fault == Fault("transient", billed=False, depends_on_answer=False)


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"code": "insufficient_quota"}, "fatal", 402),
        ({"type": "insufficient_quota", "code": None}, "fatal", 402),
        ({"message": "You exceeded your current quota, please check your plan."}, "fatal", 402),
        ({"code": "billing_hard_limit_reached"}, "fatal", 402),
        ({"code": 402}, "fatal", 402),
        ({"code": "402"}, "fatal", 402),
        ({"code": "invalid_api_key"}, "fatal", 401),
        ({"code": "invalid_api_key", "message": "You exceeded your current quota."}, "fatal", 401),
        ({"message": "Incorrect API key provided: sk-x"}, "fatal", 401),
        ({"type": "authentication_error"}, "fatal", 401),
        ({"code": "account_deactivated"}, "fatal", 403),
        ({"code": "model_not_found"}, "fatal", 404),
        ({"message": "The model `m` does not exist or you do not have access to it."}, "fatal", 404),
        ({"type": "invalid_request_error"}, "fatal", 400),
        ({"type": "invalid_request_error", "code": "context_length_exceeded"}, "step", 400),
        ({"code": "content_filter"}, "step", 400),
        ({"code": "rate_limit_exceeded"}, "slow_down", 429),
        ({"type": "requests", "code": None}, "slow_down", 429),
        ({"status": "RESOURCE_EXHAUSTED"}, "slow_down", 429),
        ({"code": 429}, "slow_down", 429),
        ({"code": 503}, "transient", 503),
        ({"code": "server_error"}, "transient", None),
        ({"message": "The engine is currently overloaded."}, "transient", None),
        ("insufficient_quota", "fatal", 402),
        ("no", "transient", None),
    ],
)
async def test_an_error_within_a_success_is_told_apart_by_what_it_says(error: Any, kind: str, status: int | None) -> None:
    with server((200, {"error": error}, {})) as (url, _):
        fault = fault_of(await raised(lambda: copied(url, blocking=False).ainvoke("?")), openai=True)
    assert fault == Fault(kind, status, billed=kind == "transient", depends_on_answer=kind == "transient")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["insufficient_quota", "invalid_api_key", "model_not_found", 402])
async def test_a_used_up_quota_within_a_success_ends_the_run_at_the_first_call(code: str | int) -> None:
    answer: Any = (200, {"error": {"message": "You cannot.", "type": "x", "code": code}}, {})
    with server(answer) as (url, asked), pytest.raises(ProviderFailure, match="You cannot") as caught:
        await sampler(url, patience=3600).adraw(PROMPT, 0)
    assert len(asked) == 1
    assert caught.value.scope == "run"


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), TypeError("my own"), IndexError(), FileNotFoundError(2, "no", "x"), RuntimeError("x")]
)
def test_an_error_that_is_no_providers_is_unknown(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    assert fault_of(caught.value, openai=True) == fault_of(caught.value, openai=False) == Fault("unknown", billed=True)


@pytest.mark.parametrize("error", [LimitReached("x"), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_is_no_failure_of_a_request_is_none(error: BaseException) -> None:
    assert fault_of(error, openai=True) is None


class Told(Exception):
    """An error as the clients of several providers have it: each says the status in a way of its own."""

    def __init__(self, text: str = "no", **said: Any) -> None:
        super().__init__(text)
        self.__dict__.update(said)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Told(status_code=503), "transient"),
        (Told(code=429), "slow_down"),
        (Told(status=401), "fatal"),
        (Told(response={"ResponseMetadata": {"HTTPStatusCode": 500}}), "transient"),
        (Told(status_code=304), "transient"),
        (Told(status_code=999), "transient"),
        (Told(status_code=200), "unknown"),
        (Told(code="503"), "unknown"),
        (TimeoutError(), "transient"),
        (type("ReadTimeoutError", (Exception,), {})(), "transient"),
        (type("APIConnectionError", (Exception,), {})(), "transient"),
    ],
)
def test_the_errors_of_other_clients_are_told_apart(error: Exception, kind: str) -> None:
    wrapped = RuntimeError("a wrapper")
    wrapped.__cause__ = error
    for each in (error, wrapped):
        fault = fault_of(each, openai=False)
        assert fault is not None
        assert fault.kind == kind


def test_what_may_have_failed_because_of_the_answer_says_so() -> None:
    def depends(error: Exception, seconds: float = 0.0) -> bool:
        fault = fault_of(error, openai=True, seconds=seconds)
        assert fault is not None
        assert fault.kind == "transient"
        return fault.depends_on_answer

    assert depends(TimeoutError())
    assert depends(NoReply("the body was cut short"))
    assert depends(ErrorReply("overloaded"))
    assert depends(Told(status_code=504))
    assert not depends(Told(status_code=503))
    assert depends(Told(status_code=503), LONG_WAIT)
    assert not depends(ConnectionResetError())
    assert depends(ConnectionResetError(), LONG_WAIT)
    assert not depends(ConnectionRefusedError(), LONG_WAIT)
    assert not depends(Told(status_code=302), LONG_WAIT)


@pytest.mark.parametrize(
    "after", ["-5", "NaN", "inf", "1e300", "1000000000", "1_0", "soon", "Fri, 31 Dec 9999 23:59:59 GMT", ""]
)
@pytest.mark.parametrize("header", ["Retry-After", "retry-after-ms"])
async def test_a_wait_that_makes_no_sense_is_not_waited_for(header: str, after: str) -> None:
    after = f"{after}000000" if header == "retry-after-ms" and after.isdigit() else after
    for status, kind in ((429, "slow_down"), (503, "transient")):
        with server((status, problem(), {header: after})) as (url, _):
            fault = fault_of(await raised(lambda: copied(url, blocking=False).ainvoke("?")), openai=True)
        assert fault == Fault(kind, status)  # type: ignore[arg-type]


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
    assert said not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__suppress_context__


async def test_a_date_in_retry_after_is_waited_for() -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    with server((429, problem(), headers), (200, completion(), {})) as (url, asked):
        await sampler(url).adraw(PROMPT, 0)
    assert datetime.now(UTC) >= until - timedelta(seconds=1)  # both of the server's dates are cut to the second
    assert len(asked) == 2
