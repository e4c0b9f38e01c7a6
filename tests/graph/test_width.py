"""The width of lookahead follows how often drafts hold."""

import pytest

from maker_graph.graph.width import Width


@pytest.mark.parametrize(("error", "low", "high"), [(0.0, 64, 64), (0.001, 60, 64), (0.01, 12, 30), (0.1, 1, 3), (1.0, 1, 1)])
def test_the_width_grows_while_drafts_hold_and_shrinks_when_they_miss(error: float, low: int, high: int) -> None:
    width = Width()
    before = width()
    for number in range(3000):
        if error and number % round(1 / error) == 0:
            width.miss()
        else:
            width.hold()
    assert before == 5
    assert low <= width() <= high
    for _ in range(12_000):
        width.hold()
    assert width() == 64, "what was long ago counts less"
