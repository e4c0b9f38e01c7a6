"""Runs and steps as the tests of a report make them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from maker_graph.core.decision import decide, next_draw
from maker_graph.core.guarding import guarded
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.journal.entry import Skimmed, SkimmedVote
from maker_graph.report.collecting import ReportData, collect
from maker_graph.report.counting.steps import CountedStep, counted_step
from maker_graph.report.figures.style import panel
from maker_graph.run import directory as runs
from maker_graph.run.home import Run
from maker_graph.run.settings import Settings
from maker_graph.tasks import Hanoi
from maker_graph.tasks.hanoi import moved
from tests.made import created, new_settings

HOSTILE = '</script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
CERTIFICATE = {
    "steps": 63,
    "chance": {"value": 0.9987, "low": 0.98, "high": 0.9999},
    "error": {"value": 0.03, "low": 0.02, "high": 0.04},
    "rho": {"value": 0.004, "low": 0.0, "high": 0.02},
    "contested": 5,
    "assumptions": ["Samples of a step are alike."],
}


def data_of(directory: Path) -> ReportData:
    with runs.opened(directory) as run:
        return collect(run)


@contextmanager
def by_hand(directory: Path, settings: Settings, replies: Sequence[Sequence[str]]) -> Iterator[Run]:
    """Make a run whose steps got these replies, each vote as long as it takes."""
    with created(directory, settings) as run:
        run.journal.claim()
        reading, terms, at = Reader(guarded(run.task).parse, None, None, {}), Voting(AheadBy(settings.k)), run.machine.begin()
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
    others = {"house_number": "5", "postcode": "10115", "city": "Berlin"}
    return json.dumps({"street": street, **others, "date": "2024-04-03", "amount": "5.00", "currency": "USD"})


def drawn(draw: Callable[..., None], *args: Any, **named: Any) -> Any:
    """Return the axes on which `draw` drew; what is on them has no types that help."""
    return panel(draw, *args, **named).axes[0]


def vote(*sequence: int | str, candidates: Sequence[str | None] = (None, '"b"'), by: str = "base") -> SkimmedVote:
    """Return a vote in one round; reply n is 10 n tokens long."""
    return SkimmedVote(by, candidates, sequence, 1, [10 * n for n in range(1, len(sequence) + 1)])


def step(number: int, *votes: SkimmedVote, winner: int | None = 0, truth: str | None = None, k: int = 2) -> CountedStep:
    """Return a counted step whose answer is "a"; its last vote ended it."""
    place = votes[-1].sequence[0]
    return counted_step(number, Skimmed('["a"]', votes, winner, first_agrees=place == winner), k, truth)


@contextmanager
def opened_page(browser: BrowserContext, path: Path, **emulated: Any) -> Iterator[tuple[Page, list[str], list[str]]]:
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
