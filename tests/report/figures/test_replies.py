"""Drawings of replies: lengths, errors by length, latencies and throughput."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.report.counting.timing import Timing
from maker_graph.report.counting.truth import Lengths
from maker_graph.report.figures.replies import (
    draw_errors_by_length,
    draw_latencies,
    draw_lengths,
    draw_throughput,
    pooled,
    quantile,
)
from tests.report.making import drawn

LENGTHS = Lengths(25, {4: 200, 9: 60}, {9: 30}, {4: 200, 9: 30}, {4: 2, 9: 5})


def test_groups_are_shares_of_themselves() -> None:
    shares = {each.get_label(): sum(each.get_data()[0]) for each in drawn(draw_lengths, LENGTHS).patches}
    assert shares == dict.fromkeys(["all (260)", "red-flagged (30)", "wrong votes (7)"], pytest.approx(100))


@pytest.mark.parametrize(("known", "title"), [(True, "Wrong votes by length"), (False, "Lost votes by length")])
def test_without_the_truth_votes_are_lost_and_not_wrong(title: str, *, known: bool) -> None:
    axes = drawn(draw_errors_by_length, LENGTHS, known=known)
    assert axes.get_title(loc="left") == title
    assert [list(line.get_ydata()) for line in axes.lines] == [pytest.approx([100 * 7 / 230] * 2)]


@given(st.dictionaries(st.integers(0, 60), st.tuples(st.integers(1, 200), st.integers(0, 200)), min_size=1))
def test_pools_lose_no_vote_and_have_enough_of_them(bins: dict[int, tuple[int, int]]) -> None:
    judged = {place: number for place, (number, _) in bins.items()}
    wrong = {place: min(number, errors) for place, (number, errors) in bins.items()}
    pools = pooled(Lengths(10, {}, {}, judged, wrong))
    assert sum(each[2] for each in pools) == sum(judged.values())
    assert sum(each[3] for each in pools) == sum(wrong.values())
    assert len(pools) == 1 or all(each[2] >= 50 for each in pools)
    assert [each[0] for each in pools] == sorted(each[0] for each in pools)


def test_latencies_are_told_in_the_unit_that_fits() -> None:
    for latencies, unit in (({40: 9, 60: 3}, "milliseconds"), ({80: 9}, "seconds")):
        axes = drawn(draw_latencies, latencies)
        assert axes.get_xlabel() == unit
    assert quantile({0: 1, 48: 2}, 0.1) < quantile({0: 1, 48: 2}, 0.9)


def test_throughput_is_steps_over_the_time_at_work() -> None:
    axes = drawn(draw_throughput, Timing([(0, 0.0), (10, 5.0), (10, 5.0), (40, 10.0)], {}))
    (stairs,) = axes.patches
    assert list(stairs.get_data()[0]) == [2, 6]
    assert list(axes.lines[0].get_ydata()) == [4, 4]
