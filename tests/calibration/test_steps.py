"""Steps are drawn at random, the same ones for the same seed, and only of a task that can be asked anywhere."""

from typing import Any

import pytest

from maker_graph.calibration.steps import calibratable_steps, drawn_steps, state_at, task_with_truth
from maker_graph.core.guarding import guarded
from maker_graph.errors import UsageError
from maker_graph.tasks import Hanoi, Records
from tests.calibration.making import request_of

ROWS = [{"address": "5 Elm St. 10115 Berlin", "date": "3.4.24", "amount": "$5"}] * 3


class Endless(Hanoi):
    """Hanoi that does not say how long it is."""

    total: Any = None


class Walked:
    """Hanoi without `state_at`: its states are reached by its right answers."""

    def __init__(self) -> None:
        hanoi = Hanoi(3)
        self.start, self.done, self.prompt, self.parse = hanoi.start, hanoi.done, hanoi.prompt, hanoi.parse
        self.apply, self.truth, self.total = hanoi.apply, hanoi.truth, hanoi.total


def test_steps_are_drawn_without_repetition_and_the_seed_says_which() -> None:
    drawn = drawn_steps(request_of(total=1000, steps=50, seed=1))
    assert len(set(drawn)) == 50
    assert set(drawn) <= set(range(1000))
    assert (
        drawn == drawn_steps(request_of(total=1000, steps=50, seed=1)) != drawn_steps(request_of(total=1000, steps=50, seed=2))
    )
    assert sorted(drawn_steps(request_of())) == list(range(7))


def test_a_state_is_made_or_walked_to() -> None:
    for number in range(7):
        assert state_at(Hanoi(3), number) == state_at(Walked(), number)
    assert state_at(Records(ROWS), 2) == {"row": 2}


def test_a_task_that_cannot_be_calibrated_is_refused_with_what_it_lacks() -> None:
    assert calibratable_steps(Hanoi(3), truth=True) == calibratable_steps(Walked(), truth=True) == 7
    assert calibratable_steps(Records(ROWS), truth=False) == 3
    with pytest.raises(UsageError, match=r"no truth\(state\)"):
        calibratable_steps(Records(ROWS), truth=True)
    with pytest.raises(UsageError, match=r"no total\(\)"):
        calibratable_steps(Endless(3), truth=True)
    with pytest.raises(UsageError, match=r"neither state_at"):
        task_with_truth(guarded(Records(ROWS)))
