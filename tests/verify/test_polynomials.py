"""Expressions are compared as quotients of polynomials, exactly."""

import pytest

from maker_graph.verify.language import read_expression
from maker_graph.verify.polynomials import ONE, Quotient, constant, degree, names_of, plus, quotient_of, same, scaled, times
from maker_graph.verify.values import DividesByZero, NoValue


def quotient(text: str) -> Quotient:
    return quotient_of(read_expression(text))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x^2 - 1", "(x - 1)*(x + 1)"), ("x^2/x", "x"), ("1/x + 1/y", "(x + y)/(x*y)"), ("x^-2", "1/x^2"), ("50%*x", "x/2"),
        ("(a + b)^3", "a^3 + 3*a^2*b + 3*a*b^2 + b^3"), ("sqrt(4)*x", "2*x"), ("x - x", "0"), ("(x^2 - y^2)/(x - y)",
        "x + y"),
    ],
)  # fmt: skip
def test_equal_ones_are_the_same(left: str, right: str) -> None:
    assert same(quotient(left), quotient(right))
    assert not same(quotient(left), quotient(f"{right} + 1/2^99"))


@pytest.mark.parametrize("text", ["1/(x - x)", "1/0", "x/(x*0)", "(x - x)^-1"])
def test_a_division_by_zero_has_no_form(text: str) -> None:
    with pytest.raises(DividesByZero):
        quotient(text)


@pytest.mark.parametrize(
    "text", ["sqrt(x)", "sqrt(2)", "x^y", "x^(1/2)", "x^101", "(a + b + c + d)^50", "x^60*x^60", "2^(x - x + 0.5)"]
)
def test_what_has_no_form_of_a_fair_size_says_so(text: str) -> None:
    with pytest.raises(NoValue):
        quotient(text)


def test_the_arithmetic_of_polynomials() -> None:
    x = quotient("x").numerator
    assert plus(x, scaled(x, constant(-1 * ONE[()]).numerator[()])) == {}
    assert times(x, x) == {(("x", 2),): 1}
    assert names_of(quotient("x*y + 1").numerator) == {"x", "y"}
    assert degree((("x", 2), ("y", 3))) == 5
