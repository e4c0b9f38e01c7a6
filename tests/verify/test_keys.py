"""One key for all ways of writing a value, and another for every other value."""

import random
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maker_graph.core.canonical import JSON
from maker_graph.verify.keys import canonical_expression
from maker_graph.verify.language import read_expression
from maker_graph.verify.trees import Name, Negative, Number, Operation, written
from maker_graph.verify.values import NoValue, value


@pytest.mark.parametrize(
    "alike",
    [
        ["1/2", "0.5", ".5", "50%", "2/4", "$0.50", "\\frac{1}{2}", "2^-1", "sqrt(1/4)", "1 - 1/2", 0.5],
        [1000, "1000", "1,000", "1000.0", "10^3", "$1,000", 1000.0, "1{,}000"], [0.1, "0.1", "1/10",
        "10%"], [-3, "-3", "−3", "2 - 5"],
        ["(x + 1)^2", "x^2 + 2*x + 1", "1 + 2*x + x*x", "x² + 2·x + 1"], ["x^2/x", "x", "(x^2 + x)/(x + 1)", "x*y/y"],
        ["1/x + 1/y", "(x + y)/(y*x)", "(y + x)/(x*y)"], ["(x^2 - 1)/(2*x - 2)", "x/2 + 0.5", "(x + 1)/2"],
        ["sqrt(2)*1", "sqrt(2) * 1"], ["x/(2*x + 2)", "1/(2 + 2/x)"],
    ],
)  # fmt: skip
def test_what_is_equal_has_one_key(alike: list[JSON]) -> None:
    keys = {canonical_expression(each) for each in alike}
    assert len(keys) == 1
    assert canonical_expression(*keys) in keys, "the key of a key is itself"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2^99", "1/2^98"), ("3x", "3 x"), ("3x", "4x"), ("1,5", "15"), ("1,5", "1.5"), ("2 1/2", "1"), ("2 1/2",
        "2.5"), ("28%", "28"),
        ("x", "x + 1/2^99"), ("sqrt(2)", "1.41421356237"), ("12:00", "1:00"), ("2, 3, 4", "1, 2, 3"), ("(0, 1)",
        "(0, 1.5)"),
        ("n = 1", "1"), ("±2021", "2021"), ("19, 46 and 82", "21, 36 and 82"), ("1/(x - x)", "1/(y - y)"), ("x^2000",
        "x^2001"),
        ("100/3", "33.3"), ("", " "), ("a", "A"), (True, 1), ("1", [1]), (None, "None"), ("2^9999", "2^9998"),
        ("9^99999", "9^99998"),
    ],
)  # fmt: skip
def test_what_is_not_equal_or_not_read_has_two(one: JSON, other: JSON) -> None:
    assert canonical_expression(one) != canonical_expression(other) or one is True
    assert canonical_expression(one) == canonical_expression(one)


@pytest.mark.parametrize("answer", [True, None, [1], {"a": 1}, float("inf"), 1e300, 10**200, "", "\ud800", "9" * 5000])
def test_anything_else_is_its_own_key(answer: JSON) -> None:
    assert canonical_expression(answer) == answer
    assert type(canonical_expression(answer)) is type(answer)


TREES: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 9).map(lambda number: Number(Fraction(number))) | st.sampled_from(["x", "y"]).map(Name),
    lambda inner: (
        st.builds(Operation, st.sampled_from(["+", "-", "*", "/"]), inner, inner)
        | st.builds(Operation, st.just("^"), inner, st.integers(0, 3).map(lambda number: Number(Fraction(number))))
        | st.builds(Negative, inner)
    ),
    max_leaves=8,
)


def values_of(text: str) -> list[Fraction]:
    """Return the values of an expression at a few points, the same ones for all."""
    chance, found = random.Random(7), []
    for _ in range(6):
        at = {name: Fraction(chance.randint(-(10**6), 10**6), chance.randint(1, 10**6)) for name in ("x", "y")}
        found.append(value(read_expression(text), at))
    return found


@given(TREES)
def test_a_key_has_the_values_of_its_expression(tree: Any) -> None:
    key = canonical_expression(text := written(tree))
    assert isinstance(key, str)
    assert canonical_expression(key) == key
    try:
        before = values_of(text)
    except NoValue:
        assume(False)
    assert values_of(key) == before


@given(TREES, TREES)
def test_keys_are_equal_only_if_values_are(one: Any, other: Any) -> None:
    left, right = written(one), written(other)
    try:
        differ = values_of(left) != values_of(right)
    except NoValue:
        assume(False)
    if differ:
        assert canonical_expression(left) != canonical_expression(right)


@given(TREES)
def test_polynomials_have_one_key_in_whatever_order(tree: Any) -> None:
    text = written(tree)
    assume("/" not in text)
    try:
        values_of(text)
    except NoValue:  # 0^0
        assume(False)
    for other in (f"0 + ({text})", f"({text})*1", f"-(-({text}))", f"({text} + x*y)  -  y*x", f"(2*({text}) + 0)/2"):
        assert canonical_expression(other) == canonical_expression(text)


HOSTILE = [
    "(a + b + c)^50", "(a + b + c + d + e + f)^5*(a + b + c)^3",
    "*".join(f"(x + {number})" for number in range(150)),
    "+".join(f"1/(x + {number})" for number in range(90)), "+".join(["(99999/99998)^800"] * 90),
    "+".join(["(3^8000)^(1/77)"] * 90),
    f"({' + '.join(f'{7**(39 - i)}*x^{i}' for i in range(25))})/({' + '.join(f'{5**(49 - i)}*x^{i}' for i in range(20))})",
    "(" * 2000, "1," * 1000, "\\frac{" * 300, "²" * 2000, "$" * 2000, "\\boxed{" * 250 + "}" * 250, "-" * 2000,
    "1" + "{,}111" * 300,
    "2^7000*2^6990", "2^6950*2^6940/5", "x*2^7000*2^6990", "(9^300*x + 1/7^300)^100", "(9^1000*x + 1/7^1000)^100",
    "((9^300*x + 1/7^300)^50 + y)^2", "+".join(f"x^{number}/(3^{300 + number} + 1)" for number in range(45)),
    "*".join(f"({one}^200*x + 1/{one + 2}^200*y)" for one in range(3, 35, 2)),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_key_takes_long(text: str) -> None:
    began = time.process_time()
    assert isinstance(canonical_expression(text), str)
    assert time.process_time() - began < 1  # 50 milliseconds on an idle machine, and never seconds
