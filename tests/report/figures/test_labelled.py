"""The drawings of a plan from labels show each cascade where it is."""

import pytest

from maker_graph.report.figures.labelled import Point, labelled_figures


def test_each_cascade_is_drawn_where_it_is() -> None:
    points = [Point(0.6, 0.01, 0.04, 5.0, proved=True, chosen=True), Point(0.0, 0.2, 0.25, 1.0, proved=False, chosen=False)]
    figures = labelled_figures(points, 0.05, 0.7)
    assert sorted(figures) == ["labelled-cost", "labelled-error"]
    drawn = {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in figures["labelled-error"].axes[0].lines}  # type: ignore[index,arg-type]
    assert {(0.6, 0.01), (0.0, 0.2), (0.6, 0.04)} <= drawn
    costs = {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in figures["labelled-cost"].axes[0].lines}  # type: ignore[index,arg-type]
    assert {(0.6, 5.0), (0.0, 1.0)} <= costs


@pytest.mark.parametrize("points", [[], [Point(1.0, 0.0, 1.0, 3.0, proved=False, chosen=False)]])
def test_few_points_are_drawn_too(points: list[Point]) -> None:
    assert len(labelled_figures(points, 0.02, 1.0)) == 2
