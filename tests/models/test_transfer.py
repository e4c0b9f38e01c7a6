"""The HTTP clients of the copies: what a server may send is capped, and what the user's own client brings is kept."""

import asyncio
import gzip
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx2
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_openai import ChatOpenAI

from maker_graph.core.red_flags import Sample, empty
from maker_graph.errors import ProviderFailure
from maker_graph.models.envelopes import MAX_BODY, MAX_ERROR_BODY
from maker_graph.models.sampler import Sampler
from maker_graph.models.transfer import MAX_REDIRECTS
from tests.models.serving import KEY, PROMPT, completion, http, raw_server, sampler

BODY = json.dumps(completion()).encode()
GOOD = http(BODY)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def draw(drawn: Sampler, blocking: bool) -> Sample:
    """Return a sample, by the blocking call or by the asynchronous one."""
    if blocking:
        return drawn.draw(PROMPT, 1)

    async def adraw() -> Sample:
        try:
            return await asyncio.wait_for(drawn.adraw(PROMPT, 1), 60)
        finally:
            for (copied,) in drawn._on_this_loop():
                await copied.root_async_client.close()  # type: ignore[attr-defined]  # a ChatOpenAI

    return asyncio.run(adraw())


def bad_once(bad: Iterable[bytes] | Callable[[], Iterator[bytes]]) -> Callable[[bytes], Iterable[bytes]]:
    """Return what answers `bad` to the first request, and well to all others."""
    count = itertools.count()

    def answer(_: bytes) -> Iterable[bytes]:
        if next(count):
            return [GOOD]
        return bad() if callable(bad) else bad

    return answer


def endless(head: bytes, block: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.chain([head + b"\r\n"], itertools.repeat(block))


BAD: dict[str, Iterable[bytes] | Callable[[], Iterator[bytes]]] = {
    "an endless body": endless(HEAD, b" " * 65536),
    "endless chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "endless tiny chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n", b"1\r\n \r\n" * 500),
    "an endless body of a failure": endless(b"HTTP/1.1 503 x\r\n", b" " * 65536),
    "endless headers": endless(HEAD + b"A: b", b"\r\nA: b" * 5000),
    "a bomb": [http(gzip.compress(bytes(100 * MAX_BODY)), headers=b"Content-Encoding: gzip\r\n")],
    "a bomb in a bomb": [http(gzip.compress(gzip.compress(bytes(99 * MAX_BODY))), headers=b"Content-Encoding: gzip, gzip\r\n")],
    "a packing nobody asked for": [http(b"x", headers=b"Content-Encoding: br\r\n")],
    "a body that is cut": [HEAD + b"Content-Length: 5000\r\n\r\n{"],
    "packed, and cut": [http(gzip.compress(BODY)[:-4], headers=b"Content-Encoding: gzip\r\n")],
    "chunks that are none": [HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    "a redirect to nowhere": [http(b"", "302 Found")],
    "a redirect to another protocol": [http(b"", "302 Found", b"Location: ftp://x/\r\n")],
    "not modified": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "switching protocols": [b"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n"],
    "a status beyond all": [http(completion(), "999 x")],
    "a failure in an encoding that it is not in": [http(b"\xff\xfe?", "500 x", b"Content-Type: x; charset=utf-16\r\n")],
    "no HTTP": [b"SSH-2.0-OpenSSH\r\n"],
    "nothing": [],
    "role user": [http(completion(choices=[{"message": {"role": "user", "content": "2"}, "finish_reason": "stop"}]))],
    "content that is a number": [http(completion(choices=[{"message": {"role": "assistant", "content": 5}}]))],
    "nested": [http(b"[" * 100_000 + b"]" * 100_000)],
    "an event stream": [http(b"data: {}\n\n", headers=b"Content-Type: text/event-stream\r\n")],
}


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "asynchronous"])
@pytest.mark.parametrize("bad", BAD)
def test_one_bad_reply_is_asked_again(bad: str, blocking: bool) -> None:
    with raw_server(bad_once(BAD[bad])) as url:
        assert draw(sampler(url, patience=600, timeout=30), blocking).text == "2"


GOOD_IN_OTHER_WAYS = {
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\n" + BODY],
    "a byte order mark": [http(b"\xef\xbb\xbf" + BODY)],
    "UTF-16": [http(json.dumps(completion()).encode("utf-16"))],
    "another type": [http(completion(), headers=b"Content-Type: text/html\r\n")],
    "an encoding that it is not in": [http(completion(), headers=b"Content-Type: application/json; charset=utf-16\r\n")],
    "packed": [http(gzip.compress(BODY), headers=b"Content-Encoding: gzip\r\n")],
    "in chunks": [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        *(b"1\r\n%c\r\n" % c for c in GOOD.split(b"\r\n\r\n")[1]),
        b"0\r\n\r\n",
    ],
    "headers twice": [http(completion(), headers=b"X-Request-Id: 1\r\nX-Request-Id: 2\r\n")],
    "5,000 headers": [http(completion(), headers=b"A: b\r\n" * 5000)],
    "after others": [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\n" + GOOD],
    "role null": [http(completion(choices=[{"message": {"role": None, "content": "2"}, "finish_reason": "stop"}]))],
    "100,000 choices": [http(completion(choices=completion()["choices"] * 10_000))],
    "NaN": [http(completion(created=float("nan"), more=[float("inf")]))],
}


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "asynchronous"])
@pytest.mark.parametrize("way", GOOD_IN_OTHER_WAYS)
def test_a_reply_that_comes_in_another_way_is_a_sample(way: str, blocking: bool) -> None:
    with raw_server(lambda _: GOOD_IN_OTHER_WAYS[way]) as url:
        assert draw(sampler(url, patience=0.01, timeout=30), blocking).text == "2"


def test_a_cookie_that_cannot_be_sent_does_not_end_the_requests_after_it() -> None:
    sent: list[bytes] = []

    def answer(head: bytes) -> list[bytes]:
        sent.append(head)
        return [http(completion(), headers=b"Set-Cookie: \xff=\xfe\r\nSet-Cookie: a=b; Path=/\r\n")]

    with raw_server(answer) as url:
        drawn = sampler(url, patience=0.01)
        for _ in range(2):
            assert draw(drawn, blocking=True).text == "2"
    assert b"cookie" not in sent[-1].lower()


def test_a_loop_of_redirects_ends_soon() -> None:
    heads: list[bytes] = []

    def answer(head: bytes) -> list[bytes]:
        heads.append(head)
        return [http(b"", "307 x", b"Location: /v1/chat/completions\r\n")] if len(heads) <= 1 + MAX_REDIRECTS else [GOOD]

    with raw_server(answer) as url:
        assert draw(sampler(url, patience=600), blocking=False).text == "2"
    assert len(heads) == 2 + MAX_REDIRECTS


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "asynchronous"])
def test_the_status_of_a_failure_counts_whatever_its_body_does(blocking: bool) -> None:
    def never() -> Iterator[bytes]:
        yield b"HTTP/1.1 401 x\r\nContent-Length: 999999999\r\n\r\n"
        yield b"x" * (2 * MAX_ERROR_BODY)
        time.sleep(60)

    with raw_server(lambda _: never()) as url, pytest.raises(ProviderFailure, match="API key") as caught:
        draw(sampler(url, patience=600, timeout=30), blocking)
    assert caught.value.status == 401


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "asynchronous"])
def test_a_body_that_comes_byte_by_byte_is_given_up_in_time(blocking: bool) -> None:
    def drip() -> Iterator[bytes]:
        yield HEAD + b"Content-Length: 100000\r\n\r\n"
        while True:
            time.sleep(0.05)
            yield b" "

    with raw_server(bad_once(drip)) as url:
        assert draw(sampler(url, patience=600, timeout=0.5), blocking).text == "2"


def own_client(blocking: bool, seen: list[str], **how: Any) -> Any:
    """Return a client of the user's own, which sends a header and a cookie of theirs, and hears of each response."""

    def hear(response: Any) -> None:
        seen.append(f"heard {response.status_code}")

    async def ahear(response: Any) -> None:
        hear(response)

    kind: Any = httpx2.Client if blocking else httpx2.AsyncClient
    hooks: Any = {"response": [hear if blocking else ahear]}
    return kind(headers={"X-Mine": "1"}, cookies={"mine": "1"}, event_hooks=hooks, auth=None, **how)


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "asynchronous"])
def test_what_the_users_own_client_brings_is_kept_and_the_client_stays_as_it_is(blocking: bool) -> None:
    seen: list[str] = []

    def answer(head: bytes) -> list[bytes]:
        seen.append(head.decode().lower())
        return [http(completion(choices=[], id="x" * 100), headers=b"Set-Cookie: theirs=1\r\n")]

    with raw_server(answer) as url:
        client = own_client(blocking, seen)
        field = "http_client" if blocking else "http_async_client"
        model = ChatOpenAI(model="m", base_url=url, api_key=KEY, **{field: client})  # type: ignore[arg-type]  # a string will do
        drawn = Sampler([model], temperature=0.0, max_tokens=9, seed=None, calls={"patience": 0.01})
        for _ in range(2):
            assert empty(draw(drawn, blocking))
    assert seen[1] == seen[3] == "heard 200"
    for head in (seen[0], seen[2]):
        assert "x-mine: 1" in head
        assert "cookie: mine=1" in head
        assert "accept-encoding: gzip, deflate" in head
        assert "theirs" not in head
    assert (len(client.event_hooks["response"]), client.event_hooks["request"]) == (1, [])
    assert list(client.cookies) == ["mine"]
    assert not client.is_closed


def test_a_body_is_capped_also_where_the_user_brings_the_client() -> None:
    with raw_server(bad_once(BAD["an endless body"])) as url:
        client = own_client(blocking=True, seen=[])
        model = ChatOpenAI(model="m", base_url=url, api_key=KEY, http_client=client)  # type: ignore[arg-type]  # a string will do
        drawn = Sampler([model], temperature=0.0, max_tokens=9, seed=None, calls={"patience": 600})
        assert draw(drawn, blocking=True).text == "2"
        client.close()


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "asynchronous"])
def test_a_key_that_the_server_says_back_is_gone_before_the_client_sees_it(blocking: bool) -> None:
    call = {"id": KEY, "type": "function", "function": {"name": "find", "arguments": json.dumps({"x": KEY})}}
    message = {"role": "assistant", "content": f"debug: Bearer {KEY}", "tool_calls": [call], "reasoning_content": KEY}
    body = completion(id=KEY, system_fingerprint=KEY, choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
    heard: list[Any] = []

    class Listener(BaseCallbackHandler):
        def on_llm_end(self, response: Any, **_: Any) -> None:
            heard.append(response)

    with raw_server(lambda _: [http(body, headers=b"X-Debug: Bearer %s\r\n" % KEY.encode())]) as url:
        model = ChatOpenAI(
            model="m",
            base_url=url,
            api_key=lambda: KEY,
            include_response_headers=True,
            callbacks=[Listener()],
        )
        drawn = Sampler([model], temperature=0.0, max_tokens=9, seed=None, calls={"patience": 0.01})
        sample = draw(drawn, blocking)
    assert sample.text == "debug: Bearer [key]"
    assert "[key]" in repr(sample.tool_calls)
    assert KEY not in repr(sample)
    assert len(heard) == 1, "what traces are made of"
    assert "[key]" in repr(heard)
    assert KEY not in repr(heard)


@pytest.mark.parametrize("key", ["any-key-00", "not-needed"])
def test_a_reply_that_holds_the_word_that_is_a_servers_key_stays_as_it_is(key: str) -> None:
    body = completion(choices=[{"message": {"role": "assistant", "content": f"{key} is a word"}, "finish_reason": "stop"}])
    with raw_server(lambda _: [http(body)]) as url:
        model = ChatOpenAI(model="m", base_url=url, api_key=key)  # type: ignore[arg-type]  # a string will do
        drawn = Sampler([model], temperature=0.0, max_tokens=9, seed=None)
        assert draw(drawn, blocking=True).text == f"{key} is a word"


def test_the_responses_api_is_guarded_as_well() -> None:
    part = {"type": "output_text", "text": "2", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    good = {"id": "1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": [message]}
    for bad in ([http(b"<html>")], [http({"output": 5})], BAD["an endless body"], [http({"error": {"message": "no"}})]):
        count = itertools.count()

        def answer(_: bytes, bad: Any = bad, count: Iterator[int] = count) -> Iterable[bytes]:
            return [http(good)] if next(count) else (bad() if callable(bad) else bad)

        with raw_server(answer) as url:
            model = ChatOpenAI(model="m", base_url=url, api_key=KEY, use_responses_api=True)  # type: ignore[arg-type]  # as above
            drawn = Sampler([model], temperature=0.0, max_tokens=None, seed=None, calls={"patience": 600})
            assert draw(drawn, blocking=False).text == "2"
