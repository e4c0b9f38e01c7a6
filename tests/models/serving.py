"""What the tests of models share: a server that answers as it is told, samplers on it, and a meter that balances."""

import base64
import html
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import uvicorn
from langchain_openai import ChatOpenAI
from starlette.applications import Starlette

from maker_graph.core.judging import Usage
from maker_graph.errors import LimitReached
from maker_graph.models.calls import Call
from maker_graph.models.sampler import Sampler
from maker_graph.models.simulation import Simulator, profile_of
from tests.conftest import Scripted, replies

PROMPT = [("system", "Be brief."), ("user", "1 + 1?")]


KEY = "canary-0123456789"  # does not start with sk-


def spellings(key: str) -> dict[str, str]:
    """Return the ways in which a server may write a key."""
    raw = key.encode()
    return {
        "plain": key,
        "capitals": key.upper(),
        "url": quote(key, safe=""),
        "url, each character": "".join(f"%{code:02X}" for code in raw),
        "url, twice": quote(quote(key, safe=""), safe=""),
        "json": json.dumps(key)[1:-1],
        "json, each character": "".join(f"\\u{code:04x}" for code in raw),
        "html": html.escape(key),
        "html, each character": "".join(f"&#{code};" for code in raw),
        "lines": "\n".join(key[i : i + 5] for i in range(0, len(key), 5)),
        "spaced": " ".join(key),
        "between, nothing to see": "\u200b".join(key),
        "hexadecimal": raw.hex(),
        "base64": base64.b64encode(raw).decode(),
        "base64 of the header": base64.b64encode(b"Authorization: Bearer " + raw).decode(),
        "base64 in lines": base64.encodebytes(b"Bearer " + raw + b"~" * 50).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(b"Bearer " + raw + b"~").decode(),
    }


def completion(**changes: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "2"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage} | changes


def problem(code: str | None = None, message: str = "no") -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


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


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve `app` on a free port of this machine; yield its base URL."""
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/v1"
    running.should_exit = True
    thread.join()


@contextmanager
def gateway(
    model: Callable[[dict[str, Any]], str], *, cache: bool = True, fresh_ids: bool = False, headers: bool = False
) -> Iterator[tuple[str, Counter[str]]]:
    """Serve what `model` says to a request, kept in a cache from then on; yield the base URL, and the questions as they come.

    A reply from the cache has the id of the first one, or one of its own (`fresh_ids`); a header may tell (`headers`).
    """
    kept: dict[bytes, dict[str, Any]] = {}
    asked: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            ask = json.loads(body)
            asked[ask["messages"][-1]["content"]] += 1
            hit = cache and body in kept
            if not hit:
                message = {"role": "assistant", "content": model(ask)}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                kept[body] = completion(id=f"chatcmpl-{uuid4().hex}", choices=[choice])
            content = json.dumps(kept[body] | ({"id": f"chatcmpl-{uuid4().hex}"} if fresh_ids else {})).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if headers:
                self.send_header("cf-aig-cache-status", "HIT" if hit else "MISS")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", asked
        http.shutdown()


@contextmanager
def raw_server(answer: Callable[[bytes], Iterable[bytes]]) -> Iterator[str]:
    """Serve what `answer(request)` yields, byte by byte as it is; each connection is for one request."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.rfile.readline()
            size = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            body = self.rfile.read(int(size[1]) if size else 0)
            with suppress(OSError):  # who asked is gone
                for piece in answer(head + body):
                    self.wfile.write(piece)

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as tcp:
        threading.Thread(target=tcp.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{tcp.server_address[1]}/v1"
        tcp.shutdown()


def http(body: Any, status: str = "200 OK", headers: bytes = b"") -> bytes:
    """Return a whole response: `body` as it is, if it is bytes, else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(content), headers, content)


def simulated(request: bytes, profile: str = "perfect") -> dict[str, Any]:
    """Return the completion that a simulated model has for a whole request."""
    ask = json.loads(request.partition(b"\r\n\r\n")[2])
    prompt = [("system" if message["role"] == "system" else "human", message["content"]) for message in ask["messages"]]
    reply = Simulator(profile_of(profile)).reply(prompt, seed=None, max_tokens=750)
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    return completion(choices=[{"index": 0, "message": message, "finish_reason": reply.finish}])


def sampler(url: str, name: str = "gpt-4.1-mini", **calls: Any) -> Sampler:
    model = ChatOpenAI(model=name, base_url=url, api_key=KEY)  # type: ignore[arg-type]  # a string will do
    return Sampler([model], temperature=(0.0, 0.1), max_tokens=750, seed=None, calls=calls)  # type: ignore[arg-type]  # keys of Calls


def scripted(**calls: Any) -> Sampler:
    model = calls.pop("model", Scripted(script=replies("2")))
    return Sampler([model], temperature=(0.0, 0.1), max_tokens=750, seed=None, calls=calls)  # type: ignore[arg-type]  # keys of Calls


class Balance:
    """A meter that knows what is set aside, and what came of the rest."""

    def __init__(self, limit: int = 1000) -> None:
        self.reserved, self.open, self.settled, self.limit = 0, 0, 0, limit
        self.abandoned: list[bool] = []

    def reserve(self, most: Usage, /) -> None:
        assert most["output"] == 750
        if self.reserved >= self.limit:
            raise LimitReached("enough")
        self.reserved += 1
        self.open += 1

    def settle(self, most: Usage, call: Call, /) -> None:
        assert most["output"] == 750
        assert call.model
        self.open -= 1
        self.settled += 1

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        assert most["output"] == 750
        self.open -= 1
        self.abandoned.append(billed)


async def raised(call: Callable[[], Awaitable[object]]) -> Exception:
    """Return what `call` raises, whatever that is."""
    try:
        await call()
    except Exception as error:  # noqa: BLE001  which one is the question
        return error
    pytest.fail("nothing was raised")
