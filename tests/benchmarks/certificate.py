"""Does the certificate's interval hold the truth? Simulated runs, of which the chance given their ballots is known.

    python tests/benchmarks/certificate.py --runs 200

For each setting: how often the interval holds the chance that no step is wrong given the ballots (`coverage`; `above` and
`below` are where the truth lay when not), how often that of a run before it is made (`coverage_before`), the share of runs that
had no error beside the mean of the stated chances, and how often the intervals of e and rho hold theirs.
`--run RUN` certifies a run on disk, and says how long reading and fitting took.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2])]  # for the tests' simulated runs

from maker_graph.report.certificate import Ballots, Certificate, as_json, ballots_of, certify  # noqa: E402
from maker_graph.run.directory import opened  # noqa: E402
from maker_graph.statistics.correlated import p_full  # noqa: E402
from tests.voting import WORLDS, Tally, World  # noqa: E402

SETTINGS = [
    ("one rival", 0.1, 0.0, 2000, 2),
    ("one rival", 0.1, 0.0, 2000, 3),
    ("one rival", 0.1, 0.0, 2000, 4),
    ("one rival", 0.1, 0.0, 2000, 6),
    ("one rival", 0.1, 0.02, 2000, 3),
    ("one rival", 0.1, 0.02, 2000, 4),
    ("one rival", 0.1, 0.02, 2000, 6),
    ("one rival", 0.1, 0.1, 2000, 6),
    ("one rival", 0.0358, 0.005, 1023, 4),
    ("scatter", 0.1, 0.0, 2000, 3),
    ("scatter", 0.1, 0.02, 2000, 2),
    ("scatter", 0.1, 0.02, 2000, 3),
    ("scatter", 0.1, 0.02, 2000, 6),
    ("scatter", 0.1, 0.1, 2000, 4),
    ("scatter", 0.1, 0.1, 2000, 6),
    ("scatter", 0.0358, 0.005, 1023, 4),
    ("scatter", 2.26e-4, 0.005, 1023, 3),
    ("two kinds", 0.1, 0.02, 2000, 4),
    ("even", 0.1, 0.1, 2000, 3),
    ("one rival", 0.1, 0.0, 1000, 2),
    ("scatter", 0.1, 0.0, 1000, 2),
]
"""How wrong answers scatter, error, rho, steps, k; in the last two k is too small."""


def certified(tallies: Mapping[Tally, int], k: int) -> Certificate:
    """Return the certificate of a run with these ballots."""
    contested = sum(steps for tally, steps in tallies.items() if len(tally) > 1)
    return certify(Ballots(sum(tallies.values()), dict(tallies), {}, contested, 0, 0, 0, {}), k)


def measured(setting: tuple[str, float, float, int, int], runs: int) -> dict[str, Any]:
    """Return what `runs` runs of a setting came to."""
    scatter, error, rho, steps, k = setting
    world, rng = World(error, rho, scatter), np.random.default_rng(1)
    outcomes = [world.run(rng, steps, k) for _ in range(runs)]
    stated = [certified(outcome.tallies, k) for outcome in outcomes]
    before = p_full(1 - error, k, steps, rho=rho) if scatter == "one rival" else None
    pairs = [(certificate.chance, outcome.chance) for certificate, outcome in zip(stated, outcomes, strict=True)]

    def share(hits: list[bool]) -> float:
        return round(sum(hits) / runs, 4)

    def median(numbers: list[float]) -> float:
        return float(f"{np.median(numbers):.5g}")

    return {
        "scatter": scatter,
        "error": error,
        "rho": rho,
        "steps": steps,
        "k": k,
        "coverage": share([_holds(each, truth) for each, truth in pairs]),
        "above": share([truth > each.high and not _holds(each, truth) for each, truth in pairs]),
        "below": share([truth < each.low and not _holds(each, truth) for each, truth in pairs]),
        "coverage_before": before and share([_holds(each, before) for each, _ in pairs]),
        "no_error": share([outcome.right for outcome in outcomes]),
        "mean_chance": round(float(np.mean([each.value for each, _ in pairs])), 4),
        "mean_truth": round(float(np.mean([truth for _, truth in pairs])), 4),
        "low": median([each.low for each, _ in pairs]),
        "median": median([each.value for each, _ in pairs]),
        "high": median([each.high for each, _ in pairs]),
        "coverage_error": share([_holds(each.error, error) for each in stated]),
        "coverage_rho": share([_holds(each.rho, rho) for each in stated]),
    }


def _holds(interval: Any, truth: float) -> bool:
    return bool(interval.low * (1 - 1e-9) <= truth <= interval.high * (1 + 1e-9))


def of_run(directory: Path) -> dict[str, Any]:
    """Return the certificate of a run on disk, and the seconds that it took."""
    with opened(directory) as run:
        start = time.perf_counter()
        ballots = ballots_of(run.journal.decisions())
        read = time.perf_counter() - start
        certificate = certify(ballots, run.settings.k)
        fitted = time.perf_counter() - start - read
    return {"seconds_reading": round(read, 2), "seconds_fitting": round(fitted, 2), **as_json(certificate)}


def main() -> None:
    """Run and print one JSON object, or a line for each setting and how the worst one did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--scatter", choices=list(WORLDS), help="only settings in which wrong answers scatter like this")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--run", type=Path, metavar="RUN", help="certify this run")
    given = parser.parse_args()
    if given.run:
        print(json.dumps(of_run(given.run)))
        return
    settings = []
    for setting in (each for each in SETTINGS if given.scatter in (None, each[0])):
        settings.append(measured(setting, given.runs))
        if not given.json:
            print(" ".join(f"{name}={value}" for name, value in settings[-1].items()), flush=True)
    worst = min(each["coverage"] for each in settings)
    noise = math.sqrt(worst * (1 - worst) / given.runs)
    print(
        json.dumps(
            {"runs": given.runs, "least_coverage": worst, "standard_error": round(noise, 4)}
            | ({"settings": settings} if given.json else {})
        )
    )


if __name__ == "__main__":
    main()
