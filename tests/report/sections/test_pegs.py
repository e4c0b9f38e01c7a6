"""The pegs: played in a browser, and nothing for other tasks."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from maker_graph.report.sections.pegs import pegs_section
from tests.report.making import data_of, opened_page

pytestmark = pytest.mark.xdist_group("page")  # the run and its page are made once


def test_other_tasks_have_no_pegs(hanoi: Path) -> None:
    data = data_of(hanoi)
    assert "every step." in pegs_section(data)
    assert pegs_section(replace(data, frames=None)) == ""
    assert data.frames is not None
    assert "every 3th step." in pegs_section(replace(data, frames=replace(data.frames, stride=3)))


@pytest.mark.service("chromium")
def test_the_pegs_move_when_played_and_where_the_slider_is_set(browser: BrowserContext, written: list[Path]) -> None:
    places = "[...document.querySelectorAll('#pegs rect[transform]')].map(one => one.getAttribute('transform')).join()"
    with opened_page(browser, written[0]) as (tab, said, _):
        start = tab.evaluate(places)
        tab.select_option("#speed", "60")
        tab.click("#play")
        expect(tab.locator("#where"), str(said)).not_to_have_text("step 0 of 63")
        expect(tab.locator("#play"), str(said)).to_have_text("Play", timeout=15_000)  # it ends by itself
        assert tab.evaluate(places) != start
        assert tab.inner_text("#where") == "step 63 of 63"
        tab.fill("#at", "0")
        assert tab.evaluate(places) == start
        tab.fill("#at", "1")
        assert tab.inner_text("#where") == "step 1 of 63"
        moved = [one != other for one, other in zip(start.split(","), tab.evaluate(places).split(","), strict=True)]
        assert moved == [True, *[False] * 5]
        assert said == []
