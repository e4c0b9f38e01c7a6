"""What samples show: the largest rival, the hardest steps, and what cannot be told without the truth."""

import pytest

from maker_graph.calibration.result import HARD_STEPS, count_wrong, measured_result
from maker_graph.errors import UsageError
from tests.calibration.making import request_of, step_of


def test_the_largest_rival_is_bounded_by_how_often_two_wrong_samples_agree() -> None:
    steps = [step_of(n, 1, 1) for n in range(40)] + [step_of(n, 1, 2) for n in range(40, 100)]
    result = measured_result(request_of(samples=2), "scripted", steps, None)
    assert result.both_wrong == (100, 40)
    assert 0.4**0.5 < result.rival < 0.75
    assert measured_result(request_of(samples=2), "scripted", [step_of(0, 0, 1)], None).rival == 1.0


def test_steps_are_counted_by_valid_and_wrong_samples() -> None:
    steps = [
        step_of(0, 0, 0),
        step_of(1, 0, 1),
        step_of(2, 0, 1, right=None),
        step_of(3, "empty", 1),
        step_of(4, "empty", "empty"),
    ]
    assert count_wrong(steps) == {(2, 0): 1, (2, 1): 1, (2, 2): 1, (1, 1): 1}


def test_the_hardest_steps_come_first_with_what_their_wrong_samples_say() -> None:
    steps = [step_of(n, 0, 0, 1) for n in range(30)] + [step_of(30, 1, 1, 2), step_of(31, 0, 0, 0)]
    hard = measured_result(request_of(), "scripted", steps, None).hard
    assert (hard[0].step, hard[0].wrong, hard[0].valid, hard[0].answers) == (30, 3, 3, {"b": 2, "c": 1})
    assert [each.step for each in hard[1:]] == list(range(HARD_STEPS - 1))


def test_flags_tokens_seconds_and_cost_are_those_of_all_samples() -> None:
    found = measured_result(request_of(samples=2), "scripted", [step_of(0, 0, "empty"), step_of(1, 0, 0)], (1.0, 2.0))
    assert (found.samples, found.flags, found.valid.value) == (4, {"empty": 0.25}, 0.75)
    assert (found.input, found.output, found.seconds, found.price) == (1.5, 5.0, (0.5, 0.5), (1.0, 2.0))
    assert found.cost_usd == 0.02


def test_without_the_truth_only_disagreement_shows() -> None:
    blind = request_of(truth=False)
    unison, split = ([step_of(n, *sequence, right=None) for n in range(50)] for sequence in ((0, 0, 0), (0, 0, 1)))
    found = measured_result(blind, "scripted", unison, None)
    assert (found.error.value, found.rho, found.rival, found.hard) == (0.0, None, 1.0, [])
    assert measured_result(blind, "scripted", split, None).error.value > 0.2
    assert measured_result(blind, "scripted", split, None).hard[0].answers == {"b": 1}


def test_where_nothing_can_be_said_it_says_so() -> None:
    with pytest.raises(UsageError, match="no sample was valid"):
        measured_result(request_of(), "scripted", [step_of(0, "empty", "empty")], None)
    with pytest.raises(UsageError, match="ask for more samples"):
        measured_result(request_of(truth=False), "scripted", [step_of(0, "empty", 0)], None)
