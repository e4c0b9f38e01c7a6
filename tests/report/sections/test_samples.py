"""Red flags, and how many samples steps took."""

from dataclasses import replace
from pathlib import Path

from maker_graph.report.sections.samples import flags_section, samples_section
from tests.report.making import HOSTILE, data_of

DRAWN = dict.fromkeys(["flags-by-kind", "flags-by-step", "samples", "samples-by-step"], "<svg ></svg>")


def test_a_run_without_a_red_flag_says_so(hanoi: Path) -> None:
    assert "None: every sample became a vote" in flags_section(replace(data_of(hanoi), flags={}), {})
    assert flags_section(data_of(hanoi), DRAWN).count("<figure>") == 2


def test_who_decided_is_told_if_it_was_not_the_model_alone(hanoi: Path) -> None:
    data = data_of(hanoi)
    assert "decided by each sampler" not in samples_section(data, DRAWN)
    text = samples_section(replace(data, by={"base": 60, "person": 1, HOSTILE: 2}), DRAWN)
    assert "<span>base</span>" in text
    assert "<b>60</b>" in text
    assert text.index("<span>base<") < text.index("<span>person<")
    assert "<img" not in text
    assert samples_section(data, {}) == ""
