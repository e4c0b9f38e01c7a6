"""A drawing is one panel that stands by itself: its references stay in it, and its colours are the page's."""

import re
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from maker_graph.report.figures.style import PALETTE, panel, png, svg

pytestmark = pytest.mark.xdist_group("page")  # the run and its page are made once


def test_references_in_a_drawing_stay_in_it_and_its_colours_follow_the_page(written: list[Path]) -> None:
    drawings = dict(
        re.findall(
            r'<svg role="img" aria-label="[^"]*"(.*?<g id="([a-z0-9-]+)-figure_1">.*?)</svg>', written[0].read_text(), re.DOTALL
        )
    )
    assert len(drawings) == len(written) - 1
    for text, name in drawings.items():
        assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", text)) <= set(re.findall(rf' id="({name}-[\w-]+)"', text))
        assert "var(--ink)" in text
        assert not [colour for colour in PALETTE.values() if colour in text]


def draw(axes: Axes, *, title: str) -> None:
    axes.set_title(title)
    axes.plot([1, 2], [3, 4])


def test_the_same_figure_is_the_same_file_and_its_text_is_text() -> None:
    first, second = (panel(draw, title="What $is$ drawn") for _ in range(2))
    assert svg(first, "a") == svg(second, "a") != svg(first, "b")
    assert "What $is$ drawn</text>" in svg(first, "a")
    assert png(first) == png(second)
    assert png(first).startswith(b"\x89PNG")


def test_a_drawing_has_no_size_no_metadata_and_no_style_of_its_own() -> None:
    drawn = svg(panel(draw, title="x"), "a")
    opening = drawn[: drawn.index(">")]
    assert "viewBox" in opening
    assert not re.search(r" (width|height)=", opening)
    assert not [word for word in ("<metadata", "<style", "<!--", "font-family") if word in drawn]
