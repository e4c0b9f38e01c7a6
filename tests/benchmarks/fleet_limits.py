"""The limits of a fleet under kills: one rate and one purse for four workers, of which one is killed every few seconds.

    python tests/benchmarks/fleet_limits.py --out tests/benchmarks/results/fleet_limits.json

Workers are processes, and Postgres is one of its own that waits for the disk. A call of the first part takes 100 ms and is
written to a file when it is made, so that the worst second and the worst minute are those of all workers together, those that
were killed included. `used` is how much of the rate was used from the first call to the last, kills and starts included.

In the second part the calls are those that the workers of `tests/journal/postgres/purses.py` make, until the purse is empty and
each run is paused or done. `left` is what was not taken from the purse, and `unknown` are calls that the purse counts and that
were not made: killed workers may have made them.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maker_graph.fleet.gate import FleetGate
from tests.fleet.rates import fleet_with, most_within
from tests.journal.postgres.purses import Fleet
from tests.postgres import server

WORKERS, RPM, AT_ONCE, LATENCY = 4, 12_000, 60, 0.1


async def asks(address: str, file: str) -> None:
    """Make calls for ever, and write to `file` when each was made."""
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with closing(FleetGate(address, "f")) as gate:

        async def one() -> None:
            while True:
                leave = await gate.aenter()
                os.write(out, f"{time.time():.6f}\n".encode())
                await asyncio.sleep(LATENCY)
                gate.answered(leave)

        await asyncio.gather(*(one() for _ in range(AT_ONCE)))


def killed(start: Callable[[int], subprocess.Popen[bytes]], seconds: float, every: float, rng: random.Random) -> int:
    """Run workers for so many seconds, or until all have ended; kill one now and then and start another; return the kills."""
    workers = [start(number) for number in range(WORKERS)]
    begun, kills = time.monotonic(), 0
    while (left := begun + seconds - time.monotonic()) > 0 and any(worker.poll() is None for worker in workers):
        time.sleep(min(left, every * rng.uniform(0.5, 1.5)))
        number = rng.randrange(WORKERS)
        if workers[number].poll() is None and left > every:
            workers[number].kill()
            workers[number].wait()
            kills += 1
            workers[number] = start(WORKERS + kills)
    for worker in workers:
        worker.kill() if seconds < 1e6 else worker.wait()
        worker.wait()
    return kills


def rate(address: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Measure how the workers keep to their rate."""
    fleet_with(address, RPM)
    file = folder / "calls"
    command = [sys.executable, __file__, "--asks", address, str(file)]
    kills = killed(lambda _: subprocess.Popen(command), seconds, 10, random.Random(1))
    times = sorted(float(line) for line in file.read_text().split())
    found = {f"most_in_{within}_s": [most_within(times, within), RPM * within / 60] for within in (0.1, 1, 10, 60)}
    span = times[-1] - times[0]
    return {
        "rpm": RPM,
        "workers": WORKERS,
        "kills": kills,
        "seconds": round(span, 1),
        "calls": len(times),
        "used": round(len(times) / (span * RPM / 60), 4),
        **found,
    }


def purse(address: str, folder: Path, max_calls: int, runs: int) -> dict[str, Any]:
    """Measure what is left of a purse that is too small."""
    fleet, file = Fleet(address), folder / "purse"
    fleet.make(runs, max_calls=max_calls)

    def start(seed: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "tests.journal.postgres.purses", address, str(file), str(seed)])

    kills = killed(start, 1e6, 2, random.Random(1))
    stands, made = fleet.stands(), file.stat().st_size
    return {
        "max_calls": max_calls,
        "runs": runs,
        "workers": WORKERS,
        "kills": kills,
        "made": made,
        "counted": stands.calls,
        "left": max_calls - stands.calls,
        "unknown": stands.calls - made,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--asks", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.asks:
        asyncio.run(asks(*args.asks))
        return
    result: dict[str, Any] = {}
    with server(fsync="on", full_page_writes="on", synchronous_commit="on") as postgres, TemporaryDirectory() as folder:
        with postgres.database() as address:
            result["rate"] = rate(address, Path(folder), args.seconds)
            print(json.dumps(result["rate"]))
        with postgres.database() as address:
            result["purse"] = purse(address, Path(folder), 5_000, 100)
            print(json.dumps(result["purse"]))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
