"""Error rates and correlations from counts: exact where there is an exact answer, and intervals that hold the truth."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from maker_graph.errors import UsageError
from maker_graph.statistics.estimation import correlation, errors, share


@pytest.mark.parametrize(("hits", "of"), [(0, 50), (4, 2000), (50, 50), (700, 1000)])
def test_a_share_has_the_ends_at_which_such_a_count_is_just_too_unlikely(hits: int, of: int) -> None:
    found = share(hits, of)
    assert found.value == hits / of
    if hits:
        assert binom.sf(hits - 1, of, found.low) == pytest.approx(0.025)
    if hits < of:
        assert binom.cdf(hits, of, found.high) == pytest.approx(0.025)


def test_nothing_valid_is_an_error_that_says_so() -> None:
    with pytest.raises(UsageError, match="no valid sample"):
        errors({})


def test_independent_samples_show_no_correlation_and_get_the_interval_of_clopper_and_pearson() -> None:
    # 900 steps with none wrong, 95 with one, 5 with both: p^2, 2pq, q^2 at q = .0525 would have 2.8 of the last kind
    found = errors({(2, 0): 898, (2, 1): 99, (2, 2): 3})
    assert found.rho.low == 0.0 < found.rho.high < 0.12
    assert found.error.value == pytest.approx(105 / 2000)
    assert found.error == pytest.approx(share(105, 2000), abs=1e-4)


def test_samples_that_agree_in_their_errors_count_for_less() -> None:
    apart, together = errors({(2, 0): 900, (2, 1): 100}), errors({(2, 0): 950, (2, 2): 50})
    assert apart.error.value == together.error.value
    assert together.rho.value == pytest.approx(1.0)
    assert apart.rho.value == 0.0
    assert together.error.high - together.error.low > 1.35 * (apart.error.high - apart.error.low)


@pytest.mark.parametrize("counts", [{(2, 0): 100}, {(1, 1): 5, (1, 0): 95}, {(2, 2): 10}])
def test_where_no_pair_could_tell_the_correlation_its_interval_is_everything(counts: dict[tuple[int, int], int]) -> None:
    assert correlation(counts) == (0.0, 0.0, 1.0)


def test_the_same_counts_give_the_same_interval() -> None:
    counts = {(2, 0): 940, (2, 1): 55, (2, 2): 5, (1, 0): 30}
    assert correlation(counts, seed=3) == correlation(counts, seed=3)


@pytest.mark.parametrize(("error", "rho"), [(0.1, 0.0), (0.0358, 0.05)])
def test_the_intervals_of_60_simulated_calibrations_hold_the_truth(error: float, rho: float) -> None:
    rng = np.random.default_rng(5)
    weight = 1 / rho - 1 if rho else 0.0
    held_error = held_rho = 0
    for number in range(60):
        theta = rng.beta(error * weight, (1 - error) * weight, 1000) if rho else error
        wrong = Counter(rng.binomial(2, theta, 1000).tolist())
        found = errors({(2, w): steps for w, steps in wrong.items()}, seed=number)
        held_error += found.error.low <= error <= found.error.high
        held_rho += found.rho.low <= rho <= found.rho.high
    assert held_error >= 53  # of 60, 57 expected
    assert held_rho >= 53
