"""Drawings of samples and red flags: the bars are the counts."""

from maker_graph.report.counting.bins import BinnedCounts
from maker_graph.report.counting.endings import Endings
from maker_graph.report.figures.samples import draw_flags, draw_flags_by_step, draw_samples, draw_samples_by_step
from tests.report.making import drawn

BINS = BinnedCounts(2, [2, 2, 1], [8, 4, 2], [0, 0, 0], {"empty": [2, 0, 0], "made_up": [2, 1, 0]})


def test_flags_are_ranked_and_an_unknown_one_has_a_colour() -> None:
    axes = drawn(draw_flags, {"empty": 30, "made_up": 5}, 100)
    assert [bar.get_width() for bar in axes.patches] == [5, 30]
    assert [text.get_text() for text in axes.texts] == ["5  (5 %)", "30  (30 %)"]


def test_shares_of_flags_are_stacked_along_the_run() -> None:
    bars = drawn(draw_flags_by_step, BINS).patches
    assert [(bar.get_y(), bar.get_height()) for bar in bars] == [(0, 25), (0, 0), (0, 0), (25, 25), (0, 25), (0, 0)]
    assert [bar.get_x() for bar in bars[:3]] == [1, 3, 5]


def test_samples_of_steps_and_their_mean_along_the_run() -> None:
    bars = drawn(draw_samples, Endings({2: 90, 3: 9}, {}, {}, {}, 0)).patches
    assert [bar.get_height() for bar in bars] == [90, 9]
    assert [bar.get_height() for bar in drawn(draw_samples_by_step, BINS).patches] == [4, 2, 2]
    assert not drawn(draw_samples, Endings({}, {}, {}, {}, 3)).patches, "all were left open"
