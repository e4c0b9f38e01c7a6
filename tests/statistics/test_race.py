"""A race of more than two candidates, computed vote by vote with the rule itself: what is exact, and what a bound."""

import math
from functools import cache

import pytest

from maker_graph.core.rules import AheadBy, Decided
from maker_graph.statistics.independent import expected_votes, p_wrong
from maker_graph.statistics.race import all_right, extra_votes, log_odds_of_wrong, softplus

SCATTERED = [
    (0.9, 0.05, 0.05),
    (0.8, 0.05, 0.05, 0.1),
    (0.7, 0.15, 0.15),
    (0.7, 0.1, 0.1, 0.1),
    (0.6, 0.1, 0.3),
    (0.6, 0.2, 0.2),
]
BELOW_ONE_HALF = [(0.45, 0.2, 0.35), (0.4, 0.3, 0.3), (0.4, 0.2, 0.2, 0.2)]


@cache
def race(shares: tuple[float, ...], k: int) -> tuple[float, float]:
    """Return P(wrong) and the expected votes; the first candidate is the right one, the others are in rising order."""
    rule = AheadBy(k)
    alive = {(0,) * len(shares): 1.0}
    wrong = votes = 0.0
    while sum(alive.values()) > 1e-6:
        then: dict[tuple[int, ...], float] = {}
        for ballot, weight in alive.items():
            votes += weight
            for i, share in enumerate(shares):
                after = tuple(count + (i == j) for j, count in enumerate(ballot))
                verdict = rule({str(j): count for j, count in enumerate(after) if count})
                if isinstance(verdict, Decided):
                    wrong += weight * share * (verdict.candidate != "0")
                elif weight * share > 1e-10:
                    least = min(after)  # the rule looks at differences, and equal rivals are alike
                    others = sorted(zip(shares[1:], after[1:], strict=True))
                    after = (after[0] - least, *(count - least for _, count in others))
                    then[after] = then.get(after, 0.0) + weight * share
        alive = then
    return wrong, votes


def rival_of(shares: tuple[float, ...]) -> float:
    return max(shares[1:]) / sum(shares[1:])


@pytest.mark.parametrize("p", [0.9, 0.6, 0.5])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_against_a_single_rival_both_are_exact(p: float, k: int) -> None:
    wrong, votes = race((p, 1 - p), k)
    assert wrong == pytest.approx(p_wrong(p, k), abs=2e-6)
    assert votes == pytest.approx(expected_votes(p, k), rel=1e-4)


@pytest.mark.parametrize("shares", SCATTERED + BELOW_ONE_HALF)
def test_the_first_vote_decides_for_k_1_and_that_is_exact(shares: tuple[float, ...]) -> None:
    assert race(shares, 1) == pytest.approx((1 - shares[0], 1))
    assert p_wrong(shares[0], 1, rival=rival_of(shares)) == pytest.approx(1 - shares[0])
    assert expected_votes(shares[0], 1, rival=rival_of(shares)) == 1


@pytest.mark.parametrize("shares", SCATTERED + BELOW_ONE_HALF)
@pytest.mark.parametrize("k", [2, 3])
def test_however_wrong_answers_scatter_a_step_is_wrong_no_more_often_than_the_bound(shares: tuple[float, ...], k: int) -> None:
    wrong, _ = race(shares, k)
    bound = p_wrong(shares[0], k, rival=rival_of(shares))
    assert wrong <= bound
    assert wrong > bound / 2
    if shares[0] > 0.5:
        assert bound < p_wrong(shares[0], k)


@pytest.mark.parametrize("shares", SCATTERED)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_scattered_wrong_answers_need_about_the_votes_that_are_estimated(shares: tuple[float, ...], k: int) -> None:
    assert 0.91 < race(shares, k)[1] / expected_votes(shares[0], k, rival=rival_of(shares)) < 1.001


@pytest.mark.parametrize("shares", BELOW_ONE_HALF)
@pytest.mark.parametrize("k", [2, 3])
def test_below_one_half_the_estimate_of_the_votes_is_coarser(shares: tuple[float, ...], k: int) -> None:
    assert 0.8 < race(shares, k)[1] / expected_votes(shares[0], k, rival=rival_of(shares)) < 1.05


@pytest.mark.parametrize("k", [2, 7])
@pytest.mark.parametrize("rival", [1.0, 0.3])
def test_few_extra_votes_keep_their_digits(k: int, rival: float) -> None:
    """To first order in theta they are 2 theta, wherever the wrong votes go."""
    theta = 1e-13
    assert extra_votes(math.log(theta), k, math.log(rival)) == pytest.approx(2 * theta, rel=1e-9)


def test_the_edges() -> None:
    assert extra_votes(0.0, 9) == 8  # k * k votes in all
    assert extra_votes(-math.inf, 9) == 0
    assert log_odds_of_wrong(1.0) == -math.inf
    assert (softplus(1000), softplus(-1000)) == (1000, 0)
    assert all_right(1.0, 5) == 0
    assert all_right(0.5, 2) == pytest.approx(0.25)
