"""What a session says of itself is heard while it lives and after its end, however it ended."""

from pathlib import Path

import pytest

from maker_graph import Run
from maker_graph.errors import LimitReached, TakenOver, Undecided
from maker_graph.run.session import LONG, MOST_READ, Question, Session
from maker_graph.run.session_file import SESSION, SessionFile, read_session
from maker_graph.tasks import Hanoi

SLOW = """
import sys
sys.path.insert(0, ".")
from maker_graph import Run
from maker_graph.tasks import Hanoi
with Run.create("r", Hanoi(8), model="sim:perfect,latency=0.05", k=2) as run:
    run.solve()
"""


def at(step: int = 0) -> dict[str, object]:
    return {"step": step, "state": {"a": 1}, "done": False, "digest": "", "totals": {}}


def test_a_session_that_came_to_its_end_says_so(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(2), model="sim:perfect", k=1) as run:
        assert read_session(run.directory) is None
        run.solve()
        seen = read_session(run.directory)
    assert seen is not None
    assert (seen.said.state, seen.said.epoch, seen.said.total, seen.lives) == ("done", 1, 3, False)
    assert (tmp_path / "r" / SESSION).stat().st_mode & 0o777 == 0o600


def test_a_stuck_step_is_told_with_its_question_and_last_replies(tmp_path: Path) -> None:
    how = {"model": "sim:perfect,flagged=1", "k": 1, "max_samples": 2, "retry_temperature": None, "rephrase": False}
    with Run.create(tmp_path / "r", Hanoi(2), **how) as run, pytest.raises(Undecided):  # type: ignore[arg-type]  # a few settings
        run.solve()
    seen = read_session(tmp_path / "r")
    assert seen is not None
    question = seen.said.question
    assert question is not None
    assert (seen.said.state, question.step, question.state["pegs"]) == ("stuck", 1, [[2, 1], [], []])
    assert "Find the one next move" in question.prompt[-1][1]
    assert len(question.replies) == 2


def test_who_was_taken_over_leaves_the_word_to_the_new_owner(tmp_path: Path) -> None:
    with Session(SessionFile(tmp_path), None) as old, Session(SessionFile(tmp_path), None) as new:
        old.reached(at(), 1)  # type: ignore[arg-type]  # as much as is looked at
        new.reached(at(), 2)  # type: ignore[arg-type]  # as above
        old.ended(TakenOver("no"), 1)
        old.close()
        seen = read_session(tmp_path)
        assert seen is not None
        assert (seen.said.epoch, seen.said.state, seen.lives) == (2, "at work", True)
        new.ended(LimitReached("The limit is reached."), 2)
    seen = read_session(tmp_path)
    assert seen is not None
    assert (seen.said.state, seen.said.why, seen.lives) == ("limit", "The limit is reached.", False)


def test_a_question_that_was_waited_for_still_waits_after_an_interruption(tmp_path: Path) -> None:
    with Session(SessionFile(tmp_path), None) as session:
        session.say("waits", 1, question=Question(step=1, reason="nobody won"))
        session.ended(KeyboardInterrupt(), 1)
    seen = read_session(tmp_path)
    assert seen is not None
    assert seen.said.question is not None
    assert (seen.said.state, seen.said.question.step) == ("interrupted", 1)
    with Session(SessionFile(tmp_path), None) as session:
        session.say("waits", 1, question=Question(step=1, reason="nobody won"))
        session.reached(at(1), 1)  # type: ignore[arg-type]  # as much as is looked at
        session.ended(KeyboardInterrupt(), 1)
    seen = read_session(tmp_path)
    assert seen is not None
    assert seen.said.question is None, "it was answered"


def test_a_question_is_asked_however_long_the_replies_were(tmp_path: Path) -> None:
    long = "\x00" * MOST_READ
    with Session(SessionFile(tmp_path), None) as session:
        asks = Question(step=1, reason="", prompt=[("human", "why?")], ballot={long: 2, long + "x": 1}, replies=[long, "short"])
        session.say("stuck", 1, question=asks)
    seen = read_session(tmp_path)
    assert seen is not None
    assert seen.said.question is not None
    assert seen.said.question.prompt == [("human", "why?")]
    assert list(seen.said.question.ballot.values()) == [3]
    assert [len(reply) for reply in seen.said.question.replies] == [LONG, 5]
