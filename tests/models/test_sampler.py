"""The one place that calls a model: quirks of providers, through real clients and a real server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

from maker_graph.core.decision import Usage
from maker_graph.errors import MissingKey, ProviderFailure, UnknownModel, UsageError
from maker_graph.models.names import resolve_model, resolve_models
from maker_graph.models.pricing import price_of
from maker_graph.models.replies import sample_of
from maker_graph.models.sampler import Call, Sampler, sample_seed
from tests.conftest import Scripted, replies

PROMPT = [("system", "Be brief."), ("user", "1 + 1?")]


def completion(**changes: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "2"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage} | changes


@contextmanager
def server(*answers: tuple[int, Any, dict[str, str]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve `answers` one after the other (the last one for ever); yield the base URL and the bodies asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(json.loads(body))
            status, answer, headers = answers[min(len(asked), len(answers)) - 1]
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", asked
        http.shutdown()


def sampler(url: str, name: str = "gpt-4.1-mini") -> Sampler:
    model = ChatOpenAI(model=name, base_url=url, api_key="sk-canary")  # type: ignore[arg-type]  # a string will do
    return Sampler([model], temperature=(0.0, 0.1), max_tokens=750, seed=None, meter=None)


def test_a_request_carries_temperature_and_a_cap_that_own_servers_read_and_no_seed() -> None:
    with server((200, completion(), {})) as (url, asked):
        sample = sampler(url).draw(PROMPT, 1)
    assert (sample.text, sample.finish) == ("2", "stop")
    assert (sample.input_tokens, sample.cached_tokens, sample.output_tokens) == (9, 4, 1)
    assert (asked[0]["temperature"], asked[0]["max_tokens"]) == (0.1, 750)
    assert "max_completion_tokens" not in asked[0]
    assert "seed" not in asked[0]
    assert "n" not in asked[0] or asked[0]["n"] == 1


def test_a_model_that_fixes_its_temperature_is_sent_none_and_the_newer_cap() -> None:
    with server((200, completion(), {})) as (url, asked):
        sampler(url, "gpt-5-mini").draw(PROMPT, 1)
    assert "temperature" not in asked[0]
    assert asked[0]["max_completion_tokens"] == 750


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


async def test_the_async_client_sends_the_same_as_the_plain_one() -> None:
    history: Any = [
        ("system", "Be brief."),
        HumanMessage(
            [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
        ),
        AIMessage("", tool_calls=[{"name": "find", "args": {"x": 1}, "id": "1"}]),
        ToolMessage("found", tool_call_id="1"),
    ]
    for name in ("gpt-4.1-mini", "gpt-5-mini"):
        with server((200, completion(), {})) as (url, asked):
            sampler(url, name).draw(history, 1)
            await sampler(url, name).adraw(history, 1)
        assert asked[0] == asked[1]
        assert [message["role"] for message in asked[1]["messages"]] == ["system", "user", "assistant", "tool"]


async def test_the_same_for_the_async_client() -> None:
    fault = (500, {"error": {"message": "oops"}}, {"Retry-After": "0"})
    with server(fault) as (url, asked), pytest.raises(ProviderFailure, match="6 times"):
        await sampler(url).adraw(PROMPT, 0)
    assert len(asked) == 6


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_an_own_server_set_by_the_environment_gets_the_cap_that_it_reads(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with server((200, completion(), {})) as (url, asked):
        monkeypatch.setenv(name, url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        Sampler(resolve_models("openai:qwen3:4b"), temperature=None, max_tokens=750, seed=None, meter=None).draw(PROMPT, 0)
        assert price_of("openai:gpt-4.1-mini") is None, "an own server has no list price"
    assert asked[0]["max_tokens"] == 750
    assert "max_completion_tokens" not in asked[0]


def test_an_async_client_lives_as_long_as_its_event_loop_and_the_next_loop_gets_its_own() -> None:
    with server((200, completion(), {})) as (url, asked):
        drawn = sampler(url)

        async def twice() -> None:
            await drawn.adraw(PROMPT, 0)
            await drawn.adraw(PROMPT, 1)

        for _ in range(3):
            asyncio.run(twice())
    assert len(asked) == 6


@pytest.mark.parametrize(
    ("reply", "finish"),
    [
        (AIMessage("x", response_metadata={"finish_reason": "stop"}), "stop"),
        (AIMessage("x", response_metadata={"finish_reason": "length"}), "length"),
        (AIMessage("x", response_metadata={"stop_reason": "max_tokens"}), "length"),
        (AIMessage("x", response_metadata={"finish_reason": "MAX_TOKENS"}), "length"),
        (AIMessage("x", response_metadata={"done_reason": "length"}), "length"),
        (
            AIMessage("x", response_metadata={"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
            "length",
        ),
        (
            AIMessage("", response_metadata={"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}),
            "refused",
        ),
        (AIMessage("", response_metadata={"finish_reason": "content_filter"}), "refused"),
        (AIMessage("", additional_kwargs={"refusal": "No."}), "refused"),
        (AIMessage([{"type": "refusal", "refusal": "No."}]), "refused"),
        (AIMessage("", response_metadata={"finish_reason": "SAFETY"}), "refused"),
        (AIMessage("x", response_metadata={"stop_reason": "end_turn", "status": "completed"}), "stop"),
    ],
)
def test_how_a_reply_ended_in_any_providers_words(reply: AIMessage, finish: str) -> None:
    assert sample_of(reply, 0, []).finish == finish


def test_tokens_are_estimated_and_marked_where_the_provider_counts_none() -> None:
    sample = sample_of(AIMessage("12345678"), 0, [("human", "1234")])
    assert (sample.input_tokens, sample.output_tokens, sample.estimated) == (1, 2, True)


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
    Sampler([model], temperature=(0.0, 0.1), max_tokens=50, seed=None, meter=told).draw(PROMPT, 1)
    assert told.notes == [("reserve", most), ("settle", most, 0.1, ("human", "1 + 1?"), "2")]


def test_the_callers_own_model_is_left_as_it_was() -> None:
    model = ChatOpenAI(model="gpt-4.1-mini", api_key="sk-test", temperature=0.7)  # type: ignore[arg-type]  # a string will do
    Sampler([model], temperature=0.1, max_tokens=750, seed=None, meter=None)
    assert (model.temperature, model.max_tokens, model.cache) == (0.7, None, None)


def test_a_samples_seed_depends_on_seed_prompt_and_index_only() -> None:
    seeds = {sample_seed(seed, prompt, index) for seed in (1, 2) for prompt in ("a", "b") for index in (0, 1)}
    assert len(seeds) == 8
    assert sample_seed(1, "a", 0) == sample_seed(1, "a", 0)


def test_a_programming_error_is_not_tried_again_nor_hidden() -> None:
    calls = []

    def script(index: int, _: str) -> str:
        calls.append(index)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Sampler([Scripted(script=script)], temperature=None, max_tokens=None, seed=None, meter=None).draw("?", 0)
    assert calls == [0]


def test_a_name_is_split_at_its_first_colon_only(openai: str) -> None:
    assert openai
    model = resolve_model("openai:qwen3:4b")
    assert isinstance(model, ChatOpenAI)
    assert model.model_name == "qwen3:4b"


@pytest.mark.parametrize(
    ("name", "error", "advice"),
    [
        ("gpt-4.1-mini", UnknownModel, "provider:model"),
        (":x", UnknownModel, "provider:model"),
        ("openai:gpt-4.1-mini", MissingKey, "OPENAI_API_KEY"),
        ("sim:none", UnknownModel, "there are: perfect"),
        ("sim:perfect,speed=1", UsageError, "settings are error"),
        ("sim:perfect,error=2", UsageError, "between 0 and 1"),
        ("nowhere:x", UnknownModel, "nowhere:x"),
        ("anthropic:x", UnknownModel, "install"),
    ],
)
def test_a_model_that_cannot_be_made_says_what_to_do(name: str, error: type[Exception], advice: str) -> None:
    with pytest.raises(error, match=advice):
        resolve_model(name)
