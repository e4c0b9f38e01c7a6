"""A step is counted with all its rungs, and what lost is what was not for the winner, on whichever rung."""

from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.rules import AheadBy, FirstTo
from maker_graph.report.counting.steps import candidates_of, sequence_counts
from tests.report.making import step, vote
from tests.report.ruling import decided_at


def test_a_step_of_one_vote() -> None:
    counted = step(7, vote(0, "empty", 1, 0, 0))
    assert (counted.number, counted.samples, counted.votes, counted.rounds, counted.outvoted) == (7, 5, 4, 1, 1)
    assert counted.first_to == (4, 3)
    assert counted.counts[0].flags == (("empty", 1),)


def test_the_votes_of_all_rungs_count_and_a_candidate_is_known_by_its_text() -> None:
    stuck, after = vote(0, 1, 1, 0, candidates=('"b"', '"a"')), vote(0, 0, 1, candidates=(None, '"c"'), by="temperature")
    counted = step(7, stuck, after)
    assert (counted.samples, counted.votes, counted.rounds) == (7, 7, 2)
    assert counted.outvoted == 3, "two for b on the first rung, one for c on the second"
    assert counted.first_to == (3, 3), "on the first rung, where b and a would have been first to two"


def test_a_step_that_nobody_won_has_no_lost_votes() -> None:
    assert step(1, vote(0, 1), winner=None).outvoted == 0
    assert step(1, vote(0, 1), vote(1, 0), winner=None).outvoted == 0


def test_the_answer_of_a_person_has_no_votes_and_all_others_lost() -> None:
    person = vote(candidates=(None,), by="person")
    assert step(1, vote(0, 1, candidates=('"b"', '"c"')), person._replace(sequence=[]), vote(0)).outvoted == 2


def test_the_answer_is_written_out_where_null_stands_for_it() -> None:
    counted = step(1, vote(0))
    assert candidates_of(counted.seen, counted.seen.votes[0]) == ['"a"', '"b"']


@given(st.lists(st.one_of(st.integers(0, 2), st.just("empty")), max_size=12), st.integers(1, 3))
def test_first_to_k_is_where_the_rule_decides(sequence: list[int | str], k: int) -> None:
    counts = sequence_counts(tuple(sequence), k)
    votes = [place for place in sequence if isinstance(place, int)]
    assert counts.votes == len(votes)
    assert sum(counts.places) == len(votes)
    assert (None if counts.first_to is None else counts.first_to[1]) == decided_at(FirstTo(k), votes)
    ahead = decided_at(AheadBy(k), votes)
    assert ahead is None or (counts.first_to is not None and counts.first_to[1] <= ahead)
