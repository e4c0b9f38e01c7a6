"""Independent items: how fast they go, in how much memory, and what is drawn in vain.

    python tests/benchmarks/items.py --out tests/benchmarks/results/items.json

Each row is a process of its own, through `maker_graph.Run` with its journal:

- `program`: a million items (`--items`) that a program answers; memory at a tenth and at the end, bytes of journal an item.
- `voted`: items that `sim:perfect` answers at k = 2, with no latency.
- `stuck`: 1,513 items, 74 of which get no reply that can be read, at concurrency 64; what was drawn, and what was needed.
- `rows`: 120 items of 100 ms each, as wide as they come, and one at a time.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from maker_graph import Items, Run
from maker_graph.core.machine import MakerOutput
from maker_graph.simulation import Replies

STUCK = 74


class Numbers(Sequence[str]):
    """As many texts as asked for; none is kept."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, place: Any) -> Any:
        return f"{place:,}.00 EUR"


class Prices(Items):
    """Prices as texts; the answer is the number."""

    class rehearsal:  # noqa: N801  an object with one function
        """Some items get a reply that nobody can read."""

        @staticmethod
        def replies(prompt: Sequence[tuple[str, str]]) -> Replies:
            """Return the replies to a price."""
            text = prompt[-1][1].partition(": ")[2]
            number = text.replace(",", "").removesuffix(".00 EUR")
            if text.startswith("?"):
                return Replies("no number", ["none", "never"])
            return Replies(number, [str(int(number) + 1), str(int(number) + 2)])

    def __init__(self, items: Sequence[str], *, sure: bool) -> None:
        self.items = items
        self._sure = sure

    def given(self, item: str) -> Any:
        """Return the number if the program is sure."""
        return int(item.replace(",", "").removesuffix(".00 EUR")) if self._sure else None

    def prompt(self, item: str) -> str:
        """Ask for the number."""
        return f"Which number is this price: {item}"

    def parse(self, text: str) -> int:
        """Return the number."""
        return int(text)


def memory() -> float:
    """Return the resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def solved(task: Prices, model: str = "sim:perfect", k: int = 2, **how: Any) -> dict[str, Any]:
    """Run a task to its end; return its figures."""
    marks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        with Run.create(Path(folder) / "r", task, model=model, k=k, seed=1) as run:
            seconds = _driven(run, task, marks, how)
            answers = sum(len(json.dumps(step.answer)) for step in run.steps())
            needed = sum(step.samples for step in run.steps())
            spent = run._opened.journal.account().spent
        size = (Path(folder) / "r" / "journal.db").stat().st_size  # closed, it is all of it
    return {
        "items": len(task.items),
        "seconds": round(seconds, 2),
        "items_per_second": round(len(task.items) / seconds, 1),
        **marks,
        "journal_bytes_an_item": round((size - answers) / len(task.items), 1),
        "samples_drawn": spent.samples,
        "samples_needed": needed,
    }


def _driven(run: Run, task: Prices, marks: dict[str, float], how: dict[str, Any]) -> float:
    """Solve a run; return the seconds that it took, and put into `marks` what memory it had."""

    def progress(at: MakerOutput) -> None:
        if at["step"] * 10 >= len(task.items) and "memory_mb_at_a_tenth" not in marks:
            marks["memory_mb_at_a_tenth"] = memory()

    began = time.monotonic()
    asyncio.run(run.drive(progress=progress, **how))
    seconds = time.monotonic() - began
    marks["memory_mb_at_the_end"] = memory()
    return seconds


def stuck_items() -> list[str]:
    """Return 1,513 items, of which `STUCK` are stuck, spread evenly."""
    places = {round(number * 1513 / STUCK) for number in range(STUCK)}
    return [f"{'?' if place in places else ''}{place:,}.00 EUR" for place in range(1513)]


def rows(items: int) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return each row by its name."""
    slow = "sim:perfect,latency=0.1"
    return {
        "program": lambda: solved(Prices(Numbers(items), sure=True)),
        "voted": lambda: solved(Prices(Numbers(20_000), sure=False)),
        "stuck": lambda: solved(Prices(stuck_items(), sure=False), concurrency=64),
        "rows, wide": lambda: solved(Prices(Numbers(120), sure=False), slow),
        "rows, one at a time": lambda: solved(Prices(Numbers(120), sure=False), slow, lookahead=1),
    }


def _tell(name: str, items: int, out: Any) -> None:
    out.send(rows(items)[name]())


def main() -> None:
    """Do each row in a process of its own, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--only", help="one row")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found = {}
    for name in rows(args.items):
        if args.only in {None, name}:
            there, here = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(target=_tell, args=(name, args.items, here))
            process.start()
            here.close()
            found[name] = there.recv()
            process.join()
            print(name, json.dumps(found[name]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
