"""`maker-graph check-task`: says what is wrong with a task before money is spent."""

from pathlib import Path

from tests.cli.commands import result
from tests.conftest import Cli

CARELESS = """
class Careless:
    def start(self): return {"n": 0}
    def total(self): return 3
    def done(self, state): return state["n"] == 3
    def prompt(self, state): return f"count {state['n']}"
    def parse(self, text): return int(text)
    def truth(self, state): return state["n"]
    def apply(self, state, answer):
        state["n"] = answer + 1
        return state
"""


def test_a_task_that_is_well_ends_with_0_and_a_line_for_each_check(cli: Cli) -> None:
    done = cli("check-task", "hanoi", "--disks", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hanoi: 7 steps were tried, to the end.")
    assert done.stdout.count("  ok ") == 9


def test_a_task_that_is_not_ends_with_2_and_says_what_and_where(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text(CARELESS)
    done = cli("check-task", "careless:Careless")
    assert done.returncode == 2
    assert "FAILED" in done.stdout
    assert "step 1: apply changes the state that it is given" in done.stdout
    assert "replies: the task reads and accepts its own right replies" in done.stdout
    assert "(not tried)" in done.stdout


def test_json_is_one_object(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text(CARELESS)
    found = result(cli("check-task", "careless:Careless", "--json", "--steps", "2"))
    assert (found["ok"], found["steps"], found["stopped"], found["answers"]) == (False, 2, "limit", "truth")
    (problem,) = found["problems"]
    assert (problem["check"], problem["step"]) == ("arguments", 1)


ACTS = """
class Choose:
    def prompt(self, state): return f"choose {state}"
    def parse(self, text): return text
    def truth(self, state): return "a"

class Press:
    by = "world"
    def answer(self, state, step): open("pressed", "w").close()

class Rehearsed(Press):
    def rehearse(self, state): return "done"

class Acts:
    parts = {"choose": Choose(), "press": Press()}
    def start(self): return 0
    def part(self, state): return None if state == 4 else ("choose", "press")[state % 2]
    def apply(self, state, answer): return state + 1

class Goes(Acts):
    parts = {"choose": Choose(), "press": Rehearsed()}
"""


def test_no_action_is_performed_and_it_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "acting_task.py").write_text(ACTS)
    stopped = cli("check-task", "acting_task:Acts")
    assert stopped.returncode == 0, stopped.stderr
    assert (
        "1 step was tried, and the next one depends on a part that acts on the world, which is not done here" in stopped.stdout
    )
    goes = cli("check-task", "acting_task:Goes")
    assert "4 steps were tried, to the end." in goes.stdout
    assert "Not performed, but rehearsed: 2 actions on the world." in goes.stdout
    found = result(cli("check-task", "acting_task:Goes", "--json"))
    assert (found["ok"], found["stopped"], found["not_performed"]) == (True, "end", 2)
    assert not (tmp_path / "pressed").exists()


def test_a_task_that_is_not_there_is_wrong_usage(cli: Cli) -> None:
    done = cli("check-task", "nowhere:Task")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no module nowhere" in done.stderr
