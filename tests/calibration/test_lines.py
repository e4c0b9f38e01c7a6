"""Lines: nothing in them is left out, made up or changed."""

import pytest
from pydantic import ValidationError

from maker_graph.calibration.lines import CalibrationRequest, StepSamples
from tests.calibration.making import request_of, result_of, step_of


def test_a_line_comes_back_as_it_was() -> None:
    for line in (request_of(), step_of(3, 0, "empty", 1), result_of()):
        assert type(line).model_validate_json(line.model_dump_json(by_alias=True)) == line


def test_what_is_too_much_or_missing_is_refused_and_nothing_can_change() -> None:
    given = step_of(3, 0).model_dump()
    with pytest.raises(ValidationError):
        StepSamples.model_validate({**given, "more": 1})
    with pytest.raises(ValidationError):
        StepSamples.model_validate({name: value for name, value in given.items() if name != "lengths"})
    with pytest.raises(ValidationError):
        CalibrationRequest.model_validate({**request_of().model_dump(), "calibration": 3})
    with pytest.raises(ValidationError):
        setattr(request_of(), "samples", 9)  # noqa: B010  mypy would see it


def test_votes_are_counted_by_candidate_and_flags_are_none() -> None:
    assert step_of(3, 0, "empty", 1, 0).votes() == {0: 2, 1: 1}
