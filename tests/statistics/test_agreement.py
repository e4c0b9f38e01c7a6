"""What agreement is worth: means over all orders of the samples."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.errors import UsageError
from maker_graph.statistics.agreement import StepVotes, agreement, alike, correlation, share_right

STEPS = st.lists(
    st.builds(StepVotes, st.integers(0, 4), st.tuples(st.integers(0, 3), st.integers(0, 2))), min_size=1, max_size=5
)


@given(steps=STEPS, k=st.integers(1, 4))
def test_it_is_the_mean_over_all_choices_of_k_samples(steps: list[StepVotes], k: int) -> None:
    right = wrong = 0.0
    for step in steps:
        votes = "R" * step.right + "x" * step.wrong[0] + "y" * step.wrong[1]
        chosen = [*combinations(votes, k)]
        for each in chosen:
            right += (set(each) == {"R"}) / len(chosen)
            wrong += (len(set(each)) == 1 and "R" not in each) / len(chosen)
    found = agreement(steps, k)
    assert found.decided == pytest.approx((right + wrong) / len(steps))
    assert found.wrong == (None if right + wrong == 0 else pytest.approx(wrong / (right + wrong)))


def test_the_correlation_of_a_known_law_is_found() -> None:
    chance, rho, p, steps = Random(1), 0.3, 0.8, []
    for _ in range(20_000):
        theta = chance.betavariate((1 - p) * (1 / rho - 1), p * (1 / rho - 1))
        right = sum(chance.random() > theta for _ in range(4))
        steps.append(StepVotes(right, (4 - right,)))
    assert correlation(steps) == pytest.approx(rho, abs=0.02)
    assert share_right(steps) == pytest.approx(p, abs=0.01)


def test_what_shows_nothing_is_none() -> None:
    assert correlation([StepVotes(1), StepVotes(0, (1,))]) is None
    assert correlation([StepVotes(5)]) is None
    assert share_right([StepVotes(0)]) is None
    assert alike([StepVotes(1)]) is None
    assert agreement([StepVotes(1)], 2) == (2, None, 0.0)


@pytest.mark.parametrize(("steps", "k"), [([], 2), ([StepVotes(1)], 0)])
def test_nothing_to_agree_on_is_told(steps: list[StepVotes], k: int) -> None:
    with pytest.raises(UsageError, match="at least one"):
        agreement(steps, k)
