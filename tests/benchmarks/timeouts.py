"""Does what is stated of a vote hold, or is it flagged, if a time-out drops right answers more often than wrong ones?

    python tests/benchmarks/timeouts.py --steps 2000

Real microsteps ask a model whose late replies are all right, or all wrong, and are dropped and drawn again. `lost` is the share
of all replies that are lost: on all questions alike, or nearly all right (wrong) ones of a few questions. For each setting:

- `measured`: the share of wrong decisions, with its 95 % interval;
- `planned`: what a plan states that knows the model's error rate, measured without a time-out;
- `certified`: what the certificates of runs of 1,000 steps state, with their intervals, on average;
- `certified_without`: what they would state if lost replies did not count as votes for the runner-up;
- `warned_at`: the step at which the run warns first, null if it never does.

A statement `holds` if it is not below the measured interval; of a certificate, the upper end of its interval counts.
One that does not hold is `flagged` if the run has warned, and else `silent`, which must not be.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2])]  # for the tests' late models

from maker_graph import p_sub  # noqa: E402
from maker_graph.core.decision import Decision  # noqa: E402
from maker_graph.core.machine import Machine  # noqa: E402
from maker_graph.report.certificate import Certificate, ballots_of, certify  # noqa: E402
from maker_graph.run.losses import Losses  # noqa: E402
from maker_graph.statistics.estimation import Estimate, share  # noqa: E402
from tests.late import World, decided  # noqa: E402

RUN = 1000
"""Steps of a run."""


class Questions:
    """So many questions, one after the other."""

    def __init__(self, number: int) -> None:
        self.number = number

    def start(self) -> int:
        return 0

    def done(self, state: int) -> bool:
        return state == self.number

    def prompt(self, state: int) -> str:
        return str(state)

    def parse(self, text: str) -> str:
        return text

    def apply(self, state: int, answer: str) -> int:  # noqa: ARG002  a task's signature
        return state + 1


def warned_at(decisions: Sequence[Decision]) -> int | None:
    """Return the step at which a run with these decisions warns first of lost replies; None if it never does."""
    told: list[str] = []
    machine, losses = Machine(Questions(len(decisions))), Losses(told.append)
    at = machine.begin()
    for decision in decisions:
        at = machine.advance(at, decision)
        losses.see([decision], at)
        if told:
            return at["step"]
    return None


def wrong_by(certificates: Sequence[Certificate]) -> Estimate:
    """Return the share of wrong decisions that certificates state, on average; they state the chance that there is none."""
    each = [[1 - chance ** (1 / made.covered) for chance in made.chance] for made in certificates]
    value, high, low = (sum(column) / len(each) for column in zip(*each, strict=True))  # the lowest chance is the most wrong
    return Estimate(value, low, high)


def verdict(stated: float, measured: Estimate, warned: int | None) -> str:
    """Say whether what was stated holds, and if not, whether the run said so."""
    if stated >= measured.low:
        return "holds"
    return "silent" if warned is None else "flagged"


def measured(world: World, steps: int) -> dict[str, Any]:
    """Return what came of `steps` decisions in this world."""
    decisions = decided(world, range(steps))
    runs = [decisions[start : start + RUN] for start in range(0, steps, RUN)]
    ballots = [ballots_of(run) for run in runs]
    wrong = share(sum(decision["answer"] == "wrong" for decision in decisions), steps)
    lost = sum(decision.get("lost", 0) for decision in decisions)
    planned, certified = 1 - p_sub(world.p, world.k), wrong_by([certify(each, world.k) for each in ballots])
    warned = warned_at(decisions)
    without = wrong_by([certify(ballots_of(replace_lost(run)), world.k) for run in runs])
    return {
        **asdict(world),
        "lost_measured": round(lost / (lost + sum(decision["samples"] for decision in decisions)), 4),
        "measured": _rounded(wrong),
        "planned": round(planned, 5),
        "plan": verdict(planned, wrong, warned),
        "certified": _rounded(certified),
        "certificate": verdict(certified.high, wrong, warned),
        "certified_without": _rounded(without),
        "warned_at": warned,
    }


def replace_lost(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions as if no reply had been lost."""
    return [{**decision, "lost": 0} for decision in decisions]


def _rounded(estimate: Estimate) -> list[float]:
    return [round(each, 5) for each in estimate]


def worlds(p: float, k: int) -> list[World]:
    """Return all settings: both kinds of slow replies, several shares of lost ones, everywhere and on few questions."""
    none = World(p, k, lost=0.0, slow="right")
    some = [replace(none, lost=lost, slow=slow) for slow in ("right", "wrong") for lost in (0.01, 0.02, 0.05, 0.15)]
    few = [replace(none, lost=lost, hard=True) for lost in (0.005, 0.01, 0.02, 0.05, 0.2)]
    return [none, *some, replace(none, lost=0.2), replace(none, lost=0.7), *few]


def main() -> None:
    """Run, print a line for each setting and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--p", type=float, default=0.8)
    parser.add_argument("--k", type=int, default=3)
    given = parser.parse_args()
    settings = []
    for world in worlds(given.p, given.k):
        settings.append(measured(world, given.steps))
        print(" ".join(f"{name}={value}" for name, value in settings[-1].items()), file=sys.stderr, flush=True)
    print(json.dumps(vars(given) | {"settings": settings}, indent=1))


if __name__ == "__main__":
    main()
