"""A task that changes what it is given changes nothing else."""

import copy
import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.canonical import copied
from maker_graph.core.guarding import ARGUMENTS, guarded, see_task
from maker_graph.core.machine import Machine
from maker_graph.core.task import (
    Checks,
    Concludes,
    Counted,
    Drafted,
    Goal,
    Keyed,
    Known,
    Located,
    Predicts,
    Rephrases,
    Skippable,
    Task,
    Varies,
    Verifies,
)
from maker_graph.errors import UsageError
from maker_graph.tasks import Hanoi


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


@pytest.mark.parametrize("task", [Hanoi(3), Careless()])
def test_behind_the_guard_is_the_same_task(task: Any) -> None:
    protocols = (Task, Checks, Counted, Drafted, Goal, Keyed, Known, Located, Predicts, Rephrases, Skippable, Varies, Verifies)
    behind = guarded(task)
    assert [isinstance(behind, each) for each in protocols] == [isinstance(task, each) for each in protocols]
    assert guarded(behind) is behind
    assert behind.start() == task.start()


def test_the_guard_knows_every_function_of_the_contract() -> None:
    protocols: Any = (
        Task,
        Checks,
        Concludes,
        Counted,
        Drafted,
        Goal,
        Keyed,
        Known,
        Located,
        Predicts,
        Rephrases,
        Skippable,
        Varies,
        Verifies,
    )
    assert set(ARGUMENTS) - {"part", "given", "rehearse"} == {
        name for each in protocols for name in vars(each) if not name.startswith("_")
    }


class Asked:
    """A voted part, with a lead of its own, which reads a reply in the light of the state."""

    k = 1

    def prompt(self, state: Any) -> str:
        return f"Guess above {state['n']}"

    def parse(self, text: str, state: Any, /) -> Any:
        state["n"] += 1  # the slip that the guard is for
        return int(text) + state["n"]

    def check(self, state: Any, answer: Any) -> bool:
        return bool(answer > state["n"])


class Looked:
    """A given part."""

    def __init__(self, by: Any = "world") -> None:
        self.by = by

    def answer(self, state: Any, step: int) -> Any:
        return [state["n"], step]


class Parted:
    """Guesses and looks in turn, up to three steps."""

    def __init__(self, **parts: Any) -> None:
        self.parts: Any = parts or {"guess": Asked(), "look": Looked()}

    def start(self) -> Any:
        return {"n": 0}

    def part(self, state: Any) -> str | None:
        return None if state["n"] == 3 else ("guess", "look")[state["n"] % 2]

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002  the contract's
        return {"n": state["n"] + 1}


def test_behind_the_guard_a_task_of_parts_asks_the_part_that_answers() -> None:
    task = guarded(Parted())
    state = {"n": 2}
    assert (task.part(state), task.done(state), task.done({"n": 3})) == ("guess", False, True)
    assert (task.prompt(state), task.voted(state).parse("5", state), state) == ("Guess above 2", 8, {"n": 2})
    assert [task.check({"n": n}, 2) for n in (0, 1, 2)] == [True, True, False]  # type: ignore[attr-defined]  # the second is given
    assert (task.parts["guess"].k, list(task.voted_parts), task.acts) == (1, ["guess"], True)  # type: ignore[union-attr]  # it is voted on
    with pytest.raises(UsageError, match="answered by the world"):
        task.prompt({"n": 1})
    with pytest.raises(UsageError, match="nothing is left to do"):
        task.at({"n": 3})


@pytest.mark.parametrize("said", ["gues", ["guess"], {"guess": 1}, False])
def test_a_part_that_is_none_is_told_with_those_there_are(said: Any) -> None:
    task = Parted()
    task.part = lambda _: said  # type: ignore[method-assign,assignment]  # the mistake
    with pytest.raises(UsageError, match=f"returned {re.escape(repr(said))}, which is not a part: the parts are guess, look"):
        guarded(task).part({"n": 0})
    task.part = lambda _: ["guess"]  # type: ignore[method-assign,assignment,return-value]  # the mistake
    with pytest.raises(UsageError, match="which is not a part"):
        guarded(task).part({"n": 0})


def test_an_action_may_take_the_id_of_the_run() -> None:
    class Told(Looked):
        def answer(self, state: Any, step: int, run: str) -> Any:  # type: ignore[override]  # it may
            return [state["n"], step, run]

    class Asking(Looked):
        def answer(self, state: Any, step: int, run: str = "nobody") -> Any:
            return [state["n"], step, run]

    assert guarded(Parted(look=Asking())).parts["look"].answer({"n": 1}, 2, "r") == [1, 2, "r"]  # type: ignore[union-attr]  # it is given
    task = guarded(Parted(guess=Asked(), look=Told()))
    assert task.parts["look"].answer({"n": 1}, 2, "r") == [1, 2, "r"]  # type: ignore[union-attr]  # it is given


class _Late(Looked):
    def answer(self, state: Any, step: int, run: str, attempt: int) -> Any:  # type: ignore[override]  # the mistake
        return [state, step, run, attempt]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"start": Asked()}, "the graph itself uses it"),
        ({"decision": Asked()}, "the graph itself uses it"),
        ({"a b": Asked()}, "letters, digits"),
        ({"a=b": Asked()}, "letters, digits"),
        ({"guess": Asked}, "is a class"),
        ({"guess": object()}, "is not a part"),
        ({"guess": type("Both", (Asked, Looked), {})()}, "a part is either voted on or given"),
        ({"look": Looked(by="person")}, "by must be 'program' or 'world'"),
        ({"look": _Late()}, "answer"),
        ({"guess": type("Odd", (Asked,), {"k": 0})()}, "k must be a whole number of at least 1"),
    ],
)
def test_parts_that_are_none_are_told_in_a_sentence(parts: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        see_task(Parted(**parts))


def test_a_task_of_parts_is_a_task() -> None:
    see_task(Parted())
    assert Machine(Parted()).begin()["state"] == {"n": 0}


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
        (Careless, "Careless is a class: make an instance of it"),
        (object(), "a task has start, done"),
        (Other(), r"Other.check must be a function that is called as Other.check\(state, answer\)"),
        (Later(), r"Later.apply .*without await"),
        (Fixed(), "Fixed.total must be a function"),
    ],
)
def test_what_is_no_task_is_refused_with_the_function_that_is_wrong(task: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        see_task(task)


@pytest.mark.parametrize("task", [Hanoi(3), Careless()])
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
