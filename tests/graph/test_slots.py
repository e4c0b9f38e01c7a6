"""The slots of independent items alone, with a crew whose votes are decided by hand, and a clock of our own."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from maker_graph.core.decision import Decision, given
from maker_graph.core.guarding import guarded
from maker_graph.core.items import Items
from maker_graph.errors import UsageError
from maker_graph.graph.slots import GIVEN_WAITING, PACE, WAITING, Limits, Slots


class Numbers(Items):
    """Numbers, of which a program answers those that it is told to."""

    def __init__(self, number: int, *, known: range | tuple[int, ...] = ()) -> None:
        self.items = range(1, number + 1)
        self.known = known
        self.asked: list[int] = []

    def given(self, item: int) -> Any:
        self.asked.append(item)
        return {"is": item} if item in self.known else None

    def prompt(self, item: int) -> str:
        return str(item)

    def check(self, item: int, answer: Any) -> bool:
        return bool(answer == {"is": item})


class Hand:
    """A crew that does nothing by itself."""

    def __init__(self) -> None:
        self.votes: dict[int, Future[Any]] = {}

    def vote(self, state: Any, step: int) -> Future[Any]:
        assert state == {"item": step - 1}
        self.votes[step] = Future()
        return self.votes[step]

    def decide(self, *steps: int, samples: int = 2) -> None:
        for step in steps:
            self.votes[step].set_result({**given({"is": step}, "base"), "samples": samples})

    def leave_open(self, step: int) -> None:
        self.votes[step].set_result({**given(None, "base"), "status": "undecided", "candidate": None})

    @property
    def flying(self) -> list[int]:
        return [step for step, vote in self.votes.items() if not vote.done()]


class Bench:
    """Slots with all that is around them."""

    def __init__(self, task: Numbers, *, log: Any = None, **limits: Any) -> None:
        self.now = 0.0
        self.hand = Hand()
        self.slots = Slots(guarded(task), checked=True, log=log, clock=lambda: self.now)
        self.limits = Limits(**{"last": len(task.items), "width": 4, **limits})
        self.step = self.drawn = 0
        self.slots.follow(0, 0, self.limits, self.hand)

    def decide(self, *steps: int, samples: int = 2) -> None:
        self.hand.decide(*steps, samples=samples)

    def take(self, *, stops: bool = False) -> list[int]:
        """Return the numbers of what is committed now."""
        assert self.slots.ready()
        found = self.slots.take(stops=stops)
        first, self.step = self.step + 1, self.step + len(found)
        self.slots.follow(self.step, self.drawn, self.limits, self.hand)
        self.now += PACE
        return list(range(first, self.step + 1))


def test_the_first_item_votes_alone_and_then_all_slots_are_filled() -> None:
    bench = Bench(Numbers(20))
    assert not bench.slots.ready()
    assert bench.hand.flying == [1]
    bench.decide(1)
    assert bench.take() == [1]
    assert bench.hand.flying == [2, 3, 4, 5]


def test_items_are_committed_in_order_although_later_ones_end_first() -> None:
    bench = Bench(Numbers(20))
    bench.slots.ready()
    bench.decide(1)
    bench.take()
    bench.decide(3, 4)
    assert not bench.slots.ready()
    assert bench.hand.flying == [2, 5, 6, 7]
    bench.decide(2)
    assert bench.take() == [2, 3, 4]


def test_beside_a_slow_item_so_many_are_finished_and_then_nothing_new_begins() -> None:
    bench = Bench(Numbers(100))
    bench.slots.ready()
    bench.decide(1)
    bench.take()
    bench.slots.ready()
    while len(flying := bench.hand.flying) > 1:
        bench.decide(*flying[1:])
        assert not bench.slots.ready()
    assert len(bench.hand.votes) == 2 + WAITING * 4 + 2, "those in flight when it was full ended too"
    bench.decide(2)
    assert bench.take() == list(range(2, len(bench.hand.votes) + 1))


def test_an_item_that_is_left_open_holds_nothing_up() -> None:
    bench = Bench(Numbers(9))
    bench.slots.ready()
    bench.hand.leave_open(1)
    assert bench.take() == [1]
    assert bench.hand.flying == [2, 3, 4, 5]


def test_what_a_program_answers_takes_no_slot_and_waits_for_nobody() -> None:
    bench = Bench(Numbers(50, known=range(3, 51)))
    assert not bench.slots.ready()
    assert bench.hand.flying == [1]
    bench.decide(1)
    bench.take()
    bench.decide(2)
    assert bench.take() == list(range(2, 51))


def test_a_program_is_asked_once_about_an_item() -> None:
    task = Numbers(9, known=(2, 5))
    bench = Bench(task, width=1)
    for step in range(1, 10):
        if step not in task.known:
            bench.slots.ready()
            bench.decide(step)
        bench.slots.ready()
        if bench.step < step:
            bench.take()
    assert task.asked == list(range(1, 10))


def test_answers_of_a_program_that_wait_for_a_slow_item_are_bounded() -> None:
    task = Numbers(10**9, known=range(2, 10**9))
    bench = Bench(task)
    assert not bench.slots.ready()
    assert len(task.asked) == GIVEN_WAITING + 1


def test_one_at_a_time_nothing_begins_before_the_last_is_taken() -> None:
    bench = Bench(Numbers(9), width=1)
    for step in range(1, 10):
        assert not bench.slots.ready()
        assert bench.hand.flying == [step]
        bench.decide(step)
        assert bench.slots.ready()
        assert bench.hand.flying == []
        assert bench.take() == [step]


def test_a_finished_item_waits_a_moment_for_others_but_not_if_nobody_is_at_work() -> None:
    bench = Bench(Numbers(3))
    bench.slots.ready()
    bench.decide(1)
    bench.take()
    bench.now -= PACE / 2
    bench.slots.ready()
    bench.decide(2)
    assert not bench.slots.ready()
    assert bench.slots.patience() == pytest.approx(PACE / 2)
    bench.decide(3)
    assert bench.take() == [2, 3]


def test_nothing_begins_beyond_the_last_item_of_an_invocation() -> None:
    bench = Bench(Numbers(9), last=2)
    bench.slots.ready()
    bench.decide(1)
    bench.take()
    bench.decide(2)
    assert bench.take() == [2]
    assert list(bench.hand.votes) == [1, 2]


def test_what_fails_raises_once_all_before_it_is_taken_and_nothing_new_begins() -> None:
    bench = Bench(Numbers(20))
    bench.slots.ready()
    bench.decide(1)
    bench.take()
    bench.hand.votes[3].set_exception(ValueError("three"))
    bench.decide(4)
    assert not bench.slots.ready()
    assert bench.hand.flying == [2, 5]
    bench.decide(2)
    assert bench.take() == [2]
    assert bench.slots.ready()
    with pytest.raises(ValueError, match="three"):
        bench.slots.take(stops=False)
    assert bench.hand.flying == [5]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"is": 9}, "check refuses"),
        ({1, 2}, "cannot be kept"),
        (float("nan"), "cannot be kept"),
        (ZeroDivisionError(), "given failed"),
    ],
)
def test_an_answer_of_a_program_that_is_none_is_an_error_at_its_item(answer: Any, said: str) -> None:
    class Odd(Numbers):
        def given(self, item: int) -> Any:
            if item == 2 and isinstance(answer, Exception):
                raise answer
            return answer if item == 2 else None

    bench = Bench(Odd(9))
    bench.slots.ready()
    bench.decide(1)
    assert bench.take() == [1]
    with pytest.raises(UsageError, match=said):
        bench.take()


def test_an_invocation_ends_by_its_samples_only_when_nothing_is_in_flight() -> None:
    bench = Bench(Numbers(100), samples=12, each=5)
    bench.slots.ready()
    bench.decide(1)
    bench.take()
    assert len(bench.hand.flying) == 2, "two may draw five each, and two are drawn"
    bench.decide(2)
    bench.take()
    assert not bench.slots.full
    while bench.hand.flying:
        bench.decide(*bench.hand.flying, samples=4)
        bench.take()
    assert bench.slots.full
    assert sum(vote.result()["samples"] for vote in bench.hand.votes.values()) <= 12 + 5


class Memory:
    """A log that keeps what was decided before its turn."""

    def __init__(self) -> None:
        self.ahead: dict[int, Decision] = {}

    def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
        self.ahead = dict(decided)

    def decided_ahead(self) -> Mapping[int, Decision]:
        return self.ahead


def test_what_was_decided_before_its_turn_is_not_voted_on_again() -> None:
    log = Memory()
    bench = Bench(Numbers(9), log=log)
    bench.slots.ready()
    bench.decide(1)
    bench.take()
    bench.slots.ready()
    bench.decide(3, 5)
    assert [work.cancelled() for work in bench.slots.close()] == [True, True]
    assert list(log.ahead) == [3, 5]
    later = Bench(Numbers(9), log=log)
    later.slots.follow(1, 2, later.limits, later.hand)
    later.step = 1
    later.slots.ready()
    later.decide(2)
    assert later.take() == [2, 3]
    assert 5 not in later.hand.votes
    later.slots.ready()
    later.slots.close()
    assert list(log.ahead) == [5]


def test_what_an_earlier_session_decided_does_not_let_others_begin_beside_the_first() -> None:
    class Kept:
        def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
            raise AssertionError(decided)

        def decided_ahead(self) -> Mapping[int, Decision]:
            return {3: given({"is": 3}, "base"), 4: given({"is": 4}, "base")}

    bench = Bench(Numbers(9), log=Kept())
    assert not bench.slots.ready()
    assert bench.hand.flying == [1]  # under a limit that is nearly reached, it alone is sure to come to its end
    bench.decide(1)
    bench.slots.ready()
    assert bench.hand.flying == [2, 5, 6, 7]


def test_a_batch_that_was_not_committed_is_kept_too() -> None:
    log = Memory()
    bench = Bench(Numbers(9), log=log)
    bench.slots.ready()
    bench.decide(1)
    assert bench.slots.ready()
    bench.slots.take(stops=False)
    bench.slots.close()
    assert list(log.ahead) == [1]


def test_an_open_item_stands_alone_where_a_person_is_asked() -> None:
    bench = Bench(Numbers(9))
    bench.slots.ready()
    bench.decide(1)
    bench.slots.ready()
    bench.hand.leave_open(2)
    bench.decide(3)
    assert [bench.take(stops=True) for _ in range(3)] == [[1], [2], [3]]
