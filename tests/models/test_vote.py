"""A vote on what any function replies, without a graph: the same decision as the microstep's."""

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from maker_graph import Invalid, Sample, Undecided, UsageError, avote, create_microstep, vote
from tests.conftest import Scripted, replies


def of(*texts: Any) -> Any:
    return lambda i: texts[min(i, len(texts) - 1)]


@pytest.mark.parametrize(
    "texts", [("a", "a", "a"), ("a", "b", "", "a", "b", "a", "a", "a"), ("b", "a", "b", "a", "b", "b", "b")]
)
def test_the_decision_is_the_microsteps_to_the_letter(texts: tuple[str, ...]) -> None:
    node = create_microstep(Scripted(script=replies(*texts)), k=3, decision="decision")
    expected = node.invoke({"messages": [("user", "?")]})["decision"]
    decision = vote(of(*texts), k=3)
    assert {**decision, "usage": None, "lengths": None} == {**expected, "usage": None, "lengths": None}


async def test_awaited_replies_are_drawn_at_once_and_counted_in_the_order_of_their_numbers() -> None:
    waiting = 0
    most = 0

    async def draw(i: int) -> str:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0.02 if i == 0 else 0)
        waiting -= 1
        return "late" if i == 0 else "soon"

    decision = await avote(draw, k=2)
    assert most == 2
    assert (decision["answer"], list(decision["ballot"])) == ("soon", ['"late"', '"soon"'])


def test_blocking_replies_are_drawn_at_once_too() -> None:
    barrier = threading.Barrier(3, timeout=10)

    def draw(_: int) -> str:
        barrier.wait()
        return "7"

    assert vote(draw, k=3, answer=int)["answer"] == 7


def test_a_message_says_how_it_ended_and_a_sample_what_its_writer_knows() -> None:
    cut = AIMessage("Par", response_metadata={"finish_reason": "length"})
    decision = vote(of(cut, Sample(0, "Par", finish="length"), "Paris"), k=2)
    assert (decision["answer"], decision["flags"]) == ("Paris", {"truncated": 2})


def test_check_and_key_are_the_callers() -> None:
    def check(answer: int) -> bool:
        if answer < 0:
            raise Invalid("It is negative.")
        return True

    decision = vote(of("-1", "3", "13"), k=2, answer=int, check=check, key=lambda n: n % 10)
    assert (decision["answer"], decision["flags"]) == (3, {"invalid": 1})


def test_undecided_raises_or_is_returned_with_its_reason() -> None:
    with pytest.raises(Undecided, match="within 4 samples"):
        vote(of("a", "b", "a", "b"), k=2, max_samples=4)
    assert vote(of("a", "b", "a", "b"), k=2, max_samples=4, on_undecided="return")["status"] == "undecided"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [(None, "NoneType"), (b"7", "bytes"), ({"content": "7"}, "dict"), (type("C", (), {"choices": []})(), "choices")],
)
def test_what_is_no_reply_is_refused_by_its_type(reply: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        vote(of(reply))


async def test_a_coroutine_function_is_for_avote_and_a_plain_one_for_vote() -> None:
    async def draw(_: int) -> str:
        return "7"

    with pytest.raises(UsageError, match="avote"):
        vote(draw)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="vote"):
        await avote(lambda _: "7")  # type: ignore[arg-type,return-value]


def test_what_a_draw_raises_comes_out_as_it_is() -> None:
    def draw(_: int) -> str:
        raise ConnectionError("down")

    with pytest.raises(ConnectionError, match="down"):
        vote(draw)


async def test_what_an_awaited_draw_raises_comes_out_as_it_is_and_the_others_are_cancelled() -> None:
    cancelled = []

    async def draw(i: int) -> str:
        if i == 0:
            raise ConnectionError("down")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(i)
            raise
        return ""

    with pytest.raises(ConnectionError, match="down"):
        await avote(draw)
    assert cancelled == [1, 2]


async def test_a_draw_that_has_no_more_replies_says_for_which_sample() -> None:
    some = iter(["a"])
    with pytest.raises(UsageError, match="no reply for sample 1"):
        vote(lambda _: next(some))
    with pytest.raises(UsageError, match="no reply for sample 0"):
        await avote(lambda _: next(some))  # type: ignore[arg-type]


def test_coroutines_that_nobody_awaits_are_closed() -> None:
    async def draw() -> str:
        return "7"

    with pytest.raises(UsageError, match="avote"):
        vote(lambda _: draw())  # type: ignore[arg-type,return-value]


def test_threads_see_what_the_caller_sees() -> None:
    mine: ContextVar[str] = ContextVar("mine", default="")
    mine.set("7")
    assert vote(lambda _: mine.get())["answer"] == "7"
