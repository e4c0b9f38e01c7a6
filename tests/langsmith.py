"""A server that plays LangSmith's ingest: it keeps what a real client sends, and can be slow or refuse."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import zstandard


@dataclass
class Ingest:
    """What arrived: runs by id with all their parts merged, feedback, and the raw bytes."""

    url: str = ""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    compressed: int = 0

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

    def read(self, content_type: str, body: bytes) -> None:
        if "zstd" in content_type:
            content_type = content_type.removesuffix("+zstd")
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        self.raw.append(body)
        boundary = content_type.partition("boundary=")[2].strip('"').encode()
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, payload = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="([^"]+)"', head)
            assert name
            kind, run, *rest = name[1].decode().split(".")
            value = json.loads(payload)
            if kind == "feedback":
                self.feedback.append(value)
            elif rest:
                self.runs.setdefault(run, {})[rest[0]] = value
            else:
                self.runs.setdefault(run, {}).update({key: each for key, each in value.items() if each is not None})


@contextmanager
def ingest(*, status: int = 202, delay: float = 0.0, zstd: bool = False) -> Iterator[Ingest]:
    """Serve on a free port of this machine; answer every batch with `status` after `delay` seconds; read them at the end."""
    taken = Ingest()
    bodies: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, code: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            time.sleep(delay)
            limits = {
                "use_multipart_endpoint": True,
                "size_limit": 100,
                "size_limit_bytes": 20_971_520,
                "scale_up_qsize_trigger": 1000,
                "scale_up_nthreads_limit": 16,
                "scale_down_nempty_trigger": 4,
            }
            self.reply(
                200, {"version": "1", "batch_ingest_config": limits, "instance_flags": {"zstd_compression_enabled": zstd}}
            )

        def do_POST(self) -> None:
            body = self.body()
            time.sleep(delay)
            zipped = self.headers.get("Content-Encoding") == "zstd"
            taken.compressed += zipped
            if status < 300:
                bodies.append((self.headers["Content-Type"] + ("+zstd" if zipped else ""), body))
            with suppress(BrokenPipeError):  # a client that did not wait
                self.reply(status, {})

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
    for content_type, body in bodies:  # not while they arrive: this server is not the one that is measured
        taken.read(content_type, body)
