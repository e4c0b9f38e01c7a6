"""What a report shows of a run: counts and bins of its journal, made in one pass that keeps no list of steps.

A million steps are read in half a minute, and what is kept of them fits on a page: histograms, `BINS` bins along the run, the
`CONTESTS` most contested votes, at most `FRAMES` positions of the pegs. Up to `REPLAYED` steps the run is replayed as well, and
where its task knows the truth each vote is held against it; beyond that the decided answer stands for the truth.
"""

import heapq
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from maker_graph.core.canonical import canonical, plain
from maker_graph.core.decision import Usage
from maker_graph.core.task import Keyed, Known, Located, Skippable, Task, total_of
from maker_graph.core.voting import MAX_TOKENS
from maker_graph.errors import DamagedRun
from maker_graph.models.pricing import FlatPrice
from maker_graph.run import directory as runs
from maker_graph.run.entry import Skimmed, SkimmedVote, skim
from maker_graph.run.settings import Settings
from maker_graph.run.spending import Spent
from maker_graph.tasks import Hanoi

REPLAYED = 100_000
"""Runs of at most so many steps are replayed and verified for the report."""

BINS = 60
CONTESTS = 6
FRAMES = 2_000
LENGTH_BINS = 30


@dataclass(frozen=True, slots=True)
class Endings:
    """After how many samples, and after how many votes, steps were decided; and when first-to-k would have decided them.

    Each is number -> steps. `left` steps were decided by no vote: they were left open, or a person answered.
    """

    samples: Mapping[int, int]
    votes: Mapping[int, int]
    first_to_samples: Mapping[int, int]
    first_to_votes: Mapping[int, int]
    left: int


class Contest(NamedTuple):
    """A contested vote, the one that ended its step.

    Attributes:
        step: its number, from 1.
        by: which sampler voted.
        candidates: canonical JSON of each.
        order: the votes in the order of launch, as places among the candidates.
        flagged: discarded samples.
        winner: a place among the candidates; None if no vote decided the step.
        right: the place of the right answer; None if the truth is not known, or nobody voted for it.
    """

    step: int
    by: str
    candidates: tuple[str, ...]
    order: tuple[int, ...]
    flagged: int
    winner: int | None
    right: int | None


@dataclass(frozen=True, slots=True)
class Along:
    """Counts along the run, each in bins of `size` steps; the last bin may be smaller."""

    size: int
    steps: Sequence[int]
    samples: Sequence[int]
    outvoted: Sequence[int]
    flags: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long replies were: bin -> samples, in bins of `width` output tokens; `judged` were votes, `wrong` some of them."""

    width: int
    all: Mapping[int, int]
    flagged: Mapping[int, int]
    judged: Mapping[int, int]
    wrong: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Truth:
    """What the votes are worth.

    Attributes:
        known: whether the task said what is right; else the decided answer was taken for it.
        steps: decisions that could be judged by the task: where it goes one way, none after the first wrong one.
        wrong_steps: those that were wrong.
        first_wrong: the first of them.
        votes: votes that were judged.
        wrong_votes: those that were wrong.
    """

    known: bool
    steps: int
    wrong_steps: int
    first_wrong: int | None
    votes: int
    wrong_votes: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the run was: (step, seconds at work), and latencies as bucket b -> replies within [1.1^b, 1.1^(b+1)) ms."""

    points: Sequence[tuple[float, float]]
    latencies: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the disks of Hanoi were, every `stride` steps and at the end: for each disk from 1 the number of its peg."""

    stride: int
    last: int
    pegs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Collected:
    """All that a report shows of a run.

    Attributes:
        name: of the run.
        settings: what was asked for.
        steps: committed ones.
        total: those of the task, if it knows.
        dependent: whether a step's question needs the answers before it.
        done: whether the task is at its end.
        verified: whether the run was replayed by the task's rules and holds; None if nobody did.
        spent: what was used up, with all that was drawn for nothing.
        sessions: how often somebody went on with the run.
        list_price: USD that the calls of a simulated model would have cost; None if it has no price.
        samples: of committed steps, as all that follows.
        votes: those that showed no red flag.
        outvoted: votes that lost.
        contested: steps on which a vote lost.
        rounds: parallel fan-outs.
        flags: red flag -> samples.
        by: sampler, or "person" -> steps decided.
        first_samples_wrong: steps whose first sample alone would not have given the decided answer.
        first_sample_wrong_at: the first of them.
        certificate: as `certificate.as_json` gives it.
        plan: k, p, rho, p_full, samples, cost_usd, model_of_errors; each may be None.
    """

    name: str
    settings: Settings
    steps: int
    total: int | None
    dependent: bool
    done: bool
    verified: bool | None
    spent: Spent
    sessions: int
    list_price: float | None
    samples: int
    votes: int
    outvoted: int
    contested: int
    rounds: int
    flags: Mapping[str, int]
    by: Mapping[str, int]
    first_samples_wrong: int
    first_sample_wrong_at: int | None
    endings: Endings
    contests: Sequence[Contest]
    along: Along
    lengths: Lengths | None
    truth: Truth
    pace: Pace | None
    plan: Mapping[str, Any] | None
    certificate: Mapping[str, Any] | None
    frames: Frames | None

    @property
    def no_error(self) -> bool:
        """Whether the run is verified and known to be right: by the task's truth, or as Hanoi's shortest way to the goal."""
        judged = self.truth.known and self.truth.steps == self.steps and not self.truth.wrong_steps
        return bool(self.verified) and (judged or self.settings.task == "hanoi")


def collect(run: runs.Run, certificate: Mapping[str, Any] | None = None) -> Collected:
    """Return what a report shows of `run`.

    `certificate` is what `certificate.as_json` gives.

    Raises:
        DamagedRun: the journal is not what was written.
    """
    journal, settings = run.journal, run.settings
    replayed = journal.step <= REPLAYED
    total = total_of(run.task)
    if replayed:
        summary = runs.summary(run)
        done, verified = bool(summary["done"]), summary["verified"] if summary["done"] else None
    else:
        note = _note(run, "verified") or {}
        done, verified = journal.step == total, note.get("verified") if note.get("step") == journal.step else None
    walk, along, shapes = _Walk(run.task, replayed=replayed), _Along(journal.step), _Shapes()
    contests, frames = _Contests(), _Frames(run.task, journal.step)
    replies = _Replies(settings.voting.output_cap or MAX_TOKENS, known=walk.known)
    adds = [part.add for part in (along, shapes, contests, replies, frames, walk)]
    for number, entry in journal.entries():
        try:
            step = _step(number, skim(entry), settings.k, walk.truth(number))
            for add in adds:
                add(step)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise DamagedRun(f"The journal is damaged at step {number}: {error}.", number) from error
    spent, pace = journal.account().spent, _note(run, "pace")
    return Collected(
        name=run.directory.name,
        settings=settings,
        steps=journal.step,
        total=total,
        dependent=not isinstance(run.task, Skippable),
        done=done,
        verified=verified,
        spent=spent,
        sessions=journal.owners(),
        list_price=_list_price(settings, spent),
        samples=sum(along.samples),
        votes=shapes.total("votes"),
        outvoted=sum(along.outvoted),
        contested=contests.number,
        rounds=shapes.total("rounds"),
        flags={name: sum(bins) for name, bins in sorted(along.flags.items())},
        by=shapes.by(),
        first_samples_wrong=shapes.first_wrong,
        first_sample_wrong_at=shapes.first_wrong_at,
        endings=shapes.endings(),
        contests=contests.found(),
        along=Along(along.size, along.steps, along.samples, along.outvoted, dict(sorted(along.flags.items()))),
        lengths=replies.lengths(),
        truth=replies.truth(),
        pace=None if pace is None else _pace(pace),
        plan=_note(run, "plan"),
        certificate=certificate,
        frames=frames.found(),
    )


def undecided(endings: Mapping[int, int], steps: int) -> list[int]:
    """Return how many of `steps` are undecided after 1, 2, 3, ... samples or votes, up to the last that decided one.

    >>> undecided({3: 90, 4: 9, 6: 1}, 101)
    [101, 101, 11, 2, 2, 1]
    """
    left, result = steps, []
    for number in range(1, max(endings, default=0) + 1):
        left -= endings.get(number, 0)
        result.append(left)
    return result


def _note(run: runs.Run, name: str) -> dict[str, Any] | None:
    text = run.journal.note(name)
    note = None if text is None else json.loads(text)
    return note if isinstance(note, dict) else None


def _pace(note: Mapping[str, Any]) -> Pace:
    points = [(float(step), float(seconds)) for step, seconds in note.get("points", ())]
    return Pace(points, {int(bucket): int(count) for bucket, count in note.get("latencies", {}).items()})


def _list_price(settings: Settings, spent: Spent) -> float | None:
    if not settings.simulated:
        return None

    profile = settings.info.profile()
    price = FlatPrice(profile.input_price, profile.output_price)
    return price(Usage(input=spent.input, cached=spent.cached, output=spent.output)) or None


class _Race(NamedTuple):
    """What a sequence of samples says by itself.

    `places` are the votes of each candidate, `first_to` the numbers of samples and votes at which first-to-k decides.
    """

    votes: int
    places: tuple[int, ...]
    flags: tuple[tuple[str, int], ...]
    first_to: tuple[int, int] | None


@lru_cache(maxsize=1 << 14)
def _race(sequence: tuple[int | str, ...], k: int) -> _Race:
    places: Counter[int] = Counter()
    flags: Counter[str] = Counter()
    first_to = None
    for number, sample in enumerate(sequence, start=1):
        if isinstance(sample, str):
            flags[sample] += 1
            continue
        places[sample] += 1
        if first_to is None and places[sample] == k:
            first_to = (number, places.total())
    by_place = tuple(places[place] for place in range(max(places, default=-1) + 1))
    return _Race(places.total(), by_place, tuple(flags.items()), first_to)


class _Step(NamedTuple):
    """One step of the journal: its votes, each with its race, the deciding one last; and the candidate that is right, if known.

    Samples, votes, rounds and lost votes are those of all rungs; `first_to` is where first-to-k would have decided.
    """

    number: int
    seen: Skimmed
    races: Sequence[_Race]
    truth: str | None
    samples: int
    votes: int
    rounds: int
    first_to: tuple[int, int] | None
    outvoted: int


def _step(number: int, seen: Skimmed, k: int, truth: str | None) -> _Step:
    if len(seen.votes) == 1:
        vote = seen.votes[0]
        race = _race(tuple(vote.sequence), k)
        won = race.places[seen.winner] if seen.winner is not None and seen.winner < len(race.places) else 0
        outvoted = 0 if seen.winner is None else race.votes - won
        return _Step(number, seen, (race,), truth, len(vote.sequence), race.votes, vote.rounds, race.first_to, outvoted)
    races = [_race(tuple(vote.sequence), k) for vote in seen.votes]
    samples = votes = 0
    first_to = None
    for vote, race in zip(seen.votes, races, strict=True):
        if first_to is None and race.first_to is not None:
            first_to = (samples + race.first_to[0], votes + race.first_to[1])
        samples, votes = samples + len(vote.sequence), votes + race.votes
    rounds = sum(vote.rounds for vote in seen.votes)
    return _Step(number, seen, races, truth, samples, votes, rounds, first_to, _outvoted(seen, races))


def _outvoted(seen: Skimmed, races: Sequence[_Race]) -> int:
    """Return the votes on all rungs that were not for the winner; 0 if there is none."""
    if seen.winner is None:
        return 0
    winner = _candidates(seen, seen.votes[-1])[seen.winner]
    lost = 0
    for vote, race in zip(seen.votes, races, strict=True):
        places = zip(_candidates(seen, vote), race.places, strict=False)  # a person's answer has no votes
        lost += sum(votes for candidate, votes in places if candidate != winner)
    return lost


def _candidates(seen: Skimmed, vote: SkimmedVote) -> list[str]:
    """Return the candidates of a vote, with the one that is the answer itself written out."""
    return [canonical(seen.answer) if candidate is None else candidate for candidate in vote.candidates]


class _Walk:
    """The walk through the states of a short run whose task knows the truth; of others, no state is made."""

    def __init__(self, task: Task, *, replayed: bool) -> None:
        self._task = task
        self.known = replayed and isinstance(task, Known)
        self._state = plain(task.start()) if self.known else None
        self._astray = False

    def truth(self, number: int) -> str | None:
        """Return the candidate that is right in this step; None if nobody knows, as after a wrong turn."""
        if not self.known or not isinstance(self._task, Known):
            return None
        if isinstance(self._task, Located):
            self._astray = plain(self._task.state_at(number - 1)) != self._state
        if self._astray:
            return None
        answer = plain(self._task.truth(self._state))
        return canonical(plain(self._task.key(answer)) if isinstance(self._task, Keyed) else answer)

    def add(self, step: _Step) -> None:
        """Take the step that was decided."""
        if not self.known:
            return
        winner = step.seen.winner
        if winner is None and isinstance(self._task, Skippable):
            self._state = plain(self._task.skip(self._state))
            return
        self._state = plain(self._task.apply(self._state, step.seen.answer))
        right = winner is not None and _candidates(step.seen, step.seen.votes[-1])[winner] == step.truth
        self._astray = self._astray or not right


class _Along:
    """Samples, lost votes and red flags, in bins along the run."""

    def __init__(self, steps: int) -> None:
        self.size = max(1, math.ceil(steps / BINS))
        bins = math.ceil(steps / self.size)
        self.steps = [min(self.size, steps - i * self.size) for i in range(bins)]
        self.samples, self.outvoted = [0] * bins, [0] * bins
        self.flags: dict[str, list[int]] = {}

    def add(self, step: _Step) -> None:
        at = (step.number - 1) // self.size
        self.samples[at] += step.samples
        self.outvoted[at] += step.outvoted
        for race in step.races:
            for flag, number in race.flags:
                self.flags.setdefault(flag, [0] * len(self.steps))[at] += number


class _Shape(NamedTuple):
    """What matters of a step for when it ended; a million steps have some hundred shapes."""

    samples: int
    votes: int
    first_to: tuple[int, int] | None
    by: str | None
    rounds: int


class _Shapes:
    """The shapes of all steps, and what first samples were worth."""

    def __init__(self) -> None:
        self._shapes: Counter[_Shape] = Counter()
        self.first_wrong = 0
        self.first_wrong_at: int | None = None

    def add(self, step: _Step) -> None:
        seen = step.seen
        if not seen.first_agrees:
            self.first_wrong += 1
            self.first_wrong_at = self.first_wrong_at or step.number
        by = None if seen.winner is None else seen.votes[-1].by
        self._shapes[_Shape(step.samples, step.votes, step.first_to, by, step.rounds)] += 1

    def endings(self) -> Endings:
        samples, votes, first_samples, first_votes = (Counter[int]() for _ in range(4))
        left = 0
        for shape, steps in self._shapes.items():
            if shape.by in {None, "person"}:
                left += steps
            else:
                samples[shape.samples] += steps
                votes[shape.votes] += steps
            if shape.first_to is not None:
                first_samples[shape.first_to[0]] += steps
                first_votes[shape.first_to[1]] += steps
        return Endings(dict(samples), dict(votes), dict(first_samples), dict(first_votes), left)

    def by(self) -> dict[str, int]:
        """Return how many steps each sampler, or a person, decided."""
        by: Counter[str] = Counter()
        for shape, steps in self._shapes.items():
            if shape.by is not None:
                by[shape.by] += steps
        return dict(by)

    def total(self, name: Literal["votes", "rounds"]) -> int:
        return sum(int(getattr(shape, name)) * steps for shape, steps in self._shapes.items())


class _Contests:
    """The steps on which a vote lost or nobody won, and the most contested of them."""

    def __init__(self) -> None:
        self.number = 0
        self._most: list[tuple[tuple[int, int, int, int], Contest]] = []

    def add(self, step: _Step) -> None:
        race, seen = step.races[-1], step.seen
        if not step.outvoted and (seen.winner is not None or not race.votes):
            return
        self.number += 1
        rank = (len(race.places) > 1, race.votes, step.samples, -step.number)
        if len(self._most) < CONTESTS:
            heapq.heappush(self._most, (rank, _contest(step)))
        elif rank > self._most[0][0]:
            heapq.heapreplace(self._most, (rank, _contest(step)))

    def found(self) -> list[Contest]:
        return [contest for _, contest in sorted(self._most, key=lambda found: found[0], reverse=True)]


def _contest(step: _Step) -> Contest:
    vote = step.seen.votes[-1]
    candidates = _candidates(step.seen, vote)
    return Contest(
        step=step.number,
        by=vote.by,
        candidates=tuple(candidates),
        order=tuple(place for place in vote.sequence if isinstance(place, int)),
        flagged=len(vote.sequence) - step.races[-1].votes,
        winner=step.seen.winner,
        right=candidates.index(step.truth) if step.truth in candidates else None,
    )


class _Replies:
    """Votes held against the truth, or else against the decision, and how long replies were."""

    def __init__(self, max_tokens: int, *, known: bool) -> None:
        self._known = known
        self._width = max(1, math.ceil(max_tokens / LENGTH_BINS))
        self._all, self._flagged, self._judged, self._wrong = (Counter[int]() for _ in range(4))
        self._steps = self._wrong_steps = self._votes = self._wrong_votes = 0
        self._first_wrong: int | None = None

    def add(self, step: _Step) -> None:
        if not step.outvoted and not self._known and step.seen.winner is not None and not step.seen.votes[0].lengths:
            self._votes += step.votes  # most steps of a long run
            return
        rights = None if self._known and step.truth is None else _rights(step)  # astray, nobody knows
        if rights is not None:
            for race, right in zip(step.races, rights, strict=True):
                self._votes += race.votes
                self._wrong_votes += race.votes - (race.places[right] if 0 <= right < len(race.places) else 0)
            if step.truth is not None and step.seen.winner is not None:
                self._steps += 1
                if step.seen.winner != rights[-1]:
                    self._wrong_steps += 1
                    self._first_wrong = self._first_wrong or step.number
        for at, vote in enumerate(step.seen.votes):
            if vote.lengths:
                self._measure(vote, None if rights is None else rights[at])

    def lengths(self) -> Lengths | None:
        if not self._all:
            return None
        return Lengths(self._width, dict(self._all), dict(self._flagged), dict(self._judged), dict(self._wrong))

    def truth(self) -> Truth:
        return Truth(self._known, self._steps, self._wrong_steps, self._first_wrong, self._votes, self._wrong_votes)

    def _measure(self, vote: SkimmedVote, right: int | None) -> None:
        for sample, length in zip(vote.sequence, vote.lengths, strict=True):
            at = min(length // self._width, 2 * LENGTH_BINS)
            self._all[at] += 1
            if isinstance(sample, str):
                self._flagged[at] += 1
            elif right is not None:
                self._judged[at] += 1
                if sample != right:
                    self._wrong[at] += 1


def _rights(step: _Step) -> list[int] | None:
    """Return the place of the right candidate in each vote, -1 where nobody voted for it; None if nothing is known."""
    seen = step.seen
    if step.truth is None and seen.winner is None:
        return None
    if step.truth is None and len(seen.votes) == 1 and seen.winner is not None:
        return [seen.winner]
    candidates = [_candidates(seen, vote) for vote in seen.votes]
    right = step.truth if step.truth is not None or seen.winner is None else candidates[-1][seen.winner]
    return [each.index(right) if right in each else -1 for each in candidates]


class _Frames:
    """Where the disks of Hanoi were, now and then; nothing for other tasks."""

    def __init__(self, task: Task, steps: int) -> None:
        # Odd, or disk 1 would stand on the same peg in all frames.
        self._stride = 1 if steps < FRAMES else math.ceil(steps / (FRAMES - 2)) | 1
        self._steps = steps
        self._disks = task.disks if isinstance(task, Hanoi) else 0
        self._pegs = [_position(task.start()["pegs"], task.disks)] if isinstance(task, Hanoi) else []

    def add(self, step: _Step) -> None:
        if self._disks and (step.number % self._stride == 0 or step.number == self._steps):
            self._pegs.append(_position(step.seen.answer["next_state"], self._disks))

    def found(self) -> Frames | None:
        return Frames(self._stride, self._steps, self._pegs) if len(self._pegs) > 1 else None


def _position(pegs: Sequence[Sequence[int]], disks: int) -> str:
    """Return for each disk from 1 the number of its peg.

    >>> _position([[3], [2, 1], []], 3)
    '110'
    """
    place = {disk: peg for peg, stack in enumerate(pegs) for disk in stack}
    return "".join(str(place[disk]) for disk in range(1, disks + 1))
