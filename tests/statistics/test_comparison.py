"""First to k and a majority of n: the formulas give what the rules do, vote by vote."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.rules import Decided, FirstTo, Hung, Majority, StoppingRule
from maker_graph.errors import UsageError
from maker_graph.statistics.comparison import first_to, majority
from maker_graph.statistics.independent import expected_votes, p_sub


def outcome(rule: StoppingRule, p: float, most: int) -> tuple[float, float, float]:
    """Return P(right), P(wrong) and the expected votes, over all sequences of `most` votes."""
    right = wrong = votes = 0.0
    for sequence in product(("right", "wrong"), repeat=most):
        weight = p ** sequence.count("right") * (1 - p) ** sequence.count("wrong")
        ballot: dict[str, int] = {}
        for vote in sequence:
            ballot[vote] = ballot.get(vote, 0) + 1
            verdict = rule(ballot)
            if isinstance(verdict, Decided | Hung):
                break
        right += weight * (verdict == Decided("right"))
        wrong += weight * (verdict == Decided("wrong"))
        votes += weight * sum(ballot.values())
    return right, wrong, votes


@pytest.mark.parametrize("p", [0.9, 0.5, 0.2])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_formulas_give_what_the_rules_do(p: float, size: int) -> None:
    assert first_to(p, size) == pytest.approx(outcome(FirstTo(size), p, 2 * size - 1))
    assert majority(p, size) == pytest.approx(outcome(Majority(size), p, size))


@given(st.floats(0.001, 0.999), st.integers(1, 300))
def test_first_to_k_is_right_as_often_as_a_majority_of_2k_minus_1_and_never_takes_more_votes(p: float, k: int) -> None:
    race, fixed = first_to(p, k), majority(p, 2 * k - 1)
    assert race[:2] == pytest.approx(fixed[:2], rel=1e-9, abs=1e-300)  # below, floats have fewer digits
    assert race.right + race.wrong == pytest.approx(1, rel=1e-9)
    assert k * (1 - 1e-9) <= race.votes <= fixed.votes * (1 + 1e-9)


@given(st.floats(0.51, 0.999), st.integers(2, 40))
def test_ahead_by_k_is_right_more_often_for_more_votes(p: float, k: int) -> None:
    race = first_to(p, k)
    assert race.right < p_sub(p, k) or race.wrong < 1e-14
    assert race.votes < expected_votes(p, k)


@pytest.mark.parametrize(("p", "right", "votes"), [(0.9, 0.9916, 3.32), (0.95, 0.99894, 3.16)])
def test_first_to_3_is_what_100_000_simulated_races_were(p: float, right: float, votes: float) -> None:
    assert first_to(p, 3).right == pytest.approx(right, abs=3 * (right * (1 - right) / 100_000) ** 0.5)
    assert first_to(p, 3).votes == pytest.approx(votes, abs=0.006)


def test_the_edges() -> None:
    assert first_to(1.0, 3) == (1, 0, 3)
    assert majority(1.0, 4) == (1, 0, 4)
    assert majority(0.5, 2) == pytest.approx((0.25, 0.25, 2))
    assert sum(first_to(0.51, 5_000)[:2]) == pytest.approx(1)
    for call in (first_to, majority):
        with pytest.raises(UsageError, match="at least 1"):
            call(0.9, 0)
        with pytest.raises(UsageError, match="p must"):
            call(0.0, 3)
