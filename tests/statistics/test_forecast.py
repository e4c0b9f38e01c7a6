"""A forecast adds up, and says in words when no k will do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maker_graph.errors import UsageError
from maker_graph.statistics import correlated, independent
from maker_graph.statistics.forecast import forecast, no_k

STEPS = 2**20 - 1
MUST = "use a check, another prompt or another model."
MORE = "are wrong more often than right"
ONE_WAY = "are wrong in one way more often than right"


def test_with_independent_errors_a_forecast_is_the_papers() -> None:
    seen = forecast(1 - 0.0022, 3, STEPS, valid=0.9, input_tokens=590, output_tokens=538, input_price=0.4, output_price=1.6)
    per_sample = independent.sample_cost(590, 538, 0.4, 1.6)
    assert seen.k == 3
    assert seen.p_sub == pytest.approx(independent.p_sub(1 - 0.0022, 3), rel=1e-12)
    assert seen.p_wrong == pytest.approx(independent.p_wrong(1 - 0.0022, 3), rel=1e-12)
    assert seen.p_full == pytest.approx(independent.p_full(1 - 0.0022, 3, STEPS), rel=1e-12)
    assert seen.votes_per_step == pytest.approx(independent.expected_votes(1 - 0.0022, 3), rel=1e-12)
    assert seen.samples == pytest.approx(independent.expected_samples(1 - 0.0022, 3, STEPS, valid=0.9), rel=1e-12)
    assert seen.cost_usd == pytest.approx(independent.expected_cost(1 - 0.0022, 3, STEPS, per_sample, valid=0.9), rel=1e-12)
    assert seen.cost_usd == pytest.approx(3500 / 0.9, rel=0.02)


def test_correlated_errors_change_what_is_promised_and_hardly_what_it_costs() -> None:
    independent, honest = (forecast(1 - 0.0022, 3, STEPS, rho=rho, output_tokens=10, output_price=1) for rho in (0.0, 0.005))
    assert honest.p_wrong > 15 * independent.p_wrong
    assert honest.p_full < 0.82
    assert independent.p_full > 0.98
    assert honest.samples == pytest.approx(independent.samples, rel=1e-3)
    assert honest.samples > independent.samples


@given(st.floats(0.55, 0.9999), st.integers(1, 9), st.floats(0, 0.5), st.floats(0.1, 1), st.floats(0.5, 1))
@settings(max_examples=30)
def test_a_forecast_adds_up(p: float, k: int, rho: float, rival: float, valid: float) -> None:
    seen = forecast(
        p, k, 1000, rho=rho, rival=rival, valid=valid, input_tokens=7, output_tokens=5, input_price=2, output_price=11
    )
    assert seen.p_sub == 1 - seen.p_wrong
    assert seen.p_full == pytest.approx(seen.p_sub**1000, rel=1e-9, abs=1e-300)
    assert seen.p_full == correlated.p_full(p, k, 1000, rho=rho, rival=rival)
    assert seen.samples_per_step == pytest.approx(seen.votes_per_step / valid)
    assert seen.samples == pytest.approx(1000 * seen.samples_per_step)
    assert seen.tokens == pytest.approx(12 * seen.samples)
    assert seen.cost_usd == pytest.approx((7 * 2 + 5 * 11) / 1e6 * seen.samples)


@pytest.mark.parametrize(
    ("p", "rho", "rival", "target", "says"),
    [
        (1 - 2.26e-4, 0.1235, 1.0, 0.95, f"At 3 steps in a million, samples {MORE}. So no k reaches .95: " + MUST),
        (0.9, 0.1, 1.0, 0.999, f"At 2.9 steps in a thousand, samples {MORE}. So no k reaches .999: " + MUST),
        (0.5, 0.1, 0.5, 0.9, f"At 16 steps in a hundred, samples {ONE_WAY}. So no k reaches .9: " + MUST),
        (0.3, 0.0, 1.0, 0.9, f"At all steps, samples {MORE}. So no k reaches .9: " + MUST),
        (1e-9, 0.2, 1.0, 0.9, f"At almost all steps, samples {MORE}. So no k reaches .9: " + MUST),
        (0.5, 0.0, 1.0, 0.9, "At all steps, samples are wrong as often as right. So no k reaches .9: " + MUST),
        (0.2, 0.0, 0.25, 0.9, "At all steps, samples are wrong in one way as often as right. So no k reaches .9: " + MUST),
    ],
)
def test_it_is_said_why_no_k_reaches_the_target(p: float, rho: float, rival: float, target: float, says: str) -> None:
    assert no_k(p, STEPS, target, rho=rho, rival=rival) == says


def test_what_would_take_too_many_votes_is_said_too() -> None:
    target = 1 - correlated.floor(0.9, rho=0.1) * (1 + 1e-9)
    said = no_k(0.9, 1, target, rho=0.1)
    assert said is not None
    assert said.startswith("No k up to 1,000 reaches .99708")


@given(st.floats(0.3, 0.9999), st.floats(0, 0.3), st.floats(0.1, 1), st.floats(0.1, 0.999))
@settings(max_examples=40)
def test_something_is_said_just_when_no_k_reaches_the_target(p: float, rho: float, rival: float, target: float) -> None:
    said = no_k(p, 1000, target, rho=rho, rival=rival)
    assert (said is None) == (correlated.k_min(p, 1000, target, rho=rho, rival=rival) is not None)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="valid"):
        forecast(0.9, 3, 10, valid=0)
    with pytest.raises(UsageError, match="steps"):
        forecast(0.9, 3, 0)
    with pytest.raises(UsageError, match="at least 0"):
        forecast(0.9, 3, 10, output_tokens=-1)
    with pytest.raises(UsageError, match="target"):
        no_k(0.9, 10, 2)
