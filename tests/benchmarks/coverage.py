"""Do the intervals of a calibration hold the truth as often as they say?

    python tests/benchmarks/coverage.py --calibrations 300

For each setting so many calibrations are simulated: steps with error rates of their own, drawn from a Beta distribution, and
samples that err independently at that rate, some of them red-flagged. Then the 95 % intervals of p and of rho are held against
the truth. That of p is quickly found, and so in more calibrations: in three hundred its share is known to .013 only, in four
thousand to .0035. Clopper and Pearson's never holds it in less than 95 % of independent
samples, and the rarer errors are, the more it holds it in: these settings have some tens of wrong samples.
"""

import argparse
import json
from collections import Counter
from typing import Any

import numpy as np

from maker_graph.statistics.estimation import correlation, error_rate


def simulated(rng: np.random.Generator, error: float, rho: float, steps: int, samples: int) -> Counter[tuple[int, int]]:
    """Return the counts of one calibration: (valid, wrong) -> steps; 3 % of the samples are flagged."""
    weight = 1 / rho - 1 if rho else 0.0
    theta = rng.beta(error * weight, (1 - error) * weight, steps) if rho else np.full(steps, error)
    valid = rng.binomial(samples, 0.97, steps)
    wrong = rng.binomial(valid, theta)
    return Counter((int(v), int(w)) for v, w in zip(valid, wrong, strict=True) if v)


def covered(options: argparse.Namespace, error: float, rho: float, samples: int) -> dict[str, Any]:
    """Return how often each interval holds the truth, and how wide it is in the median."""
    rng = np.random.default_rng(options.seed)
    held_p = held_rho = 0
    widths = []
    for number in range(max(options.calibrations, options.of_p)):
        counts = simulated(rng, error, rho, options.steps, samples)
        if number < options.of_p:
            found = error_rate(counts)
            held_p += found.low <= error <= found.high
        if number < options.calibrations:
            found = correlation(counts, seed=number)
            held_rho += found.low <= rho <= found.high
            widths.append(found.high - found.low)
    return {
        "error": error,
        "rho": rho,
        "samples": samples,
        "p": round(held_p / options.of_p, 4),
        "rho_held": round(held_rho / options.calibrations, 4),
        "median_width_of_rho": round(float(np.median(widths)), 4),
    }


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calibrations", type=int, default=300, help="in which the interval of rho is looked at")
    parser.add_argument("--of-p", type=int, default=4000, help="in which that of p is")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--samples", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--error", type=float, nargs="+", default=[0.0358, 0.1, 0.2342])
    parser.add_argument("--rho", type=float, nargs="+", default=[0.0, 0.005, 0.05])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    options = parser.parse_args()
    rows = [
        covered(options, error, rho, samples) for samples in options.samples for error in options.error for rho in options.rho
    ]
    print(json.dumps({"calibrations": options.calibrations, "of_p": options.of_p, "steps": options.steps, "rows": rows}))


if __name__ == "__main__":
    main()
