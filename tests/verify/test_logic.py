"""Logic within limits, and its settings."""

from typing import Any

import pytest

from maker_graph import UsageError
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid
from maker_graph.verify.logic import Logic


def test_it_says_what_the_child_finds() -> None:
    logic = Logic(seconds=20)
    assert logic.follows("x > 5", "x > 3") == Valid("x > 3 follows from x > 5", conclusive=True)
    assert logic.follows(["n > 1", "n < 3"], "n = 2", whole=["n"], conclusive=False) == Valid(
        "n = 2 follows from n > 1, n < 3, for whole n"
    )
    with pytest.raises(Invalid, match="keeps the premises, and breaks the step"):
        logic.follows("x > 3", "x > 5")


def test_what_takes_too_long_is_unknown_and_the_next_answer_works() -> None:
    found = Logic(seconds=0.3).follows(["x^3 + y^3 = z^3", "x > 0", "y > 0", "z > 0"], "1 = 2", whole=["x", "y", "z"])
    assert isinstance(found, Unknown)
    assert Logic(seconds=20).follows("x = 1", "x > 0") == Valid("x > 0 follows from x = 1", conclusive=True)


def test_wrong_settings_are_told_at_once() -> None:
    wrong: Any = 1
    for call in (
        lambda: Logic(seconds=-1), lambda: Logic(megabytes=True), lambda: Logic().follows([wrong], "x = 1"),
        lambda: Logic().follows("x = 1", "x = 1", whole="x"), lambda: Logic().follows("x = 1", "x = 1", conclusive=wrong),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            call()
