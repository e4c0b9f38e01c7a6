"""A problem: units are multiplied, values follow from each other, and lead back."""

from fractions import Fraction

import pytest

from maker_graph.tasks.word_problems.problems import PLAIN, Problem, Quantity, Step, operand, product_of, unit

PEN, BOX, EACH = unit("pen"), unit("box"), unit("pen/box")
BUYS = Step(
    "product",
    "Ann buys 4 boxes of pens. Each box holds 12 pens.",
    "How many pens does Ann have then?",
    "Ann has {value} pens.",
    (Quantity(Fraction(4), BOX), Quantity(Fraction(12), EACH)),
    PEN,
    PEN,
    ("4", "12"),
    "4 * 12",
    "{value} / 12",
)
GIVES = Step(
    "difference",
    "Then Ann gives away 5 pens.",
    "How many pens does Ann have then?",
    "Ann has {value} pens.",
    (Quantity(Fraction(5), PEN),),
    PEN,
    PEN,
    ("{last}", "5"),
    "{last} - 5",
    "{value} + 5",
)


def test_units_are_multiplied_and_cancelled() -> None:
    assert product_of(BOX, EACH) == PEN
    assert product_of(PEN, BOX, -1) == EACH
    assert product_of(PEN, PEN, -1) == PLAIN
    assert product_of(PEN, PEN) == (("pen", 2),)


def test_what_is_known_are_the_numbers_of_the_text_and_the_values_so_far() -> None:
    problem = Problem((BUYS, GIVES))
    assert problem.values() == [48, 43]
    assert [each.value for each in problem.known([])] == [4, 12]
    assert [each.value for each in problem.known([Fraction(48)])] == [4, 12, 5, 48]
    assert problem.known([Fraction(48)])[-1].unit == PEN


def test_values_lead_back_to_a_number_of_the_text_and_wrong_ways_back_do_not() -> None:
    assert all(Problem((BUYS, GIVES)).backwards())
    wrong = Step(**{name: getattr(GIVES, name) for name in Step.__slots__} | {"back": "{value} + 6"})
    assert not all(Problem((BUYS, wrong)).backwards())


@pytest.mark.parametrize(("value", "right"), [(48, "48 - 5"), (Fraction(-1, 3), "(-1/3) - 5"), (Fraction(5, 2), "2.5 - 5")])
def test_any_value_can_stand_in_the_next_expression(value: Fraction | int, right: str) -> None:
    assert GIVES.right(Fraction(value)) == right
    assert GIVES.numbers(Fraction(value)) == [operand(Fraction(value)), "5"]
