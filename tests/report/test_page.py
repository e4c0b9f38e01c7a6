"""The report: its figures are those of the journal, and its page draws in a real browser, asks nobody, and obeys no reply."""

import json
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from maker_graph.core.decision import Reading, decide, judge_all, next_draw
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy, FirstTo
from maker_graph.core.voting import Voting
from maker_graph.report.collecting import Collected, collect
from maker_graph.report.counting.endings import undecided
from maker_graph.report.counting.truth import Lengths
from maker_graph.report.figures.paper import planning_figures
from maker_graph.report.figures.run import run_figures
from maker_graph.report.figures.style import PALETTE
from maker_graph.report.page import page, write
from maker_graph.report.sections.html import NOT_RECORDED
from maker_graph.report.sections.top import SIMULATED, headline
from maker_graph.run import directory as runs
from maker_graph.run.settings import Settings
from maker_graph.tasks import Hanoi
from maker_graph.tasks.hanoi import moved
from tests.conftest import run_here
from tests.made import created, new_settings

pytestmark = pytest.mark.xdist_group("page")  # one run, one page, one browser

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = '</script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
CERTIFICATE = {
    "steps": 63,
    "chance": {"value": 0.9987, "low": 0.98, "high": 0.9999},
    "error": {"value": 0.03, "low": 0.02, "high": 0.04},
    "rho": {"value": 0.004, "low": 0.0, "high": 0.02},
    "contested": 5,
    "assumptions": ["Samples of a step are alike."],
}


def solved(folder: Path, *args: str) -> Path:
    run_here(folder, "run", *args, "--run", "made", "--quiet")
    return folder / "runs" / "made"


def collected(directory: Path) -> Collected:
    with runs.opened(directory) as run:
        return collect(run)


@pytest.fixture(scope="module")
def hanoi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a run of 63 steps with wrong votes and red flags, as an older version would have left it."""
    model = "sim:perfect,error=.1,flagged=.1"
    directory = solved(tmp_path_factory.mktemp("hanoi"), "hanoi", "--disks", "6", "--model", model, "--k", "3")
    with runs.opened(directory) as run:
        run.journal.set_note("pace", json.dumps({"points": [[1, 0.5], [40, 9.0], [63, 20.0]], "latencies": {"40": 9, "60": 3}}))
        plan = {"k": 3, "p": 0.9, "rho": None, "p_full": 0.9171, "samples": 260.4, "cost_usd": 1.25, "model_of_errors": "paper"}
        run.journal.set_note("plan", json.dumps(plan))
    return directory


@pytest.fixture(scope="module")
def written(hanoi: Path) -> list[Path]:
    with runs.opened(hanoi) as run:
        return write(run, CERTIFICATE)


@contextmanager
def by_hand(directory: Path, settings: Settings, replies: Sequence[Sequence[str]]) -> Iterator[runs.Run]:
    """Make a run whose steps got these replies, each vote as long as it takes."""
    with created(directory, settings) as run:
        run.journal.claim()
        reading, terms, at = Reading(run.task.parse, None, None, {}), Voting(AheadBy(settings.k)), run.machine.begin()
        for texts in replies:
            judged = judge_all([Sample(index, text, output_tokens=9) for index, text in enumerate(texts)], reading)
            assert next_draw(judged, terms) == 0
            decision = decide(judged, terms, rounds=1)
            at = run.machine.advance(at, decision)
            run.journal.append([(decision, at)])
        yield run


def moves(disks: int, number: int, wrong_at: int | None = None) -> list[list[str]]:
    """Return replies with the right moves; from the step `wrong_at`, disk 1 goes round and round."""
    task = Hanoi(disks)
    state, replies = task.start(), []
    for step in range(1, number + 1):
        if wrong_at is None or step < wrong_at:
            move = task.truth(state)["move"]
        else:
            peg = next(peg for peg, stack in enumerate(state["pegs"]) if stack[-1:] == [1])
            move = [1, peg, (peg - task.stride) % 3]
        pegs = moved(state["pegs"], move)
        assert pegs is not None
        state = {"pegs": pegs, "previous": move}
        replies.append([f"move = {move}\nnext_state = {pegs}"])
    return replies


def rows(folder: Path, model: str) -> Settings:
    """Return the settings of a run of records with one row, which is decided by a lead of 2."""
    (folder / "rows.csv").write_text("address,date,amount\n5 Elm St. 10115 Berlin,3.4.24,$5\n")
    return new_settings("records", {"input": str(folder / "rows.csv")}, model, k=2)


def answer(street: str) -> str:
    names = ("house_number", "postcode", "city", "date", "amount", "currency")
    return json.dumps({"street": street, **dict.fromkeys(names, "1")})


# What is counted.


def test_counts_are_those_of_a_replay(hanoi: Path) -> None:
    with runs.opened(hanoi) as run:
        summary, found = runs.summary(run), collect(run)
    assert (found.samples, found.votes, found.outvoted, found.rounds) == (
        summary["samples"],
        summary["votes"],
        summary["outvoted"],
        summary["rounds"],
    )
    assert found.outvoted > 0
    assert found.flags == summary["flags"] != {}
    assert found.first_sample_wrong_at == summary["first_sample_wrong_at"]
    assert (found.verified, found.done, found.no_error) == (True, True, True)
    assert sum(found.along.samples) == found.samples
    assert sum(found.along.steps) == found.steps


def test_undecided_steps_are_those_that_the_rules_leave_open_after_each_vote(hanoi: Path) -> None:
    found = collected(hanoi)
    with runs.opened(hanoi) as run:
        sequences = [decision["sequence"] for decision in run.journal.decisions()]
    for rule, endings in ((AheadBy(3), found.endings.votes), (FirstTo(3), found.endings.first_to_votes)):
        for number, left in enumerate(undecided(endings, found.steps), start=1):
            votes = [[place for place in sequence if isinstance(place, int)][:number] for sequence in sequences]
            ended = [any(_decided(rule, some[:n]) for n in range(1, len(some) + 1)) for some in votes]
            assert left == ended.count(False)


def _decided(rule: Callable[[dict[str, int]], object], votes: list[int]) -> bool:
    return type(rule({str(place): votes.count(place) for place in votes})).__name__ == "Decided"


def test_a_wrong_run_is_told_with_its_first_error_and_not_judged_beyond(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1)
    with by_hand(tmp_path / "made", settings, moves(3, 7, wrong_at=3)) as run:
        found = collect(run)
    assert headline(found) == "7 dependent steps, the first error at step 3: not verified"
    assert (found.truth.steps, found.truth.wrong_steps, found.truth.first_wrong) == (3, 1, 3)
    assert (found.truth.votes, found.truth.wrong_votes) == (3, 1)


def test_an_unfinished_run_is_no_result(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 5}, "sim:perfect", k=1)
    with by_hand(tmp_path / "made", settings, moves(5, 10)) as run:
        found = collect(run)
    assert headline(found) == "10 of 31 dependent steps: not done yet"
    assert (found.verified, found.no_error) == (None, False)


def test_a_run_without_a_step_has_a_page_too(tmp_path: Path) -> None:
    with created(tmp_path / "made", new_settings("hanoi", {"disks": 3}, "sim:perfect")) as run:
        text = page(collect(run))
    assert "0 of 7 dependent steps: not done yet" in text


# What is drawn.


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


def test_lengths_and_their_error_rates_are_told_where_they_were_kept(hanoi: Path) -> None:
    found = replace(collected(hanoi), contests=[], flags={}, pace=None)
    kept = replace(found, lengths=Lengths(25, {4: 200, 9: 60}, {9: 30}, {4: 200, 9: 30}, {4: 2, 9: 5}))
    drawn = run_figures(kept)
    assert {"lengths", "errors-by-length"} <= set(drawn)
    missing = f"The length of each reply was {NOT_RECORDED}"
    assert missing not in page(kept, drawn)
    assert missing in page(replace(found, lengths=None), drawn)


def test_what_was_written_is_the_owners_alone_and_whole(written: list[Path]) -> None:
    assert written[0].name == "report.html"
    assert {path.name for path in written} >= {"undecided-by-votes.png", "contest-1.png", "flags-by-kind.png", "throughput.png"}
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[1:])
    assert not [path for path in written[0].parent.rglob(".*") if path.name != ".settings.json"]


def test_the_page_tells_plan_certificate_and_simulation(written: list[Path]) -> None:
    text = written[0].read_text()
    assert "63 dependent steps, no error: verified" in text
    assert SIMULATED in text
    for told in ("99.87\xa0%", "91.7\xa0%", "260", "$1.25", "Samples of a step are alike."):
        assert told in text


# What a browser makes of it.


@pytest.fixture(scope="module")
def browser(written: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Open a browser; after the run is made, for Playwright keeps an event loop in this thread as long as it is open."""
    assert written
    with sync_playwright() as playwright:
        folder = str(tmp_path_factory.mktemp("profile"))
        context = playwright.chromium.launch_persistent_context(folder, executable_path=CHROMIUM, args=FLAGS)
        yield context
        context.close()


@contextmanager
def opened(browser: BrowserContext, path: Path, **emulated: Any) -> Iterator[tuple[Page, list[str], list[str]]]:
    """Open the page; give it, what its console said and failed at, and what it asked for besides itself."""
    tab, said, asked = browser.new_page(), list[str](), list[str]()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.emulate_media(**emulated)
    tab.goto(path.as_uri())
    asked.remove(path.as_uri())
    yield tab, said, [url for url in asked if not url.startswith("data:")]
    tab.close()


@pytest.mark.service("chromium")
def test_the_page_opens_and_draws_without_an_error_or_a_request(browser: BrowserContext, written: list[Path]) -> None:
    with opened(browser, written[0]) as (tab, said, asked):
        assert (said, asked) == ([], [])
        sizes = tab.eval_on_selector_all("figure svg", "all => all.map(one => one.getBoundingClientRect().height)")
        assert len(sizes) == len(written) - 1
        assert min(sizes) > 150
        ids = tab.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
        assert len(ids) == len(set(ids))


@pytest.mark.service("chromium")
def test_the_page_fits_a_phone(browser: BrowserContext, written: list[Path]) -> None:
    with opened(browser, written[0]) as (tab, _, _):
        tab.set_viewport_size({"width": 390, "height": 844})
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.service("chromium")
def test_figures_follow_the_dark_scheme(browser: BrowserContext, written: list[Path]) -> None:
    title = "getComputedStyle(document.querySelector('figure svg text')).fill"
    with opened(browser, written[0], color_scheme="light") as (tab, _, _):
        light = tab.evaluate(title)
    with opened(browser, written[0], color_scheme="dark") as (tab, _, _):
        assert tab.evaluate(title) != light


@pytest.mark.service("chromium")
def test_the_pegs_move_when_played_and_where_the_slider_is_set(browser: BrowserContext, written: list[Path]) -> None:
    places = "[...document.querySelectorAll('#pegs rect[transform]')].map(one => one.getAttribute('transform')).join()"
    with opened(browser, written[0]) as (tab, said, _):
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


@pytest.mark.service("chromium")
def test_a_hostile_reply_stays_text(browser: BrowserContext, tmp_path: Path) -> None:
    texts = [answer("Elm"), answer(HOSTILE), answer(HOSTILE), answer(HOSTILE)]
    with by_hand(tmp_path / "made", rows(tmp_path, f"openai:{HOSTILE}"), [texts]) as run:
        path = tmp_path / "report.html"
        path.write_text(page(collect(run)))
    with opened(browser, path) as (tab, said, asked):
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
    with opened(browser, path) as (tab, said, _):
        assert tab.locator("img").count() == 1
        assert tab.evaluate("window.hacked") is None
        assert any("Content Security Policy" in each for each in said)
        assert tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
