"""A server that plays LangSmith's ingest: it keeps what a real client sends, and can be slow or refuse."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import zstandard


@dataclass
class Ingest:
    """What arrived: runs by id with all their parts merged, feedback, and the raw bytes."""

    url: str = ""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    compressed: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    experiments: list[dict[str, Any]] = field(default_factory=list)

    def datasets(self, method: str, path: str, content_type: str, body: bytes) -> Any:
        """Answer what an evaluation asks of the rest of the API: one dataset, its examples, and experiments on it."""
        now = "2026-01-01T00:00:00+00:00"
        dataset = {"id": str(UUID(int=1)), "name": "d", "created_at": now, "modified_at": now, "data_type": "kv"}
        if path.endswith("/examples") and method == "POST":
            merged: dict[str, dict[str, Any]] = {}
            for name, value in parts(content_type, body):
                identity, _, kind = name.partition(".")
                merged.setdefault(identity, {"id": identity}).update({kind: value} if kind else {})
            self.examples += [{"dataset_id": dataset["id"], "created_at": now, **each} for each in merged.values()]
            return {"count": len(merged), "example_ids": list(merged)}
        if path == "/examples":
            return self.examples
        if path == "/datasets":
            return dataset if method == "POST" else [dataset] if self.examples else []
        if path == "/sessions" and method == "POST":
            self.experiments.append(json.loads(body))
        if path.startswith("/sessions") and self.experiments:
            session = {"tenant_id": str(UUID(int=2)), "start_time": now, **self.experiments[-1]}
            return session if method != "GET" or path != "/sessions" else [session]
        return [] if method == "GET" else {}

    def named(self, name: str) -> list[dict[str, Any]]:
        return [run for run in self.runs.values() if run["name"] == name]

    def roots(self) -> list[dict[str, Any]]:
        return sorted(
            (run for run in self.runs.values() if run["id"] == run["trace_id"]), key=lambda run: str(run["dotted_order"])
        )

    def children(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        return sorted(
            (each for each in self.runs.values() if each.get("parent_run_id") == run["id"]),
            key=lambda each: str(each["dotted_order"]),
        )

    def sizes(self) -> Counter[str]:
        return Counter(run["trace_id"] for run in self.runs.values())

    def read(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Take what was sent: first how runs began, for two requests may arrive in either order."""
        found: list[tuple[str, Any]] = []
        for content_type, sent in bodies:
            zipped = "zstd" in content_type
            body = zstandard.ZstdDecompressor().decompressobj().decompress(sent) if zipped else sent
            self.raw.append(body)
            found += parts(content_type.removesuffix("+zstd"), body)
        for name, value in sorted(found, key=lambda each: each[0].startswith("patch")):
            kind, run, *rest = name.split(".")
            if kind == "feedback":
                self.feedback.append(value)
            elif rest:
                self.runs.setdefault(run, {})[rest[0]] = value
            else:
                self.runs.setdefault(run, {}).update({key: each for key, each in value.items() if each is not None})


def parts(content_type: str, body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield name and JSON of each part of a multipart body."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, payload = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        assert name
        yield name[1].decode(), json.loads(payload)


@contextmanager
def ingest(*, status: int = 202, delay: float = 0.0, zstd: bool = False) -> Iterator[Ingest]:
    """Serve on a free port of this machine; answer every batch with `status` after `delay` seconds; read them at the end."""
    taken = Ingest()
    bodies: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, code: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            time.sleep(delay)
            if self.path != "/info":
                self.reply(200, taken.datasets("GET", self.path.partition("?")[0], "", b""))
                return
            limits = {
                "use_multipart_endpoint": True,
                "size_limit": 100,
                "size_limit_bytes": 20_971_520,
                "scale_up_qsize_trigger": 1000,
                "scale_up_nthreads_limit": 16,
                "scale_down_nempty_trigger": 4,
            }
            self.reply(
                200,
                {
                    "version": "1",
                    "batch_ingest_config": limits,
                    "instance_flags": {"zstd_compression_enabled": zstd, "dataset_examples_multipart_enabled": True},
                },
            )

        def do_POST(self) -> None:
            body = self.body()
            time.sleep(delay)
            if self.path != "/runs/multipart" and status < 300:
                self.reply(200, taken.datasets(self.command, self.path.partition("?")[0], self.headers["Content-Type"], body))
                return
            zipped = self.headers.get("Content-Encoding") == "zstd"
            taken.compressed += zipped
            if status < 300:
                bodies.append((self.headers["Content-Type"] + ("+zstd" if zipped else ""), body))
            with suppress(BrokenPipeError):  # a client that did not wait
                self.reply(status, {})

        do_PATCH = do_POST  # noqa: N815  the handler's own spelling

        def body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers["Content-Length"]))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as http:
        taken.url = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield taken
        http.shutdown()
    taken.read(bodies)  # not while they arrive: this server is not the one that is measured
