"""Steps are drawn at random, the same ones for the same seed, and only of a task that can be asked anywhere."""

from typing import Any

import pytest

from maker_graph.calibration.steps import calibratable_steps, drawn_steps, part_named, state_at, task_with_truth
from maker_graph.core.guarding import guarded
from maker_graph.core.items import Items
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
    assert calibratable_steps(Hanoi(3), truth=True) == calibratable_steps(Walked(), truth=True) == (7, [])
    assert calibratable_steps(Records(ROWS), truth=False)[0] == 3
    with pytest.raises(UsageError, match=r"no truth\(state\)"):
        calibratable_steps(Records(ROWS), truth=True)
    with pytest.raises(UsageError, match=r"no total\(\)"):
        calibratable_steps(Endless(3), truth=True)
    with pytest.raises(UsageError, match=r"neither state_at"):
        task_with_truth(guarded(Records(ROWS)))


class Choose:
    def prompt(self, state: Any) -> str:
        return f"choose {state}"

    def parse(self, text: str) -> str:
        return text

    def truth(self, state: Any) -> str:
        return str(state)


class Judge:
    prompt, parse = Choose.prompt, Choose.parse


class Look:
    by = "world"

    def answer(self, state: Any, step: int) -> Any:
        raise AssertionError(f"a calibration acts at {state}, step {step}")


class Three:
    """Chooses, looks and judges, ten times."""

    def __init__(self) -> None:
        self.parts: Any = {"choose": Choose(), "look": Look(), "judge": Judge()}

    def start(self) -> int:
        return 0

    def part(self, state: int) -> str | None:
        return None if state == 30 else ("choose", "look", "judge")[state % 3]

    def apply(self, state: int, answer: Any) -> int:  # noqa: ARG002  the contract's
        return state + 1

    def total(self) -> int:
        return 30

    def state_at(self, step: int) -> int:
        return step


class Priced(Items):
    """Every third item is answered by the program."""

    items = range(9)

    def given(self, item: int) -> Any:
        return item if item % 3 == 0 else None

    def prompt(self, item: int) -> str:
        return str(item)


def test_only_the_steps_of_a_part_are_drawn_and_none_that_is_given() -> None:
    task = Three()
    assert calibratable_steps(task, "choose", truth=True) == (10, list(range(0, 30, 3)))
    assert calibratable_steps(task, "judge", truth=False) == (10, list(range(2, 30, 3)))
    assert calibratable_steps(Priced(), truth=False) == (6, [1, 2, 4, 5, 7, 8])
    request = request_of(total=10, steps=4, part="judge", among=list(range(2, 30, 3)))
    assert {step % 3 for step in drawn_steps(request)} == {2}
    with pytest.raises(UsageError, match=r"no truth\(state\)"):
        calibratable_steps(task, "judge", truth=True)
    Priced.items = range(1)
    with pytest.raises(UsageError, match="No step of the task is voted on"):
        calibratable_steps(Priced(), truth=False)


def test_a_part_is_named_where_there_are_several() -> None:
    task = Three()
    assert part_named(task, "judge") == "judge"
    assert part_named(Hanoi(3), None) == ""
    for given, says in ((None, r"several voted parts.*\(choose, judge\)"), ("look", "no voted part 'look': there are choose")):
        with pytest.raises(UsageError, match=says):
            part_named(task, given)
    with pytest.raises(UsageError, match="only one part"):
        part_named(Hanoi(3), "choose")
    del task.parts["judge"]
    assert part_named(task, None) == "choose"
