"""Pieces of the page: whatever was written is text."""

import re

from maker_graph.report.sections.html import bars, escaped, labelled, missing, panels, section, table
from tests.report.making import HOSTILE


def test_nothing_hostile_leaves_text_or_an_attribute() -> None:
    drawn = {"a": "<svg viewBox='0 0 1 1'></svg>"}
    pieces = [escaped(HOSTILE), section(HOSTILE), table([(HOSTILE, HOSTILE)]), missing(HOSTILE), panels(drawn, ("a", HOSTILE))]
    for piece in [*pieces, labelled(drawn["a"], HOSTILE)]:
        assert "<img" not in piece
        assert "<script" not in piece
        assert "&lt;script&gt;" in piece
        assert '="window' not in piece


def test_what_nobody_can_see_is_shown() -> None:
    assert escaped("a\u202eb\x1b[0m\u200b") == escaped("a\\u202eb\\x1b[0m\\u200b") != escaped("ab[0m")


def test_a_lone_panel_is_wide() -> None:
    drawn = {"a": "<svg ></svg>", "b": "<svg ></svg>"}
    assert 'class="panels one"' in panels(drawn, ("a", "A"))
    assert 'class="panels"' in panels(drawn, ("a", "A"), ("b", "B"))
    assert panels(drawn, ("a", "A")).count('role="img" aria-label="A"') == 1


def test_bars_are_as_long_as_their_counts_and_their_names_stay_text() -> None:
    text = bars({"empty": 1, "<b>": 4})
    assert text.index("&lt;b&gt;") < text.index("empty")
    assert re.findall(r"width:([\d.]+)%", text) == ["100.0", "25.0"]
    assert bars({}) == '<ul class="bars"></ul>'
