"""What do traces cost, and do they stay in bounds? Against a server that plays LangSmith, in a process of its own.

    python tests/benchmarks/tracing.py --steps 5000

Each mode in turn, several times, on the same rows, each time in a process of its own and in CPU time, which a busy machine
disturbs less; then one long run traced in full, with its memory; then the largest trace for k = 3 and k = 10.
"""

import argparse
import asyncio
import csv
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "records")]

from maker_graph.run.solving import Watcher, solve  # noqa: E402  after the path is set
from tests.made import created, new_settings  # noqa: E402  after the path is set


def serve(pipe: Connection) -> None:
    """Play LangSmith until told to stop; send back the address, then the size of each trace."""
    from tests.langsmith import ingest  # noqa: PLC0415  in the child only

    with ingest(zstd=True) as got:
        pipe.send(got.url)
        pipe.recv()
    pipe.send(dict(got.sizes()))


def table(folder: Path, steps: int) -> Path:
    """Write so many records."""
    from make import records  # type: ignore[import-not-found]  # noqa: PLC0415  the script that makes the sample files

    path = folder / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [messy for messy, _ in records(steps)]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(steps: int, trace: Any, *, k: int = 3, model: str = "sim:perfect") -> tuple[float, list[int]]:
    """Return the CPU milliseconds a step, and the resident memory in MB at each tenth of the run."""
    memory: list[int] = []

    def progress(at: Any) -> None:
        if at["step"] and at["step"] % (steps // 10 or 1) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            memory.append(pages * resource.getpagesize() // 2**20)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = new_settings("records", {"input": str(table(folder, steps))}, model, k=k, max_tokens=2048)
        with created(folder / "run", settings) as opened:
            began = time.process_time()
            asyncio.run(solve(opened, trace=trace, watcher=Watcher(progress=progress)))
            return 1000 * (time.process_time() - began) / steps, memory


def alone(mode: str) -> float:
    """Return the CPU milliseconds a step of a short run in this mode, after a shorter one."""
    os.environ["LANGSMITH_TRACING"] = "false" if mode == "no_tracing" else "true"
    trace = None if mode == "no_tracing" else mode
    run(20, trace)
    return run(400, trace)[0]


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    os.environ |= {"LANGSMITH_ENDPOINT": ours.recv(), "LANGSMITH_API_KEY": "lsv2_any"}
    costs: dict[str, list[float]] = {"no_tracing": [], "off": [], "contested": [], "all": []}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as fresh:
        for turn in range(given.rounds):
            modes = list(costs)
            for mode in modes[turn % 4 :] + modes[: turn % 4]:  # none is always first
                costs[mode].append(fresh.submit(alone, mode).result())
    result: dict[str, Any] = {f"{mode}_cpu_ms_per_step": round(statistics.median(each), 2) for mode, each in costs.items()}
    off = [b / a - 1 for a, b in zip(costs["no_tracing"], costs["off"], strict=True)]
    result["off_costs_percent"] = round(100 * statistics.median(off), 2)
    os.environ["LANGSMITH_TRACING"] = "true"
    took, memory = run(given.steps, "all")
    result |= {"long_run_steps": given.steps, "long_run_cpu_ms_per_step": round(took, 2), "memory_mb_at_each_tenth": memory}
    ours.send("stop")
    ours.recv()
    server.join()
    for k in (3, 10):
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
        server.start()
        os.environ["LANGSMITH_ENDPOINT"] = ours.recv()
        run(500, "all", k=k, model="sim:gpt-oss-20b")
        ours.send("stop")
        sizes: Counter[str] = Counter(ours.recv())
        server.join()
        result[f"largest_trace_runs_k_{k}"] = max(sizes.values())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
