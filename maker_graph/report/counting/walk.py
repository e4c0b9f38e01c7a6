"""The walk through the states of a short run, which knows what was right at each step."""

from maker_graph.core.canonical import canonical, plain
from maker_graph.core.task import Keyed, Known, Located, Skippable, Task
from maker_graph.report.counting.steps import CountedStep, candidates_of


class TruthWalk:
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

    def add(self, step: CountedStep) -> None:
        """Take the step that was decided."""
        if not self.known:
            return
        winner = step.seen.winner
        if winner is None and isinstance(self._task, Skippable):
            self._state = plain(self._task.skip(self._state))
            return
        self._state = plain(self._task.apply(self._state, step.seen.answer))
        right = winner is not None and candidates_of(step.seen, step.seen.votes[-1])[winner] == step.truth
        self._astray = self._astray or not right
