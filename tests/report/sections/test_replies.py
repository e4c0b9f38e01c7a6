"""How long replies were and what time the run took, as far as that was kept."""

from dataclasses import replace
from pathlib import Path

from maker_graph.report.counting.truth import Lengths
from maker_graph.report.figures.run import run_figures
from maker_graph.report.page import page
from maker_graph.report.sections.html import NOT_RECORDED
from maker_graph.report.sections.replies import lengths_section, time_section
from tests.report.making import data_of


def test_lengths_and_their_error_rates_are_told_where_they_were_kept(hanoi: Path) -> None:
    found = replace(data_of(hanoi), contests=[], flags={}, timing=None)
    kept = replace(found, lengths=Lengths(25, {4: 200, 9: 60}, {9: 30}, {4: 200, 9: 30}, {4: 2, 9: 5}))
    drawn = run_figures(kept)
    assert {"lengths", "errors-by-length"} <= set(drawn)
    missing = f"The length of each reply was {NOT_RECORDED}"
    assert missing not in page(kept, drawn)
    assert missing in page(replace(found, lengths=None), drawn)


def test_who_judged_is_told(hanoi: Path) -> None:
    drawn = dict.fromkeys(["lengths", "errors-by-length"], "<svg ></svg>")
    data = data_of(hanoi)
    assert "by the task&#x27;s own truth" in lengths_section(data, drawn)
    unknown = replace(data, truth=replace(data.truth, known=False))
    assert "as if the decided answers were the truth" in lengths_section(unknown, drawn)


def test_the_time_is_told_with_sessions_calls_and_what_was_in_vain(hanoi: Path) -> None:
    data = data_of(hanoi)
    spent = data.spent._replace(seconds=90.0, calls=1234, samples=data.samples, drafts=0)
    text = time_section(replace(data, spent=spent, sessions=1), {})
    assert "1 min 30 s at work in one session, with 1,234 calls.</p>" in text
    assert NOT_RECORDED in text
    more = spent._replace(samples=data.samples + 7, drafts=5)
    text = time_section(replace(data, spent=more, sessions=3), {"throughput": "<svg ></svg>"})
    assert "3 sessions" in text
    assert "7 samples belong to no committed step; 5 more calls were drafts" in text
    assert NOT_RECORDED not in text
