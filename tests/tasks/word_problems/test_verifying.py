"""The verifier proves what the text says in symbols, refuses what cannot be, and never proves what is told in words."""

from fractions import Fraction

import pytest

from maker_graph.core.verifying import Unknown, Valid, verification_of
from maker_graph.tasks.word_problems import WordProblems
from maker_graph.tasks.word_problems.problems import PLAIN, Problem, Quantity, Step, unit
from maker_graph.tasks.word_problems.verifying import verified
from tests.tasks.word_problems.test_problems import BUYS, GIVES

PROBLEM = Problem((BUYS, GIVES))
PEN = unit("pen")
SOLVES = Step(
    "equation",
    "Then Ann keeps x of the pens, and 3*x + 6 is the number of pens before.",
    "What is x?",
    "Ann has {value} pens.",
    (Quantity(Fraction(3), PLAIN), Quantity(Fraction(6), PLAIN)),
    PEN,
    PEN,
    ("{last}", "6", "3"),
    "({last} - 6) / 3",
    "{value} * 3 + 6",
    "3*x + 6 = {last}",
    "x",
)


def said(equation: str, value: str, values: tuple[str | int, ...] = (), problem: Problem = PROBLEM) -> Valid | Unknown | str:
    answer = {"equation": equation, "value": value}
    return verification_of(lambda found: verified(problem, [Fraction(each) for each in values], found), answer)


def solved(equation: str, value: str) -> Valid | Unknown | str:
    return said(equation, value, (48,), Problem((BUYS, SOLVES)))


@pytest.mark.parametrize("equation", ["4 * 12 = 48", "12*4 = 48", "(4 * 12) = 48", "4 × 12 = 48", "4 * 12 = 144/3"])
def test_a_true_equation_of_known_numbers_whose_units_fit_is_valid_and_never_proved(equation: str) -> None:
    found = said(equation, "48")
    assert isinstance(found, Valid)
    assert not found.conclusive


@pytest.mark.parametrize(
    ("equation", "value", "why"),
    [
        ("4 * 12 = 50", "50", "the left side is 48"),
        ("4 * 13 = 52", "52", "13 is not a known number"),
        ("4 + 12 = 16", "16", "units do not fit"),
        ("12 / 4 = 3", "3", "units do not fit"),
        ("12 = 12", "12", "not a calculation"),
        ("12 - 4 = 8", "8", "units do not fit"),
        ("5 * 4 = 20", "20", "5 is not a known number"),
        ("12 + 12 + 12 + 12 = 48", "48", "units do not fit"),
    ],
)
def test_what_cannot_be_the_equation_is_invalid_with_the_reason(equation: str, value: str, why: str) -> None:
    found = said(equation, value)
    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize(
    "equation",
    [
        "4 boxes * 12 = 48",
        "4x12 = 48",
        "(4 * 12 = 48",
        "n = 48",
        "4 * 12 / 0 = 48",
        "4^2 = 16",
        "4*12 <= 48",
        "4*12 = 40 + 8 = 48",
    ],
)
def test_what_cannot_be_read_or_worked_out_is_unknown_and_not_valid(equation: str) -> None:
    assert isinstance(said(equation, "48"), Unknown)


def test_a_wrong_set_up_that_is_consistent_passes_and_is_not_proved() -> None:
    assert said("48 + 5 = 53", "53", (48,)) == Valid("48 + 5 = 53, with numbers that are known, and in pens", conclusive=False)


def test_a_value_that_solves_what_the_text_says_in_symbols_is_proved_however_it_was_found() -> None:
    for equation in ("(48 - 6) / 3 = 14", "x = 14", "14 pens = 14"):
        assert solved(equation, "14") == Valid("x = 14 solves 3*x + 6 = 48", conclusive=True)


@pytest.mark.parametrize(("equation", "value"), [("(48 + 6) / 3 = 18", "18"), ("x = 13", "13"), ("(48 - 6) / 3 = 13", "13")])
def test_a_value_that_does_not_solve_it_is_invalid(equation: str, value: str) -> None:
    found = solved(equation, value)
    assert isinstance(found, str)
    assert "does not solve 3*x + 6 = 48" in found


def test_a_right_value_behind_a_false_equation_is_invalid() -> None:
    assert isinstance(solved("48 - 6 / 3 = 14", "14"), str)


def test_a_fraction_or_a_negative_value_of_an_earlier_step_can_be_used() -> None:
    assert isinstance(said("(47/3) - 5 = 32/3", "32/3", ("47/3",)), Valid)
    assert isinstance(said("(-3) - 5 = -8", "-8", (-3,)), Valid)


def test_a_quotient_that_comes_to_a_known_number_is_a_quotient() -> None:
    found = said("48 / 12 = 4", "4")
    assert isinstance(found, str)
    assert "48 is not a known number" in found


def test_long_sums_of_ambiguous_numbers_end() -> None:
    problem = Problem((Step(**{n: getattr(BUYS, n) for n in Step.__slots__} | {"stated": MANY}),))
    text = "*".join(["2"] * 40)
    assert isinstance(said(f"{text} = {2**40}", str(2**40), (), problem), Unknown)


MANY = tuple(Quantity(Fraction(2), unit(name)) for name in ("pen", "box", "day", "star", "pen/box"))


def test_the_right_answers_of_all_kinds_are_accepted_and_only_equations_are_proved() -> None:
    task = WordProblems(problems=150)
    for number in range(task.total()):
        state = task.state_at(number)
        found = verification_of(task.verify, state, task.truth(state))
        assert isinstance(found, Valid), (state, found)
        assert found.conclusive == (task.problem(state["problem"]).steps[len(state["values"])].kind == "equation")
