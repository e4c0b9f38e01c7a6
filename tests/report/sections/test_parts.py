"""The parts of a task are told with what each took."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from maker_graph.report.counting.parts import PartCounts
from maker_graph.report.sections.parts import parts_section
from tests.report.making import HOSTILE, data_of


def test_each_part_has_a_line_and_a_task_without_parts_no_section(hanoi: Path) -> None:
    data = data_of(hanoi)
    assert parts_section(data) == ""
    choose = PartCounts("choose", steps=4, samples=10, votes=9, contested=1, differs=1, open=1, flags=Counter(empty=1))
    text = parts_section(replace(data, parts=[choose, PartCounts(HOSTILE, "world", 4)]))
    assert "4 steps by a lead of 3; 10 samples (2.50 a step); 1 contested" in text
    assert "one sample would have given another answer, or none, on 1; 1 red-flagged; 1 left open" in text
    assert "4 steps, answered by the world" in text
    assert "<img" not in text
