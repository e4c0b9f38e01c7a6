"""Trees are plain values, and are written as they are read."""

from fractions import Fraction

import pytest

from maker_graph.verify.language import read_expression, read_statement
from maker_graph.verify.trees import Number, Percent, names_in, number_text, written


def test_trees_are_equal_by_what_they_hold_and_cannot_be_changed() -> None:
    tree = read_expression("x + 1")
    assert tree == read_expression("x+1")
    assert {tree: 1}[read_expression("(x) + (1)")] == 1
    with pytest.raises(AttributeError):
        tree.left = tree  # type: ignore[misc,union-attr]


def test_names_are_those_of_all_places() -> None:
    assert names_in(read_statement("sqrt(a) > -b implies not (c^d = 5% or e = 1)")) == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(7), "7"),
        (Fraction(-5, 2), "-2.5"),
        (Fraction(1, 3), "1/3"),
        (Fraction(1, 2**20), "1/1048576"),
        (0, "0"),
        (-3, "-3"),
    ],
)
def test_numbers_are_shown_as_people_write_them(number: Fraction | int, text: str) -> None:
    assert number_text(number) == text


def test_numbers_that_no_text_has_are_written_with_their_value() -> None:
    assert written(Number(Fraction(-1, 3))) == "-1/3"
    assert written(Number(Fraction(-2))) == "-2"
    assert written(Percent(Number(Fraction(25, 2)))) == "12.5%"
