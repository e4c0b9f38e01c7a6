"""The most contested steps: those with the longest votes, told as they were cast."""

from maker_graph.report.counting.contests import CONTESTS, ContestFinder
from tests.report.making import step, vote


def test_the_longest_votes_come_first_and_calm_steps_do_not_come() -> None:
    finder = ContestFinder()
    for number in range(1, 20):
        finder.add(step(number, vote(*[0, 1] * (number % 10), 0, 0)))
    found = finder.found()
    assert (finder.number, len(found)) == (18, CONTESTS), "step 10 was calm"
    assert [contest.step for contest in found] == [9, 19, 8, 18, 7, 17]
    assert found[0].order == (*[0, 1] * 9, 0, 0)


def test_a_contest_tells_who_was_right_and_what_was_discarded() -> None:
    finder = ContestFinder()
    finder.add(step(1, vote(1, "empty", 0, 0, 0), truth='"b"'))
    finder.add(step(2, vote(1, 0), winner=None))
    finder.add(step(3, vote("empty", "empty"), winner=None))
    first, second = finder.found()
    assert (first.candidates, first.flagged, first.winner, first.right) == (('"a"', '"b"'), 1, 0, 1)
    assert (second.step, second.winner, second.right) == (2, None, None)
    assert finder.number == 2, "where nobody voted nothing was contested"


def test_a_contest_that_a_proof_ended_says_so() -> None:
    finder, contested = ContestFinder(), step(1, vote(1, 1, 0))
    finder.add(contested._replace(seen=contested.seen._replace(said={"proved": "it fits"})))
    assert [contest.proved for contest in finder.found()] == [True]
