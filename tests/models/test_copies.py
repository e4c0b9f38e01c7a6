"""A cache between us and a model is seen, said at once, and its replies never vote."""

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from maker_graph import Copies, Undecided, create_microstep
from maker_graph.core.copies import LONG, PROBE
from maker_graph.errors import LimitReached, ProviderFailure
from maker_graph.models.copies import UNVARIED, probe
from maker_graph.models.sampler import Sampler
from maker_graph.simulation import simulated
from tests.conftest import Scripted, replies
from tests.models.serving import KEY, Balance, completion

QUESTION: Any = {"messages": [("user", "?")]}


@contextmanager
def gateway(
    *, cache: bool, fresh_ids: bool = False, headers: bool = False, text: str = ""
) -> Iterator[tuple[str, Counter[str]]]:
    """Serve a model that never says the same twice (or `text`), behind a cache; yield the base URL and the prompts asked."""
    kept: dict[bytes, dict[str, Any]] = {}
    seen: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            seen[json.loads(asked)["messages"][-1]["content"]] += 1
            hit = cache and asked in kept
            if not hit:
                content = text or " ".join(uuid4().hex for _ in range(9))
                choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
                kept[asked] = completion(id=f"chatcmpl-{uuid4().hex}", choices=[choice])
            reply = kept[asked] | ({"id": f"chatcmpl-{uuid4().hex}"} if fresh_ids else {})
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if headers:
                self.send_header("cf-aig-cache-status", "HIT" if hit else "MISS")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", seen
        http.shutdown()


def behind(url: str, **own: Any) -> ChatOpenAI:
    return ChatOpenAI(model="m", base_url=url, api_key=KEY, **own)  # type: ignore[arg-type]  # a string will do


def sampler(url: str, told: list[str], **calls: Any) -> Sampler:
    made: Any = {"copies": Copies(told.append), **calls}
    return Sampler([behind(url)], temperature=(0.0, 0.1), max_tokens=750, seed=None, calls=made)


def test_copies_from_a_gateways_cache_never_win_and_are_said_at_once() -> None:
    told: list[str] = []
    with gateway(cache=True, text="Paris") as (url, _):
        copies = Copies(told.append)
        # one after the other: a cache that holds nothing yet lets a whole round pass
        node = create_microstep(behind(url), k=3, calls={"copies": copies}, stuck_after=5)
        for _ in range(2):
            with pytest.raises(Undecided) as caught:
                node.invoke(QUESTION, {"max_concurrency": 1})
    assert max(caught.value.ballot.values(), default=0) <= 2, "that of temperature 0 and that of the others"
    assert caught.value.flags["copy"] >= 5
    assert "cache" in caught.value.reason
    assert copies.proven >= 10
    assert len(told) == 1
    assert "Switch the cache" in told[0]


def test_replies_that_are_alike_but_drawn_anew_win() -> None:
    told: list[str] = []
    with gateway(cache=False, text="Paris") as (url, _):
        node = create_microstep(behind(url), k=3, calls={"copies": Copies(told.append)})
        assert node.invoke(QUESTION)["messages"][-1].text == "Paris"
    assert told == []


@pytest.mark.parametrize("fresh_ids", [False, True])
def test_a_cache_that_says_so_in_a_header_is_believed(fresh_ids: bool) -> None:
    with gateway(cache=True, text="Paris", headers=True, fresh_ids=fresh_ids) as (url, _):
        model = behind(url, include_response_headers=True)
        with pytest.raises(Undecided) as caught:
            create_microstep(model, k=3, stuck_after=5).invoke(QUESTION, {"max_concurrency": 1})
    assert caught.value.flags["copy"] >= 5


def test_long_replies_that_are_alike_are_a_suspicion_that_is_said_once_and_discards_nothing() -> None:
    told: list[str] = []
    copies = Copies(told.append)
    node = create_microstep(Scripted(script=replies("x" * LONG)), k=3, calls={"copies": copies})
    for _ in range(4):
        assert node.invoke(QUESTION)["messages"]
    assert (copies.proven, copies.suspected) == (0, True)
    assert len(told) == 1
    assert "raise the temperature" in told[0]


@pytest.mark.parametrize(
    ("model", "temperature"),
    [
        (Scripted(script=replies("x" * (LONG - 1))), "auto"),
        (Scripted(script=replies("x" * LONG)), 0.0),
        (Scripted(script=lambda index, _: '{"a": 1}' + " " * LONG + "x" * index), "auto"),
        (simulated("perfect", {"?": ["x" * LONG, "y"]}), "auto"),
    ],
    ids=["short", "temperature 0", "different", "simulated"],
)
def test_what_may_well_be_alike_is_no_suspicion(model: Any, temperature: Any) -> None:
    told: list[str] = []
    copies = Copies(told.append)
    node = create_microstep(model, k=2, temperature=temperature, key=lambda _: 1, calls={"copies": copies})
    for _ in range(4):
        node.invoke(QUESTION)
    assert not copies.suspected
    assert told == []


def test_without_anybody_to_tell_it_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    reply = AIMessage("1", id="chatcmpl-0123456789")
    with caplog.at_level(logging.WARNING, "maker_graph"), pytest.raises(Undecided):
        create_microstep(Scripted(script=replies(reply)), k=2, stuck_after=3).invoke(QUESTION)
    assert len(caplog.records) == 1


def test_what_was_seen_is_gone_on_with() -> None:
    copies = Copies(lambda _: None)
    copies.proven, copies.same, copies.compared, copies.varied = 2, 3, 4, False
    again = Copies(lambda _: None, seen=copies.note())
    assert (again.proven, again.same, again.compared, again.varied) == (2, 3, 4, False)


@pytest.mark.parametrize(("cache", "fresh_ids", "varied"), [(False, False, True), (True, False, False), (True, True, False)])
async def test_a_probe_finds_a_cache_that_nothing_else_shows(cache: bool, fresh_ids: bool, varied: bool) -> None:
    told: list[str] = []
    with gateway(cache=cache, fresh_ids=fresh_ids) as (url, seen):
        drawn = sampler(url, told)
        assert await probe(drawn) is varied
        assert drawn.copies.varied is varied
    assert seen == {PROBE: 3}
    assert told == ([] if varied else [UNVARIED])


async def test_a_probe_of_models_that_take_turns_asks_one_of_them() -> None:
    models = [Scripted(script=replies("a" * 99)), Scripted(script=replies("b" * 99))]
    drawn = Sampler(models, temperature=0.1, max_tokens=750, seed=None, calls={"copies": Copies(lambda _: None)})
    assert await probe(drawn) is False


@pytest.mark.parametrize("reply", ["", "seven", AIMessage("", additional_kwargs={"refusal": "No."})])
async def test_a_reply_of_a_few_words_tells_nothing(reply: Any) -> None:
    drawn = Sampler([Scripted(script=replies(reply))], temperature=0.1, max_tokens=750, seed=None)
    assert await probe(drawn) is None


async def test_a_probe_that_fails_stops_nothing_but_a_limit_does() -> None:
    def fails(*_: Any) -> str:
        raise ProviderFailure("no")

    assert await probe(Sampler([Scripted(script=fails)], temperature=0.1, max_tokens=750, seed=None)) is None
    meter = Balance(limit=1)
    model = Scripted(script=replies("a" * 99))
    with pytest.raises(LimitReached):
        await probe(Sampler([model], temperature=0.1, max_tokens=750, seed=None, calls={"meter": meter}))


async def test_a_simulated_model_answers_the_probe_by_chance() -> None:
    model = simulated("gpt-4.1-mini", {"?": ["a", "b"]})
    for seed in (None, 1):
        assert await probe(Sampler([model], temperature=0.1, max_tokens=750, seed=seed)) is True
