"""The paper's figures show the paper's values."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from maker_graph.report.figures.paper import planning_figures


def test_the_planning_figures_show_the_papers_values() -> None:
    figures = planning_figures()
    assert sorted(figures) == ["figure-3a", "figure-3b", "figure-4a", "figure-4b", "figure-5a", "figure-5b"]
    chances, steps = _lines(figures["figure-3a"]), _lines(figures["figure-4a"])
    assert [chances["0.99"][k] for k in (3, 4)] == pytest.approx([0.3568, 0.9896], abs=1e-4)
    assert [steps["0.9"][10.0**n] for n in (1, 6, 14)] == [3, 8, 16]
    assert [steps["0.95"][10.0**n] for n in (1, 6, 14)] == [2, 6, 12]


def _lines(figure: Figure) -> dict[object, dict[float, float]]:
    drawn = ((line.get_label(), line.get_xdata(), line.get_ydata()) for line in figure.axes[0].lines)
    return {label: dict(zip(np.asarray(x), np.asarray(y), strict=True)) for label, x, y in drawn}
