"""What a log keeps beside its steps is there for whoever goes on, and for nobody else."""

from pathlib import Path

import pytest

from maker_graph import JournalLog, StaleStep
from maker_graph.core.decision import given
from maker_graph.core.machine import Begun, Committed, Machine
from tests.graph.test_maker import Countdown


def opened(folder: Path) -> JournalLog:
    return JournalLog(Countdown(5), "count", folder)


def test_an_action_that_was_begun_is_known_to_whoever_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        assert log.begun(1) is None
        log.intend(1, "press")
    with opened(tmp_path) as log:
        assert (log.begun(1), log.begun(2)) == (Begun(known=False), None)
        log.performed(1, "press", {"page": 2})
    with opened(tmp_path) as log:
        assert log.begun(1) == Begun(known=True, answer={"page": 2}, performed=True)
        with pytest.raises(StaleStep):
            log.intend(2, "press")


def test_items_that_were_decided_before_their_turn_are_kept_until_they_are_committed(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.keep_ahead({2: given(3, "program"), 3: given(2, "program")})
        assert list(log.decided_ahead()) == [2, 3]
    with opened(tmp_path) as log:
        assert {step: each["answer"] for step, each in log.decided_ahead().items()} == {2: 3, 3: 2}
        at = log.position()
        for decision in (given(4, "program"), given(3, "program")):
            log.append([Committed(decision, at, after := Machine(Countdown(5)).advance(at, decision))])
            at = after
        assert list(log.decided_ahead()) == [3]


def test_who_was_taken_over_keeps_nothing_ahead(tmp_path: Path) -> None:
    with opened(tmp_path) as first, opened(tmp_path) as second:
        first.keep_ahead({2: given(3, "program")})
        assert second.decided_ahead() == {}
