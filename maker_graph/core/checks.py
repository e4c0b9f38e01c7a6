"""Checks of settings and of a caller's functions. Each raises an error of one sentence that says what to change."""

import inspect
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from maker_graph.errors import Invalid, UsageError


def whole(name: str, value: object, least: int = 1) -> int:
    """Return `value` if it is a whole number of at least `least`.

    >>> whole("k", 3)
    3

    Raises:
        UsageError: it is not. `True` and 3.0 are no whole numbers either.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return value


def temperature(value: object) -> None:
    """Make sure that `value` is one temperature, or a pair: that of the first sample and that of the others.

    Raises:
        UsageError: it is neither a number of at least 0 nor a tuple of two.
    """
    for each in value if isinstance(value, tuple) and len(value) == 2 else (value,):
        if isinstance(each, bool) or not isinstance(each, int | float) or not 0 <= each < inf:
            raise UsageError(f"A temperature must be a number of at least 0, or a tuple of two, not {value!r}.")


def switch(name: str, value: object) -> bool:
    """Return `value` if it is True or False.

    Raises:
        UsageError: it is neither.
    """
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be True or False, not {value!r}.")
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    """Return `value` as a tuple of texts, none of them empty.

    Raises:
        UsageError: it is not a list of such texts.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(each, str) and each for each in value):
        raise UsageError(f"{name} must be a list of texts, none of them empty, not {value!r}.")
    return tuple(value)


def one_of(name: str, value: object, choices: Sequence[str]) -> None:
    """Make sure that `value` is one of `choices`.

    Raises:
        UsageError: it is not.
    """
    if value not in choices:
        *most, last = map(repr, choices)
        raise UsageError(f"{name} must be {', '.join(most)} or {last}, not {value!r}.")


def awaits(value: object) -> bool:
    """Say whether `value` is a coroutine function, or an object that is called like one, so that its result is awaited."""
    return any(inspect.iscoroutinefunction(each) for each in (value, getattr(value, "__call__", None)))  # noqa: B004  the function itself


def function(name: str, value: object, *takes: str, lazy: bool = False, awaited: bool = False) -> None:
    """Make sure that `value` can be called with these positional arguments, and returns its result at once.

    With `lazy`, it may be a generator function. With `awaited`, it may be a coroutine function.

    Raises:
        UsageError: it is not a function, takes other arguments, or must be awaited or iterated over.
    """
    what = f"{name} must be a function that is called as {name}({', '.join(takes)})"
    if not callable(value):
        raise UsageError(f"{what}, not {value!r}.")
    for each in (value, getattr(value, "__call__", None)):  # noqa: B004  the function itself
        later = inspect.isasyncgenfunction(each) or (inspect.iscoroutinefunction(each) and not awaited)
        if later or (inspect.isgeneratorfunction(each) and not lazy):
            raise UsageError(f"{what} and returns its result at once: write it with a plain def, without await and yield.")
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return  # a built-in function that does not say what it takes
    try:
        signature.bind(*takes)
    except TypeError as error:
        raise UsageError(f"{what}, but this one cannot be called so: {error} (it takes {signature}).") from None


def takes_state(parse: Callable[..., object]) -> bool:
    """Say whether `parse` needs a second argument: the state whose question the reply answers, or the item.

    >>> takes_state(lambda text: text), takes_state(lambda text, strict=True: text), takes_state(lambda text, state: text)
    (False, False, True)
    """
    return sum(each.default is inspect.Parameter.empty for each in _by_place(parse)) == 2


def takes_run(answer: Callable[..., object]) -> bool:
    """Say whether the `answer` of a given part can be given a third argument, the id of the run.

    >>> takes_run(lambda state, step: step), takes_run(lambda state, step, run="": run)
    (False, True)
    """
    return len(_by_place(answer)) >= 3


def _by_place(function: Callable[..., object]) -> list[inspect.Parameter]:
    """Return the positional parameters of `function`; none if it does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in parameters if each.kind in by_place]


def truth(what: str, value: object) -> bool:
    """Return what a predicate returned, if it is True or False.

    Raises:
        UsageError: it returned anything else, which Python would silently take for one of the two.
    """
    if value is True or value is False:
        return value
    raise UsageError(f"{what} must return True or False, but it returned {shown(value)}.")


def broken_rule(check: Callable[..., object], *given: object) -> str | None:
    """Return why `check` refuses an answer, as a text that is empty if it does not say why; None if it accepts the answer.

    >>> broken_rule(lambda answer: answer > 0, -1)
    ''

    Raises:
        UsageError: it returns neither True nor False, or raises anything but `Invalid`. That must not discard the answer,
            because a faulty check may fail on right answers only.
    """
    try:
        kept = check(*given)
    except Invalid as error:
        return str(error)
    except Exception as error:
        raise failed("check", error) from error
    return None if truth("check", kept) else ""


def failed(what: str, error: BaseException) -> UsageError:
    """Return the error for a function of the caller that raised."""
    return UsageError(f"{what} failed with {type(error).__name__}: {_cut(str(error))}")


def shown(value: Any) -> str:
    """Return the text for a value that a function should not have returned, for an error: cut short, with its type."""
    if inspect.iscoroutine(value):
        value.close()  # otherwise Python warns that it was never awaited
        return "a coroutine, which nobody awaits"
    return f"{_cut(repr(value))} ({type(value).__name__})"


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]} ..."
