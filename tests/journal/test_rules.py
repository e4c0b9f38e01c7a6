"""The rules of a journal, without one."""

import pytest

from maker_graph.core.decision import Decision
from maker_graph.core.machine import Machine
from maker_graph.core.spending import NONE, Account, Reserved, Spent
from maker_graph.errors import StaleStep, TakenOver
from maker_graph.journal.chain import amendment_link, link, origin_digest, place_digest
from maker_graph.journal.entry import encode
from maker_graph.journal.rules import claimed, new_amendments, new_rows, stale, taken_over, unanswerable
from maker_graph.journal.steps import see_chain
from maker_graph.tasks import Hanoi
from tests.journal.kept import MOVES, by_a_person, decision, following, item

ORIGIN = origin_digest("run")


def test_the_rows_of_steps_hang_together_and_on_what_was_before() -> None:
    steps = [(decision(MOVES[0]), Machine(Hanoi(3)).advance(Machine(Hanoi(3)).begin(), decision(MOVES[0])))]
    (first,) = new_rows(steps, ORIGIN)
    entry, place = encode(steps[0][0]), place_digest(steps[0][1])
    assert first == (1, entry, place, link(ORIGIN, 1, entry, place))
    more = new_rows(following(steps[0][1], 3), first[3])
    assert [row[0] for row in more] == [2, 3, 4]
    see_chain([first, *more], ORIGIN, 1, 4)


def test_the_rows_of_later_answers_hang_on_the_steps_that_they_answer() -> None:
    hashes = {2: b"2" * 16, 5: b"5" * 16}
    one, other = new_amendments([(5, by_a_person("five")), (2, by_a_person("two"))], 3, ORIGIN, hashes.__getitem__)
    assert one == (4, 5, encode(by_a_person("five")), amendment_link(ORIGIN, 4, 5, hashes[5], one[2]))
    assert other == (5, 2, encode(by_a_person("two")), amendment_link(one[3], 5, 2, hashes[2], other[2]))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(9, by_a_person("x"))], "not committed"),
        ([(3, by_a_person("x"))], "answered already"),
        ([(1, by_a_person("x"))], "not left open"),
        ([(2, item(""))], "the new decision is open too"),
        ([(2, by_a_person("x")), (2, by_a_person("y"))], "answered already"),
        ([(2, by_a_person("x"))], None),
        ([], None),
    ],
)
def test_an_answer_is_for_a_step_that_was_left_open_and_decides_it_once(
    answers: list[tuple[int, Decision]], said: str | None
) -> None:
    entries = {1: encode(item("one")), 2: encode(item("")), 3: encode(item(""))}
    refused = unanswerable(answers, {3: ""}, entries.get)
    assert (refused is None) if said is None else said in str(refused)


def test_what_the_owner_before_had_reserved_is_unsettled() -> None:
    before = Account(4, Spent(calls=9), Reserved(0.5, 2), Reserved(0.25, 1), serial=7)
    assert claimed(before) == Account(4, Spent(calls=9), NONE, Reserved(0.75, 3), serial=7)
    assert claimed(Account()).serial == 1


def test_a_refusal_says_which_one_it_is() -> None:
    assert isinstance(taken_over(), TakenOver)
    assert isinstance(stale(5, 7), StaleStep)
    assert stale(5, 7).step == 5
    assert str(stale(5, 7)).startswith("Step 5 does not follow the last step of the journal, 7.")
