"""A run of a real model whose cold samples all agree says that this says little."""

from typing import Any

import pytest

from maker_graph.run.unison import LEAST, Unison


def decisions(alike: int, contested: int = 0) -> list[Any]:
    torn = [{"status": "decided", "ballot": {"a": 4, "b": 1}}] * contested
    return torn + [{"status": "decided", "ballot": {"a": 3}}] * alike


@pytest.mark.parametrize(
    ("temperature", "real", "seen", "tells"),
    [
        (0.1, True, decisions(LEAST), True),
        (0.0, True, decisions(3 * LEAST, 2), True),
        (0.1, True, decisions(LEAST, 2), False),
        (0.1, True, decisions(LEAST - 1), False),
        (0.7, True, decisions(LEAST), False),
        (None, True, decisions(LEAST), False),
        (0.1, False, decisions(LEAST), False),
        (0.1, True, [{"status": "decided", "ballot": {"a": 1}}] * 2 * LEAST, False),
        (0.1, True, [{"status": "undecided", "ballot": {"a": 2}}] * 2 * LEAST, False),
    ],
)
def test_it_tells_once_where_nearly_all_steps_are_in_unison(temperature: Any, real: bool, seen: list[Any], tells: bool) -> None:
    told: list[str] = []
    unison = Unison(told.append, temperature, real)
    for each in seen:
        unison.see([each])
    assert len(told) == tells
    if told:
        assert "nearly copies of each other" in told[0]
        assert "calibrate --temperatures" in told[0]
