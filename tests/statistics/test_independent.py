"""The formulas give the paper's figures, and are sound at their edges."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maker_graph.errors import UsageError
from maker_graph.statistics.independent import (
    expected_cost,
    expected_samples,
    expected_votes,
    k_min,
    k_real,
    p_full,
    p_sub,
    p_wrong,
    sample_cost,
)

STEPS = 2**20 - 1
INPUT_TOKENS = 590  # not in the paper: what its costs imply

# the paper's Fig. 6b: USD per million tokens in and out, output tokens, error, k_min, cost; and k before it is rounded
TABLE = {
    "gpt-4.1-nano": (0.1, 0.4, 842, 0.3571, 29, 41_900, 28.63),
    "gpt-4.1-mini, temperature 1": (0.4, 1.6, 580, 0.0040, 4, 4_900, 3.05),
    "gpt-4.1-mini, temperature .1": (0.4, 1.6, 538, 0.0022, 3, 3_500, 2.75),
    "o3-mini": (1.1, 4.4, 535, 0.0018, 3, 9_400, 2.66),
    "haiku-4.5": (1.0, 5.0, 588, 0.1839, 12, 71_200, 11.30),
    "gpt-oss-20B": (0.05, 0.2, 1104, 0.0358, 6, 1_700, 5.11),
    "qwen-3": (0.2, 0.6, 449, 0.2342, 15, 11_500, 14.21),
    "deepseek-v3.1": (0.6, 1.7, 1004, 0.0569, 6, 14_600, 5.995),
    "kimi-k2": (1.0, 3.0, 925, 0.0393, 6, 22_900, 5.27),
}


@pytest.mark.parametrize("model", TABLE)
def test_k_and_cost_are_those_of_the_papers_table(model: str) -> None:
    input_price, output_price, output_tokens, error, k, cost, real = TABLE[model]
    assert k_min(1 - error, STEPS, 0.95) == k
    assert k_real(1 - error, STEPS, 0.95) == pytest.approx(real, abs=0.006)
    per_sample = sample_cost(INPUT_TOKENS, output_tokens, input_price, output_price)
    assert expected_cost(1 - error, k, STEPS, per_sample) == pytest.approx(cost, rel=0.02)


def test_the_model_of_the_papers_table_that_is_always_wrong_is_refused() -> None:
    with pytest.raises(UsageError, match="no k reaches"):
        k_min(1 - 1.0, STEPS, 0.95)


def test_the_samples_of_the_papers_million_step_run_are_those_expected() -> None:
    """Of 3,251,372 samples 3,147,188 were valid, and 2.26e-4 of those wrong (derived from Fig. 8)."""
    assert expected_samples(1 - 2.26e-4, 3, STEPS, valid=3_147_188 / 3_251_372) == pytest.approx(3_251_372, rel=2e-4)


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


def test_a_k_of_many_digits_is_found_soon() -> None:
    p = math.nextafter(0.5, 1)
    k = k_min(p, 1e6, 1 - 1e-9)
    assert k > 1e16
    assert p_full(p, k, 1e6) >= 1 - 1e-9 > p_full(p, int(0.999 * k), 1e6)


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


def test_the_cost_grows_exponentially_in_the_steps_of_a_sample() -> None:
    """Eq. 18: m and m + 100 differ by p^-100 at equal k, and the votes are those of fewer subtasks."""
    costs = [expected_cost(0.99, 5, 1_000_000, 1.0, m=m) for m in (1, 101, 201)]
    assert costs[1] / costs[0] == pytest.approx(0.99**-100)
    assert costs[2] / costs[1] == pytest.approx(0.99**-100)
    assert expected_samples(0.99, 5, 1_000_000, m=100) == pytest.approx(expected_votes(0.99, 5) * 10_000 / 0.99**99)
    assert k_min(0.99, 1_000_000, 0.9, m=100) == k_min(0.99, 10_000, 0.9) == 3
    assert p_full(0.99, 3, 1_000_000, m=100) == pytest.approx(p_full(0.99, 3, 10_000), rel=1e-12)
    assert expected_cost(0.9, 5, 1_000_000, 1.0, m=1_000_000) == math.inf


def test_cost_is_samples_and_flagged_samples_cost_too() -> None:
    assert sample_cost(1_000_000, 2_000_000, 0.5, 3.0) == 6.5
    assert expected_samples(0.9, 3, 1000, valid=0.5) == pytest.approx(2 * expected_samples(0.9, 3, 1000))
    assert expected_cost(0.9, 3, 1000, 7.0, valid=0.5) == pytest.approx(7 * expected_samples(0.9, 3, 1000, valid=0.5))
    assert expected_samples(1.0, 3, 1000) == 3000


def test_a_small_probability_of_a_wrong_step_keeps_its_digits() -> None:
    assert p_wrong(1 - 2**-40, 3) == pytest.approx((2**-40 / (1 - 2**-40)) ** 3, rel=1e-12)
    assert p_full(1 - 2**-40, 2, 1e18) == pytest.approx(math.exp(-1e18 * 2**-80), rel=1e-9)
    assert p_wrong(1.0, 3) == 0.0


@given(st.floats(0.501, 1 - 1e-12), st.floats(1, 1e18), st.floats(1e-6, 1 - 1e-9), st.floats(0, 1))
def test_k_real_is_where_p_full_is_the_target(p: float, steps: float, target: float, part: float) -> None:
    m = 1 + part * (steps - 1)
    k = k_real(p, steps, target, m=m)
    assume(k > 0)
    wrong = 1 / (1 + math.exp(min(700, k * (math.log(p) - math.log1p(-p)))))
    assert steps / m * -math.log1p(-wrong) == pytest.approx(-math.log(target), rel=1e-7)
    assert 0 <= k_min(p, steps, target, m=m) - k < 1 + 1e-6 or k_min(p, steps, target, m=m) == 1


@given(st.floats(0.05, 0.99), st.floats(0.01, 1), st.floats(1, 1e12), st.floats(1e-3, 1 - 1e-6))
def test_with_a_rival_the_least_k_reaches_its_target_and_one_less_does_not(
    p: float, rival: float, steps: float, target: float
) -> None:
    assume(p > 1.01 * rival * (1 - p))
    k = k_min(p, steps, target, rival=rival)
    assert p_full(p, k, steps, rival=rival) >= target
    assert k == 1 or p_full(p, k - 1, steps, rival=rival) < target
    assert p <= 0.51 or k <= k_min(p, steps, target + (1 - target) * 1e-9)


def test_voting_works_below_one_half_if_no_wrong_answer_rivals_the_right_one() -> None:
    with pytest.raises(UsageError, match="no k reaches"):
        k_min(0.4, 1000, 0.95)
    assert k_min(0.4, 1000, 0.95, rival=0.2) == 10
    k = k_real(0.4, 1000, 0.95, rival=0.2)
    assert 1000 * math.log1p((0.12 / 0.4) ** k / 0.2) == pytest.approx(-math.log(0.95))
    with pytest.raises(UsageError, match="no k reaches"):
        k_min(0.4, 1000, 0.95, rival=0.7)


@pytest.mark.parametrize(
    ("call", "about"),
    [
        (lambda: p_sub(0.9, 3, rival=0), "rival"),
        (lambda: p_sub(0.9, 3, rival=1.1), "rival"),
        (lambda: k_min(0.9, 10, 0.9, rival=float("nan")), "rival"),
        (lambda: p_full(0.9, 3, 10, m=0), "m must"),
        (lambda: p_full(0.9, 3, 10, m=11), "m must"),
        (lambda: k_real(0.9, 0.5, 0.9), "steps"),
        (lambda: k_real(0.9, 10, 1.0), "target"),
        (lambda: expected_samples(0.9, 3, 10, valid=0), "valid"),
        (lambda: expected_samples(0.9, 3, 10, valid=1.5), "valid"),
        (lambda: expected_votes(0.9, True), "k must"),
        (lambda: p_full(0.9, 3, 10**400), "steps"),
        (lambda: sample_cost(-1, 1, 1, 1), "at least 0"),
        (lambda: sample_cost(1, 1, float("nan"), 1), "at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(call: Callable[[], Any], about: str) -> None:
    with pytest.raises(UsageError, match=about):
        call()
