"""Where the disks of Hanoi were, at regular steps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maker_graph.report.counting.steps import CountedStep
from maker_graph.tasks import Hanoi

FRAMES = 2_000
"""The most positions of the pegs that are kept."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the disks of Hanoi were, every `stride` steps and at the end: for each disk from 1 the number of its peg."""

    stride: int
    last: int
    pegs: Sequence[str]


class FrameRecorder:
    """Records where the disks of Hanoi were, at regular steps; it records nothing for other tasks."""

    def __init__(self, task: object, steps: int) -> None:
        # The stride is odd, because with an even one disk 1 would stand on the same peg in all frames.
        self._stride = 1 if steps < FRAMES else math.ceil(steps / (FRAMES - 2)) | 1
        self._steps = steps
        self._disks = task.disks if isinstance(task, Hanoi) else 0
        self._pegs = [position_of(task.start()["pegs"], task.disks)] if isinstance(task, Hanoi) else []

    def add(self, step: CountedStep) -> None:
        """Keep the position after a step, if it is the turn of this step."""
        if self._disks and (step.number % self._stride == 0 or step.number == self._steps):
            self._pegs.append(position_of(step.seen.answer["next_state"], self._disks))

    def found(self) -> Frames | None:
        """Return the frames; None if there are fewer than two."""
        return Frames(self._stride, self._steps, self._pegs) if len(self._pegs) > 1 else None


def position_of(pegs: Sequence[Sequence[int]], disks: int) -> str:
    """Return for each disk from 1 the number of its peg.

    >>> position_of([[3], [2, 1], []], 3)
    '110'
    """
    place = {disk: peg for peg, stack in enumerate(pegs) for disk in stack}
    return "".join(str(place[disk]) for disk in range(1, disks + 1))
