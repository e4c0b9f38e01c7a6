"""The tiny language model: what its replies depend on, how they end, how often they err, and who may ask."""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import httpx
import pytest
from langchain_openai import ChatOpenAI
from pydantic import ValidationError

from maker_graph import UnknownModel, create_maker
from maker_graph.models.resolving import resolve_model
from maker_graph.models.tiny_lm import Ask, TinyChatModel
from maker_graph.models.tiny_lm.network import LONGEST
from maker_graph.models.tiny_lm.tokenizer import WINDOW, decode, encode
from maker_graph.tasks import Hanoi
from tests.conftest import Cli
from tests.models.tiny_lm.test_engine import TEN, answered, prompt

pytestmark = pytest.mark.xdist_group("tiny")  # its samples are drawn once

STEPS = range(3, 1023, 8)


def test_a_reply_depends_on_prompt_seed_and_temperature_only() -> None:
    model, question = TinyChatModel(temperature=1.0), prompt(TEN, 511)
    texts = {seed: model.invoke(question, seed=seed).text for seed in (1, 2**63 + 1, 2**64 - 1)}
    assert all(model.invoke(question, seed=seed).text == text for seed, text in texts.items())
    hot = TinyChatModel(temperature=3.0)
    assert len({hot.invoke(question, seed=seed).text for seed in range(8)}) > 4
    assert len({hot.invoke(question).text for _ in range(8)}) > 4, "without a seed a reply is left to chance"


@pytest.mark.parametrize("cap", [1, 7, 20])
def test_a_reply_is_cut_at_max_tokens_and_says_so(cap: int) -> None:
    whole = TinyChatModel(temperature=0.0).invoke(prompt(TEN, 9))
    cut = TinyChatModel(temperature=0.0, max_tokens=cap).invoke(prompt(TEN, 9))
    assert (whole.response_metadata["finish_reason"], cut.response_metadata["finish_reason"]) == ("stop", "length")
    assert cut.text == decode(encode(str(whole.text))[:cap])
    assert cut.usage_metadata is not None
    assert cut.usage_metadata["output_tokens"] == cap


def test_tokens_are_counted_as_they_are_read_and_written() -> None:
    reply = TinyChatModel(temperature=0.0).invoke(prompt(TEN, 9))
    usage: Any = reply.usage_metadata
    assert usage["output_tokens"] == len(encode(str(reply.text)))
    assert usage["input_tokens"] == len(encode(prompt(TEN, 9)[-1][1])) + 1
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    long = answered([Ask("0 -> 1 -> 2 " * 999, 1.0, seed=1)])[0]
    assert long.input_tokens == WINDOW
    assert long.output_tokens <= LONGEST


def test_a_reply_ends_before_a_stop_sequence() -> None:
    stopped = TinyChatModel(temperature=0.0).invoke(prompt(TEN, 9), stop=["\nnext_state", "never"])
    whole = TinyChatModel(temperature=0.0).invoke(prompt(TEN, 9))
    assert stopped.text == str(whole.text).partition("\nnext_state")[0]
    assert stopped.response_metadata["finish_reason"] == "stop"


def test_it_errs_but_seldom_and_not_by_script() -> None:
    eight = Hanoi(8)
    kinds = {"right": 0, "wrong": 0, "malformed": 0}
    asked = [Ask(prompt(eight, step)[-1][1], 1.0, seed=turn) for step in range(255) for turn in range(2)]
    for number, reply in enumerate(answered(asked)):
        try:
            right = eight.parse(reply.text) == eight.truth(eight.state_at(number // 2))
        except ValueError:
            kinds["malformed"] += 1
        else:
            kinds["right" if right else "wrong"] += 1
    assert 0.001 < 1 - kinds["right"] / len(asked) < 0.15, kinds


def test_threads_and_event_loops_come_and_go_and_no_thread_is_left() -> None:
    model = TinyChatModel(temperature=1.0)

    async def some(first: int) -> list[str]:
        return [
            str(each.text) for each in await asyncio.gather(*(model.ainvoke(prompt(TEN, 8), seed=first + i) for i in range(5)))
        ]

    with ThreadPoolExecutor(3) as pool:
        loops = [*pool.map(lambda first: asyncio.run(some(first)), (0, 5, 10))]
    assert [*chain(*loops)] == [str(model.invoke(prompt(TEN, 8), seed=seed).text) for seed in range(15)]
    for thread in threading.enumerate():
        if thread.name == "tiny-lm":
            thread.join(5)
    assert not any(thread.name == "tiny-lm" for thread in threading.enumerate())


async def test_who_waits_blocks_no_loop_and_may_give_up() -> None:
    model, ticks = TinyChatModel(temperature=1.0), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.002)
            ticks += 1

    ticking = asyncio.create_task(tick())
    tasks = [asyncio.create_task(model.ainvoke(prompt(TEN, step), seed=1)) for step in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    ticking.cancel()
    assert ticks > 5
    assert [isinstance(each, asyncio.CancelledError) for each in done] == [True, False] * 20
    assert (await model.ainvoke(prompt(TEN, 1), seed=1)).text == done[1].text  # type: ignore[union-attr]  # a reply


def test_its_name_is_tiny_and_its_settings_are_checked() -> None:
    assert isinstance(resolve_model("tiny"), TinyChatModel)
    with pytest.raises(UnknownModel, match="tiny"):
        resolve_model("tinny")
    for wrong in ({"temperature": -1.0}, {"max_tokens": 0}):
        with pytest.raises(ValidationError):
            TinyChatModel(**wrong)


def test_it_solves_a_small_puzzle_by_votes() -> None:
    for task in (Hanoi(3), Hanoi(4, source=1, target=0)):
        machine = create_maker(task, model="tiny", k=3, temperature=1.0, seed=1).compile()
        result = asyncio.run(machine.ainvoke({}, {"recursion_limit": 10_000}))
        assert result["done"]
        assert result["step"] == task.total()
        assert result["totals"]["samples"] >= 3 * task.total()
        assert task.done(result["state"])


def test_a_run_of_it_ends_verified(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "4", "--model", "tiny", "--k", "3", "--run", "small", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["model"], summary["verified"]) == ("tiny", True)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    command = [sys.executable, "-m", "maker_graph.cli", "simulate", "--port", "0", "--model", "tiny"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"Serving tiny on (http://\S+)", process.stdout.readline())
        assert found
        yield found[1]
        process.terminate()


def test_it_is_served_over_http(served: str) -> None:
    there = ChatOpenAI(model="tiny", base_url=served, api_key="any", temperature=1.0)  # type: ignore[arg-type]  # as the client takes it
    here = TinyChatModel(temperature=1.0)

    async def both() -> list[tuple[str, str]]:
        one = await asyncio.gather(*(there.ainvoke(prompt(TEN, step), seed=step) for step in range(0, 320, 20)))
        other = await asyncio.gather(*(here.ainvoke(prompt(TEN, step), seed=step) for step in range(0, 320, 20)))
        assert [each.usage_metadata["total_tokens"] for each in one if each.usage_metadata] == [
            each.usage_metadata["total_tokens"] for each in other if each.usage_metadata
        ]
        return [(str(a.text), str(b.text)) for a, b in zip(one, other, strict=True)]

    assert all(a == b for a, b in asyncio.run(both()))
    ask = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}], "n": 3, "seed": 1, "max_tokens": 2}
    with httpx.Client(base_url=served) as client:
        body = client.post("/chat/completions", json=ask | {"temperature": 5}).json()
        assert client.post("/chat/completions", json=ask | {"temperature": -1}).status_code == 400
        assert client.get("/models").json()["data"][0]["id"] == "tiny"
    assert len(body["choices"]) == 3
    assert body["usage"]["completion_tokens"] <= 6
