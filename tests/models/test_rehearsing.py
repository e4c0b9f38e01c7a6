"""A simulated model knows a step by its state, in tasks of all forms; no other model is told anything."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Items, Ladder, Run, UsageError, create_maker
from maker_graph.calibration.file import open_calibration
from maker_graph.calibration.measuring import calibrate
from maker_graph.models.resolving import model_for, resolve_model
from maker_graph.simulation import Replies
from tests.calibration.making import request_of
from tests.conftest import Scripted


class Riddle:
    """One question: its prompt hides what the state knows."""

    def prompt(self, state: Any) -> str:
        return f"What is at place {state['n']}?"

    def parse(self, text: str) -> str:
        return text

    def rehearse(self, state: Any) -> Replies:
        return Replies(state["words"][state["n"]], ["nothing", "nobody"])


class Steps(Riddle):
    """The first form: its steps are riddles."""

    def start(self) -> Any:
        return {"n": 0, "words": ["a", "b", "c"]}

    def done(self, state: Any) -> bool:
        return bool(state["n"] == 3)

    def apply(self, state: Any, answer: Any) -> Any:
        return {"n": state["n"] + (answer == state["words"][state["n"]]), "words": state["words"]}

    def state_at(self, step: int) -> Any:
        return {**self.start(), "n": step}

    def truth(self, state: Any) -> str:
        return str(state["words"][state["n"]])

    def total(self) -> int:
        return 3


class Parts(Steps):
    """The second form: a part rehearses by itself, and the task for the one that does not."""

    def __init__(self) -> None:
        class Silent:
            prompt, parse = Riddle.prompt, Riddle.parse

        self.parts: Any = {"one": Riddle(), "other": Silent()}

    def part(self, state: Any) -> str | None:
        return None if state["n"] == 3 else "other" if state["n"] == 1 else "one"


class Words(Items):
    """The third form."""

    def __init__(self) -> None:
        self.items = [["x", "1"], ["y", "2"], ["z", "3"]]

    def prompt(self, item: Any) -> str:
        return item[0]  # type: ignore[no-any-return]  # a text

    def rehearse(self, item: Any) -> Replies:
        return Replies(item[1], ["0"])


@pytest.mark.parametrize("task", [Steps, Parts, Words])
def test_a_run_of_a_task_in_any_form_is_rehearsed_by_its_states(task: Any, tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", task(), model="sim:perfect,flagged=0.2", k=2) as run:
        assert run.solve()["done"]
        answers = [step.answer for step in run.steps()]
    assert answers == (["1", "2", "3"] if task is Words else ["a", "b", "c"])


@pytest.mark.parametrize("task", [Steps, Parts, Words])
def test_and_so_is_a_graph_that_knows_its_model_by_name_alone_or_in_a_wrap(task: Any) -> None:
    for model in ("sim:perfect", resolve_model("sim:perfect").bind(temperature=0.5)):
        result = create_maker(task(), model=model, k=2).compile().invoke({})
        assert (result["done"], result["step"], result["totals"]["samples"]) == (True, 3, 6)


def test_a_calibration_is_rehearsed_too(tmp_path: Path) -> None:
    task, request = Steps(), request_of(total=3, steps=3, models=["sim:perfect"], max_tokens={"sim:perfect": 750})
    with open_calibration(tmp_path / "c.jsonl", request) as calibration:
        asyncio.run(calibrate(calibration, task, model_for("sim:perfect", task, 1), "sim:perfect"))
        assert calibration.conclude("sim:perfect", None).p.value == 1


def test_a_rung_with_another_prompt_or_model_is_rehearsed_too() -> None:
    class Other(Steps):
        def rephrase(self, state: Any, attempt: int) -> str:
            return f"In other words ({attempt}): {self.prompt(state)}"

    stuck = resolve_model("sim:perfect,flagged=1")
    ladder = Ladder(temperature=None, model="sim:perfect")
    result = create_maker(Other(), model=stuck, k=2, stuck_after=4, ladder=ladder).compile().invoke({})
    assert (result["done"], result["step"]) == (True, 3)


def test_no_run_of_another_model_rehearses() -> None:
    class Told(Steps):
        def rehearse(self, state: Any) -> Replies:
            raise AssertionError(f"asked in {state}")

    def answered(_: int, text: str) -> str:
        return "abc"[int(text.rsplit(maxsplit=1)[-1].strip("?"))]

    assert create_maker(Told(), model=Scripted(script=answered), k=2).compile().invoke({})["done"]
    with pytest.raises(UsageError, match="rehearse failed on this prompt: AssertionError: asked in"):
        create_maker(Told(), model="sim:perfect", k=2).compile().invoke({})


def test_a_step_is_as_hard_as_the_task_says() -> None:
    class Hard(Steps):
        def rehearse(self, state: Any) -> Replies:
            return Replies(state["words"][state["n"]], ["nothing"], error=1.0 if state["n"] == 1 else 0.0)

        def apply(self, state: Any, answer: Any) -> Any:
            return {"n": state["n"] + 1, "words": [*state["words"], answer]}

    def said(model: str) -> Any:
        return create_maker(Hard(), model=model, k=2).compile().invoke({})["state"]["words"][3:]

    assert said("sim:perfect,error=0.4") == ["a", "nothing", "c"]
    assert said("sim:perfect") == ["a", "b", "c"]  # it finds no step hard


def test_a_function_that_takes_something_else_is_told() -> None:
    class Wrong(Riddle):
        def rehearse(self) -> Replies:  # type: ignore[override]  # that is what is wrong
            return Replies("", [])

    for task in (type("Task", (Wrong, Steps), {})(), Parts()):
        if isinstance(task, Parts):
            task.parts = {"one": Wrong()}
        with pytest.raises(UsageError, match="rehearse"):
            create_maker(task, model="sim:perfect")
