"""What each part of a task took: steps, samples, votes, red flags."""

from collections import Counter
from dataclasses import dataclass, field

from maker_graph.journal.entry import GIVEN
from maker_graph.report.counting.steps import CountedStep


@dataclass(slots=True)
class PartCounts:
    """What one part took.

    Attributes:
        name: the name of the part.
        by: "votes", or "program" or "world" if one of these gives its answers.
        steps: the steps of the part, open ones included.
        samples: the samples drawn, flagged ones included.
        votes: samples without a red flag.
        outvoted: votes for another candidate than the winner.
        contested: steps on which a vote lost.
        differs: steps on which the first sample alone would have given another answer.
        open: steps that were left open.
        flags: red flag -> samples.
    """

    name: str
    by: str = "votes"
    steps: int = 0
    samples: int = 0
    votes: int = 0
    outvoted: int = 0
    contested: int = 0
    differs: int = 0
    open: int = 0
    flags: Counter[str] = field(default_factory=Counter)


class PartCounter:
    """Counts the steps of a task by its parts; it counts nothing for a task without parts."""

    def __init__(self) -> None:
        self._parts: dict[str, PartCounts] = {}

    def add(self, step: CountedStep) -> None:
        """Take a step."""
        if not (name := step.seen.part):
            return
        part = self._parts.setdefault(name, PartCounts(name))
        part.steps += 1
        if step.seen.votes[-1].by in GIVEN:
            part.by = step.seen.votes[-1].by
            return
        part.samples += step.samples
        part.votes += step.votes
        part.outvoted += step.outvoted
        part.contested += step.outvoted > 0
        part.differs += not step.seen.first_agrees
        part.open += step.seen.winner is None
        for counts in step.counts:
            part.flags.update(dict(counts.flags))

    def parts(self) -> list[PartCounts]:
        """Return what each part took, in the order of their first answers."""
        return list(self._parts.values())
