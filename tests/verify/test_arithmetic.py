"""Arithmetic that is written down is true, false with both sides shown, or unknown."""

from fractions import Fraction

import pytest

from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid
from maker_graph.verify.arithmetic import arithmetic, equals, read_value
from maker_graph.verify.language import read_statement
from maker_graph.verify.values import holds


def test_a_true_statement_is_valid_and_proves_nothing_by_itself() -> None:
    assert arithmetic("12*3 = 36") == Valid("12*3 = 36", conclusive=False)
    assert arithmetic("12*3 = 36", conclusive=True) == Valid("12*3 = 36", conclusive=True)


def test_a_false_statement_is_invalid_with_both_sides() -> None:
    with pytest.raises(Invalid, match=r"12\*3 = 35 is false: the left side is 36, and the right side is 35"):
        arithmetic("12*3 = 35")
    with pytest.raises(Invalid, match="1 < 3 and 3 < 2 is false"):
        arithmetic("1 < 3 < 2")


@pytest.mark.parametrize("text", ["12*3", "x = 36", "3x = 36", "1/0 = 1/0", "", "sqrt(2) = sqrt(2)", "the answer is 5"])
def test_what_cannot_be_read_or_has_no_value_is_unknown(text: str) -> None:
    found = arithmetic(text, conclusive=True)
    assert isinstance(found, Unknown)
    assert found.why


def test_two_texts_that_both_fail_are_never_equal() -> None:
    assert isinstance(equals("3x", 5), Unknown)
    with pytest.raises(ValueError, match="an operator is missing"):
        equals("3x", "3x")


def test_an_expected_value_is_proved_or_refuted_exactly() -> None:
    assert equals("3/4", "75%") == Valid("3/4 = 0.75", conclusive=True)
    assert equals("0.5", Fraction(1, 2), conclusive=False) == Valid("0.5 = 0.5", conclusive=False)
    with pytest.raises(Invalid, match=r"33\.3 is 33\.3, but it should be 100/3"):
        equals("33.3", Fraction(100, 3))


def test_a_value_is_read_from_text() -> None:
    assert read_value("$1,234.50") == Fraction(2469, 2)


def test_a_float_is_what_was_written_and_not_its_binary_neighbour() -> None:
    assert isinstance(equals("0.1", 0.1), Valid)
    assert isinstance(equals("1/10", 0.1), Valid)
    assert holds(read_statement("x = 0.1"), {"x": 0.1})
    for expected in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match="Invalid literal"):
            equals("1", expected)
