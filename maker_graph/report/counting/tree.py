"""The tree of problems of a decomposition, with the ballot of each answer."""

from collections.abc import Sequence

from maker_graph.report.counting.steps import CountedStep, candidates_of
from maker_graph.tasks.decompose import Decompose, Node, Tree

Ballot = Sequence[tuple[str, int]]
"""Candidates with their votes, the most frequent first."""


class TreeRecorder:
    """Builds the tree of problems step by step; it builds nothing for other tasks."""

    def __init__(self, task: object) -> None:
        self._tree = Tree(task) if isinstance(task, Decompose) else None

    def add(self, step: CountedStep) -> None:
        """Take the answer of a step."""
        if self._tree is not None:
            self._tree.add(step.seen.answer, _ballot(step))

    def root(self) -> Node | None:
        """Return the whole problem."""
        return None if self._tree is None else self._tree.root


def _ballot(step: CountedStep) -> Ballot:
    """Return the ballot that ended a step; it is empty if a person gave the answer."""
    places = zip(candidates_of(step.seen, step.seen.votes[-1]), step.counts[-1].places, strict=False)
    return sorted(places, key=lambda each: -each[1])
