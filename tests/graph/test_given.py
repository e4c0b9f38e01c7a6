"""A given answer is asked for once, and an action on the world only after its intent is kept."""

import asyncio
import threading
import time
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from maker_graph import PartFailed, UsageError, create_maker
from maker_graph.core.machine import Begun, Machine
from tests.conftest import Scripted

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
ECHO = Scripted(script=lambda _, text: text)


class Choose:
    def prompt(self, state: Any) -> str:
        return f"go {state}"

    def parse(self, text: str) -> str:
        return text


class Act:
    """Acts, and counts how often."""

    by = "world"

    def __init__(self) -> None:
        self.acts: list[Any] = []

    def answer(self, state: Any, step: int, run: str) -> Any:
        self.acts.append((state, step, run))
        return {"done": step}


class Page:
    """Chooses and acts in turn, three times each."""

    def __init__(self, act: Any = None) -> None:
        self.act = act or Act()
        self.parts: Any = {"choose": Choose(), "act": self.act}

    def start(self) -> int:
        return 0

    def part(self, state: int) -> str | None:
        return None if state == 6 else ("choose", "act")[state % 2]

    def apply(self, state: int, answer: Any) -> int:  # noqa: ARG002  the contract's
        return state + 1


class Kept:
    """An `ActionLog` in memory, which writes down in which order it was told what."""

    run_id = "run-7"

    def __init__(self, task: Any, begun: dict[int, Begun] | None = None) -> None:
        self.at = Machine(task).begin()
        self.told: list[tuple[str, int]] = []
        self.known = begun or {}

    def position(self) -> Any:
        return self.at

    def append(self, steps: Any) -> None:
        self.at = steps[-1].after
        self.told += [("commit", step.after["step"]) for step in steps]

    def begun(self, step: int) -> Begun | None:
        return self.known.get(step)

    def intend(self, step: int, part: str) -> None:
        assert part == "act"
        self.told.append(("intend", step))

    def performed(self, step: int, part: str, answer: Any, *, known: bool = True) -> None:
        assert part == "act"
        self.told.append(("performed", step))
        self.known[step] = Begun(known, answer, performed=True)


def test_each_action_is_performed_once_after_its_intent_is_kept() -> None:
    task = Page()
    log = Kept(task)
    assert create_maker(task, model=ECHO, k=1, log=log).compile().invoke({})["done"]
    assert task.act.acts == [(1, 2, "run-7"), (3, 4, "run-7"), (5, 6, "run-7")]
    of_two = [[("commit", step - 1), ("intend", step), ("commit", step)] for step in (2, 4, 6)]
    assert log.told == [each for two in of_two for each in two]


def test_an_action_that_is_in_the_log_is_not_performed_again_by_whoever_resumes_a_checkpoint_before_it() -> None:
    saver, task, again = InMemorySaver(), Page(), Page()
    log = Kept(task)
    maker = create_maker(task, model=ECHO, k=1, log=log).compile(checkpointer=saver)
    maker.invoke({}, CONFIG, durability="sync")
    for each in [each for each in maker.get_state_history(CONFIG) if each.next and each.values]:
        assert create_maker(again, model=ECHO, k=1, log=log).compile(checkpointer=saver).invoke(None, each.config)["done"]
    assert again.act.acts == []


def test_nothing_acts_when_the_intent_cannot_be_kept() -> None:
    class Full(Kept):
        def intend(self, step: int, part: str) -> None:
            raise UsageError(f"no room for {step} {part}")

    task = Page()
    with pytest.raises(UsageError, match="no room"):
        create_maker(task, model=ECHO, k=1, log=Full(task)).compile().invoke({})
    assert task.act.acts == []


def test_an_action_whose_answer_is_known_is_not_performed_again() -> None:
    task = Page()
    log = Kept(task, {2: Begun(known=True, answer={"done": "before"})})
    create_maker(task, model=ECHO, k=1, log=log).compile().invoke({})
    assert [step for _, step, _ in task.act.acts] == [4, 6]


def test_an_action_in_doubt_is_performed_again_unless_a_person_is_to_be_asked() -> None:
    task = Page()
    create_maker(task, model=ECHO, k=1, log=Kept(task, {2: Begun(known=False)})).compile().invoke({})
    assert [step for _, step, _ in task.act.acts] == [2, 4, 6]


@pytest.mark.parametrize(("reply", "acts"), [("again", [2, 4, 6]), ('{"done": 2}', [4, 6]), ({"done": 2}, [4, 6])])
def test_a_person_says_what_became_of_an_action_in_doubt(reply: Any, acts: list[int]) -> None:
    task = Page()
    log = Kept(task, {2: Begun(known=False)})
    maker = create_maker(task, model=ECHO, k=1, log=log, on_doubt="ask").compile(checkpointer=InMemorySaver())
    asked = maker.invoke({}, CONFIG)["__interrupt__"][0].value
    assert "step 2 (act)" in asked["question"]
    assert task.act.acts == []
    assert "neither 'again' nor JSON" in maker.invoke(Command(resume="{'done"), CONFIG)["__interrupt__"][0].value["problem"]
    assert maker.invoke(Command(resume=reply), CONFIG)["done"]
    assert [step for _, step, _ in task.act.acts] == acts


async def test_an_action_that_is_cancelled_is_waited_for_and_kept() -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow(Act):
        def answer(self, state: Any, step: int, run: str) -> Any:
            begun.set()
            assert go.wait(10)
            return super().answer(state, step, run)

    task = Page(Slow())
    log = Kept(task)
    maker = create_maker(task, model=ECHO, k=1, log=log).compile()
    work = asyncio.ensure_future(maker.ainvoke({}))
    await asyncio.to_thread(begun.wait, 10)
    work.cancel()
    await asyncio.sleep(0.05)
    assert not work.done()  # it waits for the action
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert log.told[-1] == ("performed", 2)
    await maker.ainvoke({})
    assert [step for _, step, _ in task.act.acts] == [2, 4, 6]


async def test_actions_may_be_awaited_and_then_need_ainvoke() -> None:
    class Awaited(Act):
        async def answer(self, state: Any, step: int, run: str) -> Any:
            await asyncio.sleep(0)
            return super().answer(state, step, run)

    task = Page(Awaited())
    maker = create_maker(task, model=ECHO, k=1, log=Kept(task)).compile()
    with pytest.raises(UsageError, match="coroutine function: run the graph with ainvoke"):
        maker.invoke({})
    again = Page(Awaited())
    assert (await create_maker(again, model=ECHO, k=1, log=Kept(again)).compile().ainvoke({}))["done"]
    assert len(again.act.acts) == 3


async def test_actions_of_a_plain_function_run_in_one_thread_and_leave_the_loop_free() -> None:
    threads, ticks = set(), 0

    class Blocking(Act):
        def answer(self, state: Any, step: int, run: str) -> Any:
            threads.add(threading.current_thread().name)
            time.sleep(0.05)
            return super().answer(state, step, run)

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    task = Page(Blocking())
    ticking = asyncio.ensure_future(tick())
    await create_maker(task, model=ECHO, k=1, log=Kept(task)).compile().ainvoke({})
    ticking.cancel()
    assert len(threads) == 1
    assert threading.main_thread().name not in threads
    assert ticks >= 10


@pytest.mark.parametrize("reply", ["again", '"mended"'])
def test_an_action_whose_answer_cannot_be_kept_is_not_performed_again_unasked(reply: str) -> None:
    class Odd(Act):
        def answer(self, state: Any, step: int, run: str) -> Any:
            made = super().answer(state, step, run)
            return {1, 2} if len(self.acts) == 1 else made

    task = Page(Odd())
    maker = create_maker(task, model=ECHO, k=1, log=Kept(task)).compile(checkpointer=InMemorySaver())
    with pytest.raises(UsageError, match=r"What Page\.parts"):
        maker.invoke({}, CONFIG)
    asked = maker.invoke({}, CONFIG)["__interrupt__"][0].value
    assert asked["question"] == "What did the action of step 2 (act) return?"
    assert [step for _, step, _ in task.act.acts] == [2]
    assert maker.invoke(Command(resume=reply), CONFIG)["done"]
    assert [step for _, step, _ in task.act.acts] == ([2, 2, 4, 6] if reply == "again" else [2, 4, 6])


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (lambda: {1, 2}, UsageError, r"What Page.parts\['act'\].answer returned is"),
        (lambda: 1 / 0, PartFailed, r"Page.parts\['act'\].answer failed with ZeroDivisionError"),
    ],
)
async def test_an_action_that_fails_is_told_with_its_part(answer: Any, error: Any, says: str) -> None:
    class Odd(Act):
        def answer(self, state: Any, step: int, run: str) -> Any:  # noqa: ARG002  the contract's
            return answer()

    task = Page(Odd())
    with pytest.raises(error, match=says):
        create_maker(task, model=ECHO, k=1, log=Kept(task)).compile().invoke({})
    with pytest.raises(error, match=says):
        await create_maker(task, model=ECHO, k=1, log=Kept(task)).compile().ainvoke({})


class Outer(TypedDict):
    """Of a graph around the machine."""

    done: bool


def test_without_a_journal_a_task_that_acts_needs_checkpoints_that_are_waited_for() -> None:
    task = Page()
    with pytest.raises(UsageError, match="compile the graph with a checkpointer"):
        create_maker(task, model=ECHO, k=1).compile().invoke({})
    maker = create_maker(task, model=ECHO, k=1).compile(checkpointer=InMemorySaver())
    for durability in ("async", "exit"):
        with pytest.raises(UsageError, match='with durability="sync"'):
            maker.invoke({}, CONFIG, durability=durability)
    around = StateGraph(Outer).add_node("page", create_maker(task, model=ECHO, k=1).compile()).add_edge(START, "page")
    nested = around.compile(checkpointer=InMemorySaver())
    with pytest.raises(UsageError, match="and the graph around it too"):
        nested.invoke({"done": False}, CONFIG)
    with pytest.raises(UsageError, match="compile the graph with a checkpointer"):
        around.compile().invoke({"done": False})
    assert task.act.acts == []
    assert maker.invoke({}, CONFIG)["done"]
    assert nested.invoke({"done": False}, CONFIG, durability="sync")["done"]
    assert [step for _, step, _ in task.act.acts] == [2, 4, 6] * 2
    assert {run for _, _, run in task.act.acts} == {"t"}


def test_without_a_journal_a_committed_action_is_not_performed_again() -> None:
    class Breaks(Act):
        broken = False

        def answer(self, state: Any, step: int, run: str) -> Any:
            if step == 4 and not self.broken:
                self.broken = True
                raise OSError("gone")
            return super().answer(state, step, run)

    task = Page(Breaks())
    maker = create_maker(task, model=ECHO, k=1).compile(checkpointer=InMemorySaver())
    with pytest.raises(PartFailed):
        maker.invoke({}, CONFIG)
    assert maker.invoke({}, CONFIG)["done"]
    assert [step for _, step, _ in task.act.acts] == [2, 4, 6]


def test_a_log_that_keeps_no_intents_is_refused() -> None:
    class Plain:
        position = append = None

    with pytest.raises(UsageError, match="its log must keep intents"):
        create_maker(Page(), model=ECHO, log=Plain())  # type: ignore[arg-type]  # the mistake
    with pytest.raises(UsageError, match="on_doubt='ask' needs a log"):
        create_maker(Page(), model=ECHO, on_doubt="ask")
    with pytest.raises(UsageError, match="on_doubt must be 'again' or 'ask'"):
        create_maker(Page(), model=ECHO, on_doubt="later")  # type: ignore[arg-type]  # the mistake


def test_drawing_and_looking_at_the_state_act_nothing() -> None:
    task = Page()
    maker = create_maker(task, model=ECHO, k=1).compile(checkpointer=InMemorySaver())
    maker.get_graph(xray=True)
    maker.get_state(CONFIG)
    assert task.act.acts == []
