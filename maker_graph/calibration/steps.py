"""Which steps of a task a calibration asks: drawn at random, and the state of each."""

from random import Random
from typing import Any

from maker_graph.calibration.lines import CalibrationRequest
from maker_graph.core.guarding import AnyTask, Guarded, guarded, total_of
from maker_graph.core.task import Known, Located
from maker_graph.errors import UsageError


def drawn_steps(request: CalibrationRequest) -> list[int]:
    """Return the steps to ask, drawn at random without repetition."""
    return Random(f"calibration {request.seed}").sample(range(request.total), request.steps)  # noqa: S311  no secret


def state_at(task: AnyTask, step: int) -> Any:
    """Return the state of `task` before `step`, counted from 0: made there, or walked to by the right answers.

    Raises:
        UsageError: the task can do neither.
    """
    inside = guarded(task)
    if isinstance(inside, Located):
        return inside.state_at(step)
    state = inside.start()
    for _ in range(step):
        state = inside.apply(state, task_with_truth(inside).truth(state))
    return state


def calibratable_steps(task: AnyTask, *, truth: bool) -> int:
    """Return the number of steps of a task that can be calibrated.

    Raises:
        UsageError: the task lacks a function that this needs; the text says which.
    """
    total, inside = total_of(task), guarded(task)
    if total is None:
        raise UsageError("The task has no total(): a calibration draws steps at random, and must know how many there are.")
    if truth and not isinstance(inside, Known):
        raise UsageError("The task has no truth(state), so right and wrong cannot be told: use --no-truth, or give it one.")
    if not isinstance(inside, Located | Known):
        raise UsageError("The task has no state_at(step), so its steps cannot be drawn at random: give it one.")
    return total


def task_with_truth(task: Guarded) -> Known:
    """Return `task`, which knows its right answers.

    Raises:
        UsageError: it does not.
    """
    if not isinstance(task, Known):
        raise UsageError("The task has neither state_at(step) nor truth(state).")
    return task
