"""The result: the truth where it is known, the certificate where there is one, and what it is worth."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maker_graph.report.sections.html import NOT_RECORDED
from maker_graph.report.sections.result import result_section
from tests.report.making import CERTIFICATE, data_of


def test_the_certificate_is_told_with_what_it_assumes(hanoi: Path) -> None:
    text = result_section(replace(data_of(hanoi), certificate=CERTIFICATE))
    for told in (
        "<b>99.87\xa0%</b>",
        "left:98.0000%;width:1.9900%",
        "0.03 (0.02 to 0.04)",
        "5 of 63",
        "Samples of a step are alike.",
    ):
        assert told in text
    assert "No certificate was made" in result_section(replace(data_of(hanoi), certificate=None))


def test_a_chance_that_is_no_number_breaks_nothing(hanoi: Path) -> None:
    odd = {**CERTIFICATE, "chance": {"value": float("nan"), "low": None, "high": 7}, "error": None}
    assert "left:0.0000%;width:100.0000%" in result_section(replace(data_of(hanoi), certificate=odd))


@pytest.mark.parametrize(
    ("done", "verdict", "says"),
    [
        (False, "unfinished", "not at its end. What follows"),
        (True, "proved", "without a model: proved. The reason."),
        (True, "contradicted", "without a model: contradicted. The reason."),
        (False, "contradicted", "contradicted. The reason. The task is not at its end."),
        (True, None, NOT_RECORDED),
    ],
)
def test_it_says_what_the_run_is_worth_and_why(hanoi: Path, says: str, *, done: bool, verdict: Any) -> None:
    assert says in result_section(replace(data_of(hanoi), done=done, verdict=verdict, because="the reason"))


def test_wrong_decisions_are_told_where_the_truth_is_known(hanoi: Path) -> None:
    data = data_of(hanoi)
    assert "0 of 63 decisions are wrong" in result_section(data)
    astray = replace(data.truth, steps=9, wrong_steps=1)
    assert "off the right path the task knows no truth" in result_section(replace(data, truth=astray))
    assert "decisions are wrong" not in result_section(replace(data, truth=replace(data.truth, steps=0)))
