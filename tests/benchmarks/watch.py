"""Does a run go slower while somebody watches it?

    python tests/benchmarks/watch.py --keep

One run is watched and not watched by turns, a window of some seconds each: a browser's stream is opened and closed again, and
the runs are read only while somebody listens. So each watched window has one beside it that is not, and whatever else the
machine does falls on both alike. For each step is kept how long it took, and how much processor time this process, which is the
run's, spent on it. What counts is the median over the steps of all watched windows, against that of all others; the interval is
from resampling the pairs of windows.

It is done twice: with a model that replies at once, where the run and the watcher share the machine's processors and its disk,
and with one that takes 20 ms for a reply.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from maker_graph import Run
from maker_graph.run.directory import Directory
from maker_graph.tasks import Hanoi
from maker_graph.watch.hub import key_of

RESULTS = Path(__file__).with_name("results") / "watch.json"
EDGE = 0.4
"""Seconds at both ends of a window that do not count: a stream is being opened or closed."""


class Step(NamedTuple):
    """When a step was committed, and the processor time of the run until then, in seconds."""

    at: float
    used: float


def listen(url: str, begins: float, window: float) -> None:
    """Open the stream in every second window, and read it as a browser does; it is a process of its own."""
    while True:
        number = int((time.monotonic() - begins) // window)
        if number % 2 == 0 or time.monotonic() < begins:
            time.sleep(0.01)
            continue
        ends = begins + (number + 1) * window
        with urllib.request.urlopen(url, timeout=window + 20) as stream:  # noqa: S310  on 127.0.0.1
            while time.monotonic() < ends - EDGE / 2 and stream.readline():
                pass


def solved(folder: Path, disks: int, latency: float, window: float) -> tuple[list[Step], float, float]:
    """Solve, watched by turns; return the steps, when the first window began, and the share of a processor of the watcher."""
    steps = list[Step]()
    model = f"sim:perfect,error=.05,flagged=.05,latency={latency}"
    watch = subprocess.Popen(
        [sys.executable, "-m", "maker_graph.cli", "watch", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert watch.stdout is not None
    found = re.search(r"http://\S+", watch.stdout.readline())
    assert found is not None
    url = f"{found[0].replace('/?', '/events?')}&run={key_of(Directory(folder / 'runs' / 'r'))}"
    with Run.create(folder / "runs" / "r", Hanoi(disks), model=model, k=3) as run:
        begins = time.monotonic() + 1
        command = [sys.executable, __file__, "--listen", url, str(begins), str(window)]
        listener = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        run.solve(progress=lambda _: steps.append(Step(time.monotonic(), time.process_time())))
    seconds = time.monotonic() - begins
    listener.kill()
    listener.wait()
    watch.terminate()
    _, _, used = os.wait4(watch.pid, 0)
    watch.returncode = 0
    watch.stdout.close()
    return steps, begins, (used.ru_utime + used.ru_stime) / seconds


def windows_of(steps: Sequence[Step], begins: float, window: float) -> dict[int, list[Step]]:
    """Return how long each step took, and its processor time, by the number of its window."""
    found = defaultdict[int, list[Step]](list)
    for before, after in pairwise(steps):
        number, into = divmod(after.at - begins, window)
        if number >= 0 and EDGE < into < window - EDGE:
            found[int(number)].append(Step(after.at - before.at, after.used - before.used))
    return found


def slower(windows: Mapping[int, list[Step]], what: str) -> dict[str, float]:
    """Return by how much a watched step takes longer, in percent, with an interval of 95 %."""
    pairs = [(windows[number], windows[number - 1]) for number in windows if number % 2 and windows.get(number - 1)]

    def ratio(chosen: Sequence[tuple[list[Step], list[Step]]]) -> float:
        watched, alone = (
            statistics.median(float(getattr(step, what)) for pair in chosen for step in pair[side]) for side in (0, 1)
        )
        return 100 * (watched / alone - 1)

    draws = random.Random(1)
    again = sorted(ratio([draws.choice(pairs) for _ in pairs]) for _ in range(400))
    return {"percent": round(ratio(pairs), 2), "low": round(again[9], 2), "high": round(again[389], 2), "pairs": len(pairs)}


def measured(disks: int, latency: float, window: float) -> dict[str, Any]:
    """Return what watching costs one run."""
    with tempfile.TemporaryDirectory() as folder:
        steps, begins, share = solved(Path(folder), disks, latency, window)
    windows = windows_of(steps, begins, window)
    return {
        "latency": latency,
        "steps": len(steps) - 1,
        "steps_a_second": round((len(steps) - 1) / (steps[-1].at - steps[0].at), 1),
        "slower": slower(windows, "at"),
        "more_processor_time": slower(windows, "used"),
        "watchers_share_of_a_processor": round(share, 4),
    }


def main() -> None:
    """Measure, print, and keep the result."""
    if sys.argv[1:2] == ["--listen"]:
        listen(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=15, help="of the run whose model replies at once; the other: 4 fewer")
    parser.add_argument("--window", type=float, default=2.0, help="seconds")
    parser.add_argument("--keep", action="store_true", help="write results/watch.json")
    given = parser.parse_args()
    found = [measured(given.disks, 0.0, given.window), measured(given.disks - 4, 0.02, given.window)]
    told = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "measured": found}
    print(json.dumps(told, indent=2))
    if given.keep:
        RESULTS.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
