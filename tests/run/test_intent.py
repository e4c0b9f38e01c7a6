"""The note of what is about to be done outside."""

from pathlib import Path

import pytest

from maker_graph.errors import DamagedRun, StaleStep, TakenOver
from maker_graph.run.directory import opened
from maker_graph.run.intent import Intent
from tests.made import created, new_settings


def test_an_intent_is_read_as_it_was_written() -> None:
    for intent in (Intent(7, "act"), Intent(7, "act", known=True, answer={"a": [1, None]})):
        assert Intent.of(intent.text()) == intent
    for note in ("", "[1]", "{}"):
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
