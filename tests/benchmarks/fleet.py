"""A fleet under fire: workers are killed and stopped, and so is Postgres; how soon others take over; what more workers give.

    python -m tests.benchmarks.fleet campaign --engine dbos --events 200
    python -m tests.benchmarks.fleet takeover --engine dbos --events 30
    python -m tests.benchmarks.fleet speed --engine dbos
    python -m tests.benchmarks.fleet million --engine dbos

Each starts a Postgres of its own, which waits for the disk, and worker processes that run the code of `maker-graph work`. The
model is simulated. Each worker appends to a file, before its model answers, that a call is made, and after each commit what was
committed: what a worker had done before it died is on record, whatever the database says. The figures go to
tests/benchmarks/results/fleet.json.

A fleet that nobody harmed is what every other one of the same settings must be equal to, with every vote.
"""

import argparse
import asyncio
import csv
import hashlib
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from maker_graph.core.machine import Committed
from maker_graph.core.voting import Voting
from maker_graph.fleet.driving import Driving, Told
from maker_graph.fleet.submitting import shards_of, submit
from maker_graph.fleet.working import work
from maker_graph.journal.entry import decode, encode
from maker_graph.journal.postgres.fleets import Limits
from maker_graph.models.simulation import simulator
from maker_graph.run.options import RunOptions
from maker_graph.run.settings import new_settings
from maker_graph.tasks.loading import load_task
from tests.benchmarks.million import memory
from tests.postgres import Postgres, server

RESULTS = Path(__file__).parent / "results" / "fleet.json"

DURABLE = {"fsync": "on", "full_page_writes": "on", "max_connections": "200"}
"""A Postgres as people run it."""

ROOT = Path(__file__).parents[2]


# ------------------------------------------------------------------------------------------------------------- a worker process


def be_worker(asked: argparse.Namespace) -> None:
    """Work on a fleet as `maker-graph work` does, and tell of calls and commits."""
    how = Driving(asked.address, asked.fleet, lease=asked.lease, concurrency=asked.concurrency)
    told = Told(decided=telling(asked.told), warn=lambda text: print(os.getpid(), text, flush=True))
    if asked.engine == "ray":
        from maker_graph.fleet.engines.ray import RayEngine  # noqa: PLC0415  an extra
        from tests.benchmarks.fleet_actor import ToldActor  # noqa: PLC0415  an extra

        os.environ["TOLD"] = asked.told
        RayEngine.actor = ToldActor
    asyncio.run(work(how, engine=asked.engine, at_once=asked.at_once, told=told))


def telling(path: str) -> Callable[[str, Committed], None]:
    """Tell in a file of each call of this process before its model answers; return what tells of committed steps."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    reply = simulator.Simulator.reply

    def tell(text: str) -> None:
        os.write(file, f"{os.getpid()} {text}\n".encode())  # one system call a line, so that a kill cuts none

    def counted(self: simulator.Simulator, prompt: Any, **how: Any) -> Any:
        key = hashlib.sha256(f"{how['seed']}{prompt}".encode()).hexdigest()[:16]
        tell(f"call {key}")
        return reply(self, prompt, **how)

    def decided(run: str, step: Committed) -> None:
        tell(f"step {run} {step.after['step']} {digest_of(encode(step.decision))}")

    simulator.Simulator.reply = counted  # type: ignore[method-assign]
    return decided


def digest_of(entry: str) -> str:
    """Return what stands for an entry of a journal."""
    return hashlib.sha256(entry.encode()).hexdigest()[:16]


# -------------------------------------------------------------------------------------------------------------- the controller


class Setting(NamedTuple):
    """How a fleet is set up, and worked on.

    Attributes:
        records: of all runs.
        shards: runs.
        latency: seconds of a call.
        engine: of the workers.
        lease: of a worker, in seconds.
        at_once: runs that a worker drives.
        concurrency: calls in flight of each run.
    """

    records: int
    shards: int
    latency: float
    engine: str = "dbos"
    lease: float = 3.0
    at_once: int = 2
    concurrency: int = 12


class Workers:
    """Worker processes on one fleet."""

    def __init__(self, address: str, fleet: str, how: Setting, folder: Path) -> None:
        """Stand for workers; none is started."""
        self.told, self.log = folder / f"{fleet}.told", folder / f"{fleet}.log"
        self._command = [sys.executable, "-m", "tests.benchmarks.fleet", "worker", address, fleet, "--told", str(self.told)]
        self._command += ["--lease", str(how.lease), "--at-once", str(how.at_once), "--concurrency", str(how.concurrency)]
        self._command += ["--engine", how.engine]
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more."""
        with self.log.open("ab") as log:
            self.all.append(subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True))
        return self.all[-1]

    @property
    def living(self) -> list[subprocess.Popen[bytes]]:
        """Those that have not ended."""
        return [each for each in self.all if each.poll() is None]

    def end(self) -> None:
        """Kill them all."""
        for each in self.living:
            kill_whole(each)

    def told_calls(self) -> Counter[str]:
        """Return how often each call was made."""
        return Counter(words[2] for words in self._lines() if words[1] == "call")

    def told_steps(self) -> list[tuple[str, int, str]]:
        """Return what workers said they had committed: run, step, digest."""
        return [(words[2], int(words[3]), words[4]) for words in self._lines() if words[1] == "step"]

    def _lines(self) -> Iterator[list[str]]:
        with suppress(FileNotFoundError), self.told.open(encoding="ascii") as lines:
            yield from map(str.split, lines)


def kill_whole(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def fleet_of(how: Setting, folder: Path, address: str, name: str, k: int = 3) -> Iterator[Workers]:
    """Submit a fleet and yield its workers, of which none is started."""
    table = folder / f"{how.records}.csv"
    if not table.exists():
        write(table, how.records)
    loaded = load_task("records", {"input": str(table)})
    model = f"sim:perfect,error=0.02,rho=0,flagged=0.02,favourite=0.7,latency={how.latency}"
    settings = new_settings(loaded, model, Voting(k, seed=1))
    submit(address, name, [*shards_of(settings, RunOptions(), loaded, how.shards, {})], Limits(), whole=settings)
    workers = Workers(address, name, how, folder)
    try:
        yield workers
    finally:
        workers.end()


@contextmanager
def alone(how: Setting, k: int = 3) -> Iterator[tuple[str, Workers]]:
    """Yield the address of a database, and workers of the one fleet in it, of which none is started."""
    with (
        tempfile.TemporaryDirectory() as name,
        server(**DURABLE) as postgres,
        postgres.database() as address,
        fleet_of(how, Path(name), address, "f", k) as workers,
    ):
        yield address, workers


def write(path: Path, rows: int) -> None:
    """Write a table of records."""
    sys.path.insert(0, str(ROOT / "examples" / "records"))
    from make import records  # type: ignore[import-not-found]  # noqa: PLC0415  an example

    found = [messy for messy, _ in records(rows)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


def states(address: str) -> dict[str, tuple[int, int]]:
    """Return the runs by state, with their steps; nothing while the database is away."""
    with suppress(psycopg.OperationalError), psycopg.connect(address, connect_timeout=2) as db:
        rows = db.execute("SELECT state, count(*), sum(step)::bigint FROM maker_graph.runs GROUP BY state").fetchall()
        return {state: (runs, steps) for state, runs, steps in rows}
    return {}


def finished(address: str) -> bool:
    """Say whether all runs are done."""
    return set(states(address)) == {"done"}


def entries_of(address: str) -> dict[tuple[int, int], str]:
    """Return what the journals hold: (place of the run, step) -> digest of the entry."""
    with psycopg.connect(address) as db:
        rows = db.execute(
            "SELECT r.place, s.step, s.entry FROM maker_graph.steps s JOIN maker_graph.runs r ON r.number = s.run"
        )
        return {(place, step): digest_of(entry) for place, step, entry in rows}


def samples_of(address: str) -> int:
    """Return how many samples the decided steps have."""
    with psycopg.connect(address) as db:
        rows = db.execute("SELECT entry FROM maker_graph.steps").fetchall()
    found = [decode(entry) for (entry,) in rows]
    return sum(vote["samples"] for decision in found for vote in (*decision["tried"], decision))


def place_of(run: str) -> int:
    """Return the place of a run in its fleet."""
    return int(run.rpartition("-")[2])


def wait_until_finished(address: str, workers: Workers, seconds: float) -> None:
    """Return when all runs are done."""
    deadline = time.monotonic() + seconds
    while not finished(address):
        assert time.monotonic() < deadline, f"not finished: {states(address)}; see {workers.log}"
        time.sleep(0.2)


def campaign(asked: argparse.Namespace) -> dict[str, Any]:
    """Harm a fleet so many times, let it finish, and hold it against one that nobody harmed."""
    how = Setting(asked.records, asked.shards, asked.latency, asked.engine)
    with tempfile.TemporaryDirectory() as name, server(**DURABLE) as postgres:
        folder = Path(name)
        with postgres.database() as address, fleet_of(how._replace(latency=0), folder, address, "calm") as workers:
            workers.start()
            wait_until_finished(address, workers, 600)
            expected = entries_of(address)
        with postgres.database() as address, fleet_of(how, folder, address, "harmed") as workers:
            began = time.monotonic()
            events = harm(postgres, address, workers, asked)
            wait_until_finished(address, workers, 1200)
            seconds = time.monotonic() - began
            found, told, calls = entries_of(address), workers.told_steps(), workers.told_calls()
            commits = Counter((run, step) for run, step, _ in told)
            made, samples = sum(calls.values()), samples_of(address)
            return {
                **how._asdict(),
                "workers": asked.workers,
                "events": dict(events),
                "seconds": round(seconds, 1),
                "steps": len(found),
                "lost": sum(found.get((place_of(run), step)) != digest for run, step, digest in told),
                "doubled": sum(times - 1 for times in commits.values()),
                "unlike_an_unharmed_fleet": sum(found.get(key) != entry for key, entry in expected.items()),
                "calls": made,
                "samples_of_steps": samples,
                "repaid_an_event": round((made - samples) / max(1, sum(events.values())), 1),
                "in_flight_of_a_worker": how.at_once * how.concurrency,
            }


def harm(postgres: Postgres, address: str, workers: Workers, asked: argparse.Namespace) -> Counter[str]:
    """Kill and stop who owns runs, and the database, and start workers again, until so many events have happened.

    With Ray, the owners are actors, and one process hands out runs, which is killed as well.
    """
    chance, events = random.Random(asked.seed), Counter[str]()
    stopped: list[tuple[float, int]] = []
    due = time.monotonic() + 5
    while not finished(address) and sum(events.values()) < asked.events:
        now = time.monotonic()
        wake(stopped, now)
        for _ in range(asked.workers - len(workers.living)):
            workers.start()
        owners = [pid for pid in owners_of(address) if pid not in [each for _, each in stopped]]
        if now < due or not owners:
            time.sleep(0.1)
            continue
        due = now + chance.expovariate(1 / asked.every)
        event = chance.choices(("kill", "stop", "postgres", "driver"), (0.65, 0.25, 0.1, 0.05 * (asked.engine == "ray")))[0]
        events[event] += 1
        with suppress(ProcessLookupError):
            if event == "postgres":
                postgres.kill()
                time.sleep(chance.uniform(0, 2))
                postgres.start()
            elif event == "driver":
                kill_whole(workers.living[0])
            elif event == "kill":
                os.kill(chance.choice(owners), signal.SIGKILL)
            else:
                stopped.append((now + chance.uniform(1, 9), chance.choice(owners)))
                os.kill(stopped[-1][1], signal.SIGSTOP)
    wake(stopped, math.inf)
    for _ in range(asked.workers - len(workers.living)):
        workers.start()
    return events


def wake(stopped: list[tuple[float, int]], now: float) -> None:
    """Wake the processes whose time has come."""
    for each in [each for each in stopped if each[0] <= now]:
        stopped.remove(each)
        with suppress(ProcessLookupError):
            os.kill(each[1], signal.SIGCONT)


def owners_of(address: str) -> list[int]:
    """Return the processes that own runs and were heard within their lease; none while the database is away."""
    with suppress(psycopg.OperationalError), psycopg.connect(address, connect_timeout=2) as db:
        rows = db.execute(
            "SELECT DISTINCT owner FROM maker_graph.runs "
            "WHERE state = 'at work' AND beat > clock_timestamp() - make_interval(secs => lease)"
        ).fetchall()
        return sorted(int(owner.rpartition("-")[2]) for (owner,) in rows)
    return []


# ----------------------------------------------------------------------------------------------------------- takeover and speed


def takeover(asked: argparse.Namespace) -> dict[str, Any]:
    """Kill one of three workers again and again; return after how many seconds another one has each of its runs.

    There are fewer runs than the workers can drive, so that a run that is free need not wait until another one has ended.
    """
    how = Setting(asked.records, asked.shards, asked.latency, asked.engine)
    waited: list[float] = []
    with ExitStack() as stack:
        address, workers = stack.enter_context(alone(how))
        db = stack.enter_context(psycopg.connect(address, autocommit=True))
        while len(waited) < asked.events and not finished(address):
            for _ in range((1 if asked.engine == "ray" else 3) - len(workers.living)):
                workers.start()
            owned = runs_by_owner(db)
            if not owned:
                time.sleep(0.2)
                continue
            victim, held = random.choice(list(owned.items()))
            os.kill(victim, signal.SIGKILL)
            began = time.monotonic()
            while held and time.monotonic() < began + 30:
                time.sleep(0.02)
                epochs = epochs_of(db, list(held))
                for run in [run for run, epoch in held.items() if epochs[run] != epoch]:
                    del held[run]
                    waited.append(round(time.monotonic() - began, 2))
            assert not held, f"nobody took {held}"
            time.sleep(asked.every)
    times = sorted(waited)
    return {
        "engine": how.engine,
        "lease": how.lease,
        "takeovers": len(times),
        "median": statistics.median(times),
        "most": times[-1],
    }


def epochs_of(db: psycopg.Connection[Any], runs: list[str]) -> dict[str, int]:
    """Return how many owners each of these runs has had."""
    rows = db.execute("SELECT name, epoch FROM maker_graph.runs WHERE name = ANY(%s)", (runs,)).fetchall()
    return dict(rows)


def runs_by_owner(db: psycopg.Connection[Any]) -> dict[int, dict[str, int]]:
    """Return the runs that are at work: process id -> run -> epoch."""
    found: dict[int, dict[str, int]] = {}
    for name, owner, epoch in db.execute("SELECT name, owner, epoch FROM maker_graph.runs WHERE state = 'at work'"):
        with suppress(ValueError):
            found.setdefault(int(owner.rpartition("-")[2]), {})[name] = epoch
    return found


def speed(asked: argparse.Namespace) -> dict[str, Any]:
    """Work on the same fleet with more and more workers; return how much faster it goes, from the first commit to the last."""
    seconds: dict[int, float] = {}
    for number in asked.workers:
        how = Setting(
            asked.records, asked.shards, 0.2, asked.engine, lease=15, at_once=asked.at_once, concurrency=asked.concurrency
        )
        with alone(how) as (address, workers):
            for _ in range(number):
                workers.start()
            while sum(steps for _, steps in states(address).values()) == 0:
                time.sleep(0.02)
            began = time.monotonic()
            wait_until_finished(address, workers, 900)
            seconds[number] = time.monotonic() - began
    first = seconds[min(seconds)]
    return {
        "engine": asked.engine,
        "latency": 0.2,
        "records": asked.records,
        "shards": asked.shards,
        "seconds": {str(number): round(each, 1) for number, each in seconds.items()},
        "times": {str(number): round(first / each, 2) for number, each in seconds.items()},
        "load": os.getloadavg()[0],
    }


def million(asked: argparse.Namespace) -> dict[str, Any]:
    """Work on very many items with four workers, of which some are killed; look at their memory."""
    how = Setting(asked.records, asked.shards, 0.0, asked.engine, 15, 2, 64)
    chance, memories, kills = random.Random(1), list[tuple[float, float]](), 0
    with alone(how, k=1) as (address, workers):
        began = time.monotonic()
        while not finished(address):
            for _ in range(4 - len(workers.living)):
                workers.start()
            time.sleep(5)
            now = time.monotonic() - began
            memories += [(now, memory(each.pid)) for each in workers.living]
            steps = sum(found for _, found in states(address).values())
            if kills < asked.kills and steps > (kills + 1) * asked.records / (asked.kills + 1):
                os.kill(chance.choice(owners_of(address) or [workers.living[0].pid]), signal.SIGKILL)
                kills += 1
            print(f"{now:,.0f} s: {steps:,} items, {max(each for _, each in memories[-4:]):.0f} MB", flush=True)
        seconds = time.monotonic() - began
        with psycopg.connect(address) as db:
            rows = db.execute("SELECT count(*), sum(length(entry)) FROM maker_graph.steps").fetchone() or (0, 0)
        told = workers.told_steps()
        commits = Counter((run, step) for run, step, _ in told)
        found = entries_of(address)
    middle = seconds / 2
    return {
        "engine": how.engine,
        "records": how.records,
        "shards": how.shards,
        "workers": 4,
        "kills": kills,
        "seconds": round(seconds, 1),
        "items": rows[0],
        "lost": sum(found.get((place_of(run), step)) != digest for run, step, digest in told),
        "doubled": sum(times - 1 for times in commits.values()),
        "memory_mb_first_half": round(max(each for at, each in memories if at <= middle), 1),
        "memory_mb_second_half": round(max(each for at, each in memories if at > middle), 1),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    worker = parts.add_parser("worker")
    worker.add_argument("address")
    worker.add_argument("fleet")
    worker.add_argument("--told", required=True)
    worker.add_argument("--lease", type=float, default=3.0)
    worker.add_argument("--at-once", type=int, default=2)
    worker.add_argument("--concurrency", type=int, default=12)
    worker.add_argument("--engine", default="dbos")
    for name, records, shards, events in (("campaign", 6_000, 30, 200), ("takeover", 40_000, 4, 30)):
        part = parts.add_parser(name)
        part.add_argument("--engine", default="dbos")
        part.add_argument("--records", type=int, default=records)
        part.add_argument("--shards", type=int, default=shards)
        part.add_argument("--latency", type=float, default=0.5)
        part.add_argument("--events", type=int, default=events)
        part.add_argument("--every", type=float, default=3.0, help="seconds between two events, on average")
        part.add_argument("--workers", type=int, default=4)
        part.add_argument("--seed", type=int, default=1)
    part = parts.add_parser("speed")
    part.add_argument("--engine", default="dbos")
    part.add_argument("--records", type=int, default=2_000)
    part.add_argument("--shards", type=int, default=40)
    part.add_argument("--at-once", type=int, default=2)
    part.add_argument("--concurrency", type=int, default=6)
    part.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    part = parts.add_parser("million")
    part.add_argument("--engine", default="dbos")
    part.add_argument("--records", type=int, default=1_000_000)
    part.add_argument("--shards", type=int, default=100)
    part.add_argument("--kills", type=int, default=5)
    asked = parser.parse_args()
    if asked.part == "worker":
        be_worker(asked)
        return
    found = {"campaign": campaign, "takeover": takeover, "speed": speed, "million": million}[asked.part](asked)
    print(json.dumps(found, indent=2))
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    kept.setdefault(asked.part, {})[asked.engine] = found
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
