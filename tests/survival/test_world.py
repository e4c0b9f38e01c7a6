"""A task that acts on the world: real processes, killed at each commit and in the middle of each action."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.survival.harness import Children, wait_until

TASK = '''
import json, os, signal
from pathlib import Path
from maker_graph.simulation import Replies

ACTIONS = 7

def die(point, step):
    """Kill this process, if it is told to do so here: once, for the file that says so goes first."""
    order = Path("die")
    if order.exists() and order.read_text() == f"{point} {step}":
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

class Choose:
    def prompt(self, state):
        return f"Choose a button on page {state['page']}."
    def parse(self, text):
        return text
    def rehearse(self, state):
        return Replies(f"b{state['page']}", ["b9", "b8"])

class Act:
    by = "world"
    def answer(self, state, step, run):
        die("before", step)
        with open("acts", "a") as file:
            file.write(json.dumps([run, step, state["chosen"]]) + "\\n")
        die("after", step)
        return {"page": state["page"] + 1}

class Verdict:
    k = 1
    def prompt(self, state):
        return f"Is page {state['page']} right?"
    def parse(self, text):
        return {"yes": True, "no": False}[text]
    def rehearse(self, state):
        return Replies("yes", ["no"])

class Browser:
    def __init__(self):
        self.parts = {"choose": Choose(), "act": Act(), "verdict": Verdict()}
    def start(self):
        return {"page": 0, "chosen": None, "next": "choose"}
    def part(self, state):
        return None if state["page"] == ACTIONS and state["next"] == "choose" else state["next"]
    def apply(self, state, answer):
        if state["next"] == "choose":
            return {**state, "chosen": answer, "next": "act"}
        if state["next"] == "act":
            return {**state, "page": answer["page"], "next": "verdict"}
        return {**state, "next": "choose"}
'''

SESSION = """
import sys
from pathlib import Path
sys.path.insert(0, ".")
from browsing import Browser, die
from maker_graph import Run

run = Run.open("r", task=Browser()) if Path("r").exists() else Run.create("r", Browser(), model="sim:perfect", k=2)
with run:
    run.solve(progress=lambda at: die("committed", at["step"]), lookahead=1)
"""


def acts(folder: Path) -> list[Any]:
    path = folder / "acts"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def session(children: Children, folder: Path, die: str = "") -> int:
    (folder / "browsing.py").write_text(TASK)
    if die:
        (folder / "die").write_text(die)
    return children.run(folder, "script", source=SESSION)


def command(children: Children, folder: Path, *args: str) -> tuple[int, str]:
    child = children.start(folder, "command", args=list(args))
    ended = child.wait()
    return ended, "".join(child.said)


def steps_of(folder: Path) -> list[int]:
    return [step for _, step, _ in acts(folder)]


ALL = [2, 5, 8, 11, 14, 17, 20]


def test_seven_actions_are_performed_seven_times_with_a_kill_after_every_commit(children: Children, tmp_path: Path) -> None:
    for step in range(1, 21):
        assert session(children, tmp_path, f"committed {step}") == -signal.SIGKILL, step
    assert session(children, tmp_path) == 0
    assert steps_of(tmp_path) == ALL
    assert len({run for run, _, _ in acts(tmp_path)}) == 1  # the id of the run, in all its sessions


def test_a_kill_during_an_action_repeats_it_at_most_once(children: Children, tmp_path: Path) -> None:
    for step in ALL:
        for point in ("before", "after"):
            assert session(children, tmp_path, f"{point} {step}") == -signal.SIGKILL
    assert session(children, tmp_path) == 0
    assert Counter(steps_of(tmp_path)) == dict.fromkeys(ALL, 2)  # performed, killed, and performed again


def test_who_only_looks_performs_nothing(children: Children, tmp_path: Path) -> None:
    assert session(children, tmp_path, "committed 12") == -signal.SIGKILL
    before = acts(tmp_path)
    for args in (["status", "r"], ["verify", "r", "--task", "browsing:Browser"], ["report", "r", "--task", "browsing:Browser"]):
        ended, said = command(children, tmp_path, *args)
        assert "performed" not in said
        assert ended in {0, 1}, said
    assert acts(tmp_path) == before == acts(tmp_path)[:4]


def test_the_command_line_runs_it_and_asks_about_an_action_in_doubt(children: Children, tmp_path: Path) -> None:
    (tmp_path / "browsing.py").write_text(TASK)
    (tmp_path / "die").write_text("after 8")
    run = ["run", "browsing:Browser", "--model", "sim:perfect", "--k", "2", "--run", "r", "--on-doubt", "ask"]
    assert command(children, tmp_path, *run)[0] == -signal.SIGKILL
    ended, said = command(children, tmp_path, "resume", "r")
    assert (ended, steps_of(tmp_path)) == (3, [2, 5, 8]), said
    assert "step 8 (act)" in said
    assert "again" in said
    ended, said = command(children, tmp_path, "resume", "r", "--answer", '{"page": 3}')
    assert (ended, steps_of(tmp_path)) == (0, ALL), said


@pytest.mark.parametrize("reply", ["again"])
def test_or_it_is_performed_again_when_a_person_says_so(children: Children, tmp_path: Path, reply: str) -> None:
    (tmp_path / "browsing.py").write_text(TASK)
    (tmp_path / "die").write_text("after 8")
    run = ["run", "browsing:Browser", "--model", "sim:perfect", "--k", "2", "--run", "r", "--on-doubt", "ask"]
    assert command(children, tmp_path, *run)[0] == -signal.SIGKILL
    assert command(children, tmp_path, "resume", "r")[0] == 3
    ended, said = command(children, tmp_path, "resume", "r", "--answer", reply)
    assert (ended, steps_of(tmp_path)) == (0, [2, 5, 8, 8, 11, 14, 17, 20]), said


def test_an_action_whose_answer_cannot_be_kept_is_not_repeated_unasked(children: Children, tmp_path: Path) -> None:
    last = '        return {"page": state["page"] + 1}\n'
    odd = '        if step == 8 and not Path("mended").exists():\n            return {1}\n'
    (tmp_path / "browsing.py").write_text(TASK.replace(last, odd + last))
    run = ["run", "browsing:Browser", "--model", "sim:perfect", "--k", "2", "--run", "r"]
    ended, said = command(children, tmp_path, *run)
    assert (ended, "answer returned is" in said) == (2, True), said
    (tmp_path / "mended").touch()
    for _ in range(2):
        ended, said = command(children, tmp_path, "resume", "r")
        assert (ended, "was performed, and what it returned could not be kept" in said) == (3, True), said
        assert steps_of(tmp_path) == [2, 5, 8]
    ended, said = command(children, tmp_path, "resume", "r", "--answer", '{"page": 3}')
    assert (ended, steps_of(tmp_path)) == (0, ALL), said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_an_action_lets_it_end_and_it_is_not_repeated(
    children: Children, tmp_path: Path, number: signal.Signals
) -> None:
    slow = TASK.replace(
        '        die("before", step)\n', '        Path(f"in {step}").touch()\n        __import__("time").sleep(0.3)\n'
    )
    assert slow != TASK
    (tmp_path / "browsing.py").write_text(slow)
    run = ["run", "browsing:Browser", "--model", "sim:perfect", "--k", "2", "--run", "r"]
    for step in (2, 8, 20):
        child = children.start(tmp_path, "command", args=run if step == 2 else ["resume", "r"])
        wait_until((tmp_path / f"in {step}").exists)
        child.send(number)
        assert child.wait() == 130, child.said
        assert steps_of(tmp_path)[-1] == step
    ended, said = command(children, tmp_path, "resume", "r")
    assert (ended, steps_of(tmp_path)) == (0, ALL), said


def test_who_was_taken_over_performs_nothing_any_more(children: Children, tmp_path: Path) -> None:
    waits = (
        "        while Path('wait').exists() and os.environ.get('FIRST'):\n            time.sleep(0.01)\n        return text\n"
    )
    waiting = TASK.replace("        return text\n", waits, 1).replace("import json, os", "import json, os, time")
    (tmp_path / "browsing.py").write_text(waiting)
    (tmp_path / "wait").touch()
    first = children.start(tmp_path, "script", source=SESSION, env={"FIRST": "1"})
    wait_until((tmp_path / "r" / "checkpoints.db").exists)
    assert children.run(tmp_path, "script", source=SESSION) == 0
    assert steps_of(tmp_path) == ALL
    (tmp_path / "wait").unlink()
    assert first.wait() == 1
    assert "taken over" in first.said[1]
    assert steps_of(tmp_path) == ALL
