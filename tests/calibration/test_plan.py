"""Plans: both models of errors side by side, and what a person must know beside the number."""

import subprocess
from collections.abc import Callable

import pytest

from maker_graph.calibration.estimates import ModelEstimates, estimates_of, estimates_of_profile
from maker_graph.calibration.plan import Speed, expected, make_plans
from maker_graph.models.simulation import profile_of
from maker_graph.statistics import correlated, independent
from tests.calibration.making import at, result_of

Cli = Callable[..., subprocess.CompletedProcess[str]]
COLUMN = {
    "k", "p_sub", "p_wrong", "p_full", "p_full_low", "p_full_high", "votes_per_step", "samples_per_step", "samples", "tokens",
    "cost_usd", "hours", "reason", "near",
}  # fmt: skip


def test_the_papers_case_comes_out_with_every_figure() -> None:
    found = make_plans(ModelEstimates(p=1 - 0.0022, tokens=(590, 538), price=(0.4, 1.6), rho=at(0.005)), 2**20 - 1, 0.95)
    assert set(found["independent"]) == set(found["correlated"]) == COLUMN
    assert (found["independent"]["k"], found["correlated"]["k"]) == (3, 4)
    assert found["independent"]["cost_usd"] == pytest.approx(3465, abs=1)
    assert [row["k"] for row in found["correlated"]["near"]] == [3, 4, 5]
    assert found["correlated"]["p_full"] == correlated.p_full(1 - 0.0022, 4, 2**20 - 1, rho=0.005) >= 0.95
    assert any("k = 3 would be enough if errors were independent" in warning for warning in found["warnings"])


def test_a_calibration_is_planned_at_the_lower_end_of_p_unless_told_otherwise() -> None:
    assert (estimates_of(result_of()).p, estimates_of(result_of(), point=True).p) == (0.98, 0.99)
    careful, bold = (make_plans(estimates_of(result_of(), point=point), 10_000, 0.9) for point in (False, True))
    assert careful["correlated"]["k"] > bold["correlated"]["k"]
    assert any("lower end of its interval" in warning for warning in careful["warnings"])


def test_each_chance_comes_with_the_worst_and_the_best_ends_of_the_intervals() -> None:
    found = make_plans(estimates_of(result_of()), 1000, 0.9)
    for row in found["correlated"]["near"]:
        assert row["p_full_low"] == correlated.p_full(0.98, row["k"], 1000, rho=0.05, rival=0.8)
        assert row["p_full_high"] == correlated.p_full(0.995, row["k"], 1000, rho=0.0, rival=0.8)
        assert row["p_full_low"] <= row["p_full"] <= row["p_full_high"]
    assert any("is only known to lie between 0 and 0.05" in warning for warning in found["warnings"])


def test_where_no_k_will_do_it_says_so_and_how_many_steps_are_to_blame() -> None:
    found = make_plans(ModelEstimates(p=0.9, rho=at(0.1)), 2000, 0.9)
    assert found["correlated"]["k"] is found["correlated"]["p_full"] is None
    assert "At 2.9 steps in a thousand, samples are wrong more often than right." in found["correlated"]["reason"]
    assert [row["k"] for row in found["correlated"]["near"]] == [4, 5, 6], "around the k that independence would take"
    assert found["correlated"]["near"][-1]["p_full"] < 0.05
    within = make_plans(estimates_of(result_of(rho=at(0.3, 0.001, 0.6))), 2000, 0.9)
    assert any("k = 3 would be enough. More steps in the calibration" in warning for warning in within["warnings"])


def test_below_one_half_a_scattered_rival_can_be_outvoted() -> None:
    assert make_plans(ModelEstimates(p=0.45), 100, 0.9)["independent"]["k"] is None
    assert make_plans(ModelEstimates(p=0.45, rival=0.3), 100, 0.9)["independent"]["k"] is not None


def test_the_hours_are_those_of_the_rate_limit_or_of_the_latency_whichever_is_more() -> None:
    estimates = ModelEstimates(p=0.99, latency=2.0)
    alone = make_plans(estimates, 3600, 0.9)["independent"]
    assert alone["hours"] == pytest.approx(2 * 1.03, abs=0.03)
    assert make_plans(estimates, 3600, 0.9, Speed(lookahead=8))["independent"]["hours"] == pytest.approx(alone["hours"] / 8)
    limited = make_plans(estimates, 3600, 0.9, Speed(lookahead=8, rpm=10))["independent"]
    assert limited["hours"] == pytest.approx(limited["samples"] / 600)
    assert make_plans(ModelEstimates(p=0.99), 3600, 0.9)["independent"]["hours"] is None


def test_what_is_expected_of_a_run_is_kept_for_its_report() -> None:
    found = expected(estimates_of_profile(profile_of("gpt-4.1-mini"), 400), 3, 1023)
    assert found["model_of_errors"] == "correlated"
    assert found["p_full"] == correlated.p_full(1 - 0.0022, 3, 1023, rho=0.005, rival=0.7)
    assert found["p_full_independent"] == independent.p_full(1 - 0.0022, 3, 1023, rival=0.7)
    assert found["cost_usd"] == pytest.approx(found["samples"] * (400 * 0.4 + 538 * 1.6) / 1e6)


# --------------------------------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize("p", [0.501, 0.9, 0.999999999999, 1.0])
def test_plans_are_sound_up_to_1e18_steps(p: float) -> None:
    found = make_plans(ModelEstimates(p=p), 10**18, 0.99)
    assert found["independent"]["p_full"] >= 0.99
    assert found["independent"]["near"][0]["p_full"] < 0.99 or found["independent"]["k"] == 1
