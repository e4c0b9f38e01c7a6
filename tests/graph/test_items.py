"""Independent items through the graph: wide by default, committed in order, and none holds up another."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from maker_graph import LimitReached, ProviderFailure, Undecided, create_maker
from maker_graph.core.decision import Decision
from maker_graph.core.items import Items
from maker_graph.core.machine import MakerOutput
from maker_graph.journal.entry import decode
from tests.conftest import Scripted
from tests.graph.test_lookahead import Kept, Slow


class Words(Items):
    """Words to be written in upper case; a program knows those that have no letter."""

    def __init__(self, *items: str) -> None:
        self.items = items

    def given(self, item: str) -> Any:
        return None if any(map(str.isalpha, item)) else item

    def prompt(self, item: str) -> str:
        return item

    def check(self, item: str, answer: Any) -> bool:
        return bool(item.lower() == answer.lower())


class Log(Kept):
    """A log in memory, which also keeps what was decided before its turn."""

    ahead: Mapping[int, Decision] = {}

    def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
        self.ahead = dict(decided)

    def decided_ahead(self) -> Mapping[int, Decision]:
        return {step: decision for step, decision in self.ahead.items() if step > self.at["step"]}


def upper(_: int, text: str) -> str:
    return "?" if "stuck" in text else text.upper()


def run(task: Items, log: Log | None = None, *, concurrency: int | None = None, blocking: bool = False, **settings: Any) -> Log:
    log = log or Log(task)
    graph = create_maker(task, log=log, **{"k": 2, "max_samples": 4, **settings}).compile()
    config: Any = {} if concurrency is None else {"max_concurrency": concurrency}
    if blocking:
        graph.invoke({}, config)
    else:
        asyncio.run(graph.ainvoke({}, config))
    return log


def answers(log: Log) -> list[Any]:
    return [decode(entry)["answer"] for entry in log.entries]


WORDS = Words("one", "2", "three", "4", "five", "stuck", "seven")


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("settings", [{}, {"concurrency": 1}, {"lookahead": 1}, {"lookahead": 3}, {"steps_per_segment": 3}])
def test_all_items_are_answered_and_one_that_is_stuck_is_left_open(settings: dict[str, Any], *, blocking: bool) -> None:
    log = Log(WORDS)
    while not log.at["done"]:
        run(WORDS, log, model=Scripted(script=upper), blocking=blocking, **settings)
    assert answers(log) == ["ONE", "2", "THREE", "4", "FIVE", None, "SEVEN"]
    decisions = [decode(entry) for entry in log.entries]
    assert [each["by"] for each in decisions] == ["base", "program", "base", "program", "base", "temperature", "base"]
    assert [vote["samples"] for vote in (*decisions[5]["tried"], decisions[5])] == [4, 4], "each rung has its own ballot"
    assert log.at["totals"]["undecided"] == 1


def test_the_state_does_not_grow_and_says_which_item_is_next() -> None:
    graph = create_maker(WORDS, model=Scripted(script=upper), k=1, steps_per_segment=2).compile()
    result = asyncio.run(graph.ainvoke({}))
    assert result["state"] == {"item": 2}
    assert set(result) == set(MakerOutput.__annotations__)


def test_as_many_items_are_in_flight_as_the_limit_on_samples_allows() -> None:
    flying: Counter[str] = Counter()
    most: list[int] = []

    class Counting(Slow):
        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            flying["now"] += 1
            most.append(flying["now"])
            try:
                return await super()._agenerate(messages, stop, run_manager, **kwargs)
            finally:
                flying["now"] -= 1

    task = Words(*(f"word {number}" for number in range(40)))
    run(task, model=Counting(script=upper, seconds=lambda _: 0.01), concurrency=9)
    assert max(most) == 8, "four items of two samples"
    most.clear()
    run(task, model=Counting(script=upper, seconds=lambda _: 0.01))
    assert max(most) == 64, "32 items"


def test_nothing_is_drawn_in_vain_beside_items_that_are_stuck() -> None:
    drawn: list[str] = []

    def script(index: int, text: str) -> str:
        drawn.append(text)
        return upper(index, text)

    task = Words(*(f"stuck {number}" if number % 20 == 0 else f"word {number}" for number in range(400)))
    log = run(task, model=Slow(script=script, seconds=lambda text: 0.001 * (len(text) % 3)), concurrency=64)
    assert len(drawn) == log.at["totals"]["samples"] == 20 * 8 + 380 * 2
    assert log.at["totals"]["undecided"] == 20


def test_a_slow_item_stops_the_beginning_of_others_only_four_widths_later() -> None:
    asked: list[str] = []

    def script(_: int, text: str) -> str:
        asked.append(text)
        return text.upper()

    def seconds(text: str) -> float:
        return 1.0 if text == "word 1" else 0.0

    async def watched() -> int:
        graph = create_maker(task, model=Slow(script=script, seconds=seconds), k=1, lookahead=4).compile()
        work = asyncio.ensure_future(graph.ainvoke({}))
        await asyncio.sleep(0.6)
        found = len(asked)
        await work
        return found

    task = Words(*(f"word {number}" for number in range(100)))
    assert asyncio.run(watched()) == 1 + 16 + 2, "the first one, sixteen that wait, and those that were in flight then"


@pytest.mark.parametrize("blocking", [True, False])
def test_what_was_decided_before_a_failure_is_committed_or_kept_and_never_paid_for_again(*, blocking: bool) -> None:
    drawn: Counter[str] = Counter()
    broken = True

    def script(_: int, text: str) -> AIMessage:
        drawn[text] += 1
        if broken and text == "word 7":
            if blocking:
                time.sleep(0.3)  # so that others are decided meanwhile
            raise ProviderFailure("down")
        return AIMessage(text.upper())

    task = Words(*(f"word {number}" for number in range(30)))
    log = Log(task)
    with pytest.raises(ProviderFailure, match="down"):
        run(task, log, model=Scripted(script=script), blocking=blocking, ladder=None, lookahead=6)
    assert len(log.entries) == 7
    assert len(log.ahead) > 0
    broken = False
    run(task, log, model=Scripted(script=script), blocking=blocking, ladder=None, lookahead=6)
    assert answers(log) == [item.upper() for item in task.items]
    again = {text for text, number in drawn.items() if number != 2}
    assert "word 7" in again
    assert len(again) <= 6, "only what was in flight"


def refusing(scope: Any) -> Any:
    def reply(_: int, text: str) -> str:
        if "long" in text:
            raise ProviderFailure("too long", 400, scope)
        return text.upper()

    return reply


@pytest.mark.parametrize("blocking", [True, False])
def test_an_item_whose_question_is_not_accepted_is_left_open_and_the_others_go_on(*, blocking: bool) -> None:
    log = run(Words("a", "long", "b", "long too", "c"), model=Scripted(script=refusing("step")), blocking=blocking)
    assert answers(log) == ["A", None, "B", None, "C"]
    assert [decode(entry)["status"] for entry in log.entries] == ["decided", "undecided"] * 2 + ["decided"]
    with pytest.raises(ProviderFailure, match="too long"):
        run(Words("a", "long", "b"), model=Scripted(script=refusing("run")), blocking=blocking)


def test_where_no_question_is_accepted_the_run_stops() -> None:
    with pytest.raises(ProviderFailure, match="too long"):
        run(Words(*["long"] * 300), model=Scripted(script=refusing("step")), concurrency=1)


def test_under_a_limit_that_is_nearly_reached_each_invocation_commits_an_item() -> None:
    left = 0

    def script(_: int, text: str) -> AIMessage:
        nonlocal left
        if left == 0:
            raise LimitReached("no more")
        left -= 1
        return AIMessage(text.upper())

    task = Words(*(f"word {number}" for number in range(6)))
    log = Log(task)
    for _ in range(12):
        left, before = 2, len(log.entries)
        if log.at["done"]:
            break
        try:
            run(task, log, model=Scripted(script=script), ladder=None)
        except LimitReached:
            assert len(log.entries) > before
    assert answers(log) == [item.upper() for item in task.items]


def test_a_cancel_keeps_what_was_decided() -> None:
    task = Words(*(f"word {number}" for number in range(20)))
    log = Log(task)
    model = Slow(script=upper, seconds=lambda text: 9.0 if text == "word 5" else 0.0)

    async def cancelled() -> None:
        graph = create_maker(task, log=log, model=model, k=2).compile()
        work = asyncio.ensure_future(graph.ainvoke({}))
        while len(log.entries) < 5:  # noqa: ASYNC110  the log tells nobody
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(cancelled())
    assert len(log.entries) == 5
    assert list(log.ahead) == list(range(7, 21))


def test_an_open_item_ends_the_run_if_that_is_asked_for() -> None:
    log = Log(WORDS)
    with pytest.raises(Undecided):
        run(WORDS, log, model=Scripted(script=upper), on_undecided="raise")
    assert len(log.entries) == 5


def test_a_person_is_asked_about_an_open_item_if_that_is_asked_for() -> None:
    maker = create_maker(WORDS, model=Scripted(script=upper), k=2, max_samples=4, on_undecided="interrupt")
    app = maker.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    asked = app.invoke({}, config)["__interrupt__"][0].value
    assert asked["prompt"] == [{"role": "human", "content": "stuck"}]
    again = app.invoke(Command(resume="other"), config)["__interrupt__"][0].value
    assert "invalid" in again["problem"], "it is read and checked as a model's"
    result = app.invoke(Command(resume="STUCK"), config)
    assert (result["step"], result["done"], result["totals"]["undecided"]) == (7, True, 0)


def test_the_drawing_shows_the_items_and_the_vote_on_one() -> None:
    graph = create_maker(WORDS, model=Scripted(script=upper)).compile()
    drawn = graph.get_graph(xray=True)
    assert {"start", "commit", "items:sample", "items:red_flag", "items:vote"} <= set(drawn.nodes)
    plain = {(edge.source, edge.target) for edge in graph.get_graph().edges}
    assert plain == {
        ("__start__", "start"),
        ("start", "items"),
        ("start", "__end__"),
        ("items", "commit"),
        ("commit", "items"),
        ("commit", "__end__"),
    }


class Names(BaseCallbackHandler):
    """Hears the names of all that is run."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:  # noqa: ARG002  LangChain's
        self.heard[str(kwargs.get("name"))] += 1


@pytest.mark.parametrize("blocking", [True, False])
def test_who_listens_hears_each_vote_as_the_compiled_microstep(*, blocking: bool) -> None:
    names = Names()
    graph = create_maker(WORDS, model=Scripted(script=upper), k=2, max_samples=4).compile()
    config: Any = {"callbacks": [names]}
    result = graph.invoke({}, config) if blocking else asyncio.run(graph.ainvoke({}, config))
    assert (names.heard["step 1"], names.heard["step 6"]) == (1, 2), "and each rung"
    assert names.heard["step 2"] == 0, "nobody voted"
    assert names.heard["sample"] == result["totals"]["samples"] == 4 * 2 + 2 * 4


def test_each_decision_goes_to_the_custom_stream() -> None:
    graph = create_maker(WORDS, model=Scripted(script=upper), k=2, max_samples=4).compile()
    told = [each["decision"]["answer"] for each in graph.stream({}, stream_mode="custom")]
    assert told == ["ONE", "2", "THREE", "4", "FIVE", None, "SEVEN"]


@pytest.mark.parametrize("at_the_end", ["return", "interrupt"])
def test_whoever_resumes_a_checkpoint_behind_the_log_goes_on_where_the_log_ends(at_the_end: Any) -> None:
    saver, log, model = InMemorySaver(), Log(WORDS), Scripted(script=upper)
    made = create_maker(WORDS, model=model, k=2, log=log, max_samples=4, steps_per_segment=3).compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}
    for _ in range(3):
        made.invoke({}, config, durability="sync")
    drawn = len(model.log)
    for each in [each for each in made.get_state_history(config) if each.next and each.values]:
        again = create_maker(WORDS, model=model, k=2, log=log, max_samples=4, on_undecided=at_the_end)
        assert again.compile(checkpointer=saver).invoke(None, each.config)["done"]
    assert len(model.log) == drawn
    assert len(log.entries) == 7
