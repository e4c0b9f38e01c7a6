"""How much faster is a chain with lookahead, and how many samples does it take more?

    python tests/benchmarks/lookahead.py --draft-error 0.01 0.001 --latency 0.2 --wrong 0.01 --flagged 0.01

Whole runs of Hanoi (journal, checkpoints, account), first without lookahead, then with it for each accuracy of drafts. The
model is simulated: a reply takes a lognormal time (sigma .4), a draft of m moves .3 + .03 m as long as a reply. Samples are
requests made for votes, also those that were dropped or cut short. What comes out holds for these latencies and accuracies.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from maker_graph.run.options import RunOptions
from maker_graph.run.solving import solve
from maker_graph.run.summary import summary
from tests.made import created, new_settings


async def measured(options: argparse.Namespace, draft_error: float, lookahead: Any) -> dict[str, Any]:
    """Solve once; return seconds, requests and the digest."""
    profile = f"error={options.wrong},rho=0,flagged={options.flagged},favourite=0.7"
    model = f"sim:perfect,{profile},latency={options.latency},draft_error={draft_error}"
    with tempfile.TemporaryDirectory() as folder:
        settings = new_settings("hanoi", {"disks": options.disks}, model, k=options.k, seed=options.seed)
        with created(Path(folder) / "run", settings) as run:
            began = time.perf_counter()
            await solve(run, RunOptions(lookahead=lookahead), concurrency=options.concurrency)
            seconds = time.perf_counter() - began
            spent, result = run.journal.account().spent, summary(run)
    return {
        "seconds": round(seconds, 2),
        "steps": result["steps"],
        "samples": spent.calls - spent.drafts,
        "drafts": spent.drafts,
        "dropped": result["dropped"],
        "verified": result["verified"],
        "digest": result["digest"],
    }


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=10)
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.2, help="median seconds of a reply")
    parser.add_argument("--wrong", type=float, default=0.01)
    parser.add_argument("--flagged", type=float, default=0.01)
    parser.add_argument("--draft-error", type=float, nargs="+", default=[0.01, 0.001])
    parser.add_argument("--lookahead", default="auto", help="a number, or auto")
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    options = parser.parse_args()
    lookahead: Any = options.lookahead if options.lookahead == "auto" else int(options.lookahead)
    plain = asyncio.run(measured(options, options.draft_error[0], 1))
    found: dict[str, Any] = {"options": vars(options), "lookahead 1": plain}
    for draft_error in options.draft_error:
        ahead = asyncio.run(measured(options, draft_error, lookahead))
        ahead["times_faster"] = round(plain["seconds"] / ahead["seconds"], 1)
        ahead["samples_to_plain"] = round(ahead["samples"] / plain["samples"], 3)
        ahead["same_decisions"] = ahead["digest"] == plain["digest"]
        found[f"lookahead {lookahead}, {1 - draft_error:.1%} of drafts right"] = ahead
    print(json.dumps(found))


if __name__ == "__main__":
    main()
