"""The note of what is about to be done outside."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import DamagedRun, StaleStep, TakenOver, UsageError
from maker_graph.journal.intent import Intent
from maker_graph.run.directory import opened
from tests.made import created, new_settings


def test_an_intent_is_read_as_it_was_written() -> None:
    for intent in (Intent(7, "act"), Intent(7, "act", known=True, answer={"a": [1, None]})):
        assert Intent.of(intent.text()) == intent
    unusable = Intent(7, "act", performed=True)
    assert Intent.of(unusable.text()) == unusable
    for note in ("", "[1]", "{}", "5"):
        with pytest.raises(DamagedRun, match="note of an intent"):
            Intent.of(note)


def test_only_the_owner_may_intend_and_only_the_next_step(tmp_path: Path) -> None:
    with created(tmp_path / "r", new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1)) as run:
        assert run.journal.intent() is None
        with pytest.raises(TakenOver):
            run.journal.intend(Intent(1, "act"))
        run.journal.claim()
        run.journal.intend(Intent(1, "act"))
        with pytest.raises(StaleStep):
            run.journal.intend(Intent(2, "act"))
        with opened(tmp_path / "r") as other:
            assert other.journal.intent() == Intent(1, "act")
            other.journal.claim()
        with pytest.raises(TakenOver):
            run.journal.intend(Intent(1, "act", known=True, answer=3))
        assert run.journal.intent() == Intent(1, "act")


class _Page:
    """Reads three pages, whose texts hold what nobody can see; `result` is as the tests say."""

    def __init__(self, result: Any = None) -> None:
        self.acts = 0
        self.parts = {"read": _Read(self)}
        self._result = result

    def start(self) -> Any:
        return []

    def part(self, state: Any) -> str | None:
        return "read" if len(state) < 3 else None

    def apply(self, state: Any, answer: Any) -> Any:
        return [*state, answer]

    def result(self, state: Any) -> Any:
        return self._result(state) if self._result else state


class _Read:
    by = "world"

    def __init__(self, page: _Page) -> None:
        self._page = page

    def answer(self, state: Any, step: int) -> Any:  # noqa: ARG002  the contract's
        self._page.acts += 1
        return "a\0b\x0c\x1b[1m\u202e"


def test_what_an_action_returns_may_hold_any_character(tmp_path: Path) -> None:
    page = _Page()
    with Run.create(tmp_path / "r", page, model="tiny") as run:
        result = run.solve()
        assert (page.acts, result["verdict"], result["result"]) == (3, "consistent", ["a\0b\x0c\x1b[1m\u202e"] * 3)
    with Run.open(tmp_path / "r", task=_Page()) as run:
        assert run.verify()["digest"] == result["digest"]


def test_a_result_that_fails_is_told_by_its_name(tmp_path: Path) -> None:
    with (
        Run.create(tmp_path / "r", _Page(lambda state: state[9]), model="tiny") as run,
        pytest.raises(UsageError, match="result failed with IndexError"),
    ):
        run.solve()
