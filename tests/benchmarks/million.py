"""The full length: 20 disks, 1,048,575 dependent steps, through the command line, killed twice on the way and resumed.

    python tests/benchmarks/million.py --out tests/benchmarks/results/million.json

The model is simulated: it shows that the machinery holds at full length, and is no evidence about any real model. The seed and
the predicted chance of success are written to the file before the run starts, and every attempt is appended to it, failed
ones too. Then memory, disk and rate are sampled until the end, and `maker-graph verify` has the last word.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from maker_graph.models.simulation import profile_of
from maker_graph.models.simulation.profiles import Profile
from maker_graph.statistics import correlated
from maker_graph.statistics.independent import k_min, p_full

TARGET = 0.99
SECONDS = 5.0
"""Between two samples of memory, disk and progress."""


def predicted(profile: Profile, k: int, steps: int) -> dict[str, float]:
    """Return the chance that no step is wrong, of three models of errors.

    `independent` is the paper's; `correlated` has an error rate of its own for each step, and one rival, the worst case;
    `rivals` lets wrong answers scatter as the profile does, and is a lower bound.
    """
    p, rho = 1 - profile.error, profile.rho
    return {
        "independent": round(p_full(p, k, steps), 6),
        "correlated": round(correlated.p_full(p, k, steps, rho=rho), 4),
        "rivals": round(correlated.p_full(p, k, steps, rho=rho, rival=profile.favourite), 4),
    }


def memory(process: int) -> float:
    """Return the resident memory in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def files(process: int) -> int:
    """Return the number of open files."""
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


def steps_of(run: Path) -> int:
    """Return how many steps the journal has."""
    with closing(sqlite3.connect(f"file:{run / 'journal.db'}?mode=ro", uri=True)) as journal:
        return int(journal.execute("SELECT coalesce(max(step), 0) FROM steps").fetchone()[0])


def disk(run: Path) -> float:
    """Return the size of the run in MB."""
    return round(sum(file.stat().st_size for file in run.iterdir()) / 1e6, 1)


def watch(command: list[str], run: Path, kill_at: float, samples: list[dict[str, Any]], file: Path) -> int | None:
    """Run `command` to its end, or kill it with SIGKILL at so many steps; return the exit code, None if killed."""
    before = steps_of(run) if run.exists() else 0
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while before and process.poll() is None and steps_of(run) == before:
        time.sleep(0.02)
    going_on = round(time.monotonic() - began, 2)
    while process.poll() is None:
        time.sleep(SECONDS)
        with suppress(OSError, sqlite3.Error):
            sample = {
                "seconds": round(time.monotonic() - began, 1),
                "going_on_after": going_on,
                "steps": steps_of(run),
                "memory_mb": memory(process.pid),
                "files": files(process.pid),
                "disk_mb": disk(run),
            }
            if not sample["memory_mb"]:  # it has just ended
                break
            samples.append(sample)
            file.write_text(json.dumps(samples))
            if sample["steps"] >= kill_at:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return None
    if process.wait():
        print(process.stderr.read() if process.stderr else "", file=sys.stderr)
    return process.wait()


def going_on(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each resume at which step it was, and after how many seconds the next step was committed."""
    firsts = [after for before, after in pairwise(samples) if after["seconds"] < before["seconds"]]
    return [{"step": each["steps"], "seconds": each.get("going_on_after")} for each in firsts]


def deciles(samples: list[dict[str, Any]], total: int) -> list[dict[str, Any]]:
    """Return the rate, memory and disk of each tenth of the steps.

    Pauses between two sessions do not count, nor does the replay of the journal after the last step.
    """
    found = []
    for tenth in range(10):
        low, high = total * tenth / 10, total * (tenth + 1) / 10
        steps = seconds = 0.0
        for before, after in pairwise(samples):
            if low <= before["steps"] < total and after["steps"] <= high + 0.5 and after["seconds"] > before["seconds"]:
                steps += after["steps"] - before["steps"]
                seconds += after["seconds"] - before["seconds"]
        inside = [sample for sample in samples if low < sample["steps"] <= high + 0.5]
        if inside and seconds:
            last = inside[-1]
            found.append(
                {
                    "steps": last["steps"],
                    "steps_per_second": round(steps / seconds, 1),
                    "memory_mb": last["memory_mb"],
                    "files": last["files"],
                    "disk_mb": last["disk_mb"],
                }
            )
    return found


def main() -> None:
    """Run, watch, verify, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=20)
    parser.add_argument("--model", default="sim:gpt-4.1-mini-run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-at", type=float, nargs="*", default=[0.3, 0.7], help="shares of the steps")
    parser.add_argument("--directory", type=Path, default=Path("runs/million"))
    parser.add_argument("--out", type=Path, help="the file to which attempts are appended")
    parser.add_argument("--go-on", action="store_true", help="with the last attempt, which was itself interrupted")
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    given = parser.parse_args()
    total = 2**given.disks - 1
    profile = profile_of(given.model.removeprefix("sim:"))
    k = k_min(1 - profile.error, total, TARGET)
    program = str(Path(sys.executable).with_name("maker-graph"))
    options = ["--disks", str(given.disks), "--lookahead", "auto", "--no-check", "--model", given.model]
    run = given.directory
    attempt: dict[str, Any] = {
        "command": " ".join(["maker-graph", "run", "hanoi", *options, "--seed", str(given.seed)]),
        "seed": given.seed,
        "k": k,
        "predicted_chance": predicted(profile, k, total),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "outcome": "under way, or never ended",
    }
    attempts = json.loads(given.out.read_text()) if given.out and given.out.exists() else []
    file = run.with_name(run.name + ".samples.json")
    samples: list[dict[str, Any]] = []
    common = ["--quiet", "--json"]
    resume = [program, "resume", str(run), *common]
    command = [program, "run", "hanoi", *options, "--seed", str(given.seed), "--run", str(run), *common]
    if given.go_on:
        attempt, samples, command = attempts.pop(), json.loads(file.read_text()), resume

    def publish() -> None:
        if given.out:
            given.out.write_text(json.dumps([*attempts, attempt], indent=1) + "\n")

    publish()
    if shutil.disk_usage(Path.cwd()).free < 1e9:
        sys.exit("Less than 1 GB is free.")
    done = samples[-1]["steps"] if samples else 0
    for share in [*(share for share in given.kill_at if share * total > done), 2.0]:
        code = watch(command, run, share * total, samples, file)
        command = resume
        if code is not None:
            break
    verified = subprocess.run([program, "verify", str(run), "--json"], capture_output=True, text=True, check=False)
    tenths = deciles(samples, total)
    summary = json.loads(verified.stdout) if verified.stdout else {}
    attempt |= {
        "outcome": "no error: proved" if verified.returncode == 0 else "failed",
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "killed_at": given.kill_at,
        "seconds_from_resume_to_next_commit": going_on(samples),
        "minutes_at_work": round(summary.get("seconds", 0.0) / 60, 1),
        "disk_mb": disk(run),
        "memory_mb_at_10_percent": tenths[0]["memory_mb"] if tenths else None,
        "memory_mb_at_the_end": tenths[-1]["memory_mb"] if tenths else None,
        "rate_last_to_first": round(tenths[-1]["steps_per_second"] / tenths[0]["steps_per_second"], 3) if tenths else None,
        "deciles": tenths,
        "verify": summary,
    }
    publish()
    print(json.dumps(attempt))


if __name__ == "__main__":
    main()
