"""What rules of voting make of votes of real language models, and whether a plan from labels keeps its promise.

    python tests/benchmarks/real_votes.py FILE:TARGETS ... --temperatures T=FILE ... --out FILE

A file has labelled votes (docs/planning.md), and the targets to plan for follow it, such as dates.jsonl:.8,.9. A picture is
written beside the JSON file. `--temperatures` compares the same rows at several temperatures. For each rule: wrong among the
decided (with the 95 % interval of a bootstrap over rows), decided, and samples a row, on votes drawn without replacement in
random order, many times.

The rivals are written from their papers. All of them decide every row, but for agreement. A red flag costs a sample and is no
vote.

- majority of n: the most frequent of n votes.
- Adaptive-Consistency (arXiv 2305.11860): stops once the most frequent answer is ahead of the second with probability .95,
  for a Beta posterior of the two; at most 40.
- early-stopping self-consistency (2401.10480): windows of 5; stops once a window is of one mind; at most 40.
- ConSol's mSPRT (2503.17587): likelihood ratio of the first two answers, over a prior just above 1/2, against 1/2; with the
  settings of their code it stops when ahead by 3; at most 40.
- agreement (2407.02348): 3 samples that agree decide, else the next model has the step.

"plan by labels" plans on a random half of the rows and is measured on the other half, each time.

The guarantee: labelled rows are drawn with replacement, as many as there are, and planned with. The risk of what is chosen is
known: it is that on the whole file. It must be at or below what was promised in 95 % of the draws.
"""

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import beta

from maker_graph.calibration.labelled import LabelPlan, PlanGoal, chosen_apart, chosen_on_all, default_cascades
from maker_graph.calibration.trials import Trial, tried
from maker_graph.calibration.votes import FLAG, RIGHT, LabelledVotes, Pool, read_votes
from maker_graph.run.cascades import CascadeFile, RungFile
from maker_graph.statistics.agreement import StepVotes, agreement, alike, correlation, share_right

CAP = 40
CHOOSE_SHARE = 0.3


class Outcome(NamedTuple):
    """What a rule makes of one row."""

    answer: str | None
    samples: int


Rule = Callable[[str], Outcome]


def majority(sequence: str, of: int) -> Outcome:
    """Return the most frequent answer of the first `of` votes."""
    votes, samples = "", 0
    for sample in sequence:
        if len(votes) == of:
            break
        samples += 1
        votes += "" if sample == FLAG else sample
    return Outcome(mode(votes), samples)


def mode(votes: str) -> str | None:
    """Return the most frequent vote, the first of equal ones; None if there is none."""
    return Counter(votes).most_common(1)[0][0] if votes else None


def until(sequence: str, stops: Callable[[int, int], bool]) -> Outcome:
    """Return the most frequent answer once `stops` says so of the votes of the first two, or after `CAP` samples."""
    votes: Counter[str] = Counter()
    samples = 0
    for sample in sequence[:CAP]:
        samples += 1
        if sample != FLAG:
            votes[sample] += 1
            first, second = ([number for _, number in votes.most_common(2)] + [0])[:2]
            if stops(first, second):
                break
    return Outcome(votes.most_common(1)[0][0] if votes else None, samples)


@lru_cache(None)
def surely_ahead(first: int, second: int) -> bool:
    """Adaptive-Consistency's criterion."""
    return float(beta.sf(0.5, first + 1, second + 1)) > 0.95


@lru_cache(None)
def likely_ahead(first: int, second: int) -> bool:
    """ConSol's: the mean likelihood ratio over p = 1/2 + d against its two ends; d is as in a Beta(1e6, 1e6) cut at 1/2."""
    spread = 1 / (2 * math.sqrt(2e6 + 1))
    d = np.linspace(0, 8 * spread, 4001)
    weight = np.exp(-((d / spread) ** 2) / 2)
    ratio = np.exp(first * np.log1p(2 * d) + second * np.log1p(-2 * d))
    log_ratio = math.log(float((ratio * weight).sum() / weight.sum()))
    alpha, power = 0.05, 0.05 + 0.00006
    return log_ratio >= math.log(power / alpha) or log_ratio <= math.log((1 - power) / (1 - alpha))


def in_windows(sequence: str, window: int = 5) -> Outcome:
    """Return the most frequent answer once a window of votes agrees, or after `CAP` samples."""
    votes, samples = "", 0
    for sample in sequence[:CAP]:
        samples += 1
        if sample != FLAG:
            votes += sample
            if len(votes) % window == 0 and len({*votes[-window:]}) == 1:
                break
    return Outcome(mode(votes), samples)


RIVALS: dict[str, Rule] = {
    "single": partial(majority, of=1),
    "majority of 5": partial(majority, of=5),
    "majority of 40": partial(majority, of=CAP),
    "Adaptive-Consistency": partial(until, stops=surely_ahead),
    "early-stopping, window 5": in_windows,
    "ConSol mSPRT": partial(until, stops=likely_ahead),
}
OURS: dict[str, dict[str, Any]] = {
    "agreement of 3": {"k": 3, "within": 3},
    "ahead by 3": {"k": 3},
    "ahead by 3 within 5": {"k": 3, "within": 5},
    "ahead by 3 within 7": {"k": 3, "within": 7},
    "ahead by 4 within 6": {"k": 4, "within": 6},
    "ahead by 5 within 5": {"k": 5, "within": 5},
    "ahead by 5 within 7": {"k": 5, "within": 7},
    "ahead by 8 within 8": {"k": 8, "within": 8},
    "ahead by 8 within 10": {"k": 8, "within": 10},
    "confirmed by 2 of 2": {"confirm": 2, "of": 2},
    "confirmed by 3 of 4": {"confirm": 3, "of": 4},
    "confirmed by 4 of 6": {"confirm": 4, "of": 6},
}


def shuffled(votes: LabelledVotes, seed: int) -> LabelledVotes:
    """Return the votes with the samples of each row in random order."""
    chance = Random(seed)
    pools = {}
    for name, pool in votes.pools.items():
        rows = {
            key: row._replace(sequence="".join(chance.sample(row.sequence, len(row.sequence))))
            for key, row in pool.rows.items()
        }
        pools[name] = Pool(name, rows, pool.max_tokens, pool.named)
    return LabelledVotes(pools, [])


def trial_of(cascade: dict[str, Any], votes: LabelledVotes) -> Trial:
    """Return what a rule of ours makes of the rows."""
    (name,) = votes.pools
    return tried(CascadeFile(name="rule", rungs=[RungFile(model=name.model, **cascade)]), votes)


class Sums:
    """What a rule made of each row, summed over the seeds."""

    def __init__(self, rows: int) -> None:
        self.decided, self.wrong, self.samples, self.times = np.zeros(rows), np.zeros(rows), np.zeros(rows), np.zeros(rows)

    def add(self, ends: Any, samples: Any, places: Any = slice(None)) -> None:
        """Add the ends (0 right, 1 wrong, more: not decided) of the rows at `places`."""
        self.decided[places] += ends <= 1
        self.wrong[places] += ends == 1
        self.samples[places] += samples
        self.times[places] += 1

    def told(self) -> dict[str, Any]:
        """Return shares, and the interval of wrong among decided."""
        rng, rows = np.random.default_rng(1), len(self.decided)
        wrong, decided = (each / np.maximum(self.times, 1) for each in (self.wrong, self.decided))
        picks = rng.integers(0, rows, (2_000, rows))
        sums = decided[picks].sum(axis=1)
        shares = np.divide(wrong[picks].sum(axis=1), sums, out=np.zeros(len(sums)), where=sums > 0)
        return {
            "wrong": round(float(wrong.sum() / decided.sum()), 4) if decided.sum() else None,
            "interval": [round(float(each), 4) for each in np.quantile(shares, [0.025, 0.975])],
            "decided": round(float(decided.mean()), 4),
            "samples": round(float(self.samples.sum() / self.times.sum()), 2),
        }


def compared(votes: LabelledVotes, targets: Sequence[float], seeds: int) -> dict[str, Any]:
    """Return what each rule comes to."""
    (pool,) = votes.pools.values()
    rows = len(pool.rows)
    names = [*RIVALS, *OURS, *(f"plan by labels, {target:g}" for target in targets)]
    sums = {name: Sums(rows) for name in names}
    for seed in range(seeds):
        drawn = shuffled(votes, seed)
        (samples,) = drawn.pools.values()
        for name, rule in RIVALS.items():
            found = [rule(row.sequence) for row in samples.rows.values()]
            ended = np.array([2 if each.answer is None else int(each.answer != RIGHT) for each in found])
            sums[name].add(ended, np.array([each.samples for each in found]))
        for name, cascade in OURS.items():
            trial = trial_of(cascade, drawn)
            sums[name].add(trial.ends, trial.samples)
        trials = [tried(cascade, drawn) for cascade in default_cascades(drawn)[0]]
        order = np.random.default_rng(seed).permutation(rows)
        half, other = order[: rows // 2], order[rows // 2 :]
        for target in targets:
            plan = chosen_on_all([trials], PlanGoal(target=target), default=True, notes=(), among=half)
            ends: Any = np.full(len(other), 2)
            drawn_samples: Any = np.zeros(len(other))
            if plan.chosen is not None:
                ends, drawn_samples = plan.chosen.trial.ends[other], plan.chosen.trial.samples[other]
            sums[f"plan by labels, {target:g}"].add(ends, drawn_samples, other)
    return {name: each.told() for name, each in sums.items()}


def at_temperatures(files: Sequence[str], seeds: int) -> dict[str, Any]:
    """Return, for the same rows at several temperatures, what samples show, and what confirming costs and brings."""
    votes = read_votes([f"m@{each}" for each in files])
    rows: dict[str, Any] = {}
    for name, pool in votes.pools.items():
        steps = [StepVotes(row.sequence.count(RIGHT), wrong_of(row.sequence)) for row in pool.rows.values()]
        worth = {f"{k} of {k}": agreement(steps, k) for k in (2, 3, 5)}
        rows[str(name)] = {
            "right": round(share_right(steps) or 0.0, 4),
            "correlation": round(correlation(steps) or 0.0, 4),
            "alike": round(alike(steps) or 0.0, 4),
            **{k: {"wrong": round(each.wrong or 0.0, 4), "decided": round(each.decided, 4)} for k, each in worth.items()},
        }
    heats = sorted(name.temperature[0] for name in votes.pools if name.temperature is not None)
    rules: list[dict[str, Any]] = [
        {"confirm": 2, "of": 2},
        {"confirm": 3, "of": 4},
        {"confirm": 4, "of": 4},
        {"k": 3, "within": 5},
    ]
    for cold, hot in [(cold, hot) for cold in heats for hot in heats if cold <= hot]:
        for rule in rules:
            rung = RungFile(model="m", temperature=(cold, hot), **rule)
            sums = Sums(len(next(iter(votes.pools.values())).rows))
            for seed in range(seeds):
                trial = tried(CascadeFile(name="rule", rungs=[rung]), shuffled(votes, seed))
                sums.add(trial.ends, trial.samples)
            rows[f"{rung.rule()}, the first at {cold:g}, the others at {hot:g}"] = sums.told()
    return rows


def wrong_of(sequence: str) -> tuple[int, ...]:
    """Return the votes of each wrong answer."""
    return tuple(Counter(each for each in sequence if each > RIGHT).values())


def kept(
    votes: LabelledVotes, target: float, draws: int, plan: Callable[[list[Trial], Any, PlanGoal], LabelPlan]
) -> dict[str, Any]:
    """Return in which share of the draws the promise was kept, anything was certified, and what was decided then."""
    trials = [tried(cascade, votes) for cascade in default_cascades(votes)[0]]
    rng, rows = np.random.default_rng(7), len(trials[0].rows)
    broken, decided, chosen = 0, [], Counter[str]()
    for _ in range(draws):
        made = plan(trials, rng.integers(0, rows, rows), PlanGoal(target=target))
        if made.chosen is not None and made.at_most is not None:
            whole = made.chosen.trial.tally()
            broken += (whole.error or 0.0) > made.at_most
            decided.append(whole.decided / whole.rows)
            chosen[made.chosen.name] += 1
    return {
        "target": target,
        "kept": 1 - broken / draws,
        "certified": len(decided) / draws,
        "decided_where_certified": round(float(np.mean(decided)), 4) if decided else None,
        "chosen": dict(chosen.most_common(4)),
    }


def on_all(trials: list[Trial], among: Any, goal: PlanGoal) -> LabelPlan:
    """Plan on all rows that were drawn."""
    return chosen_on_all([trials], goal, default=True, notes=(), among=among)


def apart(trials: list[Trial], among: Any, goal: PlanGoal) -> LabelPlan:
    """Choose on some of the rows that were drawn, and prove on the others."""
    cut = int(CHOOSE_SHARE * len(among))
    return chosen_apart(trials, [(among[:cut], among[cut:])] * len(trials), goal)


def pictured(found: dict[str, Any], path: Path) -> None:
    """Draw wrong among decided against the share decided, a panel for each file; the legend has the samples a row."""
    from matplotlib.figure import Figure  # noqa: PLC0415  only if it is asked for

    figure = Figure(figsize=(7.4, 4.4 * len(found)), layout="constrained")
    for place, (name, file) in enumerate(found.items(), start=1):
        axes = figure.add_subplot(len(found), 1, place)
        told = {rule: row for rule, row in file["rules"].items() if row["wrong"] is not None}
        for number, (rule, row) in enumerate(told.items()):
            rival, plan = rule in RIVALS, rule.startswith("plan")
            colour = "C3" if rival else "C2" if plan else "C4" if rule.startswith("confirmed") else "C0"
            axes.plot([row["decided"]] * 2, row["interval"], color=colour, alpha=0.25)
            marker = "osD^v<>PX*"[number % 10]
            label = f"{rule} ({row['samples']:g})"
            axes.plot([row["decided"]], [row["wrong"]], color=colour, marker=marker, linestyle="", alpha=0.8, label=label)
        axes.set_title(f"{name}: {file['rows']} rows", fontsize=10)
        axes.set_xlabel("decided")
        axes.set_ylabel("wrong among the decided (95 %)")
        axes.set_ylim(bottom=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7, frameon=False, title="rule (samples a row)")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE:TARGETS", help="labelled votes, and targets such as .95,.98")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--temperatures", nargs="*", metavar="T=FILE", default=[], help="the same rows at several temperatures")
    parser.add_argument("--out", type=Path, help="JSON; the picture goes beside it")
    given = parser.parse_args()
    found: dict[str, Any] = {}
    for text in given.files:
        file, _, targets = text.partition(":")
        wanted = [float(each) for each in targets.split(",")] if targets else [0.95]
        votes = read_votes([Path(file)])
        (pool,) = votes.pools.values()
        found[pool.name.model] = {
            "rows": len(pool.rows),
            "samples": pool.samples,
            "rules": compared(votes, wanted, given.seeds),
            "guarantee": {
                "tested in order on all rows": [kept(votes, target, given.draws, on_all) for target in wanted],
                f"chosen on {CHOOSE_SHARE:g} of the rows, proved on the others": [
                    kept(votes, target, given.draws, apart) for target in wanted
                ],
            },
        }
        print(f"{pool.name.model}: done", file=sys.stderr, flush=True)
    heats = at_temperatures(given.temperatures, given.seeds) if given.temperatures else {}
    text = json.dumps({"seeds": given.seeds, "draws": given.draws, "files": found, "temperatures": heats}, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")
        pictured(found, given.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
