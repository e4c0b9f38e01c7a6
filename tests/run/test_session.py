"""What a session says of itself is heard while it lives and after its end, however it ended."""

import json
import signal
from pathlib import Path

import pytest

from maker_graph import Run
from maker_graph.errors import LimitReached, TakenOver, Undecided
from maker_graph.run.session import MOST_READ, SESSION, Session, last_replies, read_session
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
    with Session(tmp_path, None) as old, Session(tmp_path, None) as new:
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
