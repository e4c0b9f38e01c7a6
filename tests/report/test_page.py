"""The page: it draws in a real browser, asks nobody, and obeys no reply; its files are the owner's alone."""

import stat
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from maker_graph.errors import LimitReached, UsageError
from maker_graph.report.collecting import collect
from maker_graph.report.page import page, write
from tests.made import created, new_settings
from tests.report.making import HOSTILE, answer, by_hand, moves, opened_page, rows

pytestmark = pytest.mark.xdist_group("page")  # the run and its page are made once


def test_a_run_without_a_step_has_a_page_too(tmp_path: Path) -> None:
    with created(tmp_path / "made", new_settings("hanoi", {"disks": 3}, "sim:perfect")) as run:
        text = page(collect(run))
    assert "0 of 7 dependent steps: not done yet" in text


def test_what_was_written_is_the_owners_alone_and_whole(written: list[Path]) -> None:
    assert written[0].name == "report.html"
    assert {path.name for path in written} >= {"undecided-by-votes.png", "contest-1.png", "flags-by-kind.png", "throughput.png"}
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[1:])
    assert not list(written[0].parent.rglob(".*"))


def test_where_a_page_or_a_picture_cannot_be_written_it_says_so(tmp_path: Path) -> None:
    with by_hand(tmp_path / "made", new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1), moves(3, 1)) as run:
        (run.home.folder / "report.html").mkdir()
        with pytest.raises(UsageError, match=r"report\.html is a folder"):
            write(run)
        for picture in (run.home.folder / "figures").iterdir():
            picture.unlink()
        (run.home.folder / "figures").rmdir()
        (run.home.folder / "figures").touch()
        with pytest.raises(LimitReached, match="cannot be made"):
            write(run)


@pytest.mark.service("chromium")
def test_the_page_opens_and_draws_without_an_error_or_a_request(browser: BrowserContext, written: list[Path]) -> None:
    with opened_page(browser, written[0]) as (tab, said, asked):
        assert (said, asked) == ([], [])
        sizes = tab.eval_on_selector_all("figure svg", "all => all.map(one => one.getBoundingClientRect().height)")
        assert len(sizes) == len(written) - 1
        assert min(sizes) > 150
        ids = tab.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
        assert len(ids) == len(set(ids))


@pytest.mark.service("chromium")
def test_the_page_fits_a_phone(browser: BrowserContext, written: list[Path]) -> None:
    with opened_page(browser, written[0]) as (tab, _, _):
        tab.set_viewport_size({"width": 390, "height": 844})
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.service("chromium")
def test_figures_follow_the_dark_scheme(browser: BrowserContext, written: list[Path]) -> None:
    title = "getComputedStyle(document.querySelector('figure svg text')).fill"
    with opened_page(browser, written[0], color_scheme="light") as (tab, _, _):
        light = tab.evaluate(title)
    with opened_page(browser, written[0], color_scheme="dark") as (tab, _, _):
        assert tab.evaluate(title) != light


@pytest.mark.service("chromium")
def test_a_hostile_reply_stays_text(browser: BrowserContext, tmp_path: Path) -> None:
    texts = [answer("Elm"), answer(HOSTILE), answer(HOSTILE), answer(HOSTILE)]
    with by_hand(tmp_path / "made", rows(tmp_path, f"openai:{HOSTILE}"), [texts]) as run:
        path = tmp_path / "report.html"
        path.write_text(page(collect(run)))
    with opened_page(browser, path) as (tab, said, asked):
        assert (said, asked) == ([], [])
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("img").count() == 0
        assert 'onerror=\\"window.hacked=1\\"' in tab.inner_text(".ballot")
        assert f"openai:{HOSTILE}" in tab.inner_text("header")


@pytest.mark.service("chromium")
def test_where_escaping_failed_the_pages_policy_would_hold(
    browser: BrowserContext, written: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(written[0].read_text().replace("</main>", f"{HOSTILE.removeprefix('</script>')}</main>"))
    with opened_page(browser, path) as (tab, said, _):
        assert tab.locator("img").count() == 1
        assert tab.evaluate("window.hacked") is None
        assert any("Content Security Policy" in each for each in said)
        assert tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
