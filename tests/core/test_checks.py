"""A setting or a function that cannot be is told in one sentence, before anything is asked."""

import functools
import math
from typing import Any

import pytest

from maker_graph.core import checks
from maker_graph.errors import UsageError


class Callable:
    def __call__(self, state: Any, answer: Any = None) -> bool:
        return state is answer


class Later:
    async def __call__(self, state: Any) -> bool:
        return state is None


@pytest.mark.parametrize("value", [0, -1, True, False, 1.0, 2.5, math.nan, math.inf, "3", None, [3]])
def test_a_whole_number_is_nothing_else(value: Any) -> None:
    with pytest.raises(UsageError, match="max_samples must be a whole number of at least 1"):
        checks.whole("max_samples", value)


@pytest.mark.parametrize(
    "value", [-1, True, math.nan, math.inf, "hot", (), (0,), (0, 0.1, 0.2), (0, None), (True, 0), [0, 1], None]
)
def test_a_temperature_is_one_number_or_a_pair(value: Any) -> None:
    with pytest.raises(UsageError, match="A temperature must be a number of at least 0, or a tuple of two"):
        checks.temperature(value)


def test_what_is_right_passes() -> None:
    assert checks.whole("k", 1) == 1
    for value in (0, 0.7, 2, (0, 0.1), (0.0, 1)):
        checks.temperature(value)
    assert checks.switch("check", False) is False
    checks.one_of("on_undecided", "raise", ["raise", "return"])


@pytest.mark.parametrize("value", ["rasie", None, 1, True])
def test_a_choice_is_one_of_those_that_there_are(value: Any) -> None:
    with pytest.raises(UsageError, match="on_undecided must be 'raise', 'return' or 'ask', not"):
        checks.one_of("on_undecided", value, ["raise", "return", "ask"])


@pytest.mark.parametrize("value", ["yes", 1, 0, None, lambda: True])
def test_a_switch_is_true_or_false(value: Any) -> None:
    with pytest.raises(UsageError, match="check must be True or False"):
        checks.switch("check", value)


@pytest.mark.parametrize(
    "value",
    [
        lambda state: state,
        lambda state, more=1: (state, more),
        lambda *states: states,
        functools.partial(lambda more, state: (more, state), 1),
        Callable(),
        len,
        str,
        print,
        {}.get,
    ],
)
def test_any_function_of_the_right_form_passes(value: Any) -> None:
    checks.function("prompt", value, "state")


async def _later(state: Any) -> Any:
    return state


def _bit_by_bit(state: Any) -> Any:
    yield state


async def _both(state: Any) -> Any:
    yield state


def _keyword(*, state: Any) -> Any:
    return state


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("text", "not 'text'"),
        (None, "not None"),
        ({}, "not {}"),
        (lambda: 1, "too many positional arguments"),
        (lambda state, answer: (state, answer), "missing a required argument"),
        (_keyword, "takes"),
        (_later, "without await"),
        (_bit_by_bit, "without await and yield"),
        (_both, "without await and yield"),
        (Later(), "without await"),
    ],
)
def test_a_function_of_another_form_is_refused_with_the_form_it_needs(value: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=r"prompt must be a function that is called as prompt\(state\)") as caught:
        checks.function("prompt", value, "state")
    assert problem in str(caught.value)


@pytest.mark.parametrize("value", [None, "no", "", 1, 0, [], [1], object()])
def test_a_predicate_says_true_or_false(value: Any) -> None:
    with pytest.raises(UsageError, match="check must return True or False, but it returned"):
        checks.truth("check", value)
    assert checks.truth("check", True) is True
    assert checks.truth("check", False) is False


def test_a_predicate_that_is_awaited_by_nobody_is_named() -> None:
    with pytest.raises(UsageError, match="a coroutine, which nobody awaits"):
        checks.truth("check", _later(1))


def test_an_error_is_told_short() -> None:
    assert len(str(checks.failed("check", ValueError("x" * 9_000)))) < 300
