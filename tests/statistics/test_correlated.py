"""Steps that are harder than others: the averages are right to ten digits, and no k beats the floor."""

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from maker_graph.core.rules import AheadBy, Decided
from maker_graph.errors import UsageError
from maker_graph.statistics import independent
from maker_graph.statistics.correlated import MOST_K, expected_votes, floor, k_min, p_full, p_sub, p_wrong

STEPS = 2**20 - 1

# p, rho, rival, k, P(wrong), votes, floor: integrated with scipy 1.17 (`quad` in ln(theta / (1 - theta)), and Gauss-Legendre in
# panels, which agree to 1e-11; `betaincc`). alpha is from 1e-6 to 1e5, beta from .06 to 1e9.
REFERENCE = [
    (1 - 2.26e-4, 0.004, 1.0, 3, 8.11664622011e-09, 3.00136760097, 6.99736975059e-79),
    (1 - 2.26e-4, 0.004, 1.0, 30, 5.70282196163e-42, 30.0136765091, 6.99736975059e-79),
    (1 - 2.26e-4, 0.007, 1.0, 2, 1.67980802223e-06, 2.00091052679, 1.06091414579e-46),
    (1 - 2.26e-4, 0.007, 1.0, 3, 2.45956024841e-08, 3.00137601642, 1.06091414579e-46),
    (1 - 2.26e-4, 0.007, 1.0, 8, 1.38881495725e-15, 8.00366978849, 1.06091414579e-46),
    (1 - 2.26e-4, 0.007, 0.5, 3, 6.14901136714e-09, 3.00137099675, 8.55143423707e-72),
    (0.9, 0.02, 1.0, 2, 0.0154342381626, 2.4445040134, 5.99757781147e-10),
    (0.9, 0.02, 1.0, 6, 3.10727841822e-05, 7.5951562066, 5.99757781147e-10),
    (0.9, 0.02, 1.0, 60, 7.21356621945e-10, 75.9586663386, 5.99757781147e-10),
    (0.9, 0.1, 1.0, 3, 0.0140863734893, 3.89946528744, 0.0029198377557),
    (0.9, 0.1, 1.0, 20, 0.00309977459639, 28.7504305799, 0.0029198377557),
    (0.9, 0.1, 0.3, 3, 0.00179005598086, 3.83554264847, 5.36658238494e-06),
    (0.7, 0.02, 1.0, 12, 0.00568478704214, 34.4421437323, 0.00208108713119),
    (0.7, 0.1, 1.0, 5, 0.126365413697, 13.124548058, 0.100400812328),
    (0.45, 0.05, 0.2, 6, 0.0235784463331, 32.1394985983, 0.00233064534786),
    (1 - 1e-6, 0.5, 1.0, 4, 7.18022423924e-07, 4.00001202735, 6.93148003047e-07),
    (0.5, 0.9, 0.5, 3, 0.488127054595, 6.62508450237, 0.482128476387),
    (0.5, 0.9, 1e-20, 5, 0.0648947472393, 4.63939075638e19, 0.0388954789485),
    (0.8, 0.8, 0.2, 4, 0.157930332116, 12.0219238912, 0.145843923723),
    (0.7, 3e-05, 1.0, 10, 0.00021043456485, 24.9934006369, 0.0),
    (1 - 2**-40, 1e-11, 1.0, 2, 9.92212763069e-24, 2.0, 0.0),
    (0.9999, 1e-09, 1.0, 2, 1.00021002497e-08, 2.00040004, 0.0),
]


@pytest.mark.parametrize("reference", REFERENCE)
def test_the_integrals_are_those_of_scipy(reference: tuple[float, float, float, int, float, float, float]) -> None:
    p, rho, rival, k, wrong, votes, hopeless = reference
    assert p_wrong(p, k, rho=rho, rival=rival) == pytest.approx(wrong, rel=1e-10, abs=0)
    assert expected_votes(p, k, rho=rho, rival=rival) == pytest.approx(votes, rel=1e-11)
    assert floor(p, rho=rho, rival=rival) == pytest.approx(hopeless, rel=1e-10, abs=1e-300)


def test_where_theta_is_spread_evenly_the_integrals_are_known() -> None:
    """With alpha = beta = 1 the votes for k = 2 are those of 2 / (1 - 2 theta (1 - theta)); with beta = 2 it is P(wrong)."""
    assert expected_votes(1 / 2, 2, rho=1 / 3) == pytest.approx(math.pi, rel=1e-12)
    assert p_wrong(2 / 3, 2, rho=1 / 4) == pytest.approx(math.pi / 4 - 1 / 2, rel=1e-12)


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.5, 300.0])
@pytest.mark.parametrize("rival", [1.0, 0.4])
def test_the_floor_is_that_of_a_beta_distribution_with_alpha_1_or_beta_1(beta: float, rival: float) -> None:
    p, rho = beta / (1 + beta), 1 / (2 + beta)
    most = 1 / (1 + rival)  # beyond this theta the rival is more likely than the right answer
    assert floor(p, rho=rho, rival=rival) == pytest.approx((1 - most) ** beta, rel=1e-11)
    assert floor(1 - p, rho=rho, rival=rival) == pytest.approx(1 - most**beta, rel=1e-11)


rates = st.floats(1e-9, 1 - 1e-9)
rhos = st.one_of(st.floats(1e-9, 0.999), st.floats(1e-3, 0.2))
rivals = st.one_of(st.just(1.0), st.floats(0.02, 1))


@given(rates, rhos, rivals)
@settings(max_examples=60)
def test_with_k_1_the_first_vote_decides_and_the_mean_error_is_all_that_counts(p: float, rho: float, rival: float) -> None:
    assert p_wrong(p, 1, rho=rho, rival=rival) == pytest.approx(1 - p, rel=1e-9)
    assert expected_votes(p, 1, rho=rho, rival=rival) == 1


@given(rates, rhos, st.integers(2, 30))
@settings(max_examples=60)
def test_right_and_wrong_are_mirror_images(p: float, rho: float, k: int) -> None:
    assume(1e-6 < p < 1 - 1e-6)
    assert p_wrong(p, k, rho=rho) + p_wrong(1 - p, k, rho=rho) == pytest.approx(1, rel=1e-9)
    assert expected_votes(p, k, rho=rho) == pytest.approx(expected_votes(1 - p, k, rho=rho), rel=1e-9)
    assert floor(p, rho=rho) + floor(1 - p, rho=rho) == pytest.approx(1, rel=1e-9)


@given(st.floats(0.501, 1 - 1e-9), rhos, rivals)
@settings(max_examples=40)
def test_more_votes_help_down_to_the_floor(p: float, rho: float, rival: float) -> None:
    wrong = [p_wrong(p, k, rho=rho, rival=rival) for k in (1, 2, 3, 5, 9, 20, 60)]
    hopeless = floor(p, rho=rho, rival=rival)
    assert all(more <= less * (1 + 1e-9) for less, more in pairwise(wrong))
    assert wrong[-1] >= hopeless * (1 - 1e-9)
    assert wrong[0] > wrong[1] or wrong[0] == pytest.approx(hopeless, rel=1e-3)


def test_p_wrong_falls_to_the_floor() -> None:
    assert p_wrong(0.9, 1000, rho=0.1) == pytest.approx(floor(0.9, rho=0.1), rel=1e-4)
    assert p_wrong(0.9, 1000, rho=0.1, rival=0.5) == pytest.approx(floor(0.9, rho=0.1, rival=0.5), rel=0.02)


@given(st.floats(0.55, 1 - 1e-6), st.integers(1, 12), rivals)
@settings(max_examples=60)
def test_the_less_steps_differ_the_nearer_it_is_to_the_papers_formulas(p: float, k: int, rival: float) -> None:
    for rho in (0.0, 1e-12, 1e-9):
        within = 1e-9 + 2 * math.expm1(k * k * rho * (1 / p + 1 / (1 - p)) / 2)
        assert p_wrong(p, k, rho=rho, rival=rival) == pytest.approx(independent.p_wrong(p, k, rival=rival), rel=within, abs=0)
        votes = independent.expected_votes(p, k, rival=rival)
        assert expected_votes(p, k, rho=rho, rival=rival) == pytest.approx(votes, rel=within)


@given(st.floats(0.52, 1 - 1e-6), rhos, rivals, st.floats(1, 1e9), st.floats(0.05, 0.999))
@settings(max_examples=60)
def test_the_least_k_reaches_its_target_and_one_less_does_not(
    p: float, rho: float, rival: float, steps: float, target: float
) -> None:
    k = k_min(p, steps, target, rho=rho, rival=rival)
    if k is None:
        assert p_full(p, MOST_K, steps, rho=rho, rival=rival) < target
    else:
        assert p_full(p, k, steps, rho=rho, rival=rival) >= target
        assert k == 1 or p_full(p, k - 1, steps, rho=rho, rival=rival) < target


def test_independence_promises_too_much() -> None:
    """A million steps with k = 2 and the errors of the paper's run, and with k = 3 and those of its table."""
    assert independent.p_full(1 - 2.26e-4, 2, STEPS) > 0.94
    assert p_full(1 - 2.26e-4, 2, STEPS, rho=0.004) < 0.37
    assert p_full(1 - 2.26e-4, 3, STEPS, rho=0.004) > 0.99
    assert p_full(1 - 0.0022, 3, STEPS, rho=0.005) < 0.82
    assert k_min(1 - 0.0022, STEPS, 0.95, rho=0.005) == independent.k_min(1 - 0.0022, STEPS, 0.95) + 1


def test_no_k_reaches_a_target_beyond_the_floor() -> None:
    hopeless = floor(0.9, rho=0.1)
    assert k_min(0.9, 1, 1 - 1.01 * hopeless, rho=0.1) is not None
    assert k_min(0.9, 1, 1 - 0.99 * hopeless, rho=0.1) is None
    assert k_min(0.4, 1000, 0.9, rho=0.0) is None
    assert k_min(0.4, 1, 0.3, rho=0.1) == 1
    assert k_min(0.4, 1000, 0.9, rho=0.001, rival=0.2) is not None


def test_without_correlation_k_is_that_of_the_paper_however_large() -> None:
    assert k_min(0.501, 1e18, 0.95, rho=0.0) == independent.k_min(0.501, 1e18, 0.95) > MOST_K


def test_a_simulation_agrees() -> None:
    rng = random.Random(5)
    rule, decisions, wrong, votes, hopeless = AheadBy(3), 40_000, 0, 0, 0
    for _ in range(decisions):
        theta = rng.betavariate(0.2 * 9, 0.8 * 9)  # rho = .1
        hopeless += theta > 0.5
        ballot = {"right": 0, "wrong": 0}
        while not isinstance(verdict := rule(ballot), Decided):
            ballot["wrong" if rng.random() < theta else "right"] += 1
            votes += 1
        wrong += verdict.candidate == "wrong"
    for count, share in ((wrong, p_wrong(0.8, 3, rho=0.1)), (hopeless, floor(0.8, rho=0.1))):
        assert abs(count - decisions * share) < 3 * math.sqrt(decisions * share * (1 - share))
    assert votes / decisions == pytest.approx(expected_votes(0.8, 3, rho=0.1), rel=0.01)
    assert p_wrong(0.8, 3, rho=0.1) > 3 * independent.p_wrong(0.8, 3)


def test_the_edges() -> None:
    assert p_wrong(1.0, 3, rho=0.1) == floor(1.0, rho=0.1) == 0
    assert expected_votes(1.0, 3, rho=0.1) == 3
    assert p_sub(0.9, 3, rho=0.1) == pytest.approx(1 - 0.0140863734893, rel=1e-12)
    assert p_full(1e-12, 9, 10, rho=0.5) < 1e-9
    assert p_wrong(1 - 1e-5, 3, rho=1 - 1e-9) == pytest.approx(1e-5, rel=1e-5)  # a step is right always or never
    assert p_wrong(1 - 2.26e-4, 60, rho=1e-6) < 1e-200
    assert floor(0.1, rho=0.0, rival=0.25) == 1.0
    assert floor(0.5, rho=0.0) == 0.5
    assert p_wrong(0.9, 3, rho=5e-324) == independent.p_wrong(0.9, 3)


@pytest.mark.parametrize(
    ("call", "about"),
    [
        (lambda: p_wrong(0.9, 3, rho=1.0), "rho"),
        (lambda: p_wrong(0.9, 3, rho=-0.1), "rho"),
        (lambda: floor(0.9, rho=float("nan")), "rho"),
        (lambda: p_wrong(0.0, 3, rho=0.1), "p must"),
        (lambda: p_wrong(0.9, 0, rho=0.1), "k must"),
        (lambda: expected_votes(0.9, 0, rho=0.1), "k must"),
        (lambda: expected_votes(0.9, 2, rho=0.1, rival=0.0), "rival"),
        (lambda: floor(0.9, rho=0.1, rival=2.0), "rival"),
        (lambda: p_full(0.9, 3, 0.5, rho=0.1), "steps"),
        (lambda: k_min(0.9, 10, 1.0, rho=0.1), "target"),
    ],
)
def test_numbers_out_of_range_are_refused(call: Callable[[], Any], about: str) -> None:
    with pytest.raises(UsageError, match=about):
        call()
