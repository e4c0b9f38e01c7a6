"""The page in a real browser: it streams a run, takes an answer, tells of a death, and obeys no reply."""

import json
import os
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from maker_graph.run.session_file import read_session
from tests.models.test_hostile import CORPUS
from tests.report.making import HOSTILE, answer, by_hand, rows
from tests.survival.harness import Children, wait_until
from tests.watch.conftest import Serving, command, opened_tab

pytestmark = [pytest.mark.service("chromium"), pytest.mark.xdist_group("watch")]

STUCK = (
    *("--model", "sim:perfect,flagged=1", "--k", "1", "--max-samples", "2"),
    "--retry-temperature",
    "none",
    "--no-rephrase",
)
MOVE = "move = [1, 0, 1]\nnext_state = [[2], [1], []]"
SLOW = "sim:perfect,error=.1,flagged=.1,latency=0.05"


def steps_shown(tab: Page) -> int:
    found = re.match(r"[\d,]+", tab.inner_text(".about h2"))
    assert found
    return int(found[0].replace(",", ""))


def test_a_run_is_streamed_while_it_is_at_work_and_stays_after_its_end(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    url = serving()
    with opened_tab(chromium, url) as (tab, said, others):
        expect(tab.locator("#none")).to_be_visible()
        command(children, tmp_path, "run", "hanoi", "--disks", "5", "--model", SLOW, "--k", "2", "--run", "r", "-q")
        expect(tab.locator(".runs .mark")).to_have_text("at work", timeout=15_000)
        wait_until(lambda: steps_shown(tab) > 2)
        first = steps_shown(tab)
        wait_until(lambda: steps_shown(tab) > first)
        assert tab.locator(".decisions > li").count() > 0
        expect(tab.locator(".runs .mark")).to_have_text("done", timeout=20_000)
        assert tab.inner_text(".about h2") == "31 of 31 steps"
        assert tab.get_attribute("[role=progressbar]", "aria-valuenow") == "100.0"
        assert "Red flags" in tab.inner_text("#run")
        assert "malformed" in tab.inner_text("#run")
        last = tab.locator(".decisions").first.locator("h3 span").first
        assert last.inner_text() == "Step 31"
        assert (said, others) == ([], [])


def test_a_stuck_step_is_answered_and_the_waiting_run_goes_on(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    child = command(children, tmp_path, "run", "hanoi", "--disks", "2", *STUCK, "--run", "r", "--wait")
    with opened_tab(chromium, serving()) as (tab, said, others):
        expect(tab.locator(".runs .mark")).to_have_text("waits for you", timeout=15_000)
        field = tab.get_by_label("Your answer to step 1")
        expect(field).to_be_visible()
        assert "Find the one next move" in tab.inner_text(".ask")
        field.fill("move = [2, 0, 1]\nnext_state = [[1], [2], []]")
        tab.get_by_role("button", name="Answer", exact=True).click()
        expect(tab.locator(".wrong")).to_contain_text("The answer was not taken: it is invalid")
        assert field.get_attribute("aria-invalid") == "true"
        field.fill(MOVE)
        field.press("Control+Enter")
        second = tab.get_by_label("Your answer to step 2")
        expect(second).to_be_visible(timeout=15_000)
        second.fill("move = [2, 0, 2]\nnext_state = [[], [1], [2]]")
        second.press("Control+Enter")
        third = tab.get_by_label("Your answer to step 3")
        expect(third).to_be_visible(timeout=15_000)
        third.fill("move = [1, 1, 2]\nnext_state = [[], [], [2, 1]]")
        third.press("Control+Enter")
        expect(tab.locator(".runs .mark")).to_have_text("done", timeout=15_000)
        assert "a person" in tab.inner_text("#run")
        assert [each for each in said if "422" not in each] == []
        assert others == []
    assert child.wait() == 0, child.said


def test_an_answer_to_a_run_that_ended_is_used_by_the_next_resume(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    assert command(children, tmp_path, "run", "hanoi", "--disks", "2", *STUCK, "--run", "r", "-q").wait() == 3
    with opened_tab(chromium, serving("r")) as (tab, said, _):
        expect(tab.locator(".runs .mark")).to_have_text("stuck: waits for you")
        field = tab.get_by_label("Your answer to step 1")
        field.fill(MOVE)
        tab.get_by_role("button", name="Answer", exact=True).click()
        expect(tab.locator(".right")).to_contain_text("maker-graph resume")
        assert command(children, tmp_path, "resume", "r", "-q").wait() == 3
        expect(tab.get_by_label("Your answer to step 2")).to_be_visible()
        assert said == []


def test_a_death_and_a_deletion_are_shown_and_the_page_goes_on_with_the_others(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    slow = (*("--model", SLOW, "--k", "2", "-q"), "--disks", "9")
    one = command(children, tmp_path, "run", "hanoi", *slow, "--run", "one")
    two = command(children, tmp_path, "run", "hanoi", *slow, "--run", "two")
    for name in ("one", "two"):
        wait_until(lambda name=name: read_session(tmp_path / "runs" / name) is not None)  # type: ignore[misc]  # a default of its own
    with opened_tab(chromium, serving()) as (tab, said, _):
        tab.get_by_role("button", name="one").click()
        expect(tab.locator(".badges li").first).to_have_text("at work")
        one.kill()
        expect(tab.get_by_role("alert").first).to_contain_text("ended without saying why")
        expect(tab.locator(".badges li").first).to_have_text("its process died")
        assert "its process died" in tab.inner_text("#said")
        again = command(children, tmp_path, "resume", "one", "-q")
        expect(tab.locator(".badges li").first).to_have_text("at work", timeout=15_000)
        tab.get_by_role("button", name="two").click()
        before = steps_shown(tab)
        again.kill()
        for path in sorted((tmp_path / "runs" / "one").rglob("*")):
            path.unlink()
        (tmp_path / "runs" / "one").rmdir()
        expect(tab.get_by_role("button", name="one")).to_contain_text("gone")
        wait_until(lambda: steps_shown(tab) > before)
        assert said == []
    two.kill()


def damaged(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as db:
        db.execute("UPDATE steps SET entry = '[1]' WHERE step = 3")
        db.commit()


def test_a_damaged_journal_is_shown_as_that(chromium: Browser, serving: Serving, children: Children, tmp_path: Path) -> None:
    assert (
        command(
            children, tmp_path, "run", "hanoi", "--disks", "3", "--model", "sim:perfect", "--k", "1", "--run", "r", "-q"
        ).wait()
        == 0
    )
    damaged(tmp_path / "runs" / "r" / "journal.db")
    with opened_tab(chromium, serving("r")) as (tab, said, _):
        expect(tab.locator(".runs .mark")).to_have_text("damaged")
        expect(tab.get_by_role("alert").first).to_contain_text("damaged")
        assert said == []


def test_when_the_server_comes_back_the_page_does_too(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    child = command(children, tmp_path, "run", "hanoi", "--disks", "9", "--model", SLOW, "--k", "2", "--run", "r", "-q")
    wait_until(lambda: read_session(tmp_path / "runs" / "r") is not None)
    url = serving()
    pid = next(int(path.stem) for path in tmp_path.glob("*.out") if int(path.stem) != child.pid)
    with opened_tab(chromium, url) as (tab, _, _):
        expect(tab.locator("#line")).to_have_text("live")
        expect(tab.locator(".about h2")).to_be_visible()
        os.kill(pid, signal.SIGSTOP)
        before = steps_shown(tab)
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: steps_shown(tab) > before)
        os.kill(pid, signal.SIGTERM)
        expect(tab.locator("#line")).to_contain_text("not connected")
        port = int(url.split(":")[2].partition("/")[0])
        again = command(children, tmp_path, "watch", "--port", str(port))
        expect(tab.locator("#line")).to_contain_text("open the address that the command printed", timeout=15_000)
        again.send(signal.SIGTERM)
        assert again.wait() in {0, 130}
    child.kill()


def harmless(tab: Page, said: list[str], others: list[str]) -> None:
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img, iframe, #run script, #run a").count() == 0
    assert (said, others) == ([], [])


def test_a_hostile_vote_and_names_stay_text(chromium: Browser, serving: Serving, tmp_path: Path) -> None:
    texts = [answer("Elm"), answer(HOSTILE), answer(HOSTILE), answer(HOSTILE)]
    with by_hand(tmp_path / "r", rows(tmp_path, f"openai:{HOSTILE}"), [texts]):
        pass
    with opened_tab(chromium, serving("./r")) as (tab, said, others):
        expect(tab.locator(".decisions code").first).to_contain_text('onerror=\\"window.hacked=1\\"')
        assert f"openai:{HOSTILE}" in tab.inner_text(".badges")
        harmless(tab, said, others)


def hostile_replies() -> list[str]:
    return [*(text for text in CORPUS.values() if len(text) < 100_000), HOSTILE, "\u202e\u200b\x00\x1b[2J"]


def test_every_hostile_reply_of_the_corpus_is_shown_harmlessly(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    assert command(children, tmp_path, "run", "hanoi", "--disks", "2", *STUCK, "--run", "./r", "-q").wait() == 3
    path = tmp_path / "r" / "session.json"
    kept = json.loads(path.read_text())
    safe = [text[:5_000].encode("utf-8", "backslashreplace").decode() for text in hostile_replies()]
    kept["question"] |= {"replies": safe, "reason": HOSTILE, "prompt": [["human", HOSTILE]], "ballot": {HOSTILE: 3}}
    path.write_text(json.dumps(kept))
    with opened_tab(chromium, serving("./r")) as (tab, said, others):
        expect(tab.locator(".ask summary", has_text="The last replies")).to_be_visible()
        assert tab.locator(".ask details pre").count() >= len(safe)
        assert HOSTILE in tab.locator(".ask details pre").all_inner_texts()
        assert r"\u202e\u200b\x00\x1b[2J" in tab.locator(".ask details pre").all_inner_texts()
        harmless(tab, said, others)


def test_where_text_were_taken_for_markup_the_policy_would_refuse_it(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    assert (
        command(
            children, tmp_path, "run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--k", "1", "--run", "r", "-q"
        ).wait()
        == 0
    )
    with opened_tab(chromium, serving()) as (tab, _, _):
        refused = "(text) => { try { document.body.innerHTML = text; return 'taken' } catch (error) { return error.name } }"
        assert tab.evaluate(refused, HOSTILE) == "TypeError"
        button = "const one = document.createElement('button'); one.setAttribute('onclick', 'window.hacked = 1'); one.click();"
        tab.evaluate(f"() => {{ try {{ {button} }} catch {{ }} }}")
        assert tab.evaluate("window.hacked") is None
        assert tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"


def test_the_page_works_by_keyboard_alone(chromium: Browser, serving: Serving, children: Children, tmp_path: Path) -> None:
    assert command(children, tmp_path, "run", "hanoi", "--disks", "2", *STUCK, "--run", "b", "-q").wait() == 3
    assert (
        command(
            children, tmp_path, "run", "hanoi", "--disks", "3", "--model", "sim:perfect", "--k", "1", "--run", "a", "-q"
        ).wait()
        == 0
    )
    with opened_tab(chromium, serving("a", "b")) as (tab, _, _):
        expect(tab.locator(".runs button[aria-current=true] strong")).to_have_text("b")
        expect(tab.get_by_label("Your answer to step 1")).to_be_visible()
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.textContent") == "Skip to the run"
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        expect(tab.locator(".runs button[aria-current=true] strong")).to_have_text("a")
        assert tab.evaluate("document.activeElement.querySelector('strong').textContent") == "a"
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        expect(tab.get_by_label("Your answer to step 1")).to_be_visible()
        for _ in range(30):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.tagName") == "TEXTAREA":
                break
        tab.keyboard.type("no move")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        expect(tab.locator(".wrong")).to_contain_text("malformed")
        assert tab.evaluate("document.activeElement.tagName") == "TEXTAREA"
        assert tab.input_value("textarea") == "no move"


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("svg")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName} ${element.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


UNNAMED = """() => [...document.querySelectorAll("button, textarea, [role]")].filter((one) =>
  !(one.textContent.trim() || one.ariaLabel || one.labels?.length || ["alert", "status"].includes(one.role))
).length"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast_and_fits_a_phone(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path, scheme: Any
) -> None:
    assert command(children, tmp_path, "run", "hanoi", "--disks", "2", *STUCK, "--run", "b", "-q").wait() == 3
    assert (
        command(children, tmp_path, "run", "hanoi", "--disks", "4", "--model", SLOW, "--k", "2", "--run", "a", "-q").wait() == 0
    )
    phone = {"width": 390, "height": 844}
    with opened_tab(chromium, serving("a", "b"), viewport=phone, color_scheme=scheme, reduced_motion="reduce") as (
        tab,
        said,
        _,
    ):
        expect(tab.get_by_label("Your answer to step 1")).to_be_visible()
        assert tab.evaluate(CONTRAST) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        tab.get_by_role("button", name="a ").first.click()
        expect(tab.locator(".about h2")).to_have_text("15 of 15 steps")
        assert tab.evaluate(CONTRAST) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        moving = (
            "[...document.querySelectorAll('*')].filter(one => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
        )
        assert tab.evaluate(moving) == 0
        assert tab.evaluate(UNNAMED) == 0
        assert said == []


def test_two_tabs_are_served_by_one_reader(chromium: Browser, serving: Serving, children: Children, tmp_path: Path) -> None:
    child = command(children, tmp_path, "run", "hanoi", "--disks", "8", "--model", SLOW, "--k", "2", "--run", "r", "-q")
    url = serving()
    with opened_tab(chromium, url) as (one, _, _), opened_tab(chromium, url) as (two, _, _):
        for tab in (one, two):
            expect(tab.locator(".runs .mark")).to_have_text("at work", timeout=15_000)
        wait_until(lambda: steps_shown(one) > 3 and abs(steps_shown(one) - steps_shown(two)) < 50)
    child.kill()


HIDDEN = """
  Object.defineProperty(document, "hidden", { get: () => window.away === true });
"""
"""Lets a test say that nobody sees a tab: a browser without a screen shows all of them."""


def go_away(tab: Page, away: bool) -> None:
    tab.evaluate(f"() => {{ window.away = {str(away).lower()}; document.dispatchEvent(new Event('visibilitychange')); }}")


def test_tabs_that_nobody_sees_keep_no_connection_from_the_one_that_is_seen(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    assert command(children, tmp_path, "run", "hanoi", "--disks", "2", *STUCK, "--run", "r", "-q").wait() == 3
    url, context = serving(), chromium.new_context()
    context.add_init_script(HIDDEN)
    for _ in range(8):  # a browser opens six connections to one server
        tab = context.new_page()
        tab.goto(url)
        expect(tab.locator("#line")).to_have_text("live")
        go_away(tab, away=True)
    first, last = context.pages[0], context.pages[-1]
    go_away(last, away=False)
    last.get_by_label("Your answer to step 1").fill(MOVE)
    last.get_by_role("button", name="Answer", exact=True).click()
    expect(last.locator(".right")).to_contain_text("The answer was checked and saved")
    go_away(first, away=False)
    expect(first.locator(".right")).to_contain_text("The answer was checked and saved")
    context.close()


def test_what_was_typed_stays_when_another_run_is_looked_at_and_after_a_new_vote(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        assert command(children, tmp_path, "run", "hanoi", "--disks", "2", *STUCK, "--run", name, "-q").wait() == 3
    with opened_tab(chromium, serving("one", "two")) as (tab, said, _):
        field = tab.get_by_label("Your answer to step 1")
        field.fill("half an answer")
        tab.locator(".runs button", has_text="two").click()
        expect(field).to_have_value("")
        tab.locator(".runs button", has_text="one").click()
        expect(field).to_have_value("half an answer")
        assert command(children, tmp_path, "resume", "one", "-q").wait() == 3
        expect(tab.locator(".ask .lead")).to_contain_text("samples")
        expect(field).to_have_value("half an answer")
        assert said == []


def test_after_an_answer_the_keyboard_is_at_the_next_question(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("address,date,amount\n" + "5 Elm St. 10115 Berlin,3.4.24,$5\n" * 2)
    args = ("run", "records", "--input", str(rows), "--out", str(tmp_path / "out.csv"), *STUCK, "--run", "r", "-q")
    command(children, tmp_path, *args).wait()
    with opened_tab(chromium, serving("r")) as (tab, _, _):
        child = command(children, tmp_path, "resume", "r", "--wait", "-q")
        expect(tab.locator(".runs .mark")).to_have_text("waits for you", timeout=15_000)
        field = tab.get_by_label("Your answer to item 1")
        field.fill(answer("Elm St."))
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        expect(field).to_have_count(0, timeout=15_000)
        assert tab.evaluate("document.activeElement.labels?.[0].textContent") == "Your answer to item 2"
        tab.keyboard.type(answer("Elm St."))
        tab.keyboard.press("Control+Enter")
        expect(tab.locator(".runs .mark")).to_have_text("done", timeout=15_000)
        expect(tab.locator("#run")).to_be_focused()
        assert "left open, and answered later" in tab.locator(".decisions").first.inner_text()
    assert child.wait() == 0, child.said


def test_a_run_that_takes_the_name_of_another_is_asked_about_anew(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path
) -> None:
    run = ("run", "hanoi", *STUCK, "--run", "r", "-q", "--disks")
    assert command(children, tmp_path, *run, "2").wait() == 3
    with opened_tab(chromium, serving()) as (tab, said, _):
        expect(tab.locator(".ask pre").last).to_be_visible()
        tab.get_by_label("Your answer to step 1").fill("for the old one")
        shutil.rmtree(tmp_path / "runs" / "r")
        assert command(children, tmp_path, *run, "3").wait() == 3
        expect(tab.get_by_label("The question of step 1")).to_contain_text("[3, 2, 1]", timeout=15_000)
        expect(tab.get_by_label("Your answer to step 1")).to_have_value("")
        assert tab.locator(".pegs rect").count() == 4 + 3
        between = "between the two there is no run, or half of one, and the browser may say so"
        assert [each for each in said if "409" not in each and "500" not in each] == [], between


@pytest.mark.parametrize("width", [320, 390, 640])
def test_nothing_is_wider_than_a_narrow_screen(
    chromium: Browser, serving: Serving, children: Children, tmp_path: Path, width: int
) -> None:
    assert command(children, tmp_path, "run", "hanoi", "--disks", "10", *STUCK, "--run", "b" * 64, "-q").wait() == 3
    with opened_tab(chromium, serving(), viewport={"width": width, "height": 700}) as (tab, _, _):
        expect(tab.get_by_label("Your answer to step 1")).to_be_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
