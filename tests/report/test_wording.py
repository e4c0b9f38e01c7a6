"""Figures in words: a chance never looks more certain than it is, and nothing is a dash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.report.wording import NOTHING, chance, count, dollars, duration, number, percent, with_interval


@given(st.floats(0.99, 1 - 1e-9, exclude_max=True))
def test_a_chance_is_never_rounded_up_to_certainty(value: float) -> None:
    told = chance(value)
    digits = float(told.removeprefix("more than ").removesuffix("\xa0%"))
    assert digits <= 100 * value * (1 + 1e-9)
    assert digits < 100


def test_certainty_is_told_as_such() -> None:
    assert chance(1.0) == "100\xa0%" == percent(1)
    assert chance(0) == "0\xa0%"


@pytest.mark.parametrize("told", [chance(None), number(None), count(None), dollars(None), with_interval(None)])
def test_nothing_is_a_dash(told: str) -> None:
    assert told == NOTHING


def test_numbers_ranges_and_lists_are_short() -> None:
    assert [number(value) for value in (1234, 0.123456, [1, 2, 3], "base")] == ["1,234", "0.1235", "3", "base"]
    assert with_interval({"value": 0.03, "low": 0.02, "high": 0.04}) == "0.03 (0.02 to 0.04)"
    assert (count(260.4), dollars(1.25)) == ("260", "$1.25")


@pytest.mark.parametrize(("seconds", "told"), [(0, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (86400, "1 d 0 h")])
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told
