"""What ballots say without any truth: a fit that has an interval, whatever the ballots are."""

import random

import pytest

from maker_graph.errors import UsageError
from maker_graph.statistics.likelihood import Tally
from maker_graph.statistics.unlabelled import MOST_ERROR, fit


def test_many_kinds_of_ballots_are_no_hindrance() -> None:
    """Ninety kinds with three candidates: more than a run of a million steps has."""
    tallies: dict[Tally, int] = {(lead + 3 + other, lead, other): 1 for lead in range(14) for other in range(1, lead + 1)}
    found = fit({(3,): 1_000_000, **tallies}, {})
    assert len(found.wrong) == len(tallies) + 1
    assert 0 <= found.chance.low <= found.chance.value <= found.chance.high <= 1


def test_ballots_that_no_numbers_fit_well_still_have_an_interval() -> None:
    """A million steps at peace and some thousand in uproar: the likelihood is narrow, at an edge, and has several peaks."""
    rng = random.Random(1)
    tallies: dict[Tally, int] = {(3,): 10**6}
    while len(tallies) < 15:
        first, *rest = sorted((rng.randint(1, 12) for _ in range(rng.randint(1, 5))), reverse=True)
        tallies[first + 3, first, *rest] = rng.randint(1, 500)
    error = fit(tallies, {}).error
    assert error.low < error.value < error.high < 1.1 * error.low


def test_what_was_not_decided_counts_as_errors_but_not_in_the_chance() -> None:
    calm: dict[Tally, int] = {(3,): 500, (4, 1): 10}
    alone, beside = fit(calm, {}), fit(calm, {(50, 49): 2})
    assert beside.error.value > 1.5 * alone.error.value
    assert set(beside.wrong) == set(alone.wrong) == set(calm)


def test_an_estimate_lies_in_its_interval_and_the_error_is_never_more_than_half() -> None:
    found = fit({(5, 2): 50, (6, 3): 50, (8, 5, 5): 10}, {})
    for each in (found.error, found.rho, found.agreement, found.chance):
        assert 0 <= each.low <= each.value <= each.high <= 1
    assert found.error.high == pytest.approx(MOST_ERROR)


def test_without_a_decided_step_there_is_nothing_to_fit() -> None:
    nothing: list[dict[Tally, int]] = [{}, {(3,): 0}]
    for decided in nothing:
        with pytest.raises(UsageError, match="nothing to certify"):
            fit(decided, {(2, 2): 1})
