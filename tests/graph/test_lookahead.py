"""Lookahead: many microsteps in flight, and not one decision another."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from maker_graph import LimitReached, ProviderFailure, Undecided, UsageError, create_maker
from maker_graph.core.guarding import AnyTask
from maker_graph.core.machine import Committed, Machine, MakerOutput
from maker_graph.core.task import Task
from maker_graph.journal.entry import encode
from maker_graph.models.pricing import FlatPrice
from maker_graph.run.options import Prices, RunOptions
from maker_graph.run.solving import solve
from maker_graph.run.summary import summary
from maker_graph.tasks import Hanoi
from tests.conftest import Scripted
from tests.graph.test_maker import Countdown, counting
from tests.made import created, new_settings

WIDTHS: list[Any] = [2, 8, 32, "auto"]
ERRS = "sim:perfect,error=.15,rho=.05,flagged=.1,favourite=.8,latency=.0005"


class Kept:
    """A log in memory."""

    def __init__(self, task: AnyTask) -> None:
        self.at: MakerOutput = Machine(task).begin()
        self.entries: list[str] = []
        self.batches: list[int] = []

    def position(self) -> MakerOutput:
        return self.at

    def append(self, steps: Sequence[Committed]) -> None:
        for before, after in pairwise(steps):
            assert before.after == after.before
        self.entries += [encode(step.decision) for step in steps]
        self.batches.append(len(steps))
        self.at = steps[-1].after


class Foreseen(Countdown):
    """Counts down, and drafts what it is told to."""

    def __init__(self, start: int, wrong: Sequence[int] = ()) -> None:
        super().__init__(start)
        self.wrong = set(wrong)
        self.drafts: list[tuple[int, int]] = []

    def draft(self, state: int, n: int) -> list[int]:
        self.drafts.append((state, n))
        states = range(state - 1, max(state - 1 - n, 0), -1)
        return [each + 50 if each in self.wrong else each for each in states]


class Slow(Scripted):
    """Takes so many seconds for a prompt."""

    seconds: Callable[[str], float]

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        await asyncio.sleep(self.seconds(str(messages[-1].text)))
        return await super()._agenerate(messages, stop, run_manager, **kwargs)


def run(task: Task, **settings: Any) -> tuple[MakerOutput, Kept]:
    log = Kept(task)
    result = asyncio.run(create_maker(task, log=log, **settings).compile().ainvoke({}))
    return result, log  # type: ignore[return-value]


def decides_the_same(seed: int, lookaheads: Sequence[Any]) -> None:
    errs = f"{ERRS},draft_error={(0.0, 0.2, 0.9)[seed % 3]}"
    given: dict[str, Any] = {"model": errs, "k": 2, "seed": seed, "check": seed % 2 == 0, "ladder": None}
    result, log = run(Hanoi(3), **given)
    for lookahead in lookaheads:
        ahead, other = run(Hanoi(3), lookahead=lookahead, **given)
        assert (ahead, other.entries) == (result, log.entries), (seed, lookahead)


def test_60_seeds_decide_the_same_with_lookahead_under_random_latencies() -> None:
    for seed in range(60):
        decides_the_same(seed, [WIDTHS[seed % len(WIDTHS)]])


@pytest.mark.campaign
def test_200_seeds_decide_the_same_with_every_lookahead() -> None:
    for seed in range(200):
        decides_the_same(seed, WIDTHS)


@pytest.mark.parametrize("lookahead", WIDTHS)
def test_a_longer_task_ends_alike_with_invoke_too(lookahead: Any) -> None:
    given: dict[str, Any] = {"model": f"{ERRS},draft_error=.1", "k": 3, "seed": 3}
    plain, log = run(Hanoi(6), **given)
    ahead, other = run(Hanoi(6), lookahead=lookahead, **given)
    assert (ahead, other.entries) == (plain, log.entries)
    assert create_maker(Hanoi(6), lookahead=lookahead, **given).compile().invoke({}) == plain


def test_steps_are_committed_in_order_although_later_ones_are_decided_first() -> None:
    others = asyncio.Event()

    class SlowForOne(Scripted):
        async def _agenerate(
            self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> ChatResult:
            if messages[-1].text == "7":
                await others.wait()
                await asyncio.sleep(0.5)  # until the others' votes are counted
            reply = await super()._agenerate(messages, stop, run_manager, **kwargs)
            if len(self.log) == 7:
                others.set()
            return reply

    result, log = run(Foreseen(8), model=SlowForOne(script=counting), k=1, lookahead=8)
    assert (result["state"], log.at["step"]) == (0, 8)
    assert log.batches == [1, 7], "all that was decided behind the slow second step came with it, in one transaction"


def test_a_wrong_draft_costs_samples_and_nothing_else() -> None:
    def calls_of(task: Countdown, lookahead: Any) -> tuple[list[str], int]:
        model = Scripted(script=counting)
        _, log = run(task, model=model, k=1, lookahead=lookahead)
        return log.entries, len(model.log)

    plain, least = calls_of(Countdown(12), 1)
    assert calls_of(Foreseen(12), 4) == (plain, least), "a draft that holds costs no sample"
    entries, more = calls_of(Foreseen(12, wrong=[9, 4]), 4)
    assert entries == plain
    assert least < more <= least + 2 * 4


def test_votes_on_a_state_that_did_not_come_are_never_used() -> None:
    asked: list[str] = []

    def script(_: int, text: str) -> str:
        asked.append(text)
        return str(int(text) - 1)

    result, log = run(Foreseen(6, wrong=[3, 2, 1]), model=Scripted(script=script), k=1, lookahead=6)
    assert result["state"] == 0
    assert any(int(text) > 50 for text in asked), "the wrong states were voted on"
    assert not any('"5' in entry or entry.startswith("[5") for entry in log.entries[3:]), "and their answers dropped"


def test_the_next_draft_is_made_while_the_present_microsteps_vote() -> None:
    task = Foreseen(40)
    model = Scripted(script=counting, delay=lambda _: 0.01)
    run(task, model=model, k=1, lookahead=4)
    assert len(task.drafts) > 1
    assert [state for state, _ in task.drafts] == sorted((state for state, _ in task.drafts), reverse=True), "each goes on"


def test_a_step_that_is_stuck_climbs_the_ladder_and_what_is_in_flight_stays() -> None:
    def script(_: int, text: str) -> str:
        if text == "5":
            hot = model.log[-1]["temperature"] == 1.0
            return "4" if hot else "?"
        return str(int(text) - 1)

    model = Scripted(script=script)
    result, log = run(Foreseen(8), model=model, k=2, stuck_after=4, lookahead=8)
    assert result["state"] == 0
    assert [entry["index"] for entry in model.log].count(1) == 8 + 1, "each step was voted on once, the stuck one twice"
    assert '"temperature"' in log.entries[3]


def test_an_undecided_step_raises_when_it_is_its_turn_and_not_before() -> None:
    def script(_: int, text: str) -> str:
        return "?" if text == "3" else str(int(text) - 1)

    task = Foreseen(6)
    log = Kept(task)
    maker = create_maker(task, model=Scripted(script=script), k=1, stuck_after=3, ladder=None, lookahead=6, log=log).compile()
    with pytest.raises(Undecided):
        asyncio.run(maker.ainvoke({}))
    assert log.at["state"] == 3


@pytest.mark.parametrize("fails", ["draft", "done", "prompt", "apply", "plain"])
def test_what_a_task_raises_on_a_state_that_was_only_predicted_is_no_error(fails: str) -> None:
    class Fragile(Foreseen):
        def draft(self, state: int, n: int) -> list[Any]:
            if fails == "draft":
                raise KeyError(state)
            return [object()] if fails == "plain" else super().draft(state, n)

        def done(self, state: int) -> bool:
            if fails == "done" and state > 50:
                raise ValueError(state)
            return super().done(state)

        def prompt(self, state: int) -> str:
            if fails == "prompt" and state > 50:
                raise IndexError(state)
            return super().prompt(state)

        def apply(self, state: int, answer: int) -> int:
            if fails == "apply" and state > 50:
                raise ValueError(state)
            return super().apply(state, answer)

    result, _ = run(Fragile(12, wrong=[8, 3]), model=Scripted(script=counting), k=1, lookahead=6)
    assert (result["state"], result["step"]) == (0, 12)


def test_a_prompt_that_differs_only_in_what_messages_carry_beside_their_text_is_another() -> None:
    class Named:
        def start(self) -> str:
            return "a"

        def done(self, state: str) -> bool:
            return state == "e"

        def prompt(self, state: str) -> Any:
            return [HumanMessage("next", name=state)]

        def parse(self, text: str) -> str:
            return text

        def apply(self, _: str, answer: str) -> str:
            return answer

        def draft(self, _: str, n: int) -> list[str]:
            return ["oops"] * n

    class Reads(Scripted):
        def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
            text = chr(ord(messages[-1].name[0]) + 1)
            return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    result, log = run(Named(), model=Reads(script=lambda *_: ""), k=1, lookahead=4)
    assert (result["state"], len(log.entries)) == ("e", 4)


class Listed(Countdown):
    """Counts down, and has its next answers listed by a model."""

    def draft_prompt(self, state: int, n: int) -> str:
        return f"list {n} after {state}"

    def parse_draft(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]


def test_a_draft_that_is_slower_than_the_votes_is_of_use_all_the_same() -> None:
    class Late(Listed):
        pass

    def listing(_: int, text: str) -> str:
        n, state = (int(word) for word in text.split()[1::2])
        return " ".join(str(each) for each in range(state - 1, max(state - 1 - n, -1), -1))

    drafts = Scripted(script=listing, delay=lambda _: 0.08)
    model = Scripted(script=counting, delay=lambda _: 0.01)
    _, log = run(Late(40), model=model, draft_model=drafts, k=1, lookahead=8)
    assert (len(log.entries), len(model.log)) == (40, 40), "nothing is dropped where no draft is wrong"
    assert max(log.batches) > 1


def test_a_run_at_its_limit_commits_a_step_in_each_session(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 4}, "sim:perfect,latency=.002,error=.1", k=3)
    with created(tmp_path / "r", settings) as opened:
        for limit in range(30, 90, 15):
            before = opened.journal.step
            with pytest.raises(LimitReached):
                asyncio.run(solve(opened, RunOptions(lookahead=8, max_calls=limit)))
            assert opened.journal.step > before, limit


def test_what_is_in_flight_when_a_run_fails_is_cancelled() -> None:
    def script(_: int, text: str) -> str:
        if text == "6":
            raise ProviderFailure("out of order")
        return str(int(text) - 1)

    async def main() -> set[Any]:
        model = Scripted(script=script, delay=lambda _: 0.2)
        before = asyncio.all_tasks()
        with pytest.raises(ProviderFailure, match="out of order"):
            await create_maker(Foreseen(20), model=model, k=1, lookahead=8).compile().ainvoke({})
        return asyncio.all_tasks() - before

    assert asyncio.run(main()) == set()


async def test_an_invocation_that_is_cancelled_leaves_nothing_in_flight() -> None:
    model = Slow(script=counting, seconds=lambda text: 0.0 if text == "20" else 5.0)
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(create_maker(Foreseen(20), model=model, k=1, lookahead=8).compile().ainvoke({}))
    await asyncio.sleep(0.2)
    assert len(asyncio.all_tasks() - before) > 8
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


async def test_a_stream_that_is_left_leaves_nothing_in_flight() -> None:
    model = Scripted(script=counting, delay=lambda _: 0.05)
    before = asyncio.all_tasks()
    stream: Any = create_maker(Foreseen(30), model=model, k=1, lookahead=8).compile().astream({}, stream_mode="custom")
    async for _ in stream:
        break
    await stream.aclose()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("lookahead", ["auto", 16])
def test_no_more_samples_are_in_flight_than_the_concurrency_allows(lookahead: Any) -> None:
    flying = most = 0

    class Counting(Scripted):
        async def _agenerate(
            self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> ChatResult:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            try:
                return await super()._agenerate(messages, stop, run_manager, **kwargs)
            finally:
                flying -= 1

    confused = iter("???")

    def script(index: int, text: str) -> str:
        return (next(confused, "") if text == "20" else "") or counting(index, text)

    model = Counting(script=script, delay=lambda _: 0.02)
    maker = create_maker(Foreseen(40), model=model, k=3, stuck_after=3, lookahead=lookahead).compile()
    asyncio.run(maker.ainvoke({}, {"max_concurrency": 7}))
    assert 3 < most <= 6, "two microsteps of three samples"


def test_each_decision_goes_to_the_custom_stream_once_and_in_order() -> None:
    async def main() -> list[Any]:
        maker = create_maker(Foreseen(9, wrong=[5]), model=Scripted(script=counting), k=1, lookahead=4).compile()
        return [each["decision"]["answer"] async for each in maker.astream({}, stream_mode="custom")]

    assert asyncio.run(main()) == list(range(8, -1, -1))


def test_segments_end_where_they_would_and_no_state_holds_what_is_in_flight() -> None:
    log = Kept(Foreseen(10))
    maker = create_maker(
        Foreseen(10), model=Scripted(script=counting), k=1, lookahead=8, steps_per_segment=4, log=log
    ).compile()
    steps = [asyncio.run(maker.ainvoke({}))["step"] for _ in range(3)]
    assert steps == [4, 8, 10]


class Pure:
    """Writes down what is said, 20 times."""

    def start(self) -> Any:
        return {"n": 0, "log": []}

    def total(self) -> int:
        return 20

    def done(self, state: Any) -> bool:
        return bool(state["n"] >= 20)

    def prompt(self, state: Any) -> str:
        return f"count {state['n']}"

    def parse(self, text: str) -> Any:
        return [text]

    def apply(self, state: Any, answer: Any) -> Any:
        return {"n": state["n"] + 1, "log": [*state["log"], *answer]}

    def draft(self, state: Any, n: int) -> Any:
        for _ in range(n):
            state = Pure.apply(self, state, [f"v{state['n']}"])
            yield state


class InPlace(Pure):
    """The same, but each function changes what it is given."""

    def done(self, state: Any) -> bool:
        state["log"].clear()
        return super().done(state)

    def prompt(self, state: Any) -> str:
        asked = super().prompt(state)
        state["n"] += 1
        return asked

    def check(self, state: Any, answer: Any) -> bool:
        state["log"].append(answer.pop())
        return True

    def key(self, answer: Any) -> Any:
        return answer.pop()

    def apply(self, state: Any, answer: Any) -> Any:
        state["n"] += 1
        state["log"].append(answer.pop())
        return state

    def draft(self, state: Any, n: int) -> Any:
        drafted = [*super().draft(state, n)]
        state.clear()
        return drafted


@pytest.mark.parametrize("lookahead", [1, 2, 8, "auto"])
def test_a_task_that_changes_what_it_is_given_skips_no_step(lookahead: Any) -> None:
    model = Scripted(script=lambda _, text: f"v{text.split()[1]}")
    expected, log = run(Pure(), model=model, k=2)
    assert expected["state"] == {"n": 20, "log": [f"v{n}" for n in range(20)]}
    result, other = run(InPlace(), model=model, k=2, lookahead=lookahead)
    threads = create_maker(InPlace(), model=model, k=2, lookahead=lookahead).compile().invoke({})
    assert result == threads == expected
    assert len(other.entries) == len(log.entries) == 20


@pytest.mark.parametrize("lookahead", [0, -1, True, 1.5, "8"])
def test_a_lookahead_that_is_none_is_refused(lookahead: Any) -> None:
    with pytest.raises(UsageError, match="lookahead"):
        create_maker(Hanoi(3), model="sim:perfect", lookahead=lookahead)


def test_where_drafts_never_hold_next_to_none_are_made_until_they_do() -> None:
    task = Foreseen(400, wrong=range(100, 400))
    model = Scripted(script=counting)
    _, log = run(task, model=model, k=1, lookahead="auto")
    early = [state for state, _ in task.drafts if state > 100]
    assert len(early) < 40, "a probe now and then"
    assert len(model.log) < 400 * 1.25
    assert max(log.batches) > 4


def test_drafts_are_counted_and_priced_apart(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 5}, "sim:perfect,draft_error=.1", k=2)
    with created(tmp_path / "r", settings) as opened:
        asyncio.run(solve(opened, RunOptions(lookahead=8), prices=Prices(FlatPrice(1, 10), None, FlatPrice(0, 1000))))
        result = summary(opened)
        spent = opened.journal.account().spent
    drafts = result["drafts"]
    assert drafts["calls"] > 2
    assert spent.calls >= result["samples"] + drafts["calls"]
    assert drafts["tokens"]["output"] % 15 == 0
    assert drafts["cost_usd"] is not None
    assert drafts["cost_usd"] == pytest.approx(drafts["tokens"]["output"] * 1000 / 1e6)
    tokens = result["tokens"]
    assert result["cost_usd"] is not None
    most = drafts["cost_usd"] + (tokens["input"] + 10 * (tokens["output"] + 750 * (spent.calls - result["samples"]))) / 1e6
    assert drafts["cost_usd"] < result["cost_usd"] <= most + 1e-6, "votes that were cut short may be billed"
    assert result["votes"] == 31 * 2


def test_limits_hold_with_lookahead_and_the_run_goes_on_from_there(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 5}, "sim:perfect,draft_error=.1", k=2)
    with created(tmp_path / "r", settings) as opened:
        for limit in (20, 40, 60):
            with pytest.raises(LimitReached):
                asyncio.run(solve(opened, RunOptions(lookahead="auto", max_calls=limit)))
            assert opened.journal.account().spent.calls <= limit
        asyncio.run(solve(opened, RunOptions(lookahead="auto")))
        assert summary(opened)["verified"]


def test_tasks_and_what_is_kept_of_them_do_not_grow_with_the_steps() -> None:
    tasks: list[int] = []

    class Watched(Kept):
        def append(self, steps: Sequence[Committed]) -> None:
            super().append(steps)
            tasks.append(len(asyncio.all_tasks()))

    task = Foreseen(900)
    log = Watched(task)
    maker = create_maker(task, model=Scripted(script=counting), k=1, lookahead=16, steps_per_segment=300, log=log).compile()
    for _ in range(3):
        asyncio.run(maker.ainvoke({}))
    assert log.at["done"]
    half = len(tasks) // 2
    assert max(tasks[half:]) <= max(tasks[:half]) + 16
    assert max(tasks) < 16 * 6, "a vote in flight is a handful of tasks"
