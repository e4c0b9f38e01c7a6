"""The outer machine: runs to the end, resumes, and keeps its promise."""

import math
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

import maker_graph
from maker_graph import Ladder, ProviderFailure, Undecided, UsageError, create_maker, p_full, strict_serializer
from maker_graph.core.canonical import canonical
from maker_graph.core.decision import Decision, Reader, decide, judge
from maker_graph.core.machine import Committed, Machine, MakerOutput
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.models.simulation import Simulator, profile_of
from maker_graph.models.simulation.model import SimulatedChatModel
from maker_graph.run.settings import LadderSettings
from maker_graph.tasks import Hanoi, Records
from tests.conftest import Scripted, replies
from tests.made import new_settings

CONFIG: RunnableConfig = {"configurable": {"thread_id": "1"}}


class Countdown:
    """A task of the smallest kind: count down from `start`, one voted step each."""

    def __init__(self, start: int = 5) -> None:
        self._start = start

    def start(self) -> int:
        return self._start

    def done(self, state: int) -> bool:
        return state == 0

    def prompt(self, state: int) -> str:
        return str(state)

    def parse(self, text: str) -> int:
        return int(text)

    def apply(self, state: int, answer: int) -> int:  # noqa: ARG002
        return answer


def counting(_: int, text: str) -> str:
    return str(int(text) - 1)


def test_an_empty_input_starts_the_task_and_runs_to_its_end() -> None:
    maker = create_maker(Hanoi(4), model="sim:gpt-oss-20b", k=4, seed=1, max_tokens=2048).compile()
    result = maker.invoke({})
    assert result["state"]["pegs"] == [[], [], [4, 3, 2, 1]]
    assert (result["step"], result["done"]) == (15, True)
    assert set(result) == {"state", "step", "done", "digest", "totals"}


async def test_invoke_and_ainvoke_end_alike() -> None:
    maker = create_maker(Hanoi(4), model="sim:gpt-oss-20b", k=3, seed=1, max_tokens=2048).compile()
    assert await maker.ainvoke({}) == maker.invoke({})


def test_it_runs_to_the_end_of_more_steps_than_langgraphs_own_limit_allows() -> None:
    class Long(Countdown):
        def total(self) -> int:
            return self.start()

    def compiled(steps: int) -> Any:
        return create_maker(Long(steps), model=Scripted(script=counting), k=1).compile()

    assert compiled(30).invoke({}, {"recursion_limit": 3})["step"] == 30
    assert compiled(30).supersteps == 3 * 2 * 30 + 2, "enough for 30 steps, as was just seen"
    assert compiled(1_048_575).supersteps > 2 * 1_048_575
    assert [result["step"] for result in compiled(30).batch([{}, {}])] == [30, 30]


def test_steps_per_segment_end_an_invocation_early_and_the_next_goes_on() -> None:
    maker = create_maker(Countdown(5), model=Scripted(script=counting), steps_per_segment=2).compile(
        checkpointer=InMemorySaver()
    )
    seen = [maker.invoke({}, CONFIG)["step"] for _ in range(4)]
    assert seen == [2, 4, 5, 5]


def test_a_task_that_does_not_know_its_total_runs_to_its_end_too() -> None:
    assert create_maker(Countdown(30), model=Scripted(script=counting), k=1).compile().supersteps > 10**6  # type: ignore[attr-defined]  # a BoundedGraph


def test_states_and_answers_are_the_same_live_and_replayed() -> None:
    class Tuples(Countdown):
        def parse(self, text: str) -> Any:
            return {1: (int(text),)}

        def apply(self, state: int, answer: Any) -> Any:  # noqa: ARG002
            return answer["1"][0]

    assert create_maker(Tuples(3), model=Scripted(script=counting), k=2).compile().invoke({})["step"] == 3


def test_a_thread_belongs_to_one_task() -> None:
    saver = InMemorySaver()
    create_maker(Hanoi(3), model="sim:perfect", seed=1).compile(checkpointer=saver).invoke({}, CONFIG)
    with pytest.raises(UsageError, match="new thread"):
        create_maker(Hanoi(4), model="sim:perfect", seed=1).compile(checkpointer=saver).invoke({}, CONFIG)


def test_a_start_state_that_is_no_json_is_refused_with_a_sentence() -> None:
    class Odd(Countdown):
        def start(self) -> Any:
            return object()

    with pytest.raises(UsageError, match="start state of Odd"):
        create_maker(Odd(), model=Scripted(script=counting)).compile().invoke({})


def test_a_state_that_becomes_no_json_is_an_error_that_names_the_step() -> None:
    class Odd(Countdown):
        def apply(self, state: int, answer: int) -> Any:
            return {state} if answer == 2 else answer

    with pytest.raises(UsageError, match="The state after step 3 of Odd is not plain JSON: it holds a set"):
        create_maker(Odd(), model=Scripted(script=counting)).compile().invoke({})


def test_a_start_that_is_another_each_time_is_refused_before_anything_is_asked() -> None:
    class Random(Countdown):
        starts = iter(range(9))

        def start(self) -> int:
            return next(self.starts)

    model = Scripted(script=counting, log=[])
    with pytest.raises(UsageError, match="two different states"):
        create_maker(Random(), model=model).compile().invoke({})
    assert model.log == []


def test_what_a_user_wrote_is_asked_and_kept_whatever_it_holds() -> None:
    row = "5 Elm\u200b St.\u202e \x0c"

    class Rows(Countdown):
        def start(self) -> Any:
            return {"row": row, "left": 2}

        def done(self, state: Any) -> bool:
            return bool(state["left"] == 0)

        def prompt(self, state: Any) -> str:
            return f"{state['row']}{state['left']}"

        def parse(self, text: str) -> Any:
            return text

        def apply(self, state: Any, answer: Any) -> Any:
            return {"row": row + answer, "left": state["left"] - 1}

    asked: list[str] = []
    model = Scripted(script=lambda _, text: asked.append(text) or "a")  # type: ignore[func-returns-value]
    maker = create_maker(Rows(), model=model, k=1, seed=1).compile(checkpointer=InMemorySaver(serde=strict_serializer()))
    assert maker.invoke({}, CONFIG)["state"] == {"row": f"{row}a", "left": 0}
    assert asked == [f"{row}2", f"{row}a1"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"on_undecided": "rasie"}, "on_undecided is"),
        ({"samples_per_segment": 0}, "samples_per_segment"),
        ({"steps_per_segment": 2.5}, "steps_per_segment"),
        ({"ladder": "high"}, "ladder is"),
        ({"ladder": Ladder(temperature=True)}, "A temperature is"),
        ({"check": "yes"}, "check is True or False"),
        ({"k": 2.5}, "stopping rule"),
        ({"lookahead": True}, "lookahead"),
    ],
)
def test_a_wrong_setting_is_refused_when_building(settings: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        create_maker(Countdown(), model=Scripted(script=counting), **settings)


def test_a_task_of_another_form_is_refused_when_building() -> None:
    class Odd(Countdown):
        def apply(self, answer: int) -> int:  # type: ignore[override]  # the slip
            return answer

    for task, problem in ((Countdown, "a class: call it"), (Odd(), r"Odd.apply\(state, answer\)"), (3, "needs the functions")):
        with pytest.raises(UsageError, match=problem):
            create_maker(task, model=Scripted(script=counting))  # type: ignore[arg-type]  # the slip


def test_segments_and_one_run_end_with_the_same_digest() -> None:
    whole = create_maker(Countdown(5), model=Scripted(script=counting)).compile().invoke({})
    maker = create_maker(Countdown(5), model=Scripted(script=counting), steps_per_segment=1).compile(
        checkpointer=InMemorySaver()
    )
    for _ in range(5):
        result = maker.invoke({}, CONFIG)
    assert result == whole


def test_none_resumes_what_an_error_interrupted_without_a_step_done_twice() -> None:
    calls: list[str] = []
    broken = True

    def script(index: int, text: str) -> str:
        if broken and text == "3":
            raise ProviderFailure("down")
        calls.append(f"{text}.{index}")
        return counting(index, text)

    maker = create_maker(Countdown(5), model=Scripted(script=script)).compile(checkpointer=InMemorySaver())
    with pytest.raises(ProviderFailure):
        maker.invoke({}, CONFIG)
    broken = False
    assert maker.invoke(None, CONFIG)["step"] == 5
    assert len(calls) == len(set(calls)) == 15


def test_the_state_stays_as_small_as_the_task_whatever_the_steps() -> None:
    saver = InMemorySaver()
    maker = create_maker(Hanoi(7), model="sim:perfect", steps_per_segment=40, seed=1).compile(checkpointer=saver)
    sizes = []
    for _ in range(3):
        maker.invoke({}, CONFIG, durability="exit")
        sizes.append(len(canonical(maker.get_state(CONFIG).values)))
    assert max(sizes) < 1.1 * min(sizes)


def test_a_legal_wrong_move_can_win_and_then_the_run_ends_unverified_at_total() -> None:
    model = SimulatedChatModel(simulator=Simulator(profile_of("perfect,error=1,favourite=1")))
    result = create_maker(Hanoi(3), model=model, k=2).compile().invoke({})
    assert (result["step"], result["done"]) == (7, True)
    assert result["state"]["pegs"] != [[], [], [3, 2, 1]]


def test_illegal_answers_are_flagged_as_invalid_with_check_and_can_win_without() -> None:
    wrong = "move = [3, 0, 2]\nnext_state = [[1, 2], [], [3]]"
    with pytest.raises(Undecided) as caught:
        create_maker(Hanoi(3), model=Scripted(script=replies(wrong)), max_samples=20, ladder=None).compile().invoke({})
    assert caught.value.flags == {"invalid": 18}
    unchecked = create_maker(Hanoi(3), model=Scripted(script=replies(wrong)), check=False, steps_per_segment=1).compile()
    assert unchecked.invoke({})["state"]["pegs"] == [[1, 2], [], [3]]


def test_an_undecided_row_is_left_open_and_the_run_goes_on() -> None:
    rows = [{"address": a, "date": "3.4.24", "amount": "$5"} for a in ("1 Elm St., 10115 Kiel", "?", "2 Elm St., 10115 Kiel")]
    task = Records(rows)
    model = SimulatedChatModel(simulator=Simulator(profile_of("perfect")))
    known = [row["address"] for row in rows]

    def script(_: int, text: str) -> str:
        if f"Address: {known[1]}\n" in text:
            return "I cannot read this."
        return model.simulator.reply([("human", text)], seed=1, max_tokens=None).text

    result = create_maker(task, model=Scripted(script=script), max_samples=9).compile().invoke({})
    assert (result["step"], result["totals"]["undecided"], result["done"]) == (3, 1, True)


def test_an_undecided_step_can_be_answered_by_a_person() -> None:
    def script(index: int, text: str) -> str:
        return "?" if text == "3" else counting(index, text)

    maker = create_maker(Countdown(5), model=Scripted(script=script), max_samples=6, on_undecided="interrupt")
    app = maker.compile(checkpointer=InMemorySaver())
    assert app.invoke({}, CONFIG)["__interrupt__"][0].value["flags"] == {"malformed": 12}, "six on each rung"
    result = app.invoke(Command(resume="2"), CONFIG)
    assert (result["state"], result["step"], result["done"]) == (0, 5, True)


class Stubborn(Countdown):
    """A countdown that can ask in other words."""

    def rephrase(self, state: int, attempt: int) -> str:
        return f"In other words, attempt {attempt}: {state}"


def test_a_stuck_step_climbs_the_ladder_and_each_rung_votes_from_zero() -> None:
    """The model cannot read 3 at any temperature; it understands the rephrased prompt."""

    def script(_: int, text: str) -> str:
        return "?" if text == "3" else str(int(text.rpartition(" ")[2]) - 1)

    model = Scripted(script=script)
    seen: list[Any] = []

    class Seen:
        def position(self) -> Any:
            return Machine(Stubborn(4)).begin()

        def append(self, steps: Sequence[Committed]) -> None:
            seen.extend((step.before["step"] + 1, step.decision) for step in steps)

    app = create_maker(Stubborn(4), model=model, k=2, stuck_after=4, log=Seen()).compile()
    result = app.invoke({})
    assert (result["state"], result["done"]) == (0, True)
    assert [decision["by"] for _, decision in seen] == ["base", "rephrased", "base", "base"]
    stuck = seen[1][1]
    assert [vote["by"] for vote in stuck["tried"]] == ["base", "temperature"]
    assert [vote["flags"] for vote in stuck["tried"]] == [{"malformed": 4}, {"malformed": 4}]
    assert (stuck["ballot"], stuck["samples"]) == ({"2": 2}, 2), "no vote of an earlier rung is in the ballot"
    assert stuck["first_agrees"] is False
    assert result["totals"]["samples"] == 3 * 2 + 4 + 4 + 2
    assert result["totals"]["flags"] == {"malformed": 8}
    heats = [entry["temperature"] for entry in model.log]
    assert heats.count(1.0) == 4, "the first rung is hotter"


def test_votes_of_a_rung_that_failed_do_not_help_the_next_one() -> None:
    """Base: one vote for 1, then flags until it is stuck. The next rung must find its lead of 2 alone."""

    def script(index: int, _: str) -> str:
        return "1" if index == 0 else "?"

    with pytest.raises(Undecided) as caught:
        create_maker(Countdown(2), model=Scripted(script=script), k=2, stuck_after=3).compile().invoke({})
    assert caught.value.ballot == {"1": 1}, "one vote on each of two rungs is no lead of two"
    assert "Tried: base, temperature" in str(caught.value)


def test_a_stronger_model_answers_where_the_first_cannot_and_none_takes_a_rung_away() -> None:
    weak = Scripted(script=replies("?"))
    ladder = Ladder(temperature=None, rephrase=False, model=Scripted(script=counting))
    result = create_maker(Countdown(2), model=weak, k=2, max_samples=4, ladder=ladder).compile().invoke({})
    assert (result["done"], result["totals"]["samples"]) == (True, 2 * (4 + 2))


@pytest.mark.parametrize("own", ["same", (0.0, 0.1)])
def test_a_stronger_model_is_asked_at_the_runs_temperature_or_at_its_own(own: Any) -> None:
    strong = Scripted(script=counting)
    ladder = Ladder(temperature=None, rephrase=False, model=strong, model_temperature=own)
    create_maker(
        Countdown(1), model=Scripted(script=replies("?")), k=2, max_samples=4, temperature=0.7, ladder=ladder
    ).compile().invoke({})
    assert sorted(entry["temperature"] for entry in strong.log) == ([0.7, 0.7] if own == "same" else [0.0, 0.1])


def test_a_stronger_model_than_the_tiny_one_is_not_asked_at_its_temperature() -> None:
    tiny = partial(new_settings, "hanoi", {"disks": 3}, "tiny", ladder=LadderSettings(model="openai:gpt-4.1-mini"))
    assert (tiny().voting.temperature, tiny().ladder_temperature) == ((1.0, 1.0), "auto")
    assert tiny(temperature=(0.5, 0.5)).ladder_temperature == "same"


def test_with_a_seed_each_rung_draws_samples_of_its_own() -> None:
    model = Scripted(script=replies("?"))
    with pytest.raises(Undecided):
        create_maker(Countdown(1), model=model, k=2, max_samples=4, seed=7).compile().invoke({})
    seeds = [entry["seed"] for entry in model.log]
    assert len(seeds) == len(set(seeds)) == 8


def test_a_person_sees_the_prompt_the_ballot_and_the_last_replies() -> None:
    app = create_maker(
        Countdown(2), model=Scripted(script=replies("1", "?")), k=2, stuck_after=3, on_undecided="interrupt"
    ).compile(checkpointer=InMemorySaver())
    question = app.invoke({}, CONFIG)["__interrupt__"][0].value
    assert question["prompt"] == [{"role": "human", "content": "2"}]
    assert (question["ballot"], question["flags"]) == ({"1": 1}, {"malformed": 6})
    assert question["replies"] == ["?", "?", "?"]
    again = app.invoke(Command(resume="not a number"), CONFIG)["__interrupt__"][0].value
    assert "malformed" in again["problem"]
    (told, *_) = app.stream(Command(resume="1"), CONFIG, stream_mode="custom")
    assert (told["decision"]["by"], told["decision"]["answer"]) == ("person", 1)


def decided(text: str) -> Decision:
    how = Reader(parse=int, key=None, check=None, red_flags={})
    return decide([judge(Sample(0, text), how)], Voting(AheadBy(1)), 1)


def test_a_log_says_where_the_machine_goes_on_whatever_the_checkpoint_says() -> None:
    maker, saver = create_maker(Countdown(5), model=Scripted(script=counting), steps_per_segment=2), InMemorySaver()
    maker.compile(checkpointer=saver).invoke({}, CONFIG)
    at = Machine(Countdown(5)).begin()
    for text in ("4", "3"):
        at = Machine(Countdown(5)).advance(at, decided(text))

    class Ahead:
        def position(self) -> MakerOutput:
            return Machine(Countdown(5)).advance(at, decided("2"))

        def append(self, committed: Sequence[Committed]) -> None:
            steps.extend(step.after["step"] for step in committed)

    steps: list[int] = []
    create_maker(Countdown(5), model=Scripted(script=counting), log=Ahead()).compile(checkpointer=saver).invoke({}, CONFIG)
    assert steps == [4, 5]


def test_a_step_cannot_be_left_open_in_a_task_that_cannot_go_on_without_it() -> None:
    with pytest.raises(UsageError, match="skip"):
        create_maker(Hanoi(3), model="sim:perfect", on_undecided="return")


@pytest.mark.parametrize(
    ("task", "problem"), [(object(), "start, done, prompt, parse and apply"), (Hanoi(3), "steps_per_segment")]
)
def test_what_is_no_task_and_what_is_no_segment_is_refused(task: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        create_maker(task, model="sim:perfect", steps_per_segment=0)


def test_the_promise_is_kept_neither_more_nor_less() -> None:
    """p = .9, k = 2, no check, one rival: over 100 seeds at 3 disks the share of right runs is p_full, within its noise."""
    runs, right = 100, 0
    for seed in range(runs):
        model = SimulatedChatModel(simulator=Simulator(profile_of("perfect,error=0.1,favourite=1"), seed=seed))
        result = create_maker(Hanoi(3), model=model, k=2, check=False, seed=seed).compile().invoke({})
        right += result["state"]["pegs"][2] == [3, 2, 1]
    promised = p_full(0.9, 2, 7)
    assert 0.9 < promised < 0.93
    assert abs(right / runs - promised) < 3 * math.sqrt(promised * (1 - promised) / runs)


async def test_many_runs_at_once_do_not_mix() -> None:
    maker = create_maker(Hanoi(4), model="sim:gpt-oss-20b", k=3, seed=1, max_tokens=2048)
    alone = maker.compile().invoke({})
    configs: list[RunnableConfig] = [{"configurable": {"thread_id": str(n)}} for n in range(6)]
    assert await maker.compile(checkpointer=InMemorySaver()).abatch([{}] * 6, configs) == [alone] * 6

    class Both(TypedDict, total=False):
        three: Any
        four: Any

    def node(name: str, disks: int) -> Any:
        inner = create_maker(Hanoi(disks), model="sim:gpt-oss-20b", k=3, seed=1, max_tokens=2048).compile()

        async def run(_: Any) -> Any:
            return {name: await inner.ainvoke({})}

        return run

    graph = StateGraph(Both).add_node("a", node("three", 3)).add_node("b", node("four", 4))
    both = await graph.add_edge(START, "a").add_edge(START, "b").compile().ainvoke({})
    assert both["four"] == alone
    assert both["three"]["state"]["pegs"] == [[], [], [3, 2, 1]]


def test_the_drawing_shows_the_machine_and_the_vote_inside() -> None:
    picture = create_maker(Hanoi(3), model="sim:perfect").compile().get_graph(xray=True).draw_mermaid()
    for name in ("sample", "red_flag", "vote", "commit"):
        assert name in picture


class Stored(BaseCheckpointSaver[str]):
    """A saver of which only the serializer is looked at."""


def test_a_checkpointer_that_runs_what_its_database_says_is_refused_unless_trusted() -> None:
    for serde in (JsonPlusSerializer(allowed_msgpack_modules=True), JsonPlusSerializer(pickle_fallback=True)):
        with pytest.raises(UsageError, match="strict_serializer"):
            create_maker(Hanoi(3), model="sim:perfect").compile(checkpointer=Stored(serde=serde))
        create_maker(Hanoi(3), model="sim:perfect", trust_checkpoints=True).compile(checkpointer=Stored(serde=serde))
    create_maker(Hanoi(3), model="sim:perfect").compile(checkpointer=Stored(serde=strict_serializer()))
    create_maker(Hanoi(3), model="sim:perfect").compile(
        checkpointer=InMemorySaver(serde=JsonPlusSerializer(allowed_msgpack_modules=True))
    )


PERMISSIVE = JsonPlusSerializer(allowed_msgpack_modules=True)


@contextmanager
def sqlite(serde: Any) -> Iterator[SqliteSaver]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        yield SqliteSaver(connection, serde=serde)


class Around(TypedDict):
    state: Any


def around(maker: Any, checkpointer: Any) -> Any:
    """Return a graph with `checkpointer` of which the machine is a part."""
    return StateGraph(Around).add_node("maker", maker).add_edge(START, "maker").compile(checkpointer=checkpointer)


@pytest.mark.parametrize("lookahead", [1, 4])
@pytest.mark.parametrize("way", ["node", "called", "config", "later"])
def test_the_checkpointer_of_a_graph_around_the_machine_is_refused_in_the_same_words(lookahead: int, way: str) -> None:
    builder = create_maker(Hanoi(2), model="sim:perfect", k=1, lookahead=lookahead)
    maker: Any = builder.compile()
    config: Any = {"configurable": {"thread_id": "1"}}
    with sqlite(PERMISSIVE) as permissive, sqlite(strict_serializer()) as strict:
        with pytest.raises(UsageError) as at_once:
            builder.compile(checkpointer=permissive)

        def app(saver: Any) -> Any:
            if way == "config":  # as a server hands it in
                return maker.with_config(configurable={"__pregel_checkpointer": saver})
            if way == "later":
                return maker.copy(update={"checkpointer": saver})
            return around(maker if way == "node" else lambda _: {"state": maker.invoke({})["state"]}, saver)

        with pytest.raises(UsageError, match=re.escape(str(at_once.value))):
            app(permissive).invoke({}, config)
        assert app(strict).invoke({}, config)["state"]["pegs"] == [[], [], [2, 1]]


async def test_neither_a_machine_that_is_trusting_nor_one_that_keeps_no_checkpoints_refuses_it() -> None:
    saver = Saving(serde=PERMISSIVE)
    trusting = create_maker(Hanoi(2), model="sim:perfect", k=1, trust_checkpoints=True).compile()
    without = create_maker(Hanoi(2), model="sim:perfect", k=1).compile(checkpointer=False)
    refused = create_maker(Hanoi(2), model="sim:perfect", k=1).compile()
    for maker in (trusting, without):
        result = await around(maker, saver).ainvoke({}, {"configurable": {"thread_id": str(id(maker))}})
        assert result["state"]["pegs"] == [[], [], [2, 1]]
    with pytest.raises(UsageError, match="strict_serializer"):
        await around(refused, saver).ainvoke({}, {"configurable": {"thread_id": "refused"}})


class Saving(BaseCheckpointSaver[str]):
    """A saver that is not LangGraph's own in memory, and keeps things there."""

    def __init__(self, *, serde: Any) -> None:
        super().__init__(serde=serde)
        inner = InMemorySaver()
        for name in ("get_tuple", "aget_tuple", "put", "aput", "put_writes", "aput_writes", "list", "alist"):
            setattr(self, name, getattr(inner, name))

    def get_next_version(self, current: Any, channel: Any) -> Any:
        return InMemorySaver().get_next_version(current, channel)


def test_the_way_that_the_refusal_names_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    builder = create_maker(Hanoi(2), model="sim:perfect", k=1)
    with sqlite(PERMISSIVE) as permissive, pytest.raises(UsageError) as refusal:
        builder.compile(checkpointer=permissive)
    (named,) = re.findall(r"SqliteSaver\(.*\)\)", str(refusal.value))
    saver = eval(named, {"SqliteSaver": SqliteSaver, "sqlite3": sqlite3, "maker_graph": maker_graph})  # noqa: S307  our own words
    with closing(saver.conn):
        result = builder.compile(checkpointer=saver).invoke({}, {"configurable": {"thread_id": "1"}})
    assert result["done"]
    assert (tmp_path / "checkpoints.db").exists()
