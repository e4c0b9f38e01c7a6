"""What is known of a model: the careful end of what was measured, and all of a simulated one."""

from maker_graph.calibration.estimates import estimates_of, estimates_of_profile
from maker_graph.models.simulation import profile_of
from tests.calibration.making import at, result_of


def test_a_calibration_counts_with_the_lower_end_of_p_and_says_so() -> None:
    careful, bold = (estimates_of(result_of(), point=point) for point in (False, True))
    assert (careful.p, bold.p, careful.p_interval) == (0.98, 0.99, (0.98, 0.995))
    assert "lower end of its interval, 0.98. The measured value is 0.99" in careful.remarks[0]
    assert bold.remarks == []
    assert (careful.tokens, careful.price, careful.latency, careful.rival) == ((400.0, 500.0), (0.4, 1.6), 1.5, 0.8)


def test_a_model_that_was_never_right_still_has_a_p() -> None:
    assert estimates_of(result_of(p=at(0.0, 0.0, 0.1))).p > 0


def test_without_the_truth_it_is_remarked() -> None:
    found = estimates_of(result_of(truth=False, rho=None), point=True)
    assert "all samples of a step share was not seen" in found.remarks[0]
    assert found.rho is None


def test_all_is_known_of_a_profile() -> None:
    profile = profile_of("gpt-4.1-mini")
    found = estimates_of_profile(profile, 400)
    assert (found.p, found.rival, found.tokens) == (1 - profile.error, profile.favourite, (400, profile.output_tokens))
    assert found.rho is not None
    assert found.rho.low == found.rho.value == found.rho.high == profile.rho
    assert found.p_interval is None
    assert estimates_of_profile(profile_of("perfect,error=1"), 400).p > 0
