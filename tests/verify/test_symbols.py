"""Equality and solutions, in the functions that the child runs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid
from maker_graph.verify.symbols import equal, solves


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x^2 - 1", "(x - 1)*(x + 1)"), ("0.1 + 0.2", "0.3"), ("sqrt(2)*sqrt(3)", "sqrt(6)"), ("x*y", "y*x"), ("50%",
        "1/2"),
        ("sqrt(3 + 2*sqrt(2))", "1 + sqrt(2)"), ("1/(sqrt(2) - 1)", "sqrt(2) + 1"), ("8^(2/3)", "4"), ("2^(1/2)",
        "sqrt(2)"),
    ],
)  # fmt: skip
def test_equal_expressions_are_proved_so(left: str, right: str) -> None:
    assert equal(left, right, True) == Valid(equal(left, right, True).evidence, conclusive=True)  # type: ignore[union-attr]
    assert equal(left, right, False).conclusive is False  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        ("x + 1", "x + 2", "at x = 2, x \\+ 1 is 3, and x \\+ 2 is 4"), ("1/2^99", "1/2^98", "1/2\\^99 is"),
        ("sqrt(x^2)", "x", "at x = -1"), ("sqrt(2)", "1.41421356237", "is about 1.41421356237"), ("sqrt(17)",
        "4.123105625617661", "about"),
        ("100/3", "33.3", "33.3"), ("x^2", "2*x", "at x = -1"), ("x/y", "y/x", "at"), ("(x + y)^2", "x^2 + y^2", "at"),
        ("1/2004 - 1/2006", "1/2004", "is"),
    ],
)  # fmt: skip
def test_different_ones_are_told_apart_at_a_point(left: str, right: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        equal(left, right, True)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("3x", "3x"), ("2 1/2", "2 1/2"), ("", ""), ("1/0", "1/0"), ("1/(x - x)", "1/(x - x)"), ("0^0", "1"),
        ("(-8)^(1/3)", "-2"),
        ("sqrt(-4)", "sqrt(-4)"), ("2^x", "2^x"), ("x^y", "x^y"), ("9^99999", "9^99999"), ("1/(sqrt(2) - sqrt(2))", "1"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_has_no_value_is_never_equal_to_itself(left: str, right: str) -> None:
    assert isinstance(equal(left, right, True), Unknown)


def test_what_holds_with_roots_of_names_is_no_proof() -> None:
    found = equal("x^(1/2)", "sqrt(x)", True)
    assert isinstance(found, Valid)
    assert not found.conclusive


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 9))
@settings(max_examples=40)
def test_multiplied_out_it_is_equal_and_one_more_is_not(a: int, b: int, c: int) -> None:
    left, right = f"({c}*x + ({a}))*(x + ({b}))", f"{c}*x^2 + ({a + b * c})*x + ({a * b})"
    assert isinstance(equal(left, right, True), Valid)
    with pytest.raises(Invalid):
        equal(left, f"{right} + 1", True)


@pytest.mark.parametrize(
    ("equations", "solution"),
    [
        (["3*x + 5 = 20"], "x = 5"), (["3*x + 5 = 20"], "5"), (["3*x + 5 = 20"], {"x": "15/3"}), (["x^3 = 8"], "2"),
        (["x + y = 3", "x - y = 1"], "x = 2, y = 1"), (["x + y = 3 and x - y = 1"], "x = 2 and y = 1"),
        (["x^3 = 2"], "2^(1/3)"),
        (["x^2 = 9", "x > 0"], "3"), (["x^2 = 4 and x != -2"], "$x = 2$"), (["x^2*(x - 1)/x = 0"], "1"),
        (["1/x = 1/4"], "4"),
        (["x^2 = 4", "x^3 = 8"], "2"), (["(x - 1)^2 = 0"], "1"),
    ],
)  # fmt: skip
def test_the_only_solution_is_proved(equations: list[str], solution: str | dict[str, str]) -> None:
    found = solves(equations, solution, None)
    assert isinstance(found, Valid)
    assert found.conclusive, found
    assert "is the only real solution of" in found.evidence
    assert solves(equations, solution, False) == Valid(found.evidence.replace("is the only real solution of", "solves"))


@pytest.mark.parametrize(
    ("equations", "solution"),
    [
        (["x^2 = 9"], "3"), (["x = x"], "5"), (["0*x = 0"], "1"), (["x + y = 3", "2*x + 2*y = 6"], "x = 2, y = 1"),
        (["x > 4"], "5"),
        (["x + y = 3"], "x = 1, y = 2"), (["x^2 = 2"], "sqrt(2)"), (["sqrt(x) = 3"], "9"), (["x*y = 6"], "x = 2; y = 3"),
        (["x^2 = 9 or x = 1"], "3"), (["x*(x^2 - 2) = 0", "x > -1"], "0"),
    ],
)  # fmt: skip
def test_one_of_several_solutions_is_no_proof(equations: list[str], solution: str) -> None:
    found = solves(equations, solution, None)
    assert isinstance(found, Valid)
    assert not found.conclusive
    assert solves(equations, solution, True) == Valid(found.evidence, conclusive=True)


@pytest.mark.parametrize(
    ("equations", "solution", "why"),
    [
        (["3*x + 5 = 20"], "x = 4", "the left side is 17, and the right side is 20"), (["sqrt(x) = -3"], "9",
        "the left side is 3"),
        (["(x^2 - 1)/(x - 1) = 2"], "1", "divides by zero at x = 1"), (["1/x = 1/x"], "0", "divides by zero"),
        (["x = 1"], "1/0", "divides"),
        (["x^2 = 9", "x > 0"], "-3", "x = -3 does not solve x > 0"), (["x^2 = 2"], "1.41421356237", "does not solve"),
        (["x^2 = 3"], "sqrt(2)", "is not true at x = sqrt"), (["x^2 = 2", "x < 0"], "sqrt(2)", "x < 0 is not true"),
        (["not x = 2"], "2", "is not true at x = 2"),
    ],
)  # fmt: skip
def test_what_solves_nothing_is_invalid(equations: list[str], solution: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        solves(equations, solution, None)


@pytest.mark.parametrize(
    ("equations", "solution", "why"),
    [
        (["x + y = 3"], "x = 1", "has no value for y"), (["x = 1"], "x = 1, z = 2", "z is in no equation"),
        (["x = 1"], "3x", "operator"),
        (["x^2 = 9"], "x = 3, x = -3", "two values of x"), (["x^2 = 9"], "x = 3 or x = -3", ""),
        (["x = y"], "x = y, y = 1", "is not a number"),
        (["x = 1"], "x > 0", ""),
        (["x + y = 1"], "x > 0, y = 1", "is written like"), (["3x = 1"], "x = 1", "operator"), (["x + y = 3"], "3", ""),
        (["x = 1"], "", "nothing"),
        (["x^2 = 2"], "sqrt(-2)", "negative"), (["x = 1"], "1 = x", "is written like"),
    ],
)  # fmt: skip
def test_what_is_no_solution_in_form_is_unknown(equations: list[str], solution: str, why: str) -> None:
    found = solves(equations, solution, True)
    assert isinstance(found, Unknown)
    assert why in found.why


@pytest.mark.parametrize(
    ("equations", "solution", "true"),
    [
        ("sqrt(x) = 2", "3", False), ("2^x = 8", "1/2", False), ("sqrt(x)*sqrt(x) = 3", "3", True), ("x^(1/3) > 1", "2", True),
        ("x^(1/3) = -2", "-8", None), ("sqrt(x) = 2", "-4", None), ("x^99999 = 1", "2", None), ("x^0 = 1", "0", None),
    ],
)  # fmt: skip
def test_a_rational_solution_of_equations_with_roots_is_looked_at_exactly(
    equations: str, solution: str, true: bool | None
) -> None:
    if true is False:
        with pytest.raises(Invalid, match="is not true at x"):
            solves([equations], solution, None)
    else:
        assert isinstance(solves([equations], solution, None), Valid if true else Unknown)


@pytest.mark.parametrize("condition", ["x = 0 or 1/x = 1", "x != 0 implies 1/x = 1", "not (x != 0 and 1/x = 2)"])
def test_a_side_that_divides_by_zero_does_not_matter_where_the_other_settles_it(condition: str) -> None:
    for solution in ("0", "1"):
        found = solves(["x^2 = x", condition], solution, None)
        assert isinstance(found, Valid)
        assert not found.conclusive, "0 and 1 are solutions"


def test_the_opposite_of_a_relation_that_divides_by_zero_is_not_known() -> None:
    assert isinstance(solves(["not 1/x = 2"], "0", True), Unknown)
    found = solves(["x^2 = x", "not 1/x = 2"], "1", None)
    assert isinstance(found, Valid)
    assert not found.conclusive


@pytest.mark.parametrize("places", [60, 110, 210, 500])
def test_numbers_with_roots_are_ordered_however_near_they_are(places: int) -> None:
    root, whole = f"sqrt(10^{2 * places} + 1)", f"10^{places}"
    assert isinstance(solves([f"x > {whole}"], root, True), Valid)
    assert isinstance(solves([f"x < {whole} + 1/{whole}"], root, True), Valid)
    with pytest.raises(Invalid):
        solves([f"x <= {whole}"], root, True)


def test_a_statement_without_an_unknown_has_no_solution_to_prove() -> None:
    assert isinstance(solves(["1 = 1"], {}, None), Unknown)
