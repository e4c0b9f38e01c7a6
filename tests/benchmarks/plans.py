"""Do runs that were planned for a target keep it, if errors are independent and if they are not?

    python tests/benchmarks/plans.py --runs 400

For each correlation the k of both plans is taken from `make_plans`, as `maker-graph plan` prints them, and so many runs of
2,000 steps are simulated with it: each step has an error rate of its own, and votes are drawn one by one until one answer leads
by k. All wrong samples agree (one rival, the worst case), but where `rival` is below 1: there the favourite wrong answer gets
that share of them, and the others split the rest evenly.
"""

import argparse
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maker_graph.calibration.estimates import ModelEstimates
from maker_graph.calibration.lines import Interval
from maker_graph.calibration.plan import make_plans

Floats = NDArray[np.float64]


def without_error(rng: np.random.Generator, theta: Floats, k: int, rival: float) -> NDArray[np.bool_]:
    """Return for each step whether the right answer is the first to lead by k."""
    others = 0 if rival == 1 else math.ceil((1 - rival) / rival)
    shares = np.array([rival, *([(1 - rival) / others] * others)]) if others else np.array([1.0])
    ends = np.cumsum(shares)[:-1]
    right = np.zeros(len(theta), dtype=bool)
    where = np.arange(len(theta))
    votes = np.zeros((len(theta), len(shares) + 1), dtype=np.int32)
    while len(where):
        wrong = rng.random(len(where)) < theta[where]
        candidate = np.where(wrong, 1 + np.searchsorted(ends, rng.random(len(where)), side="right"), 0)
        votes[np.arange(len(where)), candidate] += 1
        first_two = -np.sort(-votes, axis=1)[:, :2]
        decided = first_two[:, 0] - first_two[:, 1] >= k
        right[where[decided]] = votes[decided, 0] == first_two[decided, 0]
        where, votes = where[~decided], votes[~decided]
    return right


def share(options: argparse.Namespace, rho: float, k: int, rival: float) -> float:
    """Return the share of runs without an error."""
    rng = np.random.default_rng(options.seed)
    error = 1 - options.p
    weight = 1 / rho - 1 if rho else 0.0
    good = 0
    for _ in range(options.runs):
        theta = rng.beta(error * weight, options.p * weight, options.steps) if rho else np.full(options.steps, error)
        good += bool(without_error(rng, theta, k, rival).all())
    return float(good / options.runs)


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--p", type=float, default=0.9)
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for rho, rival in ((0.0, 1.0), (0.02, 1.0), (0.1, 1.0), (0.1, 0.3)):
        estimates = ModelEstimates(p=options.p, rho=Interval(value=rho, low=rho, high=rho), rival=rival)
        plans = make_plans(estimates, options.steps, options.target)
        row: dict[str, Any] = {"rho": rho, "rival": rival}
        for name in ("independent", "correlated"):
            k = plans[name]["k"]
            row[name] = {"k": k, "promised": plans[name]["p_full"], "reason": plans[name]["reason"]}
            if k is not None:
                row[name]["without_error"] = share(options, rho, k, rival)
        rows.append(row)
    noise = 2 * math.sqrt(options.target * (1 - options.target) / options.runs)
    print(json.dumps({"options": vars(options), "two_sigma": round(noise, 4), "rows": rows}))


if __name__ == "__main__":
    main()
