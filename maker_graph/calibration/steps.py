"""The steps that a calibration asks, drawn at random among those that are voted on, and the state of each."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from maker_graph.calibration.lines import CalibrationRequest
from maker_graph.core.guarding import ALONE, AnyTask, Guarded, guarded, total_of
from maker_graph.core.task import Known, Located, Skippable, Varies
from maker_graph.errors import UsageError
from maker_graph.run.label_lines import Label, LabelHeader
from maker_graph.tasks.loading import LoadedTask


def drawn_steps(request: CalibrationRequest) -> list[int]:
    """Return the steps to ask, drawn at random without repetition."""
    among = request.among or range(request.total)
    return Random(f"calibration {request.seed}").sample(among, request.steps)  # noqa: S311  no secret


def state_at(task: AnyTask, step: int) -> Any:
    """Return the state of `task` before `step`, counted from 0: from `state_at`, or by applying the right answers.

    Raises:
        UsageError: the task has neither `state_at` nor `truth`.
    """
    inside = guarded(task)
    if isinstance(inside, Located):
        return inside.state_at(step)
    state = inside.start()
    for _ in range(step):
        state = inside.apply(state, task_with_truth(inside).truth(state))
    return state


def part_named(task: AnyTask, name: str | None) -> str:
    """Return the name of the part that is calibrated; empty for a task that has only one.

    Raises:
        UsageError: there is no voted part of this name, or there are several and none is named.
    """
    inside = guarded(task)
    voted = ", ".join(inside.voted_parts)
    if list(inside.parts) == [ALONE]:
        if name is not None:
            raise UsageError(f"{inside.title} has only one part: leave out --part.")
        return ""
    if name is None and len(inside.voted_parts) == 1:
        return voted
    if name is None:
        raise UsageError(f"{inside.title} has several voted parts: say with --part which one is asked ({voted}).")
    if name not in inside.voted_parts:
        raise UsageError(f"{inside.title} has no voted part {name!r}: there are {voted or 'none'}.")
    return name


def see_varies(task: AnyTask, part: str) -> None:
    """Make sure that a part of a task has variants of its question.

    Raises:
        UsageError: it has none.
    """
    inside = guarded(task)
    if not isinstance(inside.voted_parts[part] if part else inside, Varies):
        raise UsageError("The task has no variants(state), so its samples cannot be asked variants: leave out --variants.")


def calibratable_steps(task: AnyTask, part: str = "", *, truth: bool) -> tuple[int, list[int]]:
    """Return the number of steps of a part on which models vote, and these steps if they are not all steps of the task.

    Raises:
        UsageError: the task lacks a function that this needs, or nothing is voted on; the text says which.
    """
    total, inside = total_of(task), guarded(task)
    if total is None:
        raise UsageError("The task has no total(): give it one. A calibration draws steps at random, and needs their number.")
    asked = inside.voted_parts[part] if part else inside
    if truth and not isinstance(asked, Known):
        raise UsageError(
            "The task does not know the right answers (it has no truth(state)): give --no-truth, or --labelled with a file "
            "that maker-graph label wrote, or give the task a truth(state)."
        )
    if not isinstance(inside, Located | Known) or (part and not isinstance(inside, Located)):
        raise UsageError("The task has no state_at(step), so its steps cannot be drawn at random: give it one.")
    if not part and inside.given is None:
        return total, []
    found = [step for step in range(total) if _asks(inside, part, state_at(inside, step))]
    if not found:
        raise UsageError("No step of the task is voted on: there is nothing to calibrate.")
    return len(found), found


def labelled_steps(
    header: LabelHeader, labels: Mapping[int, Label], loaded: LoadedTask, part: str, asked: Sequence[int]
) -> dict[int, str | None]:
    """Return the labels of the steps that are asked, counted from 0: the right candidates, or None if nobody could say.

    Args:
        header: the header of the file, which says what was labelled.
        labels: step, counted from 1 -> its label.
        loaded: the task that is calibrated.
        part: the part of the task; empty if it has only one.
        asked: the steps that models vote on, counted from 0.

    Raises:
        UsageError: the labels are of something else, or of no step that is asked.
    """
    if (header.task, header.options, header.inputs) != (loaded.name, loaded.options, loaded.inputs):
        raise UsageError(
            f"These labels are of {header.task} with other options or another input: give the task that was labelled, or other "
            "labels."
        )
    if header.run is not None and not isinstance(guarded(loaded.task), Skippable):
        raise UsageError("These labels are of the steps of one run, and another run has other steps: label the task instead.")
    voted = {*asked}
    found = {step - 1: label.candidate for step, label in labels.items() if step - 1 in voted}
    if not found:
        raise UsageError(f"No step of {part or 'the task'} that models vote on has a label: label some first.")
    return found


def _asks(task: Guarded, part: str, state: Any) -> bool:
    """Say whether models vote on a state, and whether this part asks them."""
    if part and task.part(state) != part:
        return False
    return task.given is None or task.given(state) is None


def task_with_truth(task: Guarded) -> Known:
    """Return `task`, which knows its right answers.

    Raises:
        UsageError: it does not know them.
    """
    if not isinstance(task, Known):
        raise UsageError("The task has neither state_at(step) nor truth(state).")
    return task
