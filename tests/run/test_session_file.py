"""What a session says stands in a file that its process keeps locked: a file that nobody holds is that of one that ended."""

import json
import signal
from pathlib import Path
from typing import Any

from maker_graph import Run
from maker_graph.run.session import LONG, MOST_READ, Session
from maker_graph.run.session_file import SESSION, SessionFile, last_replies, read_session
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


def test_a_process_that_was_killed_left_a_file_that_nobody_holds(children: Children, tmp_path: Path) -> None:
    child = children.start(tmp_path, "script", source=SLOW)
    wait_until(lambda: (seen := read_session(tmp_path / "r")) is not None and seen.lives)
    child.send(signal.SIGSTOP)
    seen = read_session(tmp_path / "r")
    assert seen is not None
    assert (seen.said.state, seen.said.pid, seen.lives) == ("at work", child.pid, True)
    child.kill()
    assert read_session(tmp_path / "r") == (seen.said, False)


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
