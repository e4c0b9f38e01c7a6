"""What a model writes is read as one thing or not at all."""

import string
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.verify.language import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_NODES,
    Unreadable,
    read_expression,
    read_relation,
    read_statement,
)
from maker_graph.verify.trees import Connected, Name, Number, Operation, Relation, written
from maker_graph.verify.values import NoValue, value


def read(text: str) -> Fraction:
    """Return the value of what `text` is read as."""
    return value(read_expression(text))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234", 1234), ("1,234,567.8", Fraction(12345678, 10)), ("1{,}234", 1234), (".5", Fraction(1, 2)), ("0", 0),
        ("50%", Fraction(1, 2)), ("50 \\%", Fraction(1, 2)), ("1 - 20%", Fraction(4, 5)), ("20% + 30%", Fraction(1, 2)),
        ("80*(1 - 20%)", 64), ("-2^2", -4), ("(-2)^2", 4), ("2^-3", Fraction(1, 8)), ("2**3", 8), ("3²", 9), ("2¹⁰", 1024),
        ("6/3/2", 1), ("6/3*2", 4), ("2 - 3 - 4", -5), ("2--3", 5), ("2*-3", -6), ("12 ÷ 4 × 2", 6), ("5 − 3", 2),
        ("2·3", 6),
        ("\\frac{1}{2}", Fraction(1, 2)), ("\\dfrac{1 + 1}{4}", Fraction(1, 2)), ("2 \\cdot 3 \\times 4", 24),
        ("8 \\div 2", 4),
        ("\\sqrt{16}", 4), ("sqrt(9/4)", Fraction(3, 2)), ("\\left( 2 + 3\\right)*4", 20), ("2^{3}", 8), ("2^{3^2}", 512),
        ("$5", 5), ("5$", 5), ("\\$5 + \\$3", 8), ("$5 + 3$", 8), ("$$5$$", 5), ("\\(5\\)", 5), ("\\[5\\]", 5),
        ("\\boxed{\\frac{1}{2}}", Fraction(1, 2)), ("$\\boxed{7}$", 7), (" 7 \n", 7),
    ],
)  # fmt: skip
def test_what_models_write_is_read_exactly(text: str, number: Fraction) -> None:
    assert read(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "3x", "2(3)", "(2)(3)", "2 1/2", "2\\frac{1}{2}", "2½", "½", "1 000", "1\u00a0000", "1\u202f000", "1_000",
        "1'000", "f(x)",
        "x (y)", "2e3", "1e-3", "sqrt 4", "\\frac12", "\\frac{1}2", "\\sqrt[3]{8}",  # two values side by side
        "1,5", "0,125", "1,23", "1234,567", "1,234,56", "(1,234)", "1.234.567", "1, 2", "(1, 2)", "{1, 2}",
        "[0, 1)",  # commas
        "80 - 20%", "100 + 10%", "x + 5%", "5% + 100", "7 % 2", "7%2", "10%-3", "5%%", "(5)%", "20% of 50",  # percent
        "2^3^2", "2^3²", "9^9^9^9", "--3", "+5", "5.", "007", "2024-01-05", "12:00", "1:2:3", "±5", "5 ± 1", "≈5", "~5",
        "١٢", "\uff11\uff12", "४", "x̂", "π", "∞", "5 \u2013 3", "5—3", "a\n-b", "5\n-3",  # other scripts and lines
        "", " ", "$", "$$", "\\boxed{}", "\\boxed{1", "\\boxed{1}{2}", "\\boxed{1} or \\boxed{2}", "$1$ or $2$",
        "the answer is 5",
        "(", ")", "()", "(1", "1)", "{1}", "2^{3", "2^", "*2", "2*", "1 / ", "x_{1}", "|x|", "3!", "\\text{13}",
        "\\pi", "x ? y",
        "__import__('os').system('true')", "x.__class__", "lambda: 0", "print(hello)", "[].append(1)", "1;2",
        "x := 5", "'a'*9",
    ],
)  # fmt: skip
def test_what_has_two_readings_or_none_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read_expression(text)


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("1 < x <= 5", "1 < x and x <= 5"), ("a = b = c", "a = b and b = c"), ("x == 3", "x = 3"), ("x ≠ 3", "x != 3"),
        ("x \\leq 3", "x <= 3"), ("not x = 1 and y = 2", "not x = 1 and y = 2"), ("NOT (x = 1 AND y = 2)",
        "not (x = 1 and y = 2)"),
        ("x > 1 implies x > 0", "x > 1 implies x > 0"), ("(x = 1 or y = 2) and z = 3", "(x = 1 or y = 2) and z = 3"),
        ("x = 1 and (y = 2 and z = 3)", "x = 1 and (y = 2 and z = 3)"), ("(x + 1) = 2", "x + 1 = 2"),
    ],
)  # fmt: skip
def test_statements_are_read_and_written(text: str, again: str) -> None:
    assert written(read_statement(text)) == again


@pytest.mark.parametrize(
    "text",
    [
        "x", "x + 1", "a and b", "x = 1 and y = 2 or z = 3", "x = 1 implies y = 2 implies z = 3", "1 < x > 3",
        "1 != x != 2",
        "(x = 1) + 2", "(x = 1) = 2", "x => 3", "x = ", "= 3", "not", "not not x = 1", "x = 1 and", "and = 3",
        "sqrt = 2", "x <> 3",
        "x = 1, y = 2", "x = 1; y = 2", "x ∈ y", "if x = 1 then y = 2",
    ],
)  # fmt: skip
def test_a_statement_has_one_reading_or_none(text: str) -> None:
    with pytest.raises(Unreadable):
        read_statement(text)


def test_each_kind_is_told_from_the_others() -> None:
    assert read_relation("3*x = 12").sign == "="
    for text in ("3*x", "1 < x < 5", "x = 1 and y = 2"):
        with pytest.raises(Unreadable, match="one relation"):
            read_relation(text)
    with pytest.raises(Unreadable, match="a statement"):
        read_expression("x = 3")


@pytest.mark.parametrize(
    "text",
    [
        "1+" * (MAX_CHARACTERS // 2) + "11",
        "1+" * MAX_NODES + "1",
        "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
        "\\sqrt{" * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
        "\\boxed{" * 300,
        "1" * (MAX_DIGITS + 1),
        "0." + "1" * MAX_DIGITS,
    ],
)
def test_what_is_too_large_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_expression(text)


def test_what_is_as_large_as_may_be_is_read_and_written() -> None:
    for text in (
        "1+" * (MAX_NODES // 2 - 1) + "1",
        "(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH,
        "-(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH,
    ):
        tree = read_expression(text)
        assert read_expression(written(tree)) == tree


NUMBERS = st.decimals(0, 10**6, places=3).map(lambda number: Number(Fraction(number)))
EXPRESSIONS: st.SearchStrategy[Any] = st.recursive(
    NUMBERS | st.sampled_from(["x", "y", "apples"]).map(Name),
    lambda inner: st.builds(Operation, st.sampled_from(["+", "-", "*", "/", "^"]), inner, inner),
    max_leaves=12,
)
STATEMENTS: st.SearchStrategy[Any] = st.recursive(
    st.builds(Relation, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), EXPRESSIONS, EXPRESSIONS),
    lambda inner: st.builds(Connected, st.sampled_from(["and", "or", "implies"]), inner, inner),
    max_leaves=4,
)


@given(EXPRESSIONS)
def test_what_is_written_is_read_as_the_same_expression(tree: Any) -> None:
    assert read_expression(written(tree)) == tree


@given(STATEMENTS)
def test_what_is_written_is_read_as_the_same_statement(tree: Any) -> None:
    assert read_statement(written(tree)) == tree


ALPHABET = string.printable + "×·÷−²³≤≥≠½π١\u200b\ud800"
PIECES = st.sampled_from(
    ["\\frac", "\\sqrt", "{", "}", "(", ")", "^", "9", "x", "$", "%", "\\boxed", " and ", "not ", "=", "-", ","]
)


@given(st.text(ALPHABET, max_size=60) | st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for reader in (read_expression, read_statement, read_relation):
        try:
            tree = reader(text)
        except Unreadable as error:
            said = str(error)
        else:
            said = written(tree)
            assert reader(said) == tree
        assert said.isprintable()


@pytest.mark.parametrize(
    "text", ["9^99999", "(9^999)^999", "9999999^9999", "2^(2^(2^(2^(2^2))))", "(1/3 + 1/7)^9999", "10^(10^10)"]
)
def test_no_power_takes_long(text: str) -> None:
    tree, began = read_expression(text), time.process_time()
    with pytest.raises(NoValue, match="too large"):
        value(tree)
    assert time.process_time() - began < 5
