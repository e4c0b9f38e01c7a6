"""Values are exact or there is none."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.verify.language import read_expression, read_statement
from maker_graph.verify.values import MAX_EXPONENT, NoValue, holds, power, root, value


def test_what_is_equal_as_a_float_is_not_equal() -> None:
    for statement in (
        "1/2^99 = 1/2^98", "1/2^2006 = 1/2^2004", "(2^2005 + 1)/(3*2^2006) = 1/3", "10^20 + 1 = 10^20",
        "0.1 + 0.2 = 0.30000000000000004",
        "100/3 = 33.3", "1/12 = 0.0833333333333333",
    ):  # fmt: skip
        assert not holds(read_statement(statement)), statement
    assert holds(read_statement("0.1 + 0.2 = 0.3 and 1/2^99 < 1/2^98"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1/0", "division by zero"), ("1/(2 - 2)", "division by zero"), ("0^0", "no value"), ("0^-1",
        "divides by zero"), ("x", "x has"),
        ("sqrt(2)", "not rational"), ("sqrt(-4)", "negative"), ("(-8)^(1/3)", "negative"), ("2^0.5", "not rational"),
        ("10^10001", "too large"), ("2^10000*2^10000*2^10000", "too large"), ("1/7^9999", "too large"),
        ("2^(1/99999)", "not rational"),
    ],
)  # fmt: skip
def test_what_has_no_exact_value_says_why(text: str, why: str) -> None:
    with pytest.raises(NoValue, match=why):
        value(read_expression(text))


def test_names_have_the_values_they_are_given() -> None:
    assert value(read_expression("2*x^2 - y"), {"x": Fraction(1, 2), "y": 1}) == Fraction(-1, 2)


@pytest.mark.parametrize(
    ("statement", "true"),
    [
        ("1 < 2 <= 2", True), ("1 < 2 and 2 > 3", False), ("1 > 2 or 2 < 3", True), ("1 > 2 implies 1 = 5", True),
        ("1 < 2 implies 1 = 5", False), ("not 1 = 2", True), ("3 >= 3", True), ("3 != 3", False), ("4^(1/2) = 2", True),
    ],
)  # fmt: skip
def test_statements_hold_as_their_words_say(statement: str, true: bool) -> None:
    assert holds(read_statement(statement)) is true


def test_a_statement_without_a_value_is_neither_true_nor_false() -> None:
    for statement in ("1/0 = 1/0", "1/0 != 1/0", "1 = 1 or 1/0 = 1", "1 = 2 and 1/0 = 1"):
        with pytest.raises(NoValue):
            holds(read_statement(statement))


@given(st.fractions(0, 50, max_denominator=60), st.integers(1, 30))
def test_the_root_of_a_power_is_its_base(base: Fraction, degree: int) -> None:
    assert root(base**degree, degree) == base


@given(st.fractions(-5, 5, max_denominator=20), st.integers(-MAX_EXPONENT * 2, MAX_EXPONENT * 2))
def test_a_power_is_exact_or_none(base: Fraction, exponent: int) -> None:
    try:
        found = power(base, Fraction(exponent))
    except NoValue:
        assert base == 0 or abs(exponent) > 500
    else:
        assert found == base**exponent
