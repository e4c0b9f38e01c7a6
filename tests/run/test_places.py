"""A place is kept now and then, is taken if it agrees with the journal, and is a shortcut and never the truth."""

import json
from pathlib import Path

import pytest

from maker_graph.core.machine import Climb, Machine, MakerOutput
from maker_graph.core.spending import NONE, NOTHING
from maker_graph.errors import TakenOver
from maker_graph.run.places import STEPS, Asked, Places, kept_place
from maker_graph.tasks import Hanoi
from tests.made import created, decisions, new_settings

START = Machine(Hanoi(3)).begin()


def at(step: int, *, done: bool = False) -> MakerOutput:
    return {**START, "step": step, "done": done}


def test_a_place_is_due_after_many_steps_after_a_while_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(0)
    assert places.due(at(STEPS - 1)) == {}
    assert json.loads(places.due(at(STEPS))["place"]) == at(STEPS)
    assert places.due(at(STEPS + 1)) == {}
    assert places.due(at(STEPS + 2, done=True))
    monkeypatch.setattr("maker_graph.run.places.SECONDS", 0.0)
    assert places.due(at(STEPS + 3))


def test_a_place_that_does_not_agree_with_the_journal_is_told_and_not_taken(tmp_path: Path) -> None:
    told: list[str] = []
    with created(tmp_path / "r", new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1)) as run:
        journal = run.journal
        journal.claim()
        assert kept_place(journal, told.append) is None
        (decision,) = decisions([{"move": [1, 0, 2], "next_state": [[3, 2], [], [1]]}])
        after = run.machine.advance(run.machine.begin(), decision)
        journal.append([(decision, after)], NOTHING, NONE, Places(0).note(after))
        assert kept_place(journal, told.append) == after
        assert told == []
        for other in (at(1), at(7), {**after, "more": 1}, [1], 7):
            journal.set_note("place", json.dumps(other))
            assert kept_place(journal, told.append) is None
            assert "place" in told.pop()
        journal.set_note("place", "no JSON")
        assert kept_place(journal, told.append) is None
        assert "is damaged" in told.pop()


def test_what_was_asked_is_kept_by_its_owner_and_forgotten_when_the_step_is_decided(tmp_path: Path) -> None:
    with created(tmp_path / "r", new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1)) as run:
        journal = run.journal
        with pytest.raises(TakenOver):
            Asked(1, None).keep(journal)
        journal.claim()
        assert Asked.in_journal(journal) is None
        Asked(1, None).keep(journal)
        assert Asked.in_journal(journal) == Asked(1, None)
        (decision,) = decisions([{"move": [1, 0, 2], "next_state": [[3, 2], [], [1]]}])
        asked = Asked(1, Climb([], decision))
        asked.keep(journal)
        assert Asked.in_journal(journal) == asked
        journal.append([(decision, run.machine.advance(run.machine.begin(), decision))])
        assert Asked.in_journal(journal) is None
