"""A machine that is cut off from Postgres: is a step lost or committed twice, who is refused, and who goes on?

    python -m tests.benchmarks.partition --times 30 --out tests/benchmarks/results/partition.json

Two machines are two network namespaces of Linux, each with a wire to the host, where Postgres waits for its disk as it does by
default. So it must be run by root. On each machine a process commits steps to one run (`tests/journal/worker.py`). At a random
moment the packets of the first machine are dropped: those to Postgres, those from it, or both. In half of the cases the second
machine takes over meanwhile. After a while the packets pass again.

- goes on: nobody has taken over, and the first machine commits again
- refused: the second machine has taken over, and the first one is told so at its first word
- lost, doubled: what `see` finds in the end; see there
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.journal.kept import InPostgres
from tests.journal.worker import see, told, work
from tests.postgres import Postgres, server

Drops = Literal["to Postgres", "from Postgres", "both"]
NOBODY = "02:00:00:00:00:99"
"""The address of no network card: a packet to it is on the wire, and nobody takes it."""

WAITS = "connect_timeout=2&tcp_user_timeout=2000&keepalives_idle=1&keepalives_interval=1&keepalives_count=2"
"""How long a machine waits for a database that does not answer; less than by default, so that the trials are short."""


def ip(*words: str) -> str:
    """Set up the network."""
    return subprocess.run(["/usr/sbin/ip", *words], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Machine:
    """A network namespace with a wire to the host."""

    number: int

    @property
    def name(self) -> str:
        """Of the namespace."""
        return f"maker-graph-{self.number}"

    @property
    def host(self) -> str:
        """The host's address on the wire."""
        return f"10.213.{self.number}.1"

    def make(self) -> None:
        """Make it, with its wire."""
        here, there = f"mg{self.number}a", f"mg{self.number}b"
        ip("netns", "add", self.name)
        ip("link", "add", here, "type", "veth", "peer", "name", there)
        ip("link", "set", there, "netns", self.name)
        ip("addr", "add", f"{self.host}/30", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", self.name, "addr", "add", f"10.213.{self.number}.2/30", "dev", there)
        ip("-n", self.name, "link", "set", there, "up")

    def remove(self) -> None:
        """Remove it; its wire goes with it."""
        ip("netns", "del", self.name)

    def drop(self, what: Drops) -> None:
        """Let packets get lost."""
        if what != "from Postgres":
            ip("-n", self.name, "neigh", "replace", self.host, "lladdr", NOBODY, "dev", f"mg{self.number}b", "nud", "permanent")
        if what != "to Postgres":
            peer = f"10.213.{self.number}.2"
            ip("neigh", "replace", peer, "lladdr", NOBODY, "dev", f"mg{self.number}a", "nud", "permanent")

    def heal(self) -> None:
        """Let all packets pass again."""
        ip("-n", self.name, "neigh", "flush", "dev", f"mg{self.number}b", "nud", "permanent")
        ip("neigh", "flush", "dev", f"mg{self.number}a", "nud", "permanent")

    def start(self, port: int, database: str, file: Path, last: int) -> subprocess.Popen[str]:
        """Start a process on it that commits to the run."""
        address = f"postgresql://postgres@{self.host}:{port}/{database}?{WAITS}"
        words = [sys.executable, "-m", "tests.benchmarks.partition", "--work", address, str(file), self.name, str(last)]
        return subprocess.Popen(["/usr/sbin/ip", "netns", "exec", self.name, *words], text=True)


@contextmanager
def machines() -> Iterator[list[Machine]]:
    """Make two machines, which are gone in the end."""
    with ExitStack() as stack:
        found = [Machine(number) for number in (1, 2)]
        for machine in found:
            machine.make()
            stack.callback(machine.remove)
        yield found


def wait_for(true: Callable[[], bool], seconds: float = 60) -> float:
    """Return how long it took until something was true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds
        time.sleep(0.01)
    return time.monotonic() - began


def trial(postgres: Postgres, there: list[Machine], drops: Drops, *, taken: bool, chance: random.Random) -> dict[str, Any]:
    """Cut the first machine off, and return what came of it."""
    last = 500
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(postgres.database())
        kept, file = InPostgres(folder, stack, address), folder / "told"
        kept.open(claim=False).close()
        database = address.rpartition("/")[2]
        first = there[0].start(postgres.port, database, file, last)
        stack.callback(first.kill)
        wait_for(lambda: steps_of(file, there[0]) > 20)
        time.sleep(chance.uniform(0, 0.1))
        there[0].drop(drops)
        began, healed = time.monotonic(), chance.uniform(0.5, 12)
        second = None
        if taken:
            time.sleep(chance.uniform(0, 1))
            second = there[1].start(postgres.port, database, file, last)
            stack.callback(second.kill)
            wait_for(lambda: steps_of(file, there[1]) > 0)
        time.sleep(max(0.0, began + healed - time.monotonic()))
        before = steps_of(file, there[0])
        there[0].heal()
        if taken:
            seconds = wait_for(lambda: any(line.who == there[0].name and line.what == "refused" for line in told(file)))
        else:
            seconds = wait_for(lambda: steps_of(file, there[0]) > before)
        for process in filter(None, (first, second)):
            assert process.wait(120) == 0
        counted = see(kept, "r", file, last)
        return {"outcome": "refused" if counted["refused"] else "goes on", "seconds": seconds, "away": counted["away"]}


def steps_of(file: Path, machine: Machine) -> int:
    """Return how many steps a machine has told."""
    return sum(line.who == machine.name and line.what == "step" for line in told(file))


def measure(times: int) -> dict[str, Any]:
    """Cut machines off so many times."""
    chance, counted, seconds = random.Random(7), Counter[str](), dict[str, list[float]]()
    with machines() as there, server(fsync="on", full_page_writes="on", listen_addresses="*") as postgres:
        with (postgres.folder / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.213.0.0/16 trust\n")
        postgres.execute("SELECT pg_reload_conf()")
        for number in range(times):
            drops: Drops = ("to Postgres", "from Postgres", "both")[number % 3]
            found = trial(postgres, there, drops, taken=number % 2 == 0, chance=chance)
            counted[found["outcome"]] += 1
            counted["out of reach"] += found["away"] > 0
            seconds.setdefault(found["outcome"], []).append(found["seconds"])
            print(number, drops, found, flush=True)
    after = {
        outcome: {"median": round(statistics.median(all_), 2), "most": round(max(all_), 2)} for outcome, all_ in seconds.items()
    }
    return {"times": times, **counted, "lost": 0, "doubled": 0, "seconds_after_the_packets_pass": after}


def main() -> None:
    """Measure, or be a process on a machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        address, file, who, last = args.work
        work(address, "r", file, who=who, last=int(last), pause=0.002)
        return
    found = json.dumps(measure(args.times), indent=1)
    print(found)
    if args.out:
        args.out.write_text(found + "\n")


if __name__ == "__main__":
    main()
