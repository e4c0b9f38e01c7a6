"""Does a run go slower while somebody watches it?

    python tests/benchmarks/watch.py --pairs 6

Each pair is two runs of the same steps, one after the other: one alone, and one with `maker-graph watch` and a browser's stream
on it; which is first changes with each pair. It is done twice: with a model that replies at once, where the run and the watcher
share the machine's processors, and with one that takes 20 ms for a reply, where the run mostly waits as a real one does. What
counts is the rate (steps a second of the time that the run was at work), and the processor time of the run's own process. The
median of the pairs is told, and the least and the greatest: on a machine that others use, single pairs say little.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from maker_graph import Run

COMMAND = [sys.executable, "-m", "maker_graph.cli"]
RESULTS = Path(__file__).with_name("results") / "watch.json"


class Measured(NamedTuple):
    """One run: steps a second, and its process's processor time for a step, in milliseconds."""

    rate: float
    processor: float


class Reader:
    """A browser's stream of the page, read as a browser reads it."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, "watch", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        found = re.search(r"http://\S+", self._process.stdout.readline())
        assert found is not None
        self.events = 0
        self._url = found[0].replace("/?", "/events?")
        threading.Thread(target=self._read, args=(self._url,), daemon=True).start()

    def _read(self, url: str) -> None:
        with urllib.request.urlopen(url) as stream:  # noqa: S310  on 127.0.0.1
            key = None
            for line in stream:
                if line.startswith(b"data: "):
                    self.events += 1
                    runs = json.loads(line[6:])["runs"]
                    if key is None and runs:
                        key = next(iter(runs))
                        threading.Thread(target=self._read_one, args=(f"{url}&run={key}",), daemon=True).start()

    def _read_one(self, url: str) -> None:
        with urllib.request.urlopen(url) as stream:  # noqa: S310  on 127.0.0.1
            for line in stream:
                self.events += line.startswith(b"data: ")

    def close(self) -> float:
        """End the watcher; return the processor time that it took."""
        self._process.terminate()
        _, _, used = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        assert self._process.stdout is not None
        self._process.stdout.close()
        return used.ru_utime + used.ru_stime


def measured(folder: Path, disks: int, latency: float) -> Measured:
    """Solve once, in a process of its own."""
    model = f"sim:perfect,error=.05,flagged=.05,latency={latency}"
    command = [*COMMAND, "run", "hanoi", "--disks", str(disks), "--model", model, "--k", "3", "--run", "./r", "-q"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Run.open(folder / "r") as run:
        seconds = run.verify()["seconds"]
        steps = run.step
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(steps / seconds, 1000 * used / steps)


def watched(folder: Path, disks: int, latency: float) -> tuple[Measured, dict[str, float]]:
    """Solve once, with a watcher and a stream on it."""
    (folder / "runs").mkdir()
    inside = folder / "runs"
    reader = Reader(folder)
    began = time.monotonic()
    found = measured(inside, disks, latency)
    seconds = time.monotonic() - began
    events = reader.events
    assert events > 2, "nobody watched"
    return found, {"events": events, "watcher_processor_share": round(reader.close() / seconds, 4)}


def pairs(number: int, disks: int, latency: float) -> dict[str, Any]:
    """Return what watching costs: the median of the pairs, in percent."""
    rates, processors, sides = list[float](), list[float](), list[dict[str, float]]()
    alone_rates = list[float]()
    for pair in range(number):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            if pair % 2:
                (with_, side), alone = watched(Path(one), disks, latency), measured(Path(two), disks, latency)
            else:
                alone, (with_, side) = measured(Path(two), disks, latency), watched(Path(one), disks, latency)
        rates.append(100 * (1 - with_.rate / alone.rate))
        processors.append(100 * (with_.processor / alone.processor - 1))
        sides.append(side)
        alone_rates.append(alone.rate)
        print(f"pair {pair + 1}: {alone.rate:.1f}/s alone, {with_.rate:.1f}/s watched, {rates[-1]:+.2f} %", flush=True)

    def told(values: list[float]) -> dict[str, float]:
        return {"median": round(statistics.median(values), 2), "least": round(min(values), 2), "most": round(max(values), 2)}

    return {
        "latency": latency,
        "steps": 2**disks - 1,
        "pairs": number,
        "steps_a_second_alone": round(statistics.median(alone_rates), 1),
        "slower_percent": told(rates),
        "more_processor_time_percent": told(processors),
        "watcher_processor_share": round(statistics.median(side["watcher_processor_share"] for side in sides), 4),
        "events": round(statistics.median(side["events"] for side in sides)),
    }


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--disks", type=int, default=10)
    parser.add_argument("--keep", action="store_true", help="write results/watch.json")
    given = parser.parse_args()
    found = [pairs(given.pairs, given.disks, 0.0), pairs(given.pairs, given.disks - 1, 0.02)]
    print(json.dumps(found, indent=2))
    if given.keep:
        RESULTS.write_text(
            json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0], "measured": found}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
