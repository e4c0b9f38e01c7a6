"""What OpenAI's models and their client need, through the real client and a real server."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from maker_graph.core.red_flags import empty
from maker_graph.models.pricing import price_of
from maker_graph.models.resolving import resolve_models
from maker_graph.models.sampler import Sampler
from tests.models.serving import PROMPT, Balance, completion, sampler, server


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


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_an_own_server_set_by_the_environment_gets_the_cap_that_it_reads(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with server((200, completion(), {})) as (url, asked):
        monkeypatch.setenv(name, url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        Sampler(resolve_models("openai:qwen3:4b"), temperature=None, max_tokens=750, seed=None).draw(PROMPT, 0)
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


@pytest.mark.parametrize("choices", [[], None])
async def test_a_reply_without_choices_is_an_empty_sample_and_not_tried_again(choices: list[Any] | None) -> None:
    meter = Balance()
    with server((200, completion(choices=choices), {})) as (url, asked):
        drawn = sampler(url, meter=meter)
        for sample in (drawn.draw(PROMPT, 0), await drawn.adraw(PROMPT, 1)):
            assert empty(sample)
            assert (sample.input_tokens, sample.output_tokens, sample.estimated) == (4, 0, True)
    assert len(asked) == meter.settled == 2
