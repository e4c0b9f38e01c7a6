"""Which steps of a task a calibration asks: drawn at random, and the state of each."""

from random import Random
from typing import Any

from maker_graph.calibration.lines import CalibrationRequest
from maker_graph.core.guarding import total_of
from maker_graph.core.task import Known, Located, Task
from maker_graph.errors import UsageError


def drawn_steps(request: CalibrationRequest) -> list[int]:
    """Return the steps to ask, drawn at random without repetition."""
    return Random(f"calibration {request.seed}").sample(range(request.total), request.steps)  # noqa: S311  no secret


def state_at(task: Task, step: int) -> Any:
    """Return the state of `task` before `step`, counted from 0: made there, or walked to by the right answers.

    Raises:
        UsageError: the task can do neither.
    """
    if isinstance(task, Located):
        return task.state_at(step)
    state = task.start()
    for _ in range(step):
        state = task.apply(state, task_with_truth(task).truth(state))
    return state


def calibratable_steps(task: Task, *, truth: bool) -> int:
    """Return the number of steps of a task that can be calibrated.

    Raises:
        UsageError: the task lacks a function that this needs; the text says which.
    """
    total = total_of(task)
    if total is None:
        raise UsageError("The task has no total(): a calibration draws steps at random, and must know how many there are.")
    if truth and not isinstance(task, Known):
        raise UsageError("The task has no truth(state), so right and wrong cannot be told: use --no-truth, or give it one.")
    if not isinstance(task, Located | Known):
        raise UsageError("The task has no state_at(step), so its steps cannot be drawn at random: give it one.")
    return total


def task_with_truth(task: Task) -> Known:
    """Return `task`, which knows its right answers.

    Raises:
        UsageError: it does not.
    """
    if not isinstance(task, Known):
        raise UsageError("The task has neither state_at(step) nor truth(state).")
    return task
