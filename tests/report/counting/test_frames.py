"""Positions of the pegs: every one of a short run, few of a long one, the last one always."""

import pytest

from maker_graph.core.canonical import canonical
from maker_graph.journal.entry import Skimmed
from maker_graph.report.counting.frames import FRAMES, FrameRecorder
from maker_graph.report.counting.steps import CountedStep, counted_step
from maker_graph.tasks import Hanoi, Records
from tests.report.making import step, vote


def after(pegs: list[list[int]], number: int) -> CountedStep:
    answer = canonical({"move": [1, 0, 1], "next_state": pegs})
    return counted_step(number, Skimmed(f"[{answer}]", [vote(0)], 0, first_agrees=True), 1, None)


def test_every_position_of_a_short_run_is_kept() -> None:
    recorder = FrameRecorder(Hanoi(2), 2)
    recorder.add(after([[2], [1], []], 1))
    recorder.add(after([[], [1], [2]], 2))
    frames = recorder.found()
    assert frames is not None
    assert (frames.stride, frames.last, frames.pegs) == (1, 2, ["00", "10", "12"])


@pytest.mark.parametrize("steps", [FRAMES - 1, FRAMES, 12_345, 1_048_575])
def test_of_a_long_run_few_are_kept_the_last_one_among_them(steps: int) -> None:
    recorder = FrameRecorder(Hanoi(2), steps)
    for number in range(1, steps + 1):
        if number % recorder._stride == 0 or number in {1, steps}:
            recorder.add(after([[], [1], [2]], number))
    frames = recorder.found()
    assert frames is not None
    assert frames.stride % 2 == 1, "or disk 1 would stand still"
    assert len(frames.pegs) <= FRAMES
    assert len(frames.pegs) == 1 + steps // frames.stride + (steps % frames.stride > 0)


def test_other_tasks_and_runs_without_a_step_have_none() -> None:
    records = FrameRecorder(Records([{"address": "", "date": "", "amount": ""}]), 1)
    records.add(step(1, vote(0)))
    assert records.found() is FrameRecorder(Hanoi(3), 0).found() is None
