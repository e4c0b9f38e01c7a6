"""Ballots: the votes of each candidate, whatever their order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.ballot import Lead, count, lead

VOTES = st.lists(st.sampled_from("abcd"))


@given(VOTES, st.randoms(use_true_random=False))
def test_counting_ignores_the_order_of_the_votes(votes: list[str], rng: object) -> None:
    shuffled = list(votes)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert count(shuffled) == count(votes) == Counter(votes)
    assert lead(count(shuffled)).votes == lead(count(votes)).votes


@given(VOTES)
def test_the_lead_is_how_far_the_first_is_ahead_of_the_second(votes: list[str]) -> None:
    numbers = sorted(Counter(votes).values(), reverse=True)
    first, ahead = lead(count(votes))
    assert ahead == (numbers[0] - (numbers[1] if len(numbers) > 1 else 0) if numbers else 0)
    assert first is None if not numbers else Counter(votes)[first or ""] == numbers[0]


def test_nobody_leads_an_empty_ballot_and_a_tie_is_no_lead() -> None:
    assert lead({}) == Lead(None, 0)
    assert lead({"a": 2, "b": 2}) == Lead("a", 0)
