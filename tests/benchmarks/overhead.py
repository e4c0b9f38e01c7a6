"""What does the stack cost at zero model latency, and where does the time go?

    python tests/benchmarks/overhead.py --disks 10

One process, Hanoi with a perfect simulated model and k = 3: the whole run (with journal and checkpoints), then the same
without the journal, then with less and less of the stack, so that each line's share is the difference to the next.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from maker_graph import create_maker
from maker_graph.core.decision import Reading, Terms, decide, judge
from maker_graph.core.rules import AheadBy
from maker_graph.maker import Machine
from maker_graph.models import resolve_model
from maker_graph.run import created
from maker_graph.sampling import Sampler
from maker_graph.settings import new_settings
from maker_graph.solve import solve
from maker_graph.tasks import Hanoi

MODEL = "sim:perfect"


async def whole_run(disks: int) -> None:
    """The run as `maker-graph run` does it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = new_settings("hanoi", {"disks": disks}, MODEL, k=3, max_tokens=750)
        with created(Path(folder) / "run", settings) as run:
            await solve(run)


async def graph_alone(disks: int) -> None:
    """The graph without journal and checkpointer."""
    await create_maker(Hanoi(disks), model=MODEL, k=3, seed=1).compile().ainvoke({})


async def no_graph(disks: int) -> None:
    """The same samples and decisions in a bare loop."""
    task = Hanoi(disks)
    machine, rule = Machine(task), AheadBy(3)
    sampler = Sampler([resolve_model(MODEL, seed=1)], temperature=(0.0, 0.1), max_tokens=750, seed=1, meter=None)
    at = machine.begin()
    while not at["done"]:
        state = at["state"]
        how = Reading(parse=task.parse, key=None, check=lambda answer, state=state: task.check(state, answer), red_flags={})  # type: ignore[misc]  # bound here
        samples = await asyncio.gather(*(sampler.adraw(task.prompt(state), index) for index in range(3)))
        at = machine.advance(at, decide([judge(sample, how) for sample in samples], Terms(rule, 100), 1))


async def model_alone(disks: int) -> None:
    """The simulated model's own work, without LangChain."""
    model: Any = resolve_model(MODEL, seed=1)
    task = Hanoi(disks)
    prompt: Any = task.prompt(task.start())
    for number in range(3 * task.total()):
        model.simulator.reply(prompt, seed=number, max_tokens=750)


def milliseconds(what: Callable[[int], Awaitable[None]], disks: int) -> float:
    """Return the best of three, in milliseconds a step."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        asyncio.run(what(disks))  # type: ignore[arg-type]  # all four are coroutines
        best = min(best, time.perf_counter() - began)
    return round(1000 * best / Hanoi(disks).total(), 2)


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=10)
    disks = parser.parse_args().disks
    asyncio.run(graph_alone(4))  # imports and caches
    names = {"whole_run": whole_run, "graph_alone": graph_alone, "no_graph": no_graph, "model_alone": model_alone}
    print(json.dumps({"disks": disks} | {f"{name}_ms_per_step": milliseconds(what, disks) for name, what in names.items()}))


if __name__ == "__main__":
    main()
