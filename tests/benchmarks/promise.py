"""Does the stated probability come true? Many whole runs with a known error rate, and the share that had no error.

    python tests/benchmarks/promise.py --runs 300 --disks 6 --error 0.1 --k 2

The model errs independently and always in the same way (the worst case of the formula), and nothing checks the rules.
"""

import argparse
import json
import math
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from maker_graph import create_maker, p_full
from maker_graph.models.simulation import Simulator, profile_of
from maker_graph.models.simulation.model import SimulatedChatModel
from maker_graph.tasks import Hanoi


def right(seed: int, *, disks: int, error: float, k: int) -> bool:
    """Say whether the run with this seed ends with the tower on the goal."""
    task = Hanoi(disks)
    model = SimulatedChatModel(simulator=Simulator(profile_of(f"perfect,error={error},favourite=1"), seed=seed))
    result = create_maker(task, model=model, k=k, check=False, seed=seed).compile().invoke({})
    return task.done(result["state"])


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--disks", type=int, default=6)
    parser.add_argument("--error", type=float, default=0.1)
    parser.add_argument("--k", type=int, default=2)
    given = parser.parse_args()
    one = partial(right, disks=given.disks, error=given.error, k=given.k)
    with ProcessPoolExecutor() as pool:
        share = sum(pool.map(one, range(given.runs), chunksize=10)) / given.runs
    promised = p_full(1 - given.error, given.k, Hanoi(given.disks).total())
    noise = math.sqrt(promised * (1 - promised) / given.runs)
    print(
        json.dumps(
            vars(given) | {"promised": round(promised, 4), "measured": round(share, 4), "standard_error": round(noise, 4)}
        )
    )


if __name__ == "__main__":
    main()
