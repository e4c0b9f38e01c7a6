"""A task that changes what it is given changes nothing else."""

import copy
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.canonical import copied
from maker_graph.core.guarding import ARGUMENTS, guarded, see_task
from maker_graph.core.machine import Machine
from maker_graph.core.task import Checks, Counted, Drafted, Goal, Keyed, Known, Located, Predicts, Rephrases, Skippable, Task
from maker_graph.errors import UsageError
from maker_graph.tasks import Hanoi, Records


class Careless:
    """Each function changes what it is given."""

    none = None

    def start(self) -> Any:
        return {"n": 0, "log": []}

    def done(self, state: Any) -> bool:
        state["log"].append("done")
        return bool(state["n"] >= 3)

    def prompt(self, state: Any) -> str:
        state["n"] += 1
        return f"count {state['n']}"

    def parse(self, text: str) -> Any:
        return {"said": text}

    def check(self, state: Any, answer: Any) -> bool:
        state.clear()
        answer.clear()
        return True

    def key(self, answer: Any) -> Any:
        return answer.popitem()

    def apply(self, state: Any, answer: Any) -> Any:
        state["n"] += 1
        state["log"].append(answer.pop("said"))
        return state


def test_no_function_changes_the_state_or_the_answer() -> None:
    task: Any = guarded(Careless())
    state, answer = {"n": 1, "log": ["a"]}, {"said": "b"}
    for name in ("done", "prompt"):
        getattr(task, name)(state)
    assert task.apply(state, answer) == {"n": 2, "log": ["a", "b"]}
    assert task.check(state, answer) is True
    assert task.key(answer) == ("said", "b")
    assert (state, answer) == ({"n": 1, "log": ["a"]}, {"said": "b"})


@pytest.mark.parametrize("task", [Hanoi(3), Records([]), Careless()])
def test_behind_the_guard_is_the_same_task(task: Any) -> None:
    protocols = (Task, Checks, Counted, Drafted, Goal, Keyed, Known, Located, Predicts, Rephrases, Skippable)
    behind = guarded(task)
    assert [isinstance(behind, each) for each in protocols] == [isinstance(task, each) for each in protocols]
    assert guarded(behind) is behind
    assert behind.start() == task.start()


def test_the_guard_knows_every_function_of_the_contract() -> None:
    protocols: Any = (Task, Checks, Counted, Drafted, Goal, Keyed, Known, Located, Predicts, Rephrases, Skippable)
    assert set(ARGUMENTS) == {name for each in protocols for name in vars(each) if not name.startswith("_")}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(json_values)
def test_a_copy_is_equal_and_shares_nothing_that_can_change(value: Any) -> None:
    def change(part: Any) -> None:
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            change(each)
        if isinstance(part, dict | list):
            part.clear()

    before = copy.deepcopy(value)
    other = copied(value)
    assert other == value
    change(other)
    assert value == before


class Other(Careless):
    def check(self, answer: Any) -> bool:  # type: ignore[override]  # the slip
        return bool(answer)


class Later(Careless):
    async def apply(self, state: Any, answer: Any) -> Any:
        return state, answer


class Fixed(Careless):
    total = 20


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (Careless, "Careless is a class: call it"),
        (object(), "needs the functions"),
        (Other(), r"Other.check must be a function that is called as Other.check\(state, answer\)"),
        (Later(), r"Later.apply .*without await"),
        (Fixed(), "Fixed.total must be a function"),
    ],
)
def test_what_is_no_task_is_refused_with_the_function_that_is_wrong(task: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        see_task(task)


@pytest.mark.parametrize("task", [Hanoi(3), Records([]), Careless()])
def test_a_task_is_one(task: Any) -> None:
    see_task(task)


def said(value: Any, *_: Any) -> Any:
    return value() if callable(value) else value


class Steps(Careless):
    def __init__(self, **says: Any) -> None:
        for name, value in says.items():
            setattr(self, name, partial(said, value))


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        ({"start": lambda: {"id": object()}}, "The start state of Steps is not plain JSON"),
        ({"start": lambda: {"seen": set()}}, "The start state of Steps .*a set is in another order in each process"),
        ({"start": iter([{"n": 1}, {"n": 2}]).__next__}, "two different states"),
        ({"start": {"n": float("nan")}}, "The start state of Steps"),
        ({"start": "\ud800"}, "lone surrogate"),
        ({"done": None}, "Steps.done must return True or False"),
        ({"done": "no"}, "Steps.done must return True or False"),
    ],
)
def test_a_start_that_cannot_be_is_an_error_before_anything_is_asked(says: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Machine(Steps(**says)).begin()


@pytest.mark.parametrize("total", [-1, 2.5, True, None, "7"])
def test_a_number_of_steps_is_one(total: Any) -> None:
    with pytest.raises(UsageError, match=r"Steps.total\(\) must be a whole number"):
        Machine(Steps(total=total))


def test_a_state_may_hold_what_a_user_wrote() -> None:
    own = {"row": "5 Elm\u200b St.\x0c\u202e"}
    assert Machine(Steps(start=own, done=False)).begin()["state"] == own
