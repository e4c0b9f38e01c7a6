"""The window of lookahead alone, with a crew whose votes and drafts are decided by hand."""

from concurrent.futures import Future
from typing import Any

import pytest

from maker_graph.core.guarding import guarded
from maker_graph.core.task import Variant
from maker_graph.graph.width import Width
from maker_graph.graph.window import Window, asks_the_same


class Down:
    """Counts down from 9; every state asks for the next one."""

    def start(self) -> int:
        return 9

    def done(self, state: int) -> bool:
        return state == 0

    def prompt(self, state: int) -> str:
        return f"after {abs(state)}"

    def parse(self, text: str) -> int:
        return int(text)

    def apply(self, state: int, answer: int) -> int:  # noqa: ARG002  the contract
        return answer


class Hand:
    """A crew that does nothing by itself."""

    def __init__(self) -> None:
        self.votes: dict[int, Future[Any]] = {}
        self.drafts: list[tuple[int, int, Future[Any]]] = []

    def vote(self, state: Any, step: int) -> Future[Any]:
        self.votes[state] = Future()
        assert 0 < step <= 9
        return self.votes[state]

    def draft(self, state: Any, n: int) -> Future[Any]:
        self.drafts.append((state, n, Future()))
        return self.drafts[-1][2]

    def decide(self, state: int, answer: int) -> None:
        self.votes[state].set_result({"decision": {"status": "decided", "answer": answer}})


def opened(width: int, *, last: int | None = 9) -> tuple[Window, Hand, Any]:
    window, hand = Window(guarded(Down()), Width(width), first=2, checked=False, asks=False), Hand()

    def follow(state: int, concurrency: int | None = None) -> None:
        window.follow(state, 9 - state, last, hand, concurrency)

    return window, hand, follow


def drafted(width: int) -> tuple[Window, Hand, Any]:
    """Return a window whose first step is decided and whose draft, which is right, has come."""
    window, hand, follow = opened(width)
    follow(9)
    hand.drafts[0][2].set_result([8, 7, 6, 5, 4, 3, 2, 1])
    window.pending()
    hand.decide(9, 8)
    window.pending()
    assert [state for state, _ in window.decided()] == [9]
    follow(8)
    return window, hand, follow


def test_the_first_step_votes_alone_and_then_as_many_as_the_window_is_wide() -> None:
    window, hand, follow = opened(3)
    follow(9)
    hand.drafts[0][2].set_result([8, 7, 6, 5, 4, 3, 2, 1])
    window.pending()
    assert [*hand.votes] == [9]
    hand.decide(9, 8)
    window.pending()
    window.decided()
    follow(8)
    assert [*hand.votes] == [9, 8, 7, 6]


def test_a_later_decision_waits_for_the_earlier_ones() -> None:
    window, hand, _ = drafted(3)
    hand.decide(7, 6)
    window.pending()
    assert window.decided() == []
    hand.decide(8, 7)
    window.pending()
    assert [state for state, _ in window.decided()] == [8, 7]


def test_an_answer_that_was_not_predicted_drops_all_after_it_and_the_chain_goes_on_from_it() -> None:
    window, hand, _ = drafted(4)
    hand.decide(8, 7)
    hand.decide(7, 5)
    window.pending()
    assert hand.votes[6].cancelled()
    assert not hand.votes[5].cancelled(), "it is voted on anew"
    assert window.dropped == 2
    assert [state for state, _ in window.decided()] == [8, 7]


def test_no_step_beyond_the_last_is_voted_on() -> None:
    window, hand, follow = opened(8, last=2)
    follow(9)
    assert hand.drafts[0][1] == 1
    hand.drafts[0][2].set_result([8, 7, 6])
    window.pending()
    hand.decide(9, 8)
    window.pending()
    window.decided()
    follow(8)
    assert [*hand.votes] == [9, 8]


def test_the_limit_on_samples_in_flight_makes_it_narrower() -> None:
    window, hand, follow = opened(8)
    follow(9, 4)
    hand.drafts[0][2].set_result([8, 7, 6, 5, 4, 3, 2, 1])
    window.pending()
    hand.decide(9, 8)
    window.pending()
    window.decided()
    follow(8, 4)
    assert len(hand.votes) == 1 + 2, "two votes of two samples each"


def test_what_is_in_flight_is_cancelled_when_it_is_closed() -> None:
    window, hand, _ = drafted(3)
    window.close()
    assert all(vote.cancelled() for state, vote in hand.votes.items() if state != 9)


def test_a_vote_that_failed_is_raised_when_it_is_its_turn() -> None:
    window, hand, _ = drafted(3)
    hand.votes[7].set_exception(RuntimeError("no"))
    window.pending()
    assert window.decided() == []
    hand.decide(8, 7)
    window.pending()
    assert [state for state, _ in window.decided()] == [8]
    with pytest.raises(RuntimeError, match="no"):
        window.decided()


def test_states_with_one_prompt_ask_the_same_unless_answers_are_held_against_the_state() -> None:
    assert asks_the_same(guarded(Down()), 3, -3, checked=False)
    assert not asks_the_same(guarded(Down()), 3, -3, checked=True)
    assert asks_the_same(guarded(Down()), 3, 3, checked=True)
    assert not asks_the_same(guarded(Down()), 3, 4, checked=False)


def test_a_vote_on_variants_is_one_on_another_state_only_if_all_of_them_are_the_same() -> None:
    class Told(Down):
        def variants(self, state: int) -> list[Variant]:
            return [Variant(f"{name} {state}", int) for name in "ab"]

    task = guarded(Told())
    assert asks_the_same(task, 3, -3, checked=False), "the prompt is the same"
    assert not asks_the_same(task, 3, -3, checked=False, varied=True)
    assert asks_the_same(task, 3, 3, checked=False, varied=True)
