"""The formulas give the paper's figures, and are sound at their edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.planning import expected_votes, k_min, p_full, p_sub
from maker_graph.errors import UsageError

STEPS = 2**20 - 1


@pytest.mark.parametrize(
    ("error", "k"),
    [(0.3571, 29), (0.0040, 4), (0.0022, 3), (0.0018, 3), (0.1839, 12), (0.0358, 6), (0.2342, 15), (0.0569, 6), (0.0393, 6)],
)
def test_k_min_is_that_of_the_papers_table(error: float, k: int) -> None:
    assert k_min(1 - error, STEPS, 0.95) == k


@pytest.mark.parametrize(
    ("p", "k", "expected"),
    [
        (0.999, 2, 0.3671),
        (0.999, 3, 0.9990),
        (0.99, 3, 0.3568),
        (0.99, 4, 0.9896),
        (0.95, 5, 0.6677),
        (0.95, 6, 0.9790),
        (0.9, 7, 0.8113),
        (0.9, 8, 0.9770),
        (0.9, 10, 0.9997),
    ],
)
def test_p_full_is_that_of_the_papers_figure_3a(p: float, k: int, expected: float) -> None:
    assert p_full(p, k, 1_000_000) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("p", "ks"),
    [
        (0.9, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
        (0.95, [2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 11, 12]),
        (0.99, [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 7, 8, 8]),
        (0.999, [1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]),
    ],
)
def test_k_min_is_that_of_the_papers_figure_4a(p: float, ks: list[int]) -> None:
    assert [k_min(p, 10**exponent, 0.9) for exponent in range(1, 15)] == ks


@given(
    st.floats(0.501, 1 - 1e-12),
    st.floats(1, 1e18),
    st.floats(1e-6, 1 - 1e-9),
)
def test_least_k_reaches_its_target_and_one_less_does_not(p: float, steps: float, target: float) -> None:
    k = k_min(p, steps, target)
    assert p_full(p, k, steps) >= target
    assert k == 1 or p_full(p, k - 1, steps) < target


@given(st.floats(0.01, 0.99), st.integers(1, 40))
def test_the_stable_forms_equal_those_of_the_paper(p: float, k: int) -> None:
    assert p_sub(p, k) == pytest.approx(p**k / (p**k + (1 - p) ** k), rel=1e-9)
    if abs(2 * p - 1) > 1e-3:
        assert expected_votes(p, k) == pytest.approx((2 * k * p_sub(p, k) - k) / (2 * p - 1), rel=1e-6)


def test_the_edges() -> None:
    assert p_sub(1.0, 1) == 1.0
    assert p_full(1.0, 1, 1e18) == 1.0
    assert k_min(1.0, 1e18, 0.999) == 1
    assert expected_votes(1.0, 7) == 7
    assert expected_votes(0.5, 4) == 16
    assert p_sub(1e-300, 10) == 0.0
    assert k_min(0.9, 1, 1e-320) == 1


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1, float("nan")])
def test_p_out_of_range_is_refused(p: float) -> None:
    with pytest.raises(UsageError, match="p must be"):
        p_sub(p, 3)


def test_no_k_helps_at_one_half() -> None:
    with pytest.raises(UsageError, match="no k reaches"):
        k_min(0.5, 10, 0.9)


@pytest.mark.parametrize("target", [0.0, 1.0, -1.0])
def test_a_target_out_of_range_is_refused(target: float) -> None:
    with pytest.raises(UsageError, match="target"):
        k_min(0.9, 10, target)


def test_less_than_a_step_and_less_than_one_vote_are_refused() -> None:
    with pytest.raises(UsageError, match="steps"):
        p_full(0.9, 3, 0.5)
    with pytest.raises(UsageError, match="k must"):
        p_sub(0.9, 0)
