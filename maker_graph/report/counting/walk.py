"""The walk through the states of a short run, which knows what was right at each step."""

from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import plain
from maker_graph.core.guarding import AnyTask, Given, guarded
from maker_graph.core.task import Keyed, Known, Located, Skippable
from maker_graph.report.counting.steps import CountedStep, candidates_of


class TruthWalk:
    """The walk through the states of a short run whose task knows the truth; of others, no state is made."""

    def __init__(self, task: AnyTask | None, *, replayed: bool) -> None:
        self._task = None if task is None else guarded(task)
        self.known = replayed and isinstance(self._task, Known)
        self._state = None if self._task is None or not self.known else plain(self._task.start(), own=True)
        self._astray = False

    def truth(self, number: int) -> str | None:
        """Return the candidate that is right in this step; None if nobody knows, as after a wrong turn."""
        if not self.known or not isinstance(self._task, Known):
            return None
        if isinstance(self._task, Located):
            self._astray = plain(self._task.state_at(number - 1), own=True) != self._state
        if self._astray or isinstance(part := self._task.at(self._state), Given):
            return None
        truth = self._task.truth(self._state)
        return candidate_of(part.key(plain(truth)) if isinstance(part, Keyed) else truth)

    def add(self, step: CountedStep) -> None:
        """Take the step that was decided."""
        if self._task is None or not self.known:
            return
        winner = step.seen.winner
        if winner is None and isinstance(self._task, Skippable):
            self._state = plain(self._task.skip(self._state), own=True)
            return
        given = isinstance(self._task.at(self._state), Given)
        self._state = plain(self._task.apply(self._state, step.seen.answer), own=True)
        right = winner is not None and candidates_of(step.seen, step.seen.votes[-1])[winner] == step.truth
        self._astray = self._astray or not (right or given)
