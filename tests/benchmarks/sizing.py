"""How many samples one core drives: what a worker's own work on a sample costs, whatever the model takes.

    python tests/benchmarks/sizing.py --out tests/benchmarks/results/sizing.json [--journal postgresql://HOST/DATABASE]

Each row is a process of its own, which runs independent items with two votes each (`sim:perfect`, k = 2, so two samples an
item), 512 samples in flight, through `maker_graph.Run`. A row says how many samples a second there were by the clock, and how
many for each second of its own processor time: the second is what one core drives, and is little disturbed by what else the
machine does.

- `simulated`: the model is simulated in the process: the cost of the vote, the graph and the journal alone.
- `http`: the same model behind the OpenAI client and HTTP, served by another process of this machine, without TLS.

The rows are for replies that take .2, 1 and 5 seconds. `chain` is the Towers of Hanoi, one step after the other.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn

from maker_graph import Run
from maker_graph.models.simulation import Simulator, profile_of
from maker_graph.models.simulation.server import create_app
from maker_graph.tasks import Hanoi
from tests.benchmarks.items import Numbers, Prices

LATENCIES = (0.2, 1.0, 5.0)
IN_FLIGHT = 512
ITEMS = 1500
"""Six times as many samples as are in flight."""


def cpu() -> float:
    """Return the processor time of this process in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def driven(task: Any, model: str, journal: str | None, **how: Any) -> dict[str, Any]:
    """Run a task to its end; return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        where: dict[str, Any] = {} if journal is None else {"journal": journal}
        name = str(Path(folder) / "r") if journal is None else f"sizing-{uuid4().hex[:12]}"
        with Run.create(name, task, model=model, k=2, seed=1, **where) as run:
            began, before = time.monotonic(), cpu()
            asyncio.run(run.drive(**how))
            seconds, used = time.monotonic() - began, cpu() - before
            drawn, steps = run._opened.journal.account().spent.samples, run.step
    return {
        "samples": drawn,
        "steps": steps,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used, 2),
        "samples_per_second": round(drawn / seconds, 1),
        "samples_per_cpu_second": round(drawn / used, 1),
        "cpu_ms_a_sample": round(1000 * used / drawn, 3),
    }


def of_items(model: str, journal: str | None) -> dict[str, Any]:
    """Return the figures of items that this model answers."""
    return driven(Prices(Numbers(ITEMS), sure=False), model, journal, concurrency=IN_FLIGHT, probe=False)


def _serve(latency: float, port: int) -> None:
    app = create_app(Simulator(profile_of(f"perfect,latency={latency}"), rehearsals=[Prices.rehearsal]))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


@contextmanager
def served(latency: float) -> Iterator[None]:
    """Serve the model from another process, and point the OpenAI client to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(latency, port))
    process.start()
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/v1/models")
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    os.environ |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "none"}
    try:
        yield
    finally:
        process.terminate()
        process.join()


def row(name: str, latency: float, journal: str | None) -> dict[str, Any]:
    """Return the figures of a row."""
    if name == "http":
        with served(latency):
            return of_items("openai:gpt-4.1-mini", journal)
    if name == "chain":
        return driven(Hanoi(9), "sim:perfect", journal)
    return of_items(f"sim:perfect,latency={latency}", journal)


def _tell(name: str, latency: float, journal: str | None, out: Any) -> None:
    out.send(row(name, latency, journal))


def main() -> None:
    """Do each row in a process of its own, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", help="measure with a journal in Postgres as well")
    parser.add_argument("--only", help="rows whose name begins so")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = [(name, latency) for name in ("simulated", "http") for latency in LATENCIES] + [("chain", 0.0)]
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2), "rows": {}}
    for journal in (None, args.journal)[: 1 + (args.journal is not None)]:
        for name, latency in rows:
            title = f"{name}, {f'{latency:g} s, ' if latency else ''}{'SQLite' if journal is None else 'Postgres'}"
            if args.only and not title.startswith(args.only):
                continue
            there, here = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(target=_tell, args=(name, latency, journal, here))
            process.start()
            here.close()
            found["rows"][title] = there.recv()
            process.join()
            print(title, json.dumps(found["rows"][title]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
