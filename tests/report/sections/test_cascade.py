"""The rungs of a cascade are told with what each took, and what they are."""

from dataclasses import replace
from pathlib import Path

import pytest

from maker_graph import AheadBy, Confirm, Run, Rung, Voting
from maker_graph.report.collecting import collect
from maker_graph.report.page import page
from maker_graph.report.sections.cascade import cascade_section
from maker_graph.report.sections.settings import settings_section
from maker_graph.report.sections.top import header
from maker_graph.run import directory as runs
from tests.report.making import HOSTILE, data_of
from tests.run.test_reopening import Rehearsed


def test_a_run_without_a_cascade_has_no_such_section(hanoi: Path) -> None:
    assert cascade_section(data_of(hanoi)) == ""


@pytest.mark.parametrize("known", [True, False])
def test_each_rung_has_its_row_with_or_without_the_task(tmp_path: Path, *, known: bool) -> None:
    cascade = [
        Rung("sim:perfect,error=.4", Voting(k=AheadBy(2, within=2), seed=1, stop=["@"])),
        Rung("sim:perfect,error=.4", Voting(k=Confirm(2, of=3), seed=1), rephrase=1),
    ]
    with Run.create(tmp_path / "run", Rehearsed(), cascade=cascade, fsync="normal") as run:
        first, second = run.solve()["rungs"]
        left = run.open_count()
    with runs.opened(tmp_path / "run", Rehearsed() if known else None) as opened:
        data = collect(opened)
    text = cascade_section(data)
    for number, rung in enumerate((first, second), start=1):
        cells = (number, rung["model"], rung["rule"], rung["steps"], rung["decided"], rung["passed"], rung["stuck"])
        assert "".join(f"<td>{cell}</td>" for cell in cells) in text
    assert second["passed"] == data.passed == left > 0
    told = settings_section(data)
    for each in (
        "ahead by 2 within 2 votes",
        "Rung 2: decides</th><td>confirmed by 2 of 3",
        "Rung 2: prompt</th><td>rephrased, 1",
        "contested or stuck: the next rung",
        f"Contested</th><td>{left:,} open steps",
    ):
        assert each in told
    assert "<li>a cascade of 2 rungs</li>" in header(data)
    assert "The cascade</h2>" in page(data)
    odd = replace(data, rungs=[{**first, "model": HOSTILE, "cost_usd": 1.5}])
    assert "<img" not in cascade_section(odd)
    assert "$1.5000" in cascade_section(odd)
