"""How likely ballots are: what all ways to cast them add up to, and they add up to one."""

import numpy as np
import pytest

from maker_graph.statistics import likelihood
from maker_graph.statistics.likelihood import Tally, cases_of, most_rho, posteriors
from tests.voting import World

DISPUTED: list[Tally] = [(3,), (4, 1), (5, 2), (5, 2, 1), (8, 5, 5), (10, 7, 1), (3, 5)]


@pytest.mark.parametrize("rho", [0.0, 0.02])
@pytest.mark.parametrize(
    ("scatter", "shares"),
    [("one rival", (1, 0.5, 0.5)), ("even", (0, 0.2, 0.25)), ("scatter", (0, 0.7, 1 / 3)), ("two kinds", (0.5, 0.4, 1 / 3))],
)
def test_what_a_ballot_says_is_what_all_ways_to_cast_it_add_up_to(
    scatter: str, shares: tuple[float, float, float], rho: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against Beta functions, and every assignment of candidates to answers one by one."""
    monkeypatch.setattr(likelihood, "_FREE", 0.0)
    world = World(0.1, rho, scatter)
    axes = [np.array([each]) for each in (np.log(0.1), (rho / most_rho(np.array(0.1))) ** 0.5, *shares)]
    tallies = [tally for tally in DISPUTED if scatter != "one rival" or len(tally) < 3]
    wrong = posteriors(cases_of(dict.fromkeys(tallies, 1), {}), axes)[1].ravel()
    assert wrong == pytest.approx([world.wrong(tally) for tally in tallies], rel=1e-6)


def test_a_vote_more_for_the_winner_makes_it_more_likely_right() -> None:
    axes = [np.array([each]) for each in (np.log(0.1), 0.3, 0.2, 0.7, 0.3)]
    wrong = posteriors(cases_of({(3, 1): 1, (4, 1): 1, (5, 1): 1, (5,): 1}, {}), axes)[1].ravel()
    assert list(wrong) == sorted(wrong, reverse=True)
    assert 0 < wrong[-1] < wrong[0] < 0.5


def test_a_tally_counts_as_often_as_it_was_seen_and_is_decided_as_often_as_it_was() -> None:
    cases = cases_of({(3,): 5, (4, 1): 2}, {(4, 1): 3, (2, 2): 1})
    assert (list(cases.seen), list(cases.decided)) == ([5, 5, 1], [5, 2, 0])
    assert list(cases.first) == [0, 2, 5]
    assert [list(each[:2]) for each in (cases.right, cases.wrong)] == [[3, 0], [0, 3]]


def test_the_largest_correlation_keeps_steps_from_piling_up_where_all_is_wrong() -> None:
    error = np.array([1e-6, 0.1, 0.5])
    rho = most_rho(error)
    assert (1 - error) * (1 / rho - 1) == pytest.approx(1)
