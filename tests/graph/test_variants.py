"""Each sample is asked one of the equivalent questions, drawn by its number and never in turn."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from typing_extensions import TypedDict

from maker_graph import UsageError, create_maker, create_microstep
from maker_graph.core.task import Variant
from maker_graph.graph.variants import first_prompt, prompt_for, variants_of
from maker_graph.models.requests import drawn
from tests.conftest import Scripted
from tests.graph.test_items import Words, run
from tests.graph.test_maker import Countdown

FORMS: dict[str, Callable[[int], str]] = {
    "plain": str,
    "worded": lambda number: f"the number {number}",
    "long": lambda number: f"{number}, as said",
}


def reader(form: str) -> Any:
    return lambda text: int(text.removeprefix(form).strip())


def forms(state: int) -> list[Variant]:
    return [Variant(f"{name}: {form(state)}", reader(name)) for name, form in FORMS.items()]


class Told(Countdown):
    """A countdown that can be asked in three ways, each with a form of reply of its own."""

    def variants(self, state: int) -> list[Variant]:
        return forms(state)


def answering(_: int, text: str) -> str:
    name, asked = text.split(": ", 1)
    return f"{name} {int(''.join(filter(str.isdigit, asked))) - 1}"


def test_every_sample_is_asked_one_and_read_by_its_own_reader() -> None:
    asked: list[tuple[int, str]] = []

    def script(index: int, text: str) -> str:
        asked.append((index, text.partition(":")[0]))
        return answering(index, text)

    result = create_maker(Told(3), model=Scripted(script=script), k=3, variants=True).compile().invoke({})
    assert (result["done"], result["totals"]["samples"], result["totals"]["flags"]) == (True, 9, {})
    assert len({name for _, name in asked}) > 1
    assert sorted(asked) == sorted(
        (index, prompt_for(variants_of(forms, 3 - step, None)[0], index).partition(":")[0])  # type: ignore[union-attr]
        for step in range(3)
        for index in range(3)
    ), "which one is a function of the question and of the number of the sample"


def test_the_graph_and_the_vote_without_it_ask_the_same() -> None:
    class Forms(Words):
        def variants(self, item: str) -> list[Variant]:
            return [Variant(f"{each} {item}", lambda text: text.split(" ")[1]) for each in "abc"]

    logs = [
        run(Forms("one", "two"), model=Scripted(script=lambda _, text: text.upper()), variants=True, blocking=blocking)
        for blocking in (True, False)
    ]
    assert logs[0].entries == logs[1].entries


def test_each_variant_is_as_likely_for_the_first_sample_as_for_any_other() -> None:
    for index in (0, 1, 2, 7):
        counts = Counter(drawn(f"question {number}", index, 3) for number in range(3000))
        assert all(abs(count - 1000) < 4 * (3000 * 2 / 9) ** 0.5 for count in counts.values())
    pairs = Counter((drawn(f"q {number}", 0, 3), drawn(f"q {number}", 1, 3)) for number in range(9000))
    assert all(abs(count - 1000) < 4 * (9000 * 8 / 81) ** 0.5 for count in pairs.values()), "turns would fill three of nine"


def test_another_seed_draws_otherwise() -> None:
    salts = {variants_of(forms, 5, seed)[0]["salt"] for seed in (None, 1, 2)}
    assert len(salts) == 3
    assert variants_of(forms, 5, 1)[0] == variants_of(forms, 5, 1)[0]


def test_a_microstep_takes_variants_in_the_place_of_a_prompt() -> None:
    step = create_microstep(
        Scripted(script=answering), state=Count, variants=lambda values: forms(values["at"]), into="next", k=3
    )
    assert step.invoke({"at": 8})["next"] == 7
    assert asyncio.run(step.ainvoke({"at": 5}))["next"] == 4
    with pytest.raises(UsageError, match="the place of prompt"):
        create_microstep("sim:perfect", state=Count, variants=lambda _: forms(1), prompt=lambda _: "x", into="next")


def test_a_person_is_shown_the_first_one_and_answers_in_the_common_form() -> None:
    graph = create_maker(
        Told(1), model=Scripted(script=lambda *_: "?"), k=2, stuck_after=2, ladder=None, variants=True, on_undecided="interrupt"
    ).compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    (asked,) = graph.invoke({}, config)["__interrupt__"]
    assert asked.value["prompt"] == [{"role": "human", "content": "1"}]
    assert graph.invoke(Command(resume="0"), config)["done"]


def test_what_is_no_list_of_variants_is_told() -> None:
    class Odd(Countdown):
        found: Any = None

        def variants(self, _: int) -> Any:
            if self.found is None:
                raise LookupError("nothing here")
            return self.found

    task = Odd(1)
    graph = create_maker(task, model=Scripted(script=answering), variants=True).compile()
    for found, says in ((None, "variants.*LookupError"), ([], "at least one"), (["x"], "at least one")):
        task.found = found
        with pytest.raises(UsageError, match=says):
            graph.invoke({})
    with pytest.raises(UsageError, match=r"has no variants\(state\)"):
        create_maker(Countdown(1), model="sim:perfect", variants=True)


def test_a_question_without_variants_is_left_as_it_is() -> None:
    for prompt in ("x", [("user", "x")]):
        assert (prompt_for(prompt, 3), first_prompt(prompt)) == (prompt, prompt)


class Count(TypedDict, total=False):
    at: int
    next: int


def test_a_question_that_is_always_misread_in_one_form_is_still_decided_rightly() -> None:
    """Asked in that form alone, the wrong answer wins without a contest."""

    def script(index: int, text: str) -> str:
        return "plain 7" if text.startswith("plain") else answering(index, text)

    model = Scripted(script=script)
    alone = create_microstep(
        model, state=Count, prompt=lambda values: forms(values["at"])[0].prompt, answer=reader("plain"), into="next", k=4
    )
    varied = create_microstep(model, state=Count, variants=lambda values: forms(values["at"]), into="next", k=4)
    right = {True: 0, False: 0}
    for at in range(10, 50):
        right[True] += varied.invoke({"at": at})["next"] == at - 1
        right[False] += alone.invoke({"at": at})["next"] == at - 1
    assert right[False] == 0
    assert right[True] > 32, "one third of the samples is wrong: a lead of 4 is wrong on 1 in 17"
