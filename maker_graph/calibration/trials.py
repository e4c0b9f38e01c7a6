"""Cascades tried on labelled votes: what each would have decided, rightly and wrongly, and the samples that it takes.

Each row gets a fresh ballot on each rung. A rung takes as many samples of its pool as its rule draws, in their order; the next
rung on the same pool takes the samples after these. So the trial does what a run would do: it votes in deficit rounds, draws
red-flagged samples again, and ends after too many of them. A rung with two temperatures takes its first sample from a pool at
the first temperature and the others from a pool at the second, unless one pool was drawn in this way.

A rung cannot draw more samples than a pool has. It is tried with `max_samples` of that number, which is a rule like any other,
and is kept in the cascade (`Trial.cascade`), so that a run does the same. Rungs that share a pool share its samples: each gets
what its rule needs at least, and as much of the rest as the others.

A row that has fewer samples than its pool, and whose ballot does not end within them, is *short*. Nobody knows how it would
have ended. It counts as decided and wrong in every bound, which is the worst case.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maker_graph.calibration.votes import FLAG, RIGHT, LabelledVotes, Pool, PoolName
from maker_graph.core.ballot import count
from maker_graph.core.decision import SCATTERED
from maker_graph.core.rules import AheadBy, Confirm, Decided, Draw, Hung, Majority, StoppingRule
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.models.names import info_of
from maker_graph.run.cascades import CascadeFile, RungFile, told
from maker_graph.statistics.labelled import Counts


class End(IntEnum):
    """How a row ends."""

    RIGHT = 0
    WRONG = 1
    PASSED = 2
    STUCK = 3
    SHORT = 4


class Tally(NamedTuple):
    """How a cascade ends on rows.

    Attributes:
        rows: all rows.
        right: rows that are decided as their labels say.
        wrong: rows that are decided otherwise.
        passed: rows that are contested: the rule of the last rung gave them up.
        stuck: rows that the last rung left for another reason: red flags, or no samples left.
        short: rows whose end nobody knows, because samples are missing.
        samples: the samples drawn for all rows.
    """

    rows: int
    right: int
    wrong: int
    passed: int
    stuck: int
    short: int
    samples: int

    @property
    def decided(self) -> int:
        """The decided rows."""
        return self.right + self.wrong

    @property
    def counts(self) -> Counts:
        """The counts for a bound: the short rows count as decided and wrong."""
        return Counts(self.wrong + self.short, self.decided + self.short)

    @property
    def error(self) -> float | None:
        """The share of the decided rows that is wrong; None if none is decided."""
        return self.wrong / self.decided if self.decided else None

    @property
    def review(self) -> float:
        """The share of the rows that is left to somebody else."""
        return 1 - self.decided / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """A cascade on the rows that all of its pools have.

    Attributes:
        cascade: the cascade, with `max_samples` as it was tried.
        rows: names of the rows.
        ends: the `End` of each row.
        samples: the samples of each row.
        notes: remarks for the reader of the plan.
    """

    cascade: CascadeFile
    rows: Sequence[str]
    ends: NDArray[np.int8]
    samples: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def tally(self, among: NDArray[np.int64] | None = None) -> Tally:
        """Return how the rows ended, or only those at the places `among`, each counted as often as it stands there."""
        ends = self.ends if among is None else self.ends[among]
        samples = self.samples if among is None else self.samples[among]
        right, wrong, passed, stuck, short = np.bincount(ends, minlength=len(End)).tolist()
        return Tally(len(ends), right, wrong, passed, stuck, short, int(samples.sum()))


def tried(cascade: CascadeFile, votes: LabelledVotes) -> Trial:
    """Return how `cascade` ends on the labelled rows.

    Raises:
        UsageError: the files have no samples of one of its models, or too few of them.
    """
    named = cascade if cascade.name else cascade.model_copy(update={"name": told(cascade)})
    feeds = _feeds(named, [_source(named, number, votes.pools) for number in range(len(named.rungs))])
    pools = [pool for feed in feeds for pool in feed.pools]
    rows = [name for name in pools[0].rows if all(name in pool.rows for pool in pools)]
    if not rows:
        raise UsageError(f"The cascade {named.name!r} takes samples of {_listed(pools)}, and no row is in all of them.")
    fitted = named.model_copy(update={"rungs": [_fitted(*each) for each in zip(named.rungs, feeds, strict=True)]})
    judges = [_Judge(rung) for rung in fitted.rungs]
    known: dict[tuple[str, ...], tuple[int, int]] = {}
    ends, samples = np.empty(len(rows), np.int8), np.empty(len(rows), np.int64)
    for place, name in enumerate(rows):
        sequences = tuple(feed.sequence(name) for feed in feeds)
        if (found := known.get(sequences)) is None:
            known[sequences] = found = _climbed(judges, sequences)
        ends[place], samples[place] = found
    return Trial(fitted, rows, ends, samples, tuple(_notes(named, fitted, pools, rows)))


class MajorityTally(NamedTuple):
    """What a majority of the first valid samples decides.

    Attributes:
        rows: all rows.
        decided: the rows that are decided.
        wrong: the decided rows that are wrong.
        samples: the samples drawn for all rows, red-flagged ones included.
    """

    rows: int
    decided: int
    wrong: int
    samples: int


def majority_of(pool: Pool, votes: int) -> MajorityTally:
    """Return what a majority of the first `votes` valid samples decides; a row with fewer is not decided."""
    rule, decided, wrong, samples = Majority(votes), 0, 0, 0
    for row in pool.rows.values():
        valid = [place for place, each in enumerate(row.sequence) if each != FLAG][:votes]
        samples += valid[-1] + 1 if len(valid) == votes else len(row.sequence)
        verdict = rule(count(row.sequence[place] for place in valid))
        if isinstance(verdict, Decided):
            decided += 1
            wrong += verdict.candidate != RIGHT
    return MajorityTally(len(pool.rows), decided, wrong, samples)


def _climbed(judges: "Sequence[_Judge]", sequences: Sequence[str]) -> tuple[int, int]:
    """Return how a row ends, and the samples that it takes on all rungs."""
    end, samples = int(End.STUCK), 0
    for judge, sequence in zip(judges, sequences, strict=True):
        end, drawn = judge(sequence)
        samples += drawn
        if end in {End.RIGHT, End.WRONG, End.SHORT}:
            break
    return end, samples


class _Judge:
    """Says how the ballot of a row ends on one rung, and how many samples it draws; it remembers what it has computed."""

    def __init__(self, rung: RungFile) -> None:
        rule = rung.rule()
        self._rule: StoppingRule = AheadBy(rule) if isinstance(rule, int) else rule
        self._cap = rung.max_samples
        self._stuck_after = rung.stuck_after
        self._asked: dict[str, int] = {}
        self._first = self._draws("")

    def __call__(self, sequence: str) -> tuple[int, int]:
        """Return the end of a row, and the samples that it draws."""
        drawn, draws = 0, self._first
        while draws > 0:
            if drawn + draws > self._cap:
                return End.STUCK, drawn
            if drawn + draws > len(sequence):
                return End.SHORT, len(sequence)
            drawn += draws
            seen = sequence[:drawn]
            if (found := self._asked.get(seen)) is None:
                self._asked[seen] = found = self._draws(seen)
            draws = found
        return -draws, drawn

    def _draws(self, seen: str) -> int:
        """Return how many samples come next; a number of 0 or below is the negated `End`."""
        ballot = count(seen.replace(FLAG, ""))
        verdict = self._rule(ballot)
        match verdict:
            case Decided(candidate):
                return -(End.RIGHT if candidate == RIGHT else End.WRONG)
            case Hung():
                return -End.PASSED
            case Draw(samples):
                flags = len(seen) - len(seen.rstrip(FLAG))
                scattered = len(ballot) >= SCATTERED and sum(ballot.values()) == len(ballot)
                return -End.STUCK if scattered or flags >= self._stuck_after else samples


@dataclass(frozen=True, slots=True)
class _Feed:
    """Where a rung takes its samples.

    Attributes:
        pools: one pool, or two: the pool of the first sample and the pool of the others.
        starts: the place in each pool at which the samples begin.
        cap: the most samples.
    """

    pools: tuple[Pool, ...]
    starts: tuple[int, ...]
    cap: int

    def sequence(self, name: str) -> str:
        """Return the samples of a row as the rung meets them."""
        row, start = self.pools[-1].rows[name], self.starts[-1]
        if len(self.pools) == 1:
            return row.sequence[start : start + self.cap]
        cold = self.pools[0].rows[name]
        first = cold.sequence[self.starts[0] : self.starts[0] + 1]
        if first > RIGHT:  # a wrong answer, which is written in its own way in each pool
            answer = cold.wrong[ord(first) - 2]
            first = chr(2 + (row.wrong.index(answer) if answer in row.wrong else len(row.wrong)))
        return first and first + row.sequence[start : start + self.cap - 1]


def _feeds(cascade: CascadeFile, sources: Sequence[tuple[Pool, ...]]) -> list[_Feed]:
    """Return where each rung takes its samples.

    Raises:
        UsageError: the files have too few samples for the rungs that share a pool.
    """
    needs = [min(rung.max_samples, _needed(rung.rule())) for rung in cascade.rungs]
    users, asked, taken = Counter[PoolName](), Counter[PoolName](), Counter[PoolName]()
    for source, need in zip(sources, needs, strict=True):
        users[source[-1].name] += 1
        for pool in source[:-1]:
            asked[pool.name] += 1
        asked[source[-1].name] += need - len(source) + 1
    feeds = []
    for number, (rung, source, need) in enumerate(zip(cascade.rungs, sources, needs, strict=True), start=1):
        pool, extra = source[-1], len(source) - 1
        alone = asked[pool.name] == need - extra
        rest = pool.samples - asked[pool.name]
        cap = min(rung.max_samples, need + rest // users[pool.name])
        if rest < 0 and not (alone and cap >= _first_round(rung)):
            raise UsageError(
                f"Rung {number} of the cascade {cascade.name!r} needs more samples of {pool.name} than the files have: "
                f"{pool.samples} of each row{'' if alone else ', for all rungs that take them'}."
            )
        starts = tuple(taken[each.name] for each in source)
        if starts[-1] and extra == 0 and pool.name.temperature and len({*pool.name.temperature}) > 1:
            raise UsageError(
                f"Rung {number} of the cascade {cascade.name!r} begins with a sample at a temperature of its own. An earlier "
                f"rung takes the only such sample that {pool.name} has of each row: give this one another temperature."
            )
        feeds.append(_Feed(source, starts, cap))
        for each in source[:-1]:
            taken[each.name] += 1
        taken[pool.name] += cap - extra
    return feeds


def _source(cascade: CascadeFile, number: int, pools: Mapping[PoolName, Pool]) -> tuple[Pool, ...]:
    """Return the pool from which a rung takes its samples; two, if the first sample is from another one.

    Raises:
        UsageError: there is none, or it is not clear which.
    """
    rung = cascade.rungs[number]
    which = f"Rung {number + 1} of the cascade {cascade.name!r}"
    if rung.rephrase:
        raise UsageError(f"{which} asks a rephrased prompt, and the files have votes on the task's own: leave rephrase out.")
    of_model = {name.temperature: pool for name, pool in pools.items() if name.model == rung.model}
    if not of_model:
        raise UsageError(
            f"{which} takes samples of {rung.model!r}, and the files have those of {_listed(pools.values())}. "
            f"Say whose samples a file holds with {rung.model}=FILE."
        )
    if None in of_model and len(of_model) == 1:
        return (of_model[None],)
    wanted = rung.temperature
    if wanted == "auto":
        if len(of_model) == 1:
            return tuple(of_model.values())
        voting = Voting(k=rung.rule())
        wanted = info_of(rung.model).temperature_for(voting) if ":" in rung.model else voting.suited_temperature
    pair = wanted if isinstance(wanted, tuple) or wanted is None else (wanted, wanted)
    if pair in of_model:
        return (of_model[pair],)
    if pair is not None and all((each, each) in of_model for each in pair):
        return tuple(of_model[each, each] for each in pair)
    there = ", ".join(str(pool.name) for pool in of_model.values())
    raise UsageError(
        f"{which} needs samples at another temperature than the files have ({there}): name one of these in the rung."
    )


def _needed(rule: int | StoppingRule) -> int:
    """Return the fewest samples with which a rule can be tried as it is meant."""
    match rule:
        case Confirm():
            return 1 + rule.of
        case AheadBy():
            return rule.within or rule.k
        case _:
            return rule if isinstance(rule, int) else 1


def _first_round(rung: RungFile) -> int:
    rule = rung.rule()
    verdict = (AheadBy(rule) if isinstance(rule, int) else rule)({})
    return verdict.samples if isinstance(verdict, Draw) else 1


def _fitted(rung: RungFile, feed: _Feed) -> RungFile:
    """Return the rung as it was tried: limited to the samples that there are, at the temperature at which they were drawn."""
    changes: dict[str, Any] = {} if feed.cap == rung.max_samples else {"max_samples": feed.cap}
    if rung.temperature == "auto":
        first, others = feed.pools[0].name.temperature, feed.pools[-1].name.temperature
        if first is not None and others is not None:
            changes["temperature"] = first[0] if first[0] == others[1] else (first[0], others[1])
    return rung.model_copy(update=changes)


def _notes(named: CascadeFile, fitted: CascadeFile, pools: Sequence[Pool], rows: Sequence[str]) -> list[str]:
    """Return remarks on how a cascade was tried."""
    found = []
    for number, (rung, as_tried) in enumerate(zip(named.rungs, fitted.rungs, strict=True), start=1):
        if as_tried.max_samples < _needed(rung.rule()):
            most = _needed(rung.rule())
            found.append(
                f"{named.name}: rung {number} may need {most} samples, and there are {as_tried.max_samples} of each row: "
                f"it is tried with max_samples={as_tried.max_samples}."
            )
    if missing := max(len(pool.rows) for pool in pools) - len(rows):
        found.append(f"{named.name}: {missing:,} rows have no samples in one of its pools, and are left out.")
    return found


def _listed(pools: Iterable[Pool]) -> str:
    return ", ".join(dict.fromkeys(str(pool.name) for pool in pools))
