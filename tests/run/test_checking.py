"""What one process cannot show: the order of a set, which is another in each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maker_graph import UsageError
from maker_graph.run.checking import check_task
from maker_graph.tasks.loading import load_task
from maker_graph.tasks.trial import CHECKS

WORDS = """
class Words:
    def start(self): return {"n": 0}
    def done(self, state): return state["n"] == 3
    def prompt(self, state): return f"word {state['n']}"
    def parse(self, text): return text
    def apply(self, state, answer): return {"n": state["n"] + 1}
    def truth(self, state): return f"w{state['n']}"

class States(Words):
    def apply(self, state, answer): return {"n": state["n"] + 1, "seen": list(set("abcdefgh"))}

class Prompts(Words):
    def prompt(self, state): return f"word {state['n']} of {set('abcdefgh')}"

class Answers(Words):
    def truth(self, state): return hash("word")

class Unknown(Prompts):
    truth = None

class Prints(Words):
    def apply(self, state, answer):
        print("applied")
        return super().apply(state, answer)

class Remembers(Words):
    def __init__(self): self.asked = False
    def prompt(self, state):
        self.asked = True
        return super().prompt(state)
    def apply(self, state, answer): return {"n": state["n"] + 1, "asked": self.asked}

class Looks:
    by = "program"
    def answer(self, state, step): return hash("page")

class Pages:
    parts = {"word": Words(), "look": Looks()}
    def start(self): return {"n": 0}
    def part(self, state): return None if state["n"] == 4 else ("word", "look")[state["n"] % 2]
    def apply(self, state, answer): return {"n": state["n"] + 1, "seen": answer if state["n"] % 2 else 0}

class Hashed(Pages):
    def apply(self, state, answer): return {"n": state["n"] + 1, "seen": hash("x")}

import os
class Exits(Words):
    def start(self): return os._exit(7) if os.environ.get("PYTHONHASHSEED") in ("1", "2") else {"n": 0}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "words_tried.py").write_text(WORDS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "words_tried"
    sys.modules.pop("words_tried", None)


@pytest.mark.parametrize(
    ("name", "what", "step"),
    [("States", "state", 2), ("Prompts", "prompt", 1), ("Answers", "answer", 1), ("Unknown", "prompt", 1)],
)
def test_what_is_made_from_the_order_of_a_set_is_found_in_another_process(module: str, name: str, what: str, step: int) -> None:
    (problem,) = check_task(load_task(f"{module}:{name}", {})).problems
    assert (problem.check, problem.step) == ("processes", step)
    assert f"the {what} is not the same in another process" in problem.text


@pytest.mark.parametrize("name", ["Words", "Prints"])
def test_a_task_that_is_the_same_everywhere_passes(module: str, name: str) -> None:
    trial = check_task(load_task(f"{module}:{name}", {}))
    assert (trial.problems, trial.steps) == ([], 3)
    assert trial.tried == {*CHECKS} - {"replies"}


def test_a_task_that_remembers_what_it_was_asked_is_found_by_the_replay(module: str) -> None:
    (problem,) = check_task(load_task(f"{module}:Remembers", {})).problems
    assert (problem.check, problem.step) == ("replay", None)
    assert "the state at the end differs: a function depends on what was called before" in problem.text


def test_what_a_program_looks_up_may_be_something_else_in_another_process(module: str) -> None:
    assert check_task(load_task(f"{module}:Pages", {})).problems == []
    (problem,) = check_task(load_task(f"{module}:Hashed", {})).problems
    assert (problem.check, problem.step) == ("processes", 2)


async def test_an_awaited_program_is_asked_also_where_a_loop_is_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = WORDS.replace("def answer(self, state, step)", "async def answer(self, state, step)")
    (tmp_path / "words_awaited.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    trial = check_task(load_task("words_awaited:Pages", {}))
    assert (trial.problems, trial.steps) == ([], 4)


def test_a_shipped_task_is_tried_with_what_is_rehearsed_for_it() -> None:
    trial = check_task(load_task("hanoi", {"disks": 3}))
    assert (trial.problems, trial.steps, trial.answers) == ([], 7, "rehearsal")


def test_a_process_that_dies_is_told(module: str) -> None:
    with pytest.raises(UsageError, match="another process: exit code 7"):
        check_task(load_task(f"{module}:Exits", {}))


def test_a_number_of_steps_is_one() -> None:
    with pytest.raises(UsageError, match="steps must be a whole number"):
        check_task(load_task("hanoi", {"disks": 3}), steps=0)
