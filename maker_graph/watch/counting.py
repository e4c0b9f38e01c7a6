"""What the page shows of the steps of a run: sums, the last decisions, and the most contested ones so far."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

from maker_graph.core.characters import visible
from maker_graph.core.decision import Decision
from maker_graph.errors import DamagedRun
from maker_graph.journal.entry import skim
from maker_graph.report.counting.contests import Contest, ContestFinder
from maker_graph.report.counting.steps import CountedStep, candidates_of, counted_step

RECENT = 10
"""How many of the last decisions are shown."""

LONGEST = 300
"""How many characters of a candidate are shown."""

MOST_CANDIDATES = 8
"""How many candidates of a ballot are shown."""


class Counts:
    """The counts over all steps of a run that were read so far.

    Attributes:
        samples: how many samples were drawn.
        votes: how many of them showed no red flag.
        outvoted: how many votes lost.
        lost: how many replies never came.
        flags: red flag -> samples.
        by: rung, "person", "program" or "world" -> steps decided.
        proved: how many steps have an answer that a verifier proved.
        open: the numbers of the steps that are open.
    """

    def __init__(self, k: int) -> None:
        """Begin before the first step of a run whose lead is `k`."""
        self._k = k
        self.samples = self.votes = self.outvoted = self.lost = self.proved = 0
        self.flags: Counter[str] = Counter()
        self.by: Counter[str] = Counter()
        self.open: set[int] = set()
        self._contests = ContestFinder()
        self._recent: deque[CountedStep] = deque(maxlen=RECENT)

    def add(self, entries: Iterable[tuple[int, str]]) -> None:
        """Count steps, each with the text of its entry.

        Raises:
            DamagedRun: an entry is unreadable.
        """
        for number, entry in entries:
            try:
                self._add(counted_step(number, skim(entry), self._k, None))
            except (ValueError, TypeError, LookupError, OverflowError) as error:
                raise DamagedRun(f"The journal is damaged at step {number}: {error}.", number) from error

    def _add(self, step: CountedStep) -> None:
        self.samples += step.samples
        self.votes += step.votes
        self.outvoted += step.outvoted
        self.proved += step.seen.proved
        for vote, count in zip(step.seen.votes, step.counts, strict=True):
            self.lost += vote.lost
            for name, number in count.flags:
                self.flags[name] += number
        if step.seen.winner is None:
            self.open.add(step.number)
        else:
            self.by[step.seen.votes[-1].by] += 1
        self._contests.add(step)
        self._recent.append(step)

    def answered(self, amended: Mapping[int, Decision]) -> None:
        """Count open steps as decided; `amended` has their later decisions, by step."""
        for step in self.open & amended.keys():
            self.open.remove(step)
            self.by[amended[step]["by"]] += 1

    @property
    def contested(self) -> int:
        """The number of contested steps."""
        return self._contests.number

    def recent(self) -> list[dict[str, Any]]:
        """Return the last decisions, the newest first, as plain JSON."""
        return [_decision(step) | self._later(step.number, step.seen.winner) for step in reversed(self._recent)]

    def contests(self) -> list[dict[str, Any]]:
        """Return the most contested decisions so far, the longest votes first, as plain JSON."""
        return [_contest(contest) | self._later(contest.step, contest.winner) for contest in self._contests.found()]

    def _later(self, step: int, winner: int | None) -> dict[str, bool]:
        """Return whether a step is open, and whether it was open until it was answered later."""
        return {"open": step in self.open, "answered": winner is None and step not in self.open}

    def last_answer(self) -> Any:
        """Return the answer of the last step; None if there is none."""
        return self._recent[-1].seen.answer if self._recent else None


def _decision(step: CountedStep) -> dict[str, Any]:
    seen = step.seen
    vote = seen.votes[-1]
    flags = Counter({name: number for count in step.counts for name, number in count.flags})
    return {
        "step": step.number,
        "by": shown(vote.by),
        "part": shown(seen.part),
        "samples": step.samples,
        "flags": dict(flags),
        "proved": seen.proved,
        "proof": shown(str(seen.said.get("proved", ""))),
        "merged": bool(seen.said.get("merged")),
        "ballot": _ballot(candidates_of(seen, vote), step.counts[-1].places, seen.winner),
    }


def _contest(contest: Contest) -> dict[str, Any]:
    votes = Counter(contest.order)
    return {
        "step": contest.step,
        "by": shown(contest.by),
        "samples": len(contest.order) + contest.flagged,
        "flagged": contest.flagged,
        "proved": contest.proved,
        "ballot": _ballot(contest.candidates, [votes[place] for place in range(len(contest.candidates))], contest.winner),
    }


def _ballot(candidates: Iterable[str], places: Iterable[int], winner: int | None) -> list[dict[str, Any]]:
    """Return at most `MOST_CANDIDATES` candidates with their votes: the winner first, then those with the most votes."""
    votes = list(places)
    all_ = list(candidates)
    order = sorted(range(len(all_)), key=lambda place: (place != winner, -(votes[place] if place < len(votes) else 0)))
    return [
        {
            "candidate": shown(all_[place]),
            "votes": votes[place] if place < len(votes) else 0,
            "won": place == winner,
        }
        for place in order[:MOST_CANDIDATES]
    ]


def shown(text: str, most: int = LONGEST) -> str:
    r"""Return the first `most` characters of a text, with invisible characters as escapes.

    >>> shown("a\u202eb"), shown("abcdef", 3)
    ('a\\u202eb', 'abc …')
    """
    cut = text[: most + 1]
    seen = visible(cut[:most])
    return seen + " …" if len(cut) > most else seen
