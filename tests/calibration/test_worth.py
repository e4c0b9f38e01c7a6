"""What passing would be worth at a temperature, from the lines of a calibration."""

from pathlib import Path

import pytest

from maker_graph.calibration.file import open_calibration
from maker_graph.calibration.worth import votes_of, worth_of
from maker_graph.statistics.agreement import StepVotes
from tests.calibration.making import request_of, step_of


def test_it_is_that_of_the_samples_in_the_file(tmp_path: Path) -> None:
    with open_calibration(tmp_path / "c", request_of(temperature=(0.7, 0.7))) as calibration:
        calibration.add(step_of(0, 0, 0, 0))
        calibration.add(step_of(1, 0, 1, 1, right=1))
        calibration.add(step_of(2, "empty", 1, 1, right=None))
        found = worth_of(calibration, "scripted")
    assert str(found.name) == "scripted at 0.7"
    assert found.right == 5 / 8
    assert [each.k for each in found.agreed] == [2, 3], "there are no five samples of a step"
    assert found.agreed[0].decided == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert found.alike == pytest.approx(5 / 7)
    assert found.as_data()["temperature"] == (0.7, 0.7)


def test_without_truth_only_that_samples_are_alike_is_known(tmp_path: Path) -> None:
    with open_calibration(tmp_path / "c", request_of(truth=False)) as calibration:
        calibration.add(step_of(0, 0, 0, 1, right=None))
        found = worth_of(calibration, "scripted")
    assert (found.right, found.correlation, found.alike, found.agreed) == (None, None, 1 / 3, ())


def test_the_votes_of_a_step_are_counted_with_the_right_one_apart() -> None:
    assert votes_of(step_of(0, 0, 1, 1, 2, "empty", right=1)) == StepVotes(2, (1, 1))
    assert votes_of(step_of(0, 0, 1, right=None)) == StepVotes(0, (1, 1))
