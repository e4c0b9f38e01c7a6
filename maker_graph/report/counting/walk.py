"""The walk through the states of a short run, which knows what was right at each step."""

from maker_graph.core.canonical import plain
from maker_graph.core.guarding import AnyTask, guarded
from maker_graph.core.task import Skippable
from maker_graph.core.verdict import RightPath
from maker_graph.report.counting.steps import CountedStep, candidates_of


class TruthWalk:
    """The walk through the states of a short run whose task knows the truth; for other runs no state is made."""

    def __init__(self, task: AnyTask | None, *, replayed: bool) -> None:
        self._task = None if task is None or not replayed else guarded(task)
        self._path = None if task is None or not replayed else RightPath(task)
        self.known = self._path is not None and self._path.known
        self._state = None if self._task is None or not self.known else plain(self._task.start(), own=True)

    def truth(self, number: int) -> str | None:
        """Return the candidate that is right in this step; None if nobody knows, for example after a wrong turn."""
        return None if self._path is None or not self.known else self._path.right(self._state, number)

    def add(self, step: CountedStep) -> None:
        """Take the step that was decided."""
        if self._task is None or self._path is None or not self.known:
            return
        winner = step.seen.winner
        if winner is None and isinstance(self._task, Skippable):
            self._state = plain(self._task.skip(self._state), own=True)
            return
        self._state = plain(self._task.apply(self._state, step.seen.answer), own=True)
        self._path.take(step.truth, None if winner is None else candidates_of(step.seen, step.seen.votes[-1])[winner])
