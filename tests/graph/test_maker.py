"""The outer machine: runs to the end, resumes, and keeps its promise."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from maker_graph import Ladder, LimitReached, ProviderFailure, Undecided, UsageError, create_maker, p_full, strict_serializer
from maker_graph.core.canonical import canonical
from maker_graph.core.decision import Decision, decide
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Committed, Machine, MakerOutput
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.graph.maker import MOST_STEPS
from maker_graph.models.simulation import Simulator, profile_of
from maker_graph.models.simulation.model import SimulatedChatModel
from maker_graph.tasks import Hanoi, Records
from tests.conftest import Scripted, replies

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


class Foreseen(Countdown):
    """The same, which predicts its states by itself."""

    def draft(self, state: int, n: int) -> list[int]:
        return [state - 1 - place for place in range(n)]


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
        ({"on_undecided": "rasie"}, "on_undecided must be"),
        ({"samples_per_segment": 0}, "samples_per_segment"),
        ({"steps_per_segment": 2.5}, "steps_per_segment"),
        ({"ladder": "high"}, "ladder must be"),
        ({"ladder": Ladder(temperature=True)}, "A temperature must be"),
        ({"check": "yes"}, "check must be True or False"),
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

    for task, problem in (
        (Countdown, "a class: make an instance of it"),
        (Odd(), r"Odd.apply\(state, answer\)"),
        (3, "is not a task: a task has start"),
    ):
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


class Circle(Countdown):
    """Goes round in circles."""

    def done(self, state: int) -> bool:  # noqa: ARG002
        return False

    def apply(self, state: int, answer: int) -> int:  # noqa: ARG002
        return answer % 3

    def draft(self, state: int, n: int) -> list[int]:
        return [(state - 1 - i) % 3 for i in range(n)]


@pytest.mark.parametrize("lookahead", [1, 4])
async def test_a_task_that_goes_round_in_circles_stops_at_the_limit_with_all_its_steps_and_a_higher_one_goes_on(
    lookahead: Any,
) -> None:
    saver, drawn = InMemorySaver(), list[str]()

    def counted(index: int, text: str) -> str:
        drawn.append(text)
        return counting(index, text)

    def machine(most: int) -> Any:
        model = Scripted(script=counted)
        return create_maker(Circle(2), model=model, k=1, max_steps=most, lookahead=lookahead).compile(checkpointer=saver)

    with pytest.raises(LimitReached, match=r"limit of 5 steps is reached.*--max-steps"):
        machine(5).invoke({}, CONFIG)
    assert (machine(5).get_state(CONFIG).values["step"], len(drawn)) == (5, 5), "nothing is drawn beyond the limit"
    with pytest.raises(LimitReached, match="limit of 5"):
        machine(5).invoke({}, CONFIG)
    with pytest.raises(LimitReached, match="limit of 7"):
        await machine(7).ainvoke({}, CONFIG)
    assert (machine(7).get_state(CONFIG).values["step"], len(drawn)) == (7, 7)


def test_the_limit_on_steps_is_what_the_task_says_and_a_whole_number() -> None:
    unknown: Any = create_maker(Countdown(3), model=Scripted(script=counting), k=1).compile()
    assert unknown.supersteps == 3 * 2 * MOST_STEPS + 2
    with pytest.raises(LimitReached, match="limit of 3 steps"):
        create_maker(Hanoi(2 + 2), model="sim:perfect", k=1, max_steps=3).compile().invoke({})
    assert create_maker(Hanoi(2), model="sim:perfect", k=1, max_steps=3).compile().invoke({})["done"]
    with pytest.raises(UsageError, match="max_steps must be a whole number"):
        create_maker(Hanoi(2), model="sim:perfect", max_steps=0)


def test_a_legal_wrong_move_can_win_and_then_the_run_ends_at_total_without_its_goal() -> None:
    model = SimulatedChatModel(simulator=Simulator(profile_of("perfect,error=1,favourite=1")))
    result = create_maker(Hanoi(3), model=model, k=2).compile().invoke({})
    assert (result["step"], result["done"]) == (7, True)
    assert result["state"]["pegs"] != [[], [], [3, 2, 1]]


def test_no_run_asks_what_is_right_or_whether_the_goal_is_reached() -> None:
    class Secretive(Hanoi):
        def truth(self, state: Any) -> Any:
            pytest.fail(f"truth was asked in {state}")

        def goal(self, state: Any) -> bool:
            pytest.fail(f"goal was asked in {state}")

    for lookahead in (1, 3):
        maker = create_maker(Secretive(3), model="sim:perfect", k=1, lookahead=lookahead).compile()
        assert maker.invoke({})["done"]


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


class Kept:
    """A log in memory, which may be handed on to another process."""

    def __init__(self, task: Any, until: int | None = None) -> None:
        self.at = Machine(task).begin()
        self.until = until

    def position(self) -> MakerOutput:
        return self.at

    def append(self, committed: Sequence[Committed]) -> None:
        assert committed[0].after["step"] == self.at["step"] + 1
        self.at = committed[-1].after
        if self.at["step"] == self.until:
            self.until = None
            raise KeyboardInterrupt  # as if the process had ended here


@pytest.mark.parametrize("lookahead", [1, 3])
def test_whoever_resumes_a_checkpoint_behind_the_log_goes_on_where_the_log_ends(lookahead: int) -> None:
    saver, log = InMemorySaver(), Kept(Countdown(5), until=3)
    model = Scripted(script=counting)
    made = create_maker(Countdown(5), model=model, k=2, log=log, lookahead=1).compile(checkpointer=saver)
    with pytest.raises(KeyboardInterrupt):
        made.invoke({}, CONFIG, durability="sync")
    behind = [each for each in made.get_state_history(CONFIG) if each.next and each.values]
    assert {each.next for each in behind} == {("microstep",), ("commit",)}
    for each in behind:
        fresh, again = Scripted(script=counting), Kept(Countdown(5))
        again.at = log.at
        maker = create_maker(Foreseen(5), model=fresh, k=2, log=again, lookahead=lookahead, steps_per_segment=9)
        result = maker.compile(checkpointer=saver).invoke(None, each.config)
        assert (result["step"], result["done"], result["digest"]) == (5, True, again.at["digest"])
        assert len(fresh.log) == 2 * 2, "the steps that the log has are not voted on again"


def test_a_step_that_waits_for_a_person_and_is_in_the_log_by_now_is_not_asked_again() -> None:
    saver, log = InMemorySaver(), Kept(Countdown(2))
    maker = create_maker(Countdown(2), model=Scripted(script=replies("?")), log=log, ladder=None, on_undecided="interrupt")
    app = maker.compile(checkpointer=saver)
    assert "__interrupt__" in app.invoke({}, CONFIG)
    log.at = Machine(Countdown(2)).advance(log.at, decided("1"))
    assert app.get_state(CONFIG).next == ("escalate",)
    (question,) = app.invoke(None, CONFIG)["__interrupt__"]
    assert question.value["prompt"] == [{"role": "human", "content": "1"}]


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
