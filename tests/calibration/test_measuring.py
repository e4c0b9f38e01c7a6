"""Calibrations: what they measure is the truth, and what was paid for is never asked again."""

import asyncio
import hashlib
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maker_graph.calibration.file import opened, read
from maker_graph.calibration.lines import Asked, Step
from maker_graph.calibration.measuring import calibrate
from maker_graph.calibration.result import measured
from maker_graph.errors import LimitReached, UsageError
from maker_graph.models.tiny_lm.engine import WEIGHTS
from maker_graph.run.account import Limits
from maker_graph.tasks import Hanoi
from tests.conftest import Scripted

Cli = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
MODEL = "sim:perfect,error=0.1,rho=0.05,flagged=0.06,favourite=0.7"


def asked_of(**changes: Any) -> Asked:
    given: dict[str, Any] = {
        "task": "hanoi", "options": {"disks": 3}, "total": 7, "models": ["scripted"], "caps": {"scripted": 99}, "steps": 7,
        "samples": 3, "temperature": (0.0, 0.1), "check": True, "truth": True, "seed": None,
    }  # fmt: skip
    return Asked(**{**given, **changes})


# --------------------------------------------------------------------------------------------------------- what is measured


def test_the_samples_are_drawn_as_in_a_run(tmp_path: Path) -> None:
    # the first at temperature 0, the others at .1, with the cap; flags and rules of the task as there
    task = Hanoi(3)

    def script(index: int, prompt: str) -> str:
        if index == 0:
            return "no move at all"
        if index == 1:
            return "move = [3, 0, 2]\nnext_state = [[2, 1], [], [3]]" if "[[3, 2, 1], [], []]" in prompt else ""
        steps = (task.state_at(step) for step in range(7))
        state = next(state for state in steps if f"Current state: {state['pegs']}" in prompt)
        answer = task.truth(state)
        return f"move = {answer['move']}\nnext_state = {answer['next_state']}"

    model = Scripted(script=script)
    with opened(tmp_path / "c.jsonl", asked_of()) as calibration:
        asyncio.run(calibrate(calibration, task, model, "scripted"))
        result = calibration.conclude("scripted", (1.0, 2.0))
    assert Counter((call["index"], call["temperature"], call["max_tokens"]) for call in model.log) == {
        (0, 0.0, 99): 7, (1, 0.1, 99): 7, (2, 0.1, 99): 7,
    }  # fmt: skip
    assert result.flags == {"empty": 6 / 21, "invalid": 1 / 21, "malformed": 7 / 21}
    assert (result.p.value, result.valid.value, result.hard) == (1.0, 7 / 21, [])


def step_of(number: int, *sequence: int | str, right: int | None = 0) -> Step:
    return Step(
        model="scripted", step=number, sequence=list(sequence), right=right, candidates=["a", "b", "c"], input=3, cached=0,
        lengths=[5] * len(sequence), seconds=[0.5] * len(sequence), cost=0.01,
    )  # fmt: skip


def test_the_largest_rival_is_bounded_by_how_often_two_wrong_samples_agree() -> None:
    steps = [step_of(n, 1, 1) for n in range(40)] + [step_of(n, 1, 2) for n in range(40, 100)]
    result = measured(asked_of(samples=2), "scripted", steps, None)
    assert result.both_wrong == (100, 40)
    assert 0.4**0.5 < result.rival < 0.75
    assert measured(asked_of(samples=2), "scripted", [step_of(0, 0, 1)], None).rival == 1.0


# ------------------------------------------------------------------------------------------------------ what a file survives


def test_the_cost_of_earlier_calls_counts(tmp_path: Path) -> None:
    task, path = Hanoi(3), tmp_path / "c.jsonl"
    model = Scripted(script=lambda _, __: "x" * 400)
    limits = Limits(cost=0.09)

    def go_on() -> int:
        with opened(path, asked_of(samples=2)) as calibration:
            with pytest.raises(LimitReached, match=r"limit of \$0.09"):
                asyncio.run(calibrate(calibration, task, model, "scripted", price=lambda _: 0.01, limits=limits, concurrency=2))
            return len(calibration.steps)

    assert (go_on(), go_on()) == (4, 4)


@pytest.mark.parametrize("text", ["", "hello\n", '{"a": 1}\n', '{"calibration": 1}\n'])
def test_what_is_no_calibration_is_refused_and_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"is no calibration"):
        read(path)
    if text:
        with pytest.raises(UsageError, match=r"is no calibration"), opened(path, asked_of()):
            pass
        assert path.read_text() == text


def test_the_calibration_that_ships_is_of_the_weights_that_ship() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:16]
    assert digest == "f1cbef6845597f58", (
        "calibrate the new weights (examples/train_tiny_lm/README.md), then put their digest here"
    )
