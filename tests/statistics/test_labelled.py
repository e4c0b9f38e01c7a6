"""What labels prove: bounds that are exact, rules tested in order, e-values that stand being looked at, chains."""

import math
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from maker_graph.errors import UsageError
from maker_graph.statistics.labelled import (
    GUESSES,
    Counts,
    anytime_bound,
    at_most,
    bound_of,
    chain_bound,
    chain_labels,
    labels_needed,
    limit_of,
    log_e_value,
    proved_in_order,
    upper_bound,
)


@given(decided=st.integers(1, 5_000), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.95, 0.999]))
def test_the_bound_is_that_of_clopper_and_pearson(decided: int, share: float, confidence: float) -> None:
    wrong = min(decided, int(share * (decided + 1)))
    exact = 1.0 if wrong == decided else float(beta.ppf(confidence, wrong + 1, decided - wrong))
    assert upper_bound(wrong, decided, confidence) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("wrong", "decided"), [(0, 10**6), (20_000, 10**6), (999_999, 10**6)])
def test_the_bound_of_a_million_labels_is_exact_too(wrong: int, decided: int) -> None:
    assert upper_bound(wrong, decided) == pytest.approx(float(beta.ppf(0.95, wrong + 1, decided - wrong)), rel=1e-6)


@given(decided=st.integers(1, 60), wrong=st.integers(0, 60), risk=st.fractions(0, 1, max_denominator=50))
def test_the_chance_of_few_wrong_ones_is_the_sum_of_the_binomial_terms(decided: int, wrong: int, risk: Fraction) -> None:
    exact = sum(math.comb(decided, i) * risk**i * (1 - risk) ** (decided - i) for i in range(min(wrong, decided) + 1))
    assert at_most(wrong, decided, float(risk)) == pytest.approx(float(exact), rel=1e-9, abs=1e-12)


def test_the_labels_that_a_target_takes() -> None:
    assert [labels_needed(limit_of(target)) for target in (0.95, 0.98, 0.99)] == [59, 149, 299]


@given(limit=st.floats(0.004, 0.6), wrong=st.integers(0, 12), anytime=st.booleans())
def test_one_label_less_is_not_enough(limit: float, wrong: int, anytime: bool) -> None:
    needed = labels_needed(limit, wrong=wrong, anytime=anytime)
    assert bound_of(Counts(wrong, needed), anytime=anytime) <= limit * (1 + 1e-9)
    assert bound_of(Counts(wrong, needed - 1), anytime=anytime) > limit * (1 - 1e-9)


@given(decided=st.integers(1, 3_000), share=st.floats(0, 0.5))
def test_looking_at_any_time_has_its_price(decided: int, share: float) -> None:
    wrong = int(share * decided)
    assert upper_bound(wrong, decided) <= anytime_bound(wrong, decided) + 1e-12


@given(limit=st.floats(0.01, 0.9), above=st.floats(0, 1))
def test_the_wealth_of_the_gambler_does_not_grow_on_average_if_the_claim_is_true(limit: float, above: float) -> None:
    risk = limit + above * (1 - limit)
    for multiple, _ in GUESSES:
        grown = risk * multiple + (1 - risk) * (1 - multiple * limit) / (1 - limit)
        assert grown <= 1 + 1e-12
    assert math.fsum(stake for _, stake in GUESSES) == pytest.approx(1)


def test_looking_after_each_label_breaks_the_fixed_bound_and_not_the_e_value() -> None:
    risk, chance, fooled = 0.05, Random(3), {False: 0, True: 0}
    limit_at = {anytime: [least_labels(wrong, risk, anytime=anytime) for wrong in range(40)] for anytime in fooled}
    runs = 400
    for _ in range(runs):
        wrong, seen = 0, {False: False, True: False}
        for decided in range(1, 401):
            wrong += chance.random() < risk
            for anytime in fooled:
                seen[anytime] |= wrong < 40 and decided >= limit_at[anytime][wrong]
        for anytime, hit in seen.items():
            fooled[anytime] += hit
    assert fooled[True] <= 0.05 * runs + 4 * math.sqrt(0.05 * 0.95 * runs)
    assert fooled[False] > 0.1 * runs, "which is why there are e-values"


def least_labels(wrong: int, risk: float, *, anytime: bool) -> int:
    return labels_needed(risk * (1 - 1e-9), wrong=wrong, anytime=anytime)


def test_rules_are_tested_in_order_until_the_first_fails() -> None:
    fine, bad = Counts(0, 60), Counts(9, 120)
    assert proved_in_order([fine, fine, bad, fine], 0.05) == [True, True, False, False]
    assert proved_in_order([bad, fine], 0.05) == [False, False]
    assert proved_in_order([], 0.05) == []
    assert proved_in_order([fine, Counts(0, 0), fine], 0.05) == [True, False, False], "what decides nothing proves nothing"
    assert proved_in_order([fine, fine], 0.05, anytime=True) == [False, False]


def test_a_second_place_to_begin_has_its_own_share_and_what_was_proved_before() -> None:
    few, enough, more = Counts(0, 20), Counts(0, 60), Counts(0, 75)
    assert proved_in_order([few, enough], 0.05, shares=[0.5, 0.5]) == [False, False]
    assert proved_in_order([few, more, enough], 0.05, shares=[0.5, 0.5, 0]) == [False, True, False]
    assert proved_in_order([more, enough], 0.05, shares=[0.5, 0.5]) == [True, True]


@pytest.mark.parametrize("shares", [None, [0.5, 0, 0.5]])
def test_no_false_promise_is_made_in_more_than_one_case_of_twenty(shares: list[float] | None) -> None:
    """The second rule is just too bad, and so is the third: whoever is promised either is deceived."""
    chance, deceived, runs = Random(5), 0, 1_000
    for _ in range(runs):
        counts = [Counts(sum(chance.random() < risk for _ in range(200)), 200) for risk in (0.001, 0.05, 0.05)]
        deceived += any(proved_in_order(counts, 0.05, shares=shares)[1:])
    assert deceived <= 0.05 * runs + 4 * math.sqrt(0.05 * 0.95 * runs)


def test_an_e_value_of_no_labels_or_of_a_sure_claim_says_nothing() -> None:
    assert log_e_value(0, 0, 0.1) == 0.0
    assert log_e_value(5, 5, 1.0) == 0.0
    assert log_e_value(4, 5, 1.0) == math.inf
    assert anytime_bound(5, 5) == upper_bound(5, 5) == 1.0


def test_a_chain_takes_three_labels_for_each_step_and_chance_of_error() -> None:
    for steps, target in ((1, 0.9), (31, 0.95), (1023, 0.99)):
        needed = chain_labels(target, steps)
        assert needed == pytest.approx(3 * steps / (1 - target), rel=0.06)
        assert chain_bound(upper_bound(0, needed), steps) <= 1 - target + 1e-12


@pytest.mark.parametrize(
    "wrong_use",
    [
        lambda: upper_bound(-1, 3),
        lambda: upper_bound(4, 3),
        lambda: upper_bound(0, 0),
        lambda: upper_bound(0, 3, 1.0),
        lambda: labels_needed(0.0),
        lambda: limit_of(1.0),
        lambda: limit_of(float("nan")),
        lambda: chain_bound(0.1, 0),
        lambda: chain_labels(0.9, 0),
        lambda: proved_in_order([], 1.0),
        lambda: proved_in_order([], 0.1, confidence=0.0),
    ],
)
def test_what_is_out_of_range_is_told(wrong_use: object) -> None:
    assert callable(wrong_use)
    with pytest.raises(UsageError):
        wrong_use()
