"""Counts along a run: every step is in its bin, and there are never more bins than fit on a page."""

import pytest

from maker_graph.report.counting.bins import BINS, BinCounter
from tests.report.making import step, vote


@pytest.mark.parametrize("steps", [0, 1, 59, 60, 61, 1000, 1_048_575])
def test_bins_hold_all_steps_and_are_few(steps: int) -> None:
    bins = BinCounter(steps)
    assert sum(bins.steps) == steps
    assert len(bins.steps) <= BINS
    assert all(number == bins.size for number in bins.steps[:-1])


def test_samples_lost_votes_and_flags_are_counted_where_their_step_is() -> None:
    bins = BinCounter(120)
    bins.add(step(2, vote(0, "empty", 0)))
    bins.add(step(3, vote(0, 1, 0, 0)))
    bins.add(step(120, vote("empty", "refused", 1, 0), vote(0, 0)))
    assert (bins.size, bins.samples[:2], bins.samples[-1]) == (2, [3, 4], 6)
    assert (bins.outvoted[:2], bins.outvoted[-1]) == ([0, 1], 1)
    assert {flag: (counts[0], counts[-1]) for flag, counts in bins.flags.items()} == {"empty": (1, 1), "refused": (0, 1)}
