"""Planned and actual, side by side."""

from dataclasses import replace
from pathlib import Path

import pytest

from maker_graph.report.sections.plan import plan_section
from maker_graph.report.sections.top import SIMULATED
from tests.report.making import CERTIFICATE, data_of

pytestmark = pytest.mark.xdist_group("page")  # the run and its page are made once


def test_the_page_tells_plan_certificate_and_simulation(written: list[Path]) -> None:
    text = written[0].read_text()
    assert "63 dependent steps, no error: proved" in text
    assert SIMULATED in text
    for told in ("99.87\xa0%", "91.7\xa0%", "260", "$1.25", "Samples of a step are alike."):
        assert told in text


def test_what_was_not_planned_is_a_dash_and_no_plan_is_said(hanoi: Path) -> None:
    data = data_of(hanoi)
    assert "What was planned: nothing" in plan_section(replace(data, plan=None))
    bare = plan_section(replace(data, plan={"k": 3}))
    assert "Planned with this model of errors" not in bare
    assert bare.count("<td>\N{EN DASH}</td>") >= 6
    assert "0.004 (0 to 0.02)" in plan_section(replace(data, certificate=CERTIFICATE))


def test_a_plan_for_the_whole_task_says_so_where_a_part_is_done(hanoi: Path) -> None:
    says = "The plan is for the whole task"
    assert says in plan_section(replace(data_of(hanoi), done=False))
    assert says not in plan_section(data_of(hanoi))
