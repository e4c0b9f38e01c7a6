"""HTTP responses that no provider should send, each made from its number, and a server of them in a process of its own.

`python -m tests.models.odd_responses` prints its port, and answers the request whose prompt is the number n with response n.
"""

import asyncio
import copy
import gzip
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

MEGABYTE = 2**20


TEXTS = ["2", "move = [1, 0, 2]\nnext_state = [[3, 2], [], [1]]", '{"queue": "billing"}', "é ß 漢 \U0001f600", "x" * 3000]

ODD_VALUES: list[Any] = [
    *json.loads("""[null, true, false, 0, -1, 5, 1180591620717411303424, 0.5, 1e400, NaN, "", "x", "user", "\\ud800",
    "\\u0000\\u001b[2J", [], {}, [[]], [null], ["x"], [5], [{}], {"a": 1}, {"type": "text", "text": 5},
    {"code": 429}, {"message": "no", "code": "insufficient_quota"}, "insufficient_quota", 429, "429",
    [{"type": "text", "text": "2"}], [{"type": "text", "text": null}], [{"type": "refusal", "refusal": "no"}],
    [{"function": 5}], [{"id": 5, "function": {}}]]"""),
    *("é" * 500, "9" * 5000, json.loads("[" * 60 + "]" * 60), [1] * 300, [{"role": "user"}] * 300),
    {str(n): n for n in range(300)},
]


def odd_value(rng: Random) -> Any:
    """Return a value that stands where another one should."""
    return copy.deepcopy(rng.choice(ODD_VALUES))


def completion(rng: Random) -> dict[str, Any]:
    """Return a completion as it should be."""
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}
    message: dict[str, Any] = {"role": "assistant", "content": rng.choice(TEXTS), "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    if rng.random() < 0.2:
        message["tool_calls"] = [{"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"x": 1}'}}]
    head = {"id": f"c{rng.random()}", "object": "chat.completion", "created": 1, "model": "m"}
    return {**head, "choices": [choice], "usage": usage}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value within `value`."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from paths(each, (*path, key))


def spoiled(rng: Random) -> dict[str, Any]:
    """Return a completion in which a few values are odd, missing, or of no known name."""
    data = completion(rng)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        *way, last = rng.choice(list(paths(data)))
        place: Any = data
        for key in way:
            place = place[key]
        if rng.random() < 0.3:
            del place[last]
        else:
            place[last] = odd_value(rng)
        if not list(paths(data)):
            break
    if rng.random() < 0.2:
        data[rng.choice(["error", "choices", "usage", "x", "object", "service_tier"])] = odd_value(rng)
    return data


def text_of(rng: Random) -> bytes:
    """Return a body: a completion, a spoiled one, or something else."""
    kind = rng.random()
    if kind < 0.15:
        return json.dumps(completion(rng)).encode()
    if kind < 0.65:
        return json.dumps(spoiled(rng)).encode()
    if kind < 0.72:
        error = {"message": "no", "type": rng.choice(["x", "invalid_request_error", 5, None]), "code": odd_value(rng)}
        return json.dumps({"error": rng.choice([error, odd_value(rng)])}).encode()
    if kind < 0.8:
        whole = json.dumps(completion(rng))
        return whole[: rng.randrange(len(whole))].encode() + rng.choice([b"", b"}", b"]]", b"\x00", b"\xff\xfe"])
    if kind < 0.88:
        encoding = rng.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp037"])
        return json.dumps(completion(rng), ensure_ascii=rng.random() < 0.5).encode(encoding, "replace")
    return rng.choice(ODD_TEXTS)(rng)


ODD_TEXTS: list[Callable[[Random], bytes]] = [
    lambda _: b"",
    lambda _: b"null",
    lambda _: b"<html><body>502 Bad Gateway</body></html>",
    lambda _: b"data: {}\n\ndata: [DONE]\n\n",
    lambda rng: b'data: {"choices": [{"delta": {"content": "2"}}]}\n\n' * rng.choice([1, 50, 3900]),
    lambda _: b'"' + b"a" * 100_000 + b'"',
    lambda _: b'{"choices": [], "choices": [{"message": {"content": "x"}}]}',
    lambda _: b"1" * 10_000,
    lambda rng: rng.randbytes(2000),
    lambda rng: b"[" * rng.choice([30, 900, 100_000]),
    lambda rng: (b'{"a":' * (depth := rng.choice([30, 900, 100_000]))) + b"1" + b"}" * depth,
]


ONE = json.dumps({"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"})
HEAD = '{"choices": [{"message": {"role": "assistant", "content": '
TOKENS = ",".join(['{"token": "a", "logprob": -1, "bytes": [1]}'] * 15_000)

BOMBS: dict[str, Callable[[], str]] = {
    "choices": lambda: f'{{"choices": [{", ".join([ONE] * 100_000)}]}}',
    "fewer choices": lambda: f'{{"choices": [{", ".join([ONE] * 5_000)}]}}',
    "tool calls": lambda: HEAD + '"", "tool_calls": [' + ", ".join(['{"function": {"name": "f"}}'] * 50_000) + "]}}]}",
    "blocks": lambda: HEAD + "[" + ", ".join(['{"type": "text", "text": "x"}'] * 3_000) + "]}}]}",
    "lists": lambda: HEAD + '"x"}}], "more": [' + "[]," * 49_000 + "[]]}",
    "more lists": lambda: "[" + "[]," * 650_000 + "[]]",
    "values": lambda: HEAD + '"x"}}], "more": [' + "1," * 74_000 + "1]}",
    "objects": lambda: HEAD + '"x"}}], "more": [' + '{"a":1},' * 45_000 + "1]}",
    "keys": lambda: "{" + ",".join(f'"k{n}": {n}' for n in range(74_000)) + "}",
    "escapes": lambda: HEAD + '"' + "\\n" * 750_000 + '"}}]}',
    "quotes": lambda: HEAD + '"' + '\\"' * 750_000 + '"}}]}',
    "emoji": lambda: HEAD + '"' + "\U0001f600" * 380_000 + '"}}]}',
    "one emoji": lambda: HEAD + '"' + "a" * 1_500_000 + '\U0001f600"}}]}',
    "surrogates": lambda: HEAD + '"' + "\\ud800" * 240_000 + '"}}]}',
    "text": lambda: HEAD + '"' + "a" * 1_500_000 + '"}}]}',
    "logprobs": lambda: HEAD + '"x"}, "logprobs": {"content": [' + TOKENS + "]}}]}",
    "digits": lambda: HEAD + '"x"}}], "usage": {"prompt_tokens": ' + "9" * 1_000_000 + "}}",
    "fraction": lambda: HEAD + '"x"}}], "usage": {"prompt_tokens": 0.' + "9" * 1_000_000 + "}}",
    "spaces": lambda: " " * 1_500_000,
}
"""Bodies that take much."""


@cache
def bomb(name: str) -> bytes:
    """Return a body that takes much, made once."""
    return BOMBS[name]().encode()


@cache
def zipped_bomb(megabytes: int, *, twice: bool = False) -> bytes:
    """Return so many megabytes of zeros in a text of JSON, packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"id": "'), *(packer.compress(b"0" * MEGABYTE) for _ in range(megabytes)), packer.flush()]
    return gzip.compress(b"".join(parts)) if twice else b"".join(parts)


STATUSES = """\
200 OK
200
200 OK OK
201 Created
202 Accepted
204 No Content
205 x
206 Partial Content
299 x
300 x
301 Moved
302 Found
303 x
304 Not Modified
307 x
308 x
399 x
400 Bad
401 no
402 x
403 x
404 x
405 x
408 x
409 x
410 x
413 x
418 x
422 x
429 Slow
499 x
500 x
501 x
502 x
503 x
504 x
520 x
599 x
600 x
999 x
099 x
0 x
-1 x
abc x
20 x""".splitlines()

HEADERS = [
    line.encode("latin-1") + b"\r\n"
    for line in """\
Retry-After: 0
Retry-After: -5
Retry-After: 1e300
Retry-After: NaN
Retry-After: soon
Retry-After: 99999999999
Retry-After: Fri, 31 Dec 9999 23:59:59 GMT
retry-after-ms: 1
Set-Cookie: a=b; Path=/
Set-Cookie: \xff=\xfe; expires=x
X: \xff\xfe
Location: /v1/elsewhere
Location: http://[::1
Location: ftp://x/
Location: \xff
Location:
Content-Length: 5
Content-Length: x
Content-Length: -1
Content-Length: 99999999999999999999
Transfer-Encoding: gzip
Transfer-Encoding: chunked, chunked
no colon
: no name
 folded
Content-Range: bytes 0-1/2
Upgrade: h2c
Connection: keep-alive
Trailer: x
x-should-retry: maybe
x-ratelimit-reset-requests: -1s""".splitlines()
]
HEADERS += [b"X: " + b"y" * 9000 + b"\r\n", b"X: 1\r\nX: 2\r\n", b"A: b\r\n" * 50, b"A: b\r\n" * 5000, b"\x00: \x00\r\n"]

TYPES = """\
application/json
application/json; charset=utf-16
application/json; charset=x
text/html
text/event-stream
text/json; charset=\xe9
application/octet-stream

x
multipart/form-data; boundary=x""".splitlines()


def packed(rng: Random, body: bytes) -> tuple[bytes, bytes]:
    """Return a body packed, or said to be, and its header."""
    kind = rng.random()
    if kind < 0.75:
        return body, b""
    name = rng.choice(
        [b"gzip", b"x-gzip", b"deflate", b"GZIP", b"br", b"zstd", b"identity", b"x", b"gzip, gzip", b"gzip,deflate,gzip"]
    )
    if kind < 0.8:
        return body, b"Content-Encoding: " + name + b"\r\n"  # a lie
    if b"gzip" in name.lower():
        body = gzip.compress(body)
        body = gzip.compress(body) if name == b"gzip, gzip" else body
    elif name == b"deflate":
        body = zlib.compress(body) if rng.random() < 0.5 else zlib.compress(body)[2:-4]
    if kind > 0.97:
        body = body[: rng.randrange(len(body) + 1)] + rng.choice([b"", b"\x00" * 9, b"more"])
    return body, b"Content-Encoding: " + name + b"\r\n"


def framed(rng: Random, body: bytes) -> tuple[list[bytes], bytes]:
    """Return a body in the pieces in which it is sent, and the header that tells its length, or a lie about it."""
    kind = rng.random()
    if kind < 0.6:
        return [body], b"Content-Length: %d\r\n" % len(body)
    if kind < 0.7:
        return [body], b""
    if kind < 0.78:
        wrong = max(0, len(body) + rng.choice([-5, -1, 1, 5, 5000]))
        return [body], b"Content-Length: %d\r\n" % wrong
    size = rng.choice([1, 7, 100, 1000, 65536])
    pieces = [body[at : at + size] for at in range(0, len(body), size)] if len(body) < 3000 * size else [body]
    chunks = [b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in pieces]
    end = rng.choice(
        [b"0\r\n\r\n"] * 8 + [b"", b"0\r\n", b"zz\r\n", b"0\r\nX: y\r\n\r\n", b"-1\r\n\r\n", b"ffffffffffffffffff\r\n"]
    )
    if rng.random() < 0.1:
        chunks.insert(rng.randrange(len(chunks) + 1), rng.choice([b"xyz\r\n", b"\r\n", b"5;a=b\r\nabcde\r\n", b"\x00"]))
    return [b"".join([*chunks, end])], b"Transfer-Encoding: chunked\r\n"


def response(number: int) -> Iterator[bytes | float]:
    """Yield the bytes of response `number` in the pieces in which they are sent, and the seconds of pauses between them."""
    rng = Random(f"odd response {number}")
    kind = rng.random()
    if kind < 0.004:
        yield from endless(rng)
        return
    if kind < 0.008:
        yield rng.choice(
            [
                b"",
                b"\x00\xff\r\n\r\n",
                b"HTTP/1.1 200 OK\r\n",
                b"SSH-2.0-x\r\n",
                b"HTTP/2 200\r\n\r\n",
                b"\r\n\r\n",
                b"x" * 200_000,
            ]
        )
        return
    if kind < 0.028:
        body = bomb(rng.choice(list(BOMBS)))
    elif kind < 0.033:
        body = b""
    else:
        body = text_of(rng)
    body, encoding = packed(rng, body)
    if 0.028 <= kind < 0.033:
        body, encoding = zipped_bomb(100, twice=rng.random() < 0.5), b"Content-Encoding: gzip\r\n"
        encoding = rng.choice([encoding, b"Content-Encoding: gzip, gzip\r\n"])
    pieces, length = framed(rng, body)
    version = rng.choice([b"HTTP/1.1"] * 12 + [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/9.9", b"http/1.1", b""])
    status = rng.choice(STATUSES if rng.random() < 0.5 else STATUSES[:1])
    kept = "Content-Type: " + rng.choice(TYPES if rng.random() < 0.5 else TYPES[:1]) + "\r\n"
    first = rng.choice(
        [b""] * 30 + [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 x\r\nA: b\r\n\r\n" * 20, b"HTTP/1.1 101 x\r\n\r\n"]
    )
    head = version + b" " + status.encode() + b"\r\n" + kept.encode("latin-1") + encoding + length
    head += rng.choice(HEADERS) if rng.random() < 0.6 else b""
    head += b"" if rng.random() < 0.99 else b"A: b\r\n" * 30_000
    yield first + head + b"\r\n"
    if rng.random() < 0.003:  # a drip
        for at in range(min(len(body), 20)):
            yield pieces[0][at : at + 1]
            yield 0.002
        yield pieces[0][20:]
        return
    yield from pieces


def endless(rng: Random) -> Iterator[bytes | float]:
    """Yield what never ends: a body, tiny pieces of one, its headers, or what comes before."""
    status = rng.choice([b"200 OK", b"200 OK", b"500 x", b"401 x"])
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n"
    kind = rng.choice(["body", "chunks", "tiny", "headers", "packed"])
    first, block = {
        "body": (head + b"\r\n", b" " * MEGABYTE),
        "chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 0x10000 + b"\r\n"),
        "tiny": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 1000),
        "headers": (head, b"A: b\r\n" * 10_000),
        "packed": (head + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b"),
    }[kind]
    yield first
    if kind == "packed":
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        for _ in range(200):
            yield packer.compress(b"0" * MEGABYTE)
        return
    for _ in range(400):
        yield block


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request; a redirect is followed to nowhere."""
    with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(size[1]) if size else 0)
        number = re.search(rb'"content": ?"(\d+)"', body)
        if number is None:
            writer.write(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")
        else:
            for piece in response(int(number[1])):
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    writer.write(piece)
                await writer.drain()
        await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def serve() -> None:
    """Serve until the standard input ends, with whoever asked for it."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


@contextmanager
def odd_server() -> Iterator[str]:
    """Serve the responses in a process of its own; yield the base URL."""
    command = [sys.executable, "-m", "tests.models.odd_responses"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.kill()


if __name__ == "__main__":
    asyncio.run(serve())
