"""The audit's bound: does it hold under a look after each label, and how many labels does it take?

    python tests/benchmarks/audit.py > tests/benchmarks/results/audit.json

For each population and share of wrong steps, runs are audited to the last step, with a look after each label. A miss is a bound
that is ever below the truth. Two figures are given: the misses of simulated audits, and their exact chance, summed over all
orders in which labels may come. Then the labels until the bound is at most 1 % and 2 % of the population.

M(w) grows with each right label, so for each number of wrong ones there is one number of labels at which w is rejected
(`rejections`). A simulated audit is compared with these, not with a bound that is computed 50,000 times. Some audits are done
both ways.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np

from maker_graph.statistics.audit import Bound

POPULATIONS = (2_000, 50_000)
SHARES = (0.0, 0.002, 0.01, 0.05)
BOTH_WAYS = 20


def rejections(population: int, w: int, confidence: float) -> list[int]:
    """Return for each number of wrong labels, from 0 to `w`, after how many labels `w` is rejected."""
    found, right = [], 0
    for wrong in range(w + 1):
        least, most = right, population - w + 1  # it takes no fewer right labels than with one wrong label less
        while least < most:
            middle = (least + most) // 2
            if rejects(population, w, wrong, middle, confidence):
                most = middle
            else:
                least = middle + 1
        right = least
        found.append(wrong + right)
    return found


def rejects(population: int, w: int, wrong: int, right: int, confidence: float) -> bool:
    """Say whether so many labels reject `w`."""
    if right > population - w:
        return True
    bound = Bound(population, confidence)
    bound.wrong, bound.drawn = wrong, wrong + right
    return bound._log_ratio(w) >= bound._enough


def places(random: Random, population: int, wrong: int) -> list[int]:
    """Return at which labels the wrong ones come, counted from 1."""
    return sorted(random.sample(range(1, population + 1), wrong))


def first_rejection(at: Sequence[int], when: Sequence[int], population: int) -> int | None:
    """Return the label after which a number is rejected first, or None; the wrong labels are those at `at`."""
    begins = 0
    for wrong, limit in enumerate(when):
        ends = at[wrong] - 1 if wrong < len(at) else population
        if limit <= ends:
            return max(limit, begins)
        if wrong >= len(at):
            return None
        begins = at[wrong]
    return None


def chance_of_a_miss(population: int, wrong: int, when: Sequence[int]) -> float:
    """Return the exact chance that the truth is ever rejected."""
    going, missed = np.zeros(wrong + 2), 0.0
    going[0] = 1.0
    seen, limits = np.arange(wrong + 2), np.array([*when, population + 1])
    for label in range(1, population + 1):
        share = (wrong - seen) / (population - label + 1)
        further = going * np.clip(share, 0, 1)
        going = going - further
        going[1:] += further[:-1]
        out = limits <= label
        missed += float(going[out].sum())
        going[out] = 0.0
    return missed


def covered(population: int, share: float, audits: int, confidence: float) -> dict[str, Any]:
    """Return how often the bound is ever below the truth."""
    wrong, random = round(share * population), Random(7)
    when = rejections(population, wrong, confidence) if wrong else [population + 1]
    missed = 0
    for number in range(audits):
        at = places(random, population, wrong)
        first = first_rejection(at, when, population)
        missed += first is not None and first <= population
        if number < BOTH_WAYS and population <= 2_000:
            see_both_ways(population, at, first, confidence)
    return {
        "population": population,
        "wrong": wrong,
        "audits": audits,
        "missed": missed,
        "coverage": round(1 - missed / audits, 4),
        "exact_coverage": round(1 - chance_of_a_miss(population, wrong, when), 5),
    }


def see_both_ways(population: int, at: Sequence[int], first: int | None, confidence: float) -> None:
    """See that the bound itself, after each label, is below the truth from the same label on."""
    bound, wrong = Bound(population, confidence), set(at)
    found = None
    for label in range(1, population + 1):
        bound.see(wrong=label in wrong)
        if found is None and bound.most < len(at):
            found = label
    if found != first:
        raise AssertionError((found, first))


def needed(population: int, share: float, most: float, audits: int, confidence: float) -> dict[str, Any]:
    """Return the labels until the bound is at most a share of the population."""
    wrong, random = round(share * population), Random(8)
    when = rejections(population, int(most * population) + 1, confidence)
    found = sorted(first_rejection(places(random, population, wrong), when, population) or population for _ in range(audits))
    return {
        "population": population,
        "wrong_share": share,
        "bound_share": most,
        "labels_median": found[audits // 2],
        "labels_mean": round(sum(found) / audits),
        "labels_90_percent": found[int(0.9 * audits)],
    }


def quick(population: int, labels: int) -> dict[str, Any]:
    """Return how long a look takes after many labels, and a look after each."""
    seconds = []
    for each in (False, True):
        random, bound, begun = Random(9), Bound(population), time.perf_counter()
        for _ in range(labels):
            bound.see(wrong=random.random() < 0.002)
            if each:
                _ = bound.most
        _ = bound.most
        seconds.append(round(time.perf_counter() - begun, 4))
    return {"population": population, "labels": labels, "one_look_seconds": seconds[0], "a_look_after_each_seconds": seconds[1]}


def main() -> None:
    """Run, print a line for each setting and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audits", type=int, default=10_000)
    parser.add_argument("--confidence", type=float, default=0.95)
    given = parser.parse_args()
    coverage = [covered(n, share, given.audits, given.confidence) for n in POPULATIONS for share in SHARES]
    labels = [
        needed(n, share, most, min(given.audits, 2_000), given.confidence)
        for n in POPULATIONS
        for most in (0.01, 0.02)
        for share in (0.0, 0.002, 0.01)
    ]
    speed = quick(1_000_000, 3_000)
    for line in (*coverage, *labels, speed):
        print(" ".join(f"{name}={value}" for name, value in line.items()), file=sys.stderr, flush=True)
    rows = {"coverage": coverage, "labels": labels, "speed": speed}
    print(json.dumps({"command": "python tests/benchmarks/audit.py", **vars(given), **rows}, indent=1))


if __name__ == "__main__":
    main()
