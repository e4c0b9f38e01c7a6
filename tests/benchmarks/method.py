"""The method shown on the tiny model: whole runs of Hanoi by single samples, by majorities, and by leads of k.

    python tests/benchmarks/method.py --runs 100 --plan

Run number r draws the very samples that `maker-graph run hanoi --model tiny --seed r` draws, and counts them by the same code;
all methods count the same samples, so that nothing but the method differs. A run is over at its first wrong step, or at a step
that stays undecided. `--only NAME` measures some methods; `--plan` adds what a calibration promises: each step of the
task asked eight times with other seeds, the plan made from that, and the share of runs that it should have had right.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from maker_graph.calibration.estimates import estimates_of
from maker_graph.calibration.file import read_calibration
from maker_graph.calibration.plan import expected
from maker_graph.core.canonical import plain
from maker_graph.core.decision import decide, next_draw
from maker_graph.core.guarding import guarded
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy, Majority, StoppingRule
from maker_graph.core.voting import STUCK_AFTER, Voting
from maker_graph.graph.voters import reading_of
from maker_graph.models.prompts import as_pairs
from maker_graph.models.requests import sample_seed
from maker_graph.models.tiny_lm import Ask, Completion, shared_engine
from maker_graph.tasks import Hanoi

AHEAD = 12
"""Steps whose first samples are drawn while this one is counted: they fill the batches of the model."""

AT_ONCE = 4
"""Samples of a step that are asked for at the same time, whoever needs them."""

CAP = 100
"""Samples of a vote at most, as in a run."""


class Method(NamedTuple):
    """How the samples of a step become its answer.

    Attributes:
        rule: decides on a ballot.
        flags: whether replies that cannot be read are discarded; else each is a vote for what it says.
        check: whether answers that break the task's rules are discarded.
        ladder: whether an undecided step is asked again, and then in other words.
    """

    rule: StoppingRule
    flags: bool = True
    check: bool = True
    ladder: bool = True

    @property
    def name(self) -> str:
        """Return it in words."""
        rule = "single samples" if self.rule == AheadBy(1) else str(self.rule)
        signs = "check" if self.check else "no check" if self.flags else "no red flags"
        return f"{rule}, {signs}" + ("" if self.ladder else ", no ladder")


RULES: list[StoppingRule] = [AheadBy(1), Majority(3), AheadBy(2), AheadBy(3), AheadBy(4)]
METHODS = [
    *(Method(rule, flags=False, check=False, ladder=False) for rule in RULES),
    *(Method(rule, check=False) for rule in RULES),
    *(Method(rule) for rule in RULES),
    Method(AheadBy(3), ladder=False),
]


class End(NamedTuple):
    """How a run went: "right", "wrong" at a step, or "undecided" at one; how many samples its steps took, by the ladder too."""

    how: str
    steps: int
    samples: int
    climbed: int


class Samples:
    """What the model replies in one run, at any step of the right path."""

    def __init__(self, task: Hanoi, seed: int) -> None:
        self._task, self._seed = task, seed
        self._replies: dict[tuple[str, int], list[Future[Completion]]] = {}

    def ask(self, by: str, step: int, count: int) -> list[Future[Completion]]:
        """Return the first `count` replies to come, of the base sampler or of a rung of the ladder."""
        state = self._task.state_at(step)
        replies = self._replies.setdefault((by, step), [])
        if len(replies) < count:
            asked = self._task.rephrase(state, 1) if by == "rephrased" else self._task.prompt(state)
            prompt = as_pairs(asked)
            seed = self._seed if by == "base" else sample_seed(self._seed, by, 0)
            for index in range(len(replies), count):
                ask = Ask(str(prompt[-1][1]), 1.0, sample_seed(seed, prompt, index), 750)
                replies.append(shared_engine().submit(ask))
        return replies[:count]

    def take(self, by: str, step: int, first: int, count: int) -> list[Sample]:
        """Return `count` samples from number `first` on."""
        asked = self.ask(by, step, -(-(first + count) // AT_ONCE) * AT_ONCE)
        replies = [each.result() for each in asked[first : first + count]]
        return [
            Sample(index, reply.text, reply.finish, reply.input_tokens, 0, reply.output_tokens)
            for index, reply in enumerate(replies, first)
        ]

    def forget(self, step: int) -> None:
        """Drop what is known of `step`."""
        for key in [key for key in self._replies if key[1] == step]:
            del self._replies[key]


def reading(method: Method, task: Hanoi, step: int) -> Reader:
    """Return how a reply is read."""
    if not method.flags:
        return Reader(parse=str.strip, key=None, check=None, red_flags={})
    read_as = reading_of(guarded(task), task.state_at(step), check=method.check)
    return Reader(partial(_parsed, task), read_as.key, read_as.check, Voting(max_tokens=750).flags)


@lru_cache(maxsize=1000)
def _parsed(task: Hanoi, text: str) -> Any:
    return plain(task.parse(text))


def settled(method: Method, samples: Samples, task: Hanoi, step: int) -> tuple[str, int, int]:
    """Return how a step ends, how many samples it took, and whether it climbed the ladder (0 or 1)."""
    terms, how = (
        Voting(method.rule, max_samples=CAP, stuck_after=STUCK_AFTER if method.flags else CAP),
        reading(method, task, step),
    )
    drawn = 0
    for climbed, by in enumerate(["base", "temperature", "rephrased"] if method.ladder else ["base"]):
        judged = judge_all([], how)
        while count := next_draw(judged, terms):
            judged += judge_all(samples.take(by, step, len(judged), count), how)
        decision = decide(judged, terms, rounds=0)
        drawn += len(judged)
        if decision["status"] == "decided":
            return ("right" if _right(task, step, decision["text"]) else "wrong"), drawn, min(climbed, 1)
    return "undecided", drawn, int(method.ladder)


def _right(task: Hanoi, step: int, text: str) -> bool:
    state = task.state_at(step)
    try:
        return bool(task.parse(text) == task.truth(state))
    except ValueError:
        return False


def run_of(seed: int, *, disks: int, methods: Sequence[Method]) -> list[End]:
    """Return how each method ends with the samples of one run."""
    task = Hanoi(disks)
    samples = Samples(task, seed)
    total = task.total()
    ends: dict[int, End] = {}
    drawn, climbed = [0] * len(methods), [0] * len(methods)
    for step in range(total):
        for later in range(step, min(step + AHEAD, total)):
            samples.ask("base", later, AT_ONCE)
        for number, method in enumerate(methods):
            if number not in ends:
                how, count, up = settled(method, samples, task, step)
                drawn[number] += count
                climbed[number] += up
                if how != "right":
                    ends[number] = End(how, step, drawn[number], climbed[number])
        samples.forget(step)
        if len(ends) == len(methods):
            break
    return [ends.get(number) or End("right", total, drawn[number], climbed[number]) for number in range(len(methods))]


def row(method: Method, ends: Sequence[End], total: int) -> dict[str, Any]:
    """Return what the runs of one method came to."""
    counts = {how: sum(end.how == how for end in ends) for how in ("right", "wrong", "undecided")}
    stops: list[int] = [end.steps + 1 for end in ends if end.how != "right"]
    places = {step: stops.count(step) for step in sorted(set(stops), key=lambda step: (-stops.count(step), step))[:3]}
    return {
        "method": method.name,
        **counts,
        "steps_in_the_median": statistics.median(end.steps for end in ends),
        "of": total,
        "samples_per_step": round(sum(end.samples for end in ends) / sum(end.steps + (end.how != "right") for end in ends), 3),
        "steps_that_climbed_the_ladder": round(statistics.fmean(end.climbed for end in ends), 2),
        "mostly_ended_at_step": places,
    }


def promised(disks: int, *, check: bool, samples: int = 8) -> Iterator[dict[str, Any]]:
    """Yield, for each k, the share of runs without an error that a calibration of all steps promises."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tiny.jsonl"
        command = [sys.executable, "-m", "maker_graph.cli", "calibrate", "hanoi", "--disks", str(disks), "--model", "tiny"]
        command += ["--steps", str(2**disks - 1), "--samples", str(samples), "--seed", "1000", "--out", str(out), "-q"]
        subprocess.run([*command, *([] if check else ["--no-check"])], check=True, stdout=subprocess.DEVNULL)
        (result,) = read_calibration(out)[1]
    measured = {
        "check": check,
        "error": tuple(result.error.model_dump().values()),
        "valid": result.valid.value,
        "rho": result.rho and tuple(result.rho.model_dump().values()),
        "rival": result.rival,
    }
    for k in (1, 2, 3, 4):
        plan = expected(estimates_of(result), k, 2**disks - 1)
        yield {**measured, "k": k, "promised": round(plan["p_full"], 4), "independent": round(plan["p_full_independent"], 4)}


def main() -> None:
    """Measure and print a line for each method, and with `--json` one object at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=10)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--only", metavar="NAME", help="methods whose name begins like this, such as 'ahead by 3'")
    parser.add_argument("--plan", action="store_true", help="what a calibration promises, too")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object only")
    options = parser.parse_args()
    methods = [method for method in METHODS if method.name.startswith(options.only or "")]
    if not methods:
        parser.error("no such method; there are: " + "; ".join(method.name for method in METHODS))
    with ProcessPoolExecutor(options.processes) as pool:
        ends = list(pool.map(partial(run_of, disks=options.disks, methods=methods), range(1, options.runs + 1)))
    rows = [row(method, [each[number] for each in ends], 2**options.disks - 1) for number, method in enumerate(methods)]
    plans = [plan for check in (False, True) for plan in promised(options.disks, check=check)] if options.plan else []
    if options.json:
        print(json.dumps({"disks": options.disks, "runs": options.runs, "methods": rows, "plans": plans}))
        return
    for each in (*rows, *plans):
        print(" ".join(f"{name}={value}" for name, value in each.items()))


if __name__ == "__main__":
    main()
