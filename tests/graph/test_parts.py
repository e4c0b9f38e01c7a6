"""Each part is voted on as is said for it, and stands as a node of its own in the graph."""

import json
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import TypedDict

from maker_graph import AheadBy, Items, UsageError, create_maker
from maker_graph.core.decision import Decision
from maker_graph.core.guarding import guarded
from maker_graph.core.schema import schema_of
from maker_graph.core.voting import Voting
from maker_graph.graph.ladder import Ladder
from maker_graph.graph.parts import Asked, OfPart
from tests.conftest import Scripted
from tests.models.serving import completion, server

Log = list[Decision]


class Word:
    """A voted part: which word stands at a place."""

    def __init__(self, name: str, **own: Any) -> None:
        self.name = name
        vars(self).update(own)

    def prompt(self, state: Any) -> str:
        return f"{self.name} {state['n']}"

    def parse(self, text: str) -> str:
        return text


class Sum:
    """A given part: how many words there are."""

    by = "program"

    def answer(self, state: Any, step: int) -> Any:
        return [len(state["words"]), step]


class Story:
    """Three words, a count after each: choose, count, verdict, count, choose, count."""

    def __init__(self, **parts: Any) -> None:
        self.parts: Any = {"choose": Word("choose"), "verdict": Word("verdict", k=1), "count": Sum()} | parts

    def start(self) -> Any:
        return {"n": 0, "words": []}

    def part(self, state: Any) -> str | None:
        n = state["n"]
        return None if n == 6 else "count" if n % 2 else "verdict" if n == 2 else "choose"

    def apply(self, state: Any, answer: Any) -> Any:
        return {"n": state["n"] + 1, "words": [*state["words"], answer]}


class Steps:
    """A log that lives in memory."""

    def __init__(self, machine: Any) -> None:
        self.at = machine.begin()
        self.decisions: Log = []

    def position(self) -> Any:
        return self.at

    def append(self, steps: Any) -> None:
        self.at = steps[-1].after
        self.decisions += [step.decision for step in steps]


def said(task: Any, **settings: Any) -> Log:
    from maker_graph.core.machine import Machine  # noqa: PLC0415  what the log needs alone

    log = Steps(Machine(task))
    result = create_maker(task, log=log, **({"model": Scripted(script=lambda _, text: text)} | settings)).compile().invoke({})
    assert result["done"]
    assert result["state"]["words"] == ["choose 0", [1, 2], "verdict 2", [3, 4], "choose 4", [5, 6]]
    return log.decisions


def test_a_part_answers_its_own_steps_and_a_program_those_that_are_given() -> None:
    decisions = said(Story())
    assert [each.get("part") for each in decisions] == ["choose", "count", "verdict", "count", "choose", "count"]
    assert [each["by"] for each in decisions] == ["base", "program"] * 3
    assert [each["samples"] for each in decisions] == [3, 0, 1, 0, 3, 0]  # verdict has a lead of its own


@pytest.mark.parametrize(
    ("k", "samples"),
    [
        (2, [2, 1, 2]),  # a plain one is for the parts that have none
        ({"choose": 4}, [4, 1, 4]),
        ({"choose": AheadBy(2), "verdict": 5}, [2, 5, 2]),
        ({"verdict": 2}, [3, 2, 3]),
    ],
)
def test_each_part_has_the_lead_that_was_said_for_it(k: Any, samples: list[int]) -> None:
    assert [each["samples"] for each in said(Story(), k=k) if each["by"] == "base"] == samples


def test_each_part_has_the_model_that_was_said_for_it() -> None:
    one, other = Scripted(script=lambda _, text: text, log=[]), Scripted(script=lambda _, text: text, log=[])
    said(Story(), model={"choose": one, "verdict": other})
    assert (len(one.log), len(other.log)) == (6, 1)


def test_it_is_the_same_ahead() -> None:
    class Seen(Story):
        def draft(self, state: Any, n: int) -> Any:
            states, at = [], state
            for _ in range(min(n, 6 - state["n"])):
                at = self.apply(at, f"{self.part(at)} {at['n']}" if at["n"] % 2 == 0 else [at["n"], at["n"] + 1])
                states.append(at)
            return states

    alone, ahead = said(Story()), said(Seen(), lookahead=8)
    assert [each["samples"] for each in ahead] == [each["samples"] for each in alone]
    assert [each.get("part") for each in ahead] == [each.get("part") for each in alone]


def test_an_ahead_run_votes_on_no_state_whose_answer_is_given() -> None:
    class Longer(Story):
        def part(self, state: Any) -> str | None:
            return None if state["n"] == 12 else "count" if state["n"] % 4 == 3 else "choose"

        def draft(self, state: Any, n: int) -> Any:
            return [{"n": at, "words": []} for at in range(state["n"] + 1, min(state["n"] + n, 12))]

    task = Longer()
    model = Scripted(script=lambda _, text: text, log=[])
    result = create_maker(task, model=model, k=1, lookahead=4).compile().invoke({})
    assert result["state"]["n"] == 12
    assert len(model.log) == result["totals"]["samples"] == 9  # the program answers three of twelve


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"k": {"chose": 3}}, "k names 'chose', which is not a voted part of this task: its voted parts are choose, verdict"),
        ({"k": {"count": 3}}, "not a voted part"),
        ({"model": {"choose": "sim:perfect"}}, "The part 'verdict' has no model"),
        ({"model": {"choose": "sim:perfect", "verdict": "sim:perfect", "x": "sim:perfect"}}, "model names 'x'"),
        ({"k": {"choose": 0}}, "k"),
    ],
)
def test_what_is_said_of_no_part_is_told(settings: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        create_maker(Story(), **({"model": "sim:perfect"} | settings))


def test_the_first_round_is_that_of_the_part_with_the_greatest_lead() -> None:
    asked = Asked(guarded(Story()), "sim:perfect", Voting(k=2), {"verdict": OfPart(voting=Voting(k=5))}, Ladder())
    assert (asked.first_round, asked.first_model) == (5, "sim:perfect")


def test_the_drawing_shows_the_parts() -> None:
    graph = create_maker(Story(), model="sim:perfect").compile().get_graph(xray=1)
    assert {"start", "choose:sample", "choose:vote", "verdict:sample", "count", "commit", "escalate"} <= set(graph.nodes)
    assert ("count", "commit") in {(edge.source, edge.target) for edge in graph.edges}


def test_a_stuck_part_climbs_its_own_ladder_and_a_person_is_asked_its_question() -> None:
    def reply(_: int, text: str) -> str:
        return "" if text.startswith("verdict") else text

    maker = create_maker(Story(), model=Scripted(script=reply), on_undecided="interrupt").compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    asked = maker.invoke({}, config)["__interrupt__"][0].value
    assert asked["prompt"] == [{"role": "human", "content": "verdict 2"}]
    from langgraph.types import Command  # noqa: PLC0415  here alone

    result = maker.invoke(Command(resume="verdict 2"), config)
    assert (result["done"], result["state"]["words"][2]) == (True, "verdict 2")


class Count(TypedDict):
    count: int


class Counts(Items):
    """Items whose replies are JSON of a type."""

    items = ("a", "b")
    schema = Count

    def prompt(self, item: str) -> str:
        return item

    def parse(self, text: str) -> Any:
        return json.loads(text)


def test_what_the_task_says_of_its_replies_goes_to_the_provider_for_parts_for_items_and_alone() -> None:
    said = {"index": 0, "message": {"role": "assistant", "content": '{"count": 1}'}, "finish_reason": "stop"}
    story = Story(choose=Word("choose", schema=Count), verdict=Word("verdict", schema=bool))
    with server((200, completion(choices=[said]), {})) as (url, asked):
        model = ChatOpenAI(model="m", base_url=url, api_key="none")  # type: ignore[arg-type]  # a string will do
        for task in (Counts(), story):
            create_maker(task, model=model, k=1, structured=True).compile().invoke({})
    schemas = [body["response_format"]["json_schema"]["schema"] for body in asked]
    assert schemas == [schema_of(Count)] * 3 + [schema_of(bool), schema_of(Count)]
    with pytest.raises(UsageError, match=r"give the task .or its part. an attribute schema"):
        create_maker(Story(), model=model, k=1, structured=True)
