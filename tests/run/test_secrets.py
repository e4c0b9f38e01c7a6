"""An API key never gets into anything that a run writes or says, whatever the provider says back."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from maker_graph.models.simulation import Simulator, profile_of
from tests.conftest import Cli
from tests.langsmith import ingest
from tests.models.serving import completion, http, raw_server, spellings

CANARY = "canary-7f3a9c-not-like-the-others"  # no sk- in front: some providers' keys have none


class Provider(ThreadingHTTPServer):
    """Fails in all its ways, and says the key back each time; after `then_refuse` calls it refuses for good."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = Simulator(profile_of("gpt-4.1-mini"))
        self.chance = Random(7)
        self.calls = 0
        self.then_refuse = 10**9


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Authorization"]
        self.server.calls += 1
        fate = self.server.chance.random()
        error = json.dumps({"error": {"message": f"I know you: {key}", "code": "x"}})
        if self.server.calls > self.server.then_refuse:
            self._send(401, error)
        elif fate < 0.15:
            self._send(429, error, {"retry-after-ms": "1"})
        elif fate < 0.25:
            self._send(503, error, {"retry-after-ms": "1"})
        elif fate < 0.3:
            self._send(200, f"<html>{key}</html>")
        else:
            self._send(200, self._completion(ask, key))

    def _completion(self, ask: dict[str, Any], key: str) -> str:
        prompt = [("system" if message["role"] == "system" else "human", message["content"]) for message in ask["messages"]]
        reply = self.server.model.reply(prompt, seed=None, max_tokens=750)
        message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        return json.dumps(
            {
                "id": f"{key}-{uuid4().hex}",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "system_fingerprint": key,
                "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
                "usage": usage,
            }
        )

    def _send(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def solved_without_a_leak(cli: Cli, folder: Path, provider: Provider, disks: int) -> None:
    env = {"OPENAI_API_KEY": CANARY, "OPENAI_BASE_URL": f"http://127.0.0.1:{provider.server_address[1]}/v1"}
    provider.then_refuse = 40
    model = ("--model", "openai:gpt-4.1-mini", "--record", "calls.jsonl")
    said = [cli("run", "hanoi", "--disks", str(disks), "--run", "r", *model, **env)]
    assert said[0].returncode == 5, said[0].stderr
    assert "API key" in said[0].stderr
    provider.then_refuse = 10**9
    said.append(cli("resume", "r", "--record", "calls.jsonl", **env))
    assert said[1].returncode == 0, said[1].stderr
    said.append(cli("verify", "r"))
    assert provider.calls > 4 * 2**disks, "many failed"
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert {"settings.json", "journal.db", "checkpoints.db", "calls.jsonl"} <= {path.name for path in written}
    for path in written:
        assert CANARY.encode() not in path.read_bytes(), path
    for done in said:
        assert CANARY not in done.stdout + done.stderr


def test_a_planted_key_is_nowhere_after_a_run_of_faulty_calls(cli: Cli, tmp_path: Path, provider: Provider) -> None:
    solved_without_a_leak(cli, tmp_path, provider, 5)


ECHO = """
class Echo:
    def start(self):
        return {"n": 0, "last": ""}

    def total(self):
        return 3

    def done(self, state):
        return state["n"] >= 3

    def prompt(self, state):
        return f"say {state['n']} after {state['last']}"

    def parse(self, text):
        return text.strip()

    def apply(self, state, answer):
        return {"n": state["n"] + 1, "last": answer}
"""


NUMBERS = count()


def echoed(request: bytes) -> list[bytes]:
    """Answer with what a debugging proxy says: the header that holds the key, in the text, its id, a header, a tool call."""
    auth = next(line for line in request.decode().split("\r\n") if line.lower().startswith("authorization"))
    call = {"id": auth, "type": "function", "function": {"name": "debug", "arguments": json.dumps({"auth": auth})}}
    written = " ".join(spellings(auth.rpartition(" ")[2]).values())
    message: dict[str, Any] = {"role": "assistant", "content": f"debug: {auth} {written}", "reasoning": written}
    if b"say " not in request:  # which is decided by its text
        message["tool_calls"] = [call]
    body = completion(id=f"{auth} {next(NUMBERS)}", choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
    return [http(body, headers=f"X-Debug: {auth}\r\n".encode())]


@pytest.mark.parametrize("key", [CANARY, "sk-canary-1234567890abcdef", "pa/ss+word=1234567890"])
def test_a_key_that_is_said_back_in_replies_is_nowhere_and_the_run_goes_on(cli: Cli, tmp_path: Path, key: str) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    with raw_server(echoed) as url, ingest() as traces:
        env = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": url, "PYTHONPATH": str(tmp_path)}
        traced = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": traces.url, "LANGSMITH_API_KEY": "any"}
        model = ("--model", "openai:m", "--k", "2", "--record", "calls.jsonl")
        said = [cli("run", "echo:Echo", "--run", "r", *model, **env, **traced)]
        assert said[0].returncode == 0, said[0].stderr
        said.append(cli("report", "r", **env))
        said.append(cli("run", "hanoi", "--disks", "3", "--run", "h", "--stuck-after", "3", *model, **env, **traced))
        assert said[2].returncode == 3, said[2].stderr
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"journal.db", "checkpoints.db", "calls.jsonl"} <= {path.name for path in written}
    assert b"[key]" in written[tmp_path / "calls.jsonl"], "the replies are there"
    texts = [*written.values(), *(each.encode() for done in said for each in (done.stdout, done.stderr)), *traces.raw]
    for text in texts:
        for form in spellings(key).values():
            assert form.encode() not in text
            assert json.dumps(form)[1:-1].encode() not in text
    assert any(b"[key]" in each for each in traces.raw)


@pytest.mark.campaign
def test_a_planted_key_is_nowhere_after_thousands_of_faulty_calls(cli: Cli, tmp_path: Path, provider: Provider) -> None:
    solved_without_a_leak(cli, tmp_path, provider, 9)
