"""A line of a file of labels is read as it was written, or says what is wrong with it."""

import pytest
from pydantic import ValidationError

from maker_graph.run.label_lines import Label, LabelHeader, label_of

HEADER = {"task": "records", "options": {}, "population": 5, "seed": 1}


@pytest.mark.parametrize(
    "label",
    [
        Label(17, "anna", "2026-11-26T09:00:00Z", {"b": [1, None], "a": "ä\n\u2028"}, '{"a":"ä","b":[1,null]}'),
        Label(1, "", "", None, "null"),
        Label(10**12, "x" * 200, "then"),
    ],
)
def test_a_label_is_read_as_it_was_written(label: Label) -> None:
    line = label.line()
    assert (line.count("\n"), line[-1]) == (1, "\n")
    assert label_of(line) == label
    assert label.unsure is (label.candidate is None)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "Expecting value"),
        ("[]", "an object"),
        ('{"step": 0, "unsure": true}', '"step"'),
        ('{"step": true, "unsure": true}', '"step"'),
        ('{"step": 1.0, "unsure": true}', '"step"'),
        ('{"step": 1, "unsure": false}', '"unsure": true'),
        ('{"step": 1, "unsure": 1, "answer": 2, "candidate": "2"}', '"unsure": true'),
        ('{"step": 1, "answer": "a"}', '"candidate"'),
        ('{"step": 1, "answer": "a", "candidate": "a"}', "Expecting value"),
        ('{"step": 1, "answer": "a", "candidate": "[1, 2]"}', "canonical JSON"),
        ('{"step": 1, "answer": "a", "candidate": 1}', "canonical JSON"),
        ('{"step": 1, "step": 2, "unsure": true}', "stands twice"),
        ('{"step": 1, "unsure": true, "who": 5}', '"who"'),
        ('{"step": 1, "answer": NaN, "candidate": "1"}', "NaN"),
    ],
)
def test_what_is_no_label_says_why(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        label_of(line)


@pytest.mark.parametrize(
    "odd",
    [
        {"population": 0},
        {"population": True},
        {"population": "5"},
        {"seed": -1},
        {"use": "show"},
        {"more": 1},
        {"run": 7},
        {"labels": 2},
    ],
)
def test_a_header_takes_nothing_else(odd: dict[str, object]) -> None:
    assert LabelHeader.model_validate(HEADER).use == "certify"
    with pytest.raises(ValidationError):
        LabelHeader.model_validate({**HEADER, **odd})
