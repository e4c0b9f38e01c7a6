"""A plan from labelled steps: which cascade keeps a target, proved by labels alone, with no assumption about the model.

The cascades are written down before the labels are seen: in a file, or as `default_cascades`. Each is tried on the labelled
rows (`trials.py`). Then either they are tested in their order on all rows, or one is chosen on some rows and proved on the
others (`choose_share`); `statistics/labelled.py` says why both are honest. Of the proved cascades, the one that decides most is
chosen.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maker_graph.calibration.trials import Tally, Trial, tried
from maker_graph.calibration.votes import LabelledVotes, Pool
from maker_graph.core.rules import AheadBy
from maker_graph.errors import UsageError
from maker_graph.run.cascades import CascadeFile, RungFile
from maker_graph.statistics.forecast import TARGET
from maker_graph.statistics.labelled import (
    CONFIDENCE,
    Counts,
    bound_of,
    chain_bound,
    chain_labels,
    check_confidence,
    labels_at,
    limit_of,
    proved_in_order,
)

IN_ORDER: tuple[tuple[int, int | None], ...] = (
    (20, 20),
    (12, 12),
    (8, 8),
    (8, 10),
    (5, 5),
    (5, 7),
    (4, 6),
    (3, 3),
    (3, 5),
    (2, 2),
    (3, 7),
    (2, 4),
    (3, None),
    (1, None),
)
"""k and within of the default cascades, the most cautious first, by the formulas and by the votes in docs/planning.md."""

SECOND_START = (4, 6)
"""The rule at which tests begin again, with half of 1 - confidence: with few labels, the rules before it decide too little."""


@dataclass(frozen=True, slots=True)
class PlanGoal:
    """What is wanted of a cascade.

    Attributes:
        target: the least share of its decisions that is right.
        max_review: the largest share of the rows that it may leave to somebody else. It is compared with the rows as they are.
        confidence: the confidence with which the target is proved.
        anytime: whether the plan may be made again after labels are added; the proof then allows for that.

    Raises:
        UsageError: a number is out of range.
    """

    target: float = TARGET
    max_review: float = 1.0
    confidence: float = CONFIDENCE
    anytime: bool = False

    def __post_init__(self) -> None:
        limit_of(self.target)
        check_confidence(self.confidence)
        if not 0.0 <= self.max_review <= 1.0:
            raise UsageError(
                f"The share that may be left for review must be at least 0 and at most 1, not {self.max_review!r}."
            )

    @property
    def limit(self) -> float:
        """The share of wrong decisions that is allowed."""
        return limit_of(self.target)


@dataclass(frozen=True, slots=True)
class Line:
    """What labels say of one cascade.

    Attributes:
        trial: the cascade, tried on all rows.
        tally: how it ended on the rows that test it.
        bound: the bound on its share of wrong decisions, for this cascade alone.
        proved: whether it is proved to keep the target, whichever cascade is chosen.
        needed: the labelled rows that would prove it, if further rows are like these; None if no number would be enough.
    """

    trial: Trial
    tally: Tally
    bound: float
    proved: bool
    needed: int | None

    @property
    def name(self) -> str:
        """What the cascade is called."""
        return self.trial.cascade.name


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """The result of a plan from labelled rows.

    Attributes:
        goal: what was wanted.
        lines: what labels say of each cascade, in the order in which they are tested.
        chosen: the line of the chosen cascade; None if none is chosen.
        at_most: the bound that is proved on its share of wrong decisions; None if none is chosen.
        chosen_apart: the number of rows on which it was chosen, if it was proved on other rows; else 0.
        reason: why none is chosen; empty if one is.
        notes: what a reader of the plan should know.
    """

    goal: PlanGoal
    lines: Sequence[Line]
    chosen: Line | None
    at_most: float | None
    chosen_apart: int
    reason: str
    notes: Sequence[str]


def plan_labelled(
    votes: LabelledVotes,
    goal: PlanGoal = PlanGoal(),
    *,
    cascades: Sequence[CascadeFile] | None = None,
    choose_share: float = 0.0,
    seed: int = 0,
) -> LabelPlan:
    """Return which of `cascades` keeps the goal, proved by the labelled rows.

    Args:
        votes: the labelled rows, as `read_votes` returns them.
        goal: what is wanted.
        cascades: the cascades in the order in which they are tested, the most cautious first; None is `default_cascades`.
        choose_share: the share of the rows on which one is chosen; the other rows prove it. 0 tests all cascades on all rows.
        seed: the seed with which these rows are drawn.

    Raises:
        UsageError: a number is out of range, or the files lack the samples of a cascade.
    """
    if not 0.0 <= choose_share < 1.0:
        raise UsageError(f"The share of the rows to choose on must be at least 0 and below 1, not {choose_share!r}.")
    sequences = [[*cascades]] if cascades is not None else default_cascades(votes)
    if not any(sequences):
        raise UsageError("There is no cascade to try.")
    trials = [[tried(cascade, votes) for cascade in sequence] for sequence in sequences]
    notes = [*votes.notes, *(note for sequence in trials for trial in sequence for note in trial.notes)]
    if not choose_share:
        return chosen_on_all(trials, goal, default=cascades is None, notes=notes)
    every = [trial for sequence in trials for trial in sequence]
    return chosen_apart(every, [_split(trial.rows, choose_share, seed) for trial in every], goal, notes)


def default_cascades(votes: LabelledVotes) -> list[list[CascadeFile]]:
    """Return, for each pool, the cascades of one rung that are tried by default, the most cautious first.

    None may take more than two thirds of the samples of a row, so that there is room for red flags.
    """
    several = len(votes.pools) > 1
    return [
        [_default(pool, k, within, several=several) for k, within in fitting(pool.samples)] for pool in votes.pools.values()
    ]


def fitting(samples: int) -> list[tuple[int, int | None]]:
    """Return which of `IN_ORDER` are tried if each row has this number of samples.

    >>> fitting(4)
    [(3, 3), (2, 2), (3, None), (1, None)]
    """
    room = min(samples, max(3, 2 * samples // 3))
    return [(k, within) for k, within in IN_ORDER if (within or k) <= room]


class Chain(NamedTuple):
    """What labels prove of a chain of right-path steps.

    Attributes:
        steps: the number of steps.
        at_most: the bound on the chance of a wrong decision in the chain; None if no cascade is chosen.
        reaches: whether this bound keeps the target.
        labels: the number of decided labels, all of them right, that would prove the target without any assumption.
    """

    steps: int
    at_most: float | None
    reaches: bool
    labels: int


def chain_of(plan: LabelPlan, steps: int) -> Chain:
    """Return what the labels prove of a chain of `steps` right-path steps.

    Raises:
        UsageError: there are no steps.
    """
    goal = plan.goal
    labels = chain_labels(goal.target, steps, confidence=goal.confidence, anytime=goal.anytime)
    at_most = None if plan.at_most is None else chain_bound(plan.at_most, steps)
    return Chain(steps, at_most, at_most is not None and at_most <= goal.limit, labels)


def _default(pool: Pool, k: int, within: int | None, *, several: bool) -> CascadeFile:
    name, rule = pool.name, AheadBy(k, within)
    given: dict[str, Any] = {"within": within, "max_tokens": pool.max_tokens}
    if name.temperature is not None:
        given["temperature"] = name.temperature if len({*name.temperature}) > 1 else name.temperature[0]
    rung = RungFile.model_validate(
        {"model": name.model, "k": k, **{key: value for key, value in given.items() if value is not None}}
    )
    return CascadeFile(name=f"{name} {rule}" if several else str(rule), rungs=[rung])


def _shares(sequence: Sequence[Trial], *, default: bool, of: int) -> list[float]:
    """Return the share of 1 - confidence at each place; tests begin at the places whose share is not 0."""
    shares = [0.0] * len(sequence)
    shares[0] = 1 / of
    second = _second_start([trial.cascade for trial in sequence]) if default else 0
    if second:
        shares[0] = shares[second] = 0.5 / of
    return shares


def _second_start(cascades: Sequence[CascadeFile]) -> int:
    """Return the place of the first default cascade that is no more cautious than `SECOND_START`; 0 if there is no other."""
    late = IN_ORDER[IN_ORDER.index(SECOND_START) :]
    rules = [(each.rungs[0].k, each.rungs[0].within) for each in cascades]
    return next((place for place, rule in enumerate(rules) if rule in late), 0)


def _line(goal: PlanGoal, trial: Trial, tally: Tally, proved: bool) -> Line:
    return Line(trial, tally, _bound(goal, tally.counts), proved, _needed(goal, tally))


def _bound(goal: PlanGoal, counts: Counts) -> float:
    return bound_of(counts, goal.confidence, anytime=goal.anytime)


def _needed(goal: PlanGoal, tally: Tally) -> int | None:
    """Return the labelled rows that would prove the target, if the shares of decided and wrong rows stay as they are."""
    if not tally.counts.decided:
        return None
    decided = labels_at(tally.counts, goal.limit, confidence=goal.confidence, anytime=goal.anytime)
    return None if decided is None else -(-decided * tally.rows // tally.counts.decided)


def chosen_on_all(
    sequences: Sequence[Sequence[Trial]],
    goal: PlanGoal,
    *,
    default: bool = False,
    notes: Sequence[str] = (),
    among: NDArray[np.int64] | None = None,
) -> LabelPlan:
    """Return the plan in which all cascades are tested on the same rows, each sequence in its order.

    Args:
        sequences: the cascades, in sequences that share 1 - confidence evenly.
        goal: what is wanted.
        default: whether they are those of `default_cascades`, whose tests begin at two places.
        notes: remarks for the reader of the plan.
        among: the places of the drawn rows, each as often as it is drawn; None is each row once.
    """
    lines: list[Line] = []
    for sequence in sequences:
        tallies = [trial.tally(among) for trial in sequence]
        shares = _shares(sequence, default=default, of=len(sequences))
        counts = [tally.counts for tally in tallies]
        proved = proved_in_order(counts, goal.limit, shares=shares, confidence=goal.confidence, anytime=goal.anytime)
        lines.extend(_line(goal, *each) for each in zip(sequence, tallies, proved, strict=True))
    keeps = [line for line in lines if line.proved]
    fit = [line for line in keeps if line.tally.review <= goal.max_review]
    if not fit:
        return LabelPlan(goal, lines, None, None, 0, _why_none(goal, lines, keeps), notes)
    best = max(fit, key=lambda line: (line.tally.decided, -line.tally.samples))
    return LabelPlan(goal, lines, best, best.bound if len(lines) == 1 else goal.limit, 0, "", notes)


def chosen_apart(
    trials: Sequence[Trial],
    halves: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    goal: PlanGoal,
    notes: Sequence[str] = (),
) -> LabelPlan:
    """Return the plan in which one cascade is chosen on some rows, and proved on the others.

    Args:
        trials: the trials of the cascades.
        halves: for each trial, the places of the rows to choose on, and of those to prove on.
        goal: what is wanted.
        notes: remarks for the reader of the plan.

    Raises:
        UsageError: there is no row to choose on, or none to prove on.
    """
    if not all(len(first) and len(second) for first, second in halves):
        raise UsageError("There are too few rows to choose on some and prove on the others: leave out the share to choose on.")
    ranks = [_promise(goal, trial.tally(first), len(second)) for trial, (first, second) in zip(trials, halves, strict=True)]
    best = max(range(len(trials)), key=ranks.__getitem__)
    lines = []
    for place, (trial, (_, second)) in enumerate(zip(trials, halves, strict=True)):
        tally = trial.tally(second)
        lines.append(_line(goal, trial, tally, proved=place == best and _bound(goal, tally.counts) <= goal.limit))
    line, chosen_on = lines[best], len(halves[best][0])
    if line.proved and line.tally.review <= goal.max_review:
        return LabelPlan(goal, lines, line, line.bound, chosen_on, "", notes)
    reason = f"{line.name} was chosen on {chosen_on:,} rows. " + _why_none(goal, [line], [line] if line.proved else [])
    return LabelPlan(goal, lines, None, None, chosen_on, reason, notes)


def _promise(goal: PlanGoal, seen: Tally, others: int) -> tuple[bool, float, float]:
    """Return how promising a cascade is that ended as `seen` on some rows: whether the others may prove it, what it decides."""
    scale = others / seen.rows
    wrong, decided = math.ceil(seen.counts.wrong * scale), round(seen.counts.decided * scale)
    bound = _bound(goal, Counts(min(wrong, decided), decided))
    fits = bound <= goal.limit and seen.review <= goal.max_review
    return fits, seen.decided / seen.rows if fits else 0.0, -bound


def _split(rows: Sequence[str], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the rows to choose on, and of the others; a row is on the same side for all cascades."""
    draws = [hashlib.sha256(f"choose {seed} {row}".encode()).digest()[:8] for row in rows]
    chosen = np.array([int.from_bytes(draw) < share * 2**64 for draw in draws])
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def _why_none(goal: PlanGoal, lines: Sequence[Line], proved: Sequence[Line]) -> str:
    """Return why no cascade is chosen."""
    if proved:
        least = min(proved, key=lambda line: line.tally.review)
        return (
            f"The target {goal.target:g} is proved of {len(proved)}, but all of them leave more than {goal.max_review:.0%} of "
            f"the rows for review. The least is {least.name}, which leaves {least.tally.review:.0%}."
        )
    nearest = min(lines, key=lambda line: (line.needed is None, line.needed or 0, line.bound))
    return f"No cascade is proved to reach the target {goal.target:g}. " + "".join(_how_far(nearest))


def _how_far(line: Line) -> Iterator[str]:
    """Yield how far the nearest cascade gets, and what would help."""
    tally = line.tally
    if not tally.decided:
        yield f"No cascade that was tried decides a row, so nothing can be said ({tally.rows:,} rows)."
        return
    yield f"The nearest is {line.name}: {tally.wrong:,} of {tally.decided:,} decided are wrong; its bound is {line.bound:.3g}. "
    if line.needed is None:
        yield "So many are wrong that more labels would not help: a better model, check or question would."
    elif line.needed <= tally.rows:
        yield (
            "This would be enough if it were tried alone. It is not enough among several, because they share the doubt and "
            "are tested in their order."
        )
    else:
        yield f"If the rows go on like this, about {line.needed:,} labelled ones would prove it."
