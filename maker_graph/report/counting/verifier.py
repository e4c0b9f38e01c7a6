"""What the verifier of a task and its `key` did in a run."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from maker_graph.core.verifying import STANDINGS
from maker_graph.report.counting.steps import CountedStep

MOST_SHOWN = 3
"""The number of the first proofs that are shown."""


@dataclass(frozen=True, slots=True)
class VerifierCounts:
    """What the verifier and `key` did.

    Attributes:
        standings: "proved", "valid", "unknown" -> votes.
        proved: steps whose answer was proved.
        merged: steps whose winner won only because `key` made one candidate of several answers.
        first: the first steps that were proved, each with its evidence.
        merged_at: the first step on which `key` made the winner; None if there is none.
    """

    standings: Mapping[str, int] = field(default_factory=dict)
    proved: int = 0
    merged: int = 0
    first: tuple[tuple[int, str], ...] = ()
    merged_at: int | None = None

    def told(self) -> Iterator[str]:
        """Yield this as sentences."""
        if self.standings:
            kinds = ", ".join(f"{self.standings.get(name, 0):,} {name}" for name in STANDINGS)
            examples = "; ".join(f"step {step:,}: {evidence}" for step, evidence in self.first)
            yield (
                f"The task's verifier proved the answers of {self.proved:,} steps. It judged the votes: {kinds}. Samples that "
                "it calls invalid are discarded." + (f" For example {examples}." if examples else "")
            )
        if self.merged:
            yield (
                f"On {self.merged:,} {'step' if self.merged == 1 else 'steps'}, the first of them step {self.merged_at:,}, the "
                "winner has the most votes only because several answers count as one."
            )


NOTHING_VERIFIED = VerifierCounts()


@dataclass(slots=True)
class VerifierCounter:
    """Counts what the verifier and `key` did."""

    _standings: Counter[str] = field(default_factory=Counter)
    _proved: int = 0
    _merged: int = 0
    _first: list[tuple[int, str]] = field(default_factory=list)
    _merged_at: int | None = None

    def add(self, step: CountedStep) -> None:
        """Take a step."""
        if not (said := step.seen.said):
            return
        for numbers in said.get("standings", []):
            self._standings.update(dict(zip(STANDINGS, numbers, strict=False)))
        if step.seen.proved:
            self._proved += 1
            if len(self._first) < MOST_SHOWN:
                self._first.append((step.number, str(said["proved"])))
        if said.get("merged"):
            self._merged += 1
            self._merged_at = self._merged_at or step.number

    def counts(self) -> VerifierCounts:
        """Return what was counted."""
        return VerifierCounts(dict(self._standings), self._proved, self._merged, tuple(self._first), self._merged_at)
