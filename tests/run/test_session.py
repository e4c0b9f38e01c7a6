"""What a session says of itself is heard while it lives and after its end, however it ended."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import LimitReached, TakenOver, Undecided
from maker_graph.run.session import LONG, MOST_READ, Question, Session
from maker_graph.run.session_file import SESSION, SessionFile, last_replies, read_session
from maker_graph.tasks import Hanoi
from tests.run.test_review import Numbers
from tests.survival.harness import Children, wait_until

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


def test_a_process_that_was_killed_left_a_file_that_nobody_holds(children: Children, tmp_path: Path) -> None:
    child = children.start(tmp_path, "script", source=SLOW)
    wait_until(lambda: (seen := read_session(tmp_path / "r")) is not None and seen.lives)
    child.send(signal.SIGSTOP)
    seen = read_session(tmp_path / "r")
    assert seen is not None
    assert (seen.said.state, seen.said.pid, seen.lives) == ("at work", child.pid, True)
    child.kill()
    assert read_session(tmp_path / "r") == (seen.said, False)


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


def test_what_is_no_session_is_none(tmp_path: Path) -> None:
    for content in ("", "no", "[]", '{"epoch": "x"}', "{" * 100_000):
        (tmp_path / SESSION).write_text(content)
        assert read_session(tmp_path) is None
    assert MOST_READ > 1_000_000


def test_the_last_replies_to_open_items_are_kept(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Numbers(6), model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
    found = last_replies(tmp_path / "r", [1, 2, 4])
    assert set(found) == {1, 4}
    assert set(found[1]) <= {"none", "no", "-"}
    with (tmp_path / "r" / "last_replies.jsonl").open("a") as file:
        file.write("half a li")
        file.write("\n[]\n" + json.dumps({"step": 2, "replies": ["x"]}) + "\n")
    assert last_replies(tmp_path / "r", [2]) == {2: ["x"]}
    assert last_replies(tmp_path, [1]) == {}


def test_a_session_with_numbers_out_of_all_proportion_is_none(tmp_path: Path) -> None:
    kept = {"epoch": 1, "pid": 1, "state": "done", "total": 3}
    question = {"step": 1, "reason": ""}
    odd: list[dict[str, object]] = [{"total": 10**400}, {"total": -1}, {"epoch": -1}, {"pid": 10**30}]
    odd += [{"question": {**question, **more}} for more in ({"step": 10**30}, {"ballot": {"a": 10**30}}, {"flags": {"a": -1}})]
    for each in odd:
        (tmp_path / SESSION).write_text(json.dumps({**kept, **each}))
        assert read_session(tmp_path) is None
    (tmp_path / SESSION).write_text(json.dumps({**kept, "question": question}))
    assert read_session(tmp_path) is not None


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


def test_the_last_replies_are_found_however_many_others_there_are(tmp_path: Path) -> None:
    decision: Any = {"replies": ["x" * 200_000] * 3}
    with Session(SessionFile(tmp_path), None) as session:
        for step in range(1, 100):
            session.left_open(step, decision)
        decision["replies"] = ["the last"]
        session.left_open(11, decision)
    assert (tmp_path / "last_replies.jsonl").stat().st_size > MOST_READ
    found = last_replies(tmp_path, [1, 11, 99])
    assert [[len(reply) for reply in found[step]] for step in (1, 99)] == [[LONG] * 3] * 2
    assert found[11] == ["the last"]
