"""Steps follow from premises, or a case shows that they do not."""

import pytest

from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid
from maker_graph.verify.solver import follows


@pytest.mark.parametrize(
    ("premises", "step", "whole"),
    [
        (["x > 5"], "x > 3", []), (["x*y = z", "x != 0"], "y = z/x", []), (["y = z/x"], "x*y = z", []),
        (["y = 1/x"], "x != 0", []),
        (["x^2 = 2", "x > 0"], "x = sqrt(2)", []), (["x > 1", "x < 3"], "x = 2", ["x"]), (["sqrt(x) = y"], "x = y^2", []),
        (["x = 3 or x = 4", "not x = 3"], "x = 4", []), (["x > 1 implies y > 1", "x > 2"], "y > 1", []), (["x^-2 = 4",
        "x > 0"], "x = 1/2", []),
        (["x + y = 10", "x - y = 2"], "x = 6 and y = 4", []), (["total = 3*price", "price = $4.50"], "total = 13.5", []),
        (["x^(1/3) = 2"], "x = 8", []), (["x = 1/sqrt(2)"], "x^2 = 1/2", []), ([], "12*3 = 36", []), (["2*n = m",
        "m < 3", "m > 1"], "n = 1", ["n", "m"]),
    ],
)  # fmt: skip
def test_what_follows_is_proved(premises: list[str], step: str, whole: list[str]) -> None:
    found = follows(premises, step, whole, True, 20)
    assert isinstance(found, Valid), found
    assert found.conclusive
    assert follows(premises, step, whole, False, 20) == Valid(found.evidence)


@pytest.mark.parametrize(
    ("premises", "step", "case"),
    [
        (["x > 3"], "x > 5", r"x = \S+ keeps the premises, and breaks the step x > 5"), (["x^2 = 9"], "x = 3",
        "x = -3 keeps"),
        (["x*y = z"], "y = z/x", "x = 0, .* makes the step y = z/x divide by zero"), (["x > 1", "x < 3"], "x = 2", "keeps"),
        (["y^2 = x"], "sqrt(x) = y", "y = -"), (["x = 1/3"], "x = 0.333333333333333333", "x = 1/3 keeps"),
        ([], "12*3 = 35", "does not hold"),
        (["x^2 = 2"], "x = sqrt(2)", r"x = -1\.4142135623\.\.\. \(a root of .*t\^2"), ([], "x*x > 0",
        "x = 0 breaks the step"),
        (["x = 0 or 1/x = 2"], "x = 1/2", "x = 0 keeps"), (["not 1/x = 2"], "x != 0", "x = 0 keeps"),
        (["x = y"], "x = z", "keeps"),
    ],
)  # fmt: skip
def test_what_does_not_follow_has_a_counterexample(premises: list[str], step: str, case: str) -> None:
    with pytest.raises(Invalid, match=case):
        follows(premises, step, [], True, 20)


@pytest.mark.parametrize(
    ("premises", "step", "whole", "why"),
    [
        (["x > 3", "x < 2"], "x = 17", [], "the premises contradict each other"),
        (["2*x = 5"], "x = 2.5", ["x"], "contradict"),
        (["x/(y - y) = 1"], "x = 1", [], "contradict"), (["sqrt(x) = -1"], "x = 1", [], "contradict"),
        (["3x = 5"], "x = 1", [], "operator"),
        (["x = 1"], "3x = 3", [], "operator"), (["x = 1"], "x", [], "statement"), ([], "1/0 = 1/0", [], "division by zero"),
        (["x^1000 = 5"], "x = 1", [], "too large"), (["2^x = 8"], "x = 3", [], "exponent"),
        (["x^0 = 1"], "x != 0", [], "the power of 0"), ([], "(x - y)^0 = 1", [], "the power of 0"),
        (["x = 1"], "x = 1/(1 - 1)", [], "division by zero"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_unknown(premises: list[str], step: str, whole: list[str], why: str) -> None:
    found = follows(premises, step, whole, True, 20)
    assert isinstance(found, Unknown)
    assert why in found.why


def test_a_step_that_always_holds_says_nothing_of_the_premises() -> None:
    assert follows(["x = 1"], "12*3 = 36", [], True, 20) == Valid("12*3 = 36 holds even without the premises", conclusive=False)


def test_what_z3_does_not_know_in_its_time_is_unknown() -> None:
    found = follows(["x^3 + y^3 = z^3", "x > 0", "y > 0", "z > 0"], "1 = 2", ["x", "y", "z"], True, 0.5)
    assert isinstance(found, Unknown)
    assert "Z3" in found.why


@pytest.mark.parametrize(
    ("premises", "step"),
    [
        (["x = y"], "x != 0 implies y/x = 1"), (["x*y = z"], "x = 0 or y = z/x"), (["x = y"], "not (x != 0 and y/x = 2)"),
    ],
)  # fmt: skip
def test_a_step_that_keeps_a_division_from_zero_follows(premises: list[str], step: str) -> None:
    found = follows(premises, step, [], True, 20)
    assert isinstance(found, Valid), found
    assert found.conclusive


@pytest.mark.parametrize("step", ["x != 1 implies y/x = 1", "x = 1 or y/x = 1", "not y/x = 2", "not (x != 1 and y/x = 2)"])
def test_a_step_that_does_not_keep_it_from_zero_does_not_follow(step: str) -> None:
    with pytest.raises(Invalid, match="x = 0, y = 0 keeps the premises"):
        follows(["x = y"], step, [], True, 20)


@pytest.mark.parametrize(
    ("premises", "step"), [(["x^(2/3) = 4"], "x = 8"), (["x = -8"], "x^(1/3) = -2"), (["x^(1/3) = y"], "y >= 0")]
)
def test_what_depends_on_the_odd_root_of_a_negative_number_is_unknown(premises: list[str], step: str) -> None:
    assert isinstance(follows(premises, step, [], True, 20), Unknown)


def test_what_does_not_depend_on_it_is_known() -> None:
    assert follows(["x^(1/3) = 2"], "x = 8", [], True, 20) == Valid("x = 8 follows from x^(1/3) = 2", conclusive=True)
    with pytest.raises(Invalid):
        follows(["x^(1/3) = 2"], "x = 9", [], True, 20)
