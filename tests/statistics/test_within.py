"""Votes that pass: the formulas against each vote written out, against those of votes without end, and against chance."""

import math
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.rules import AheadBy, Confirm, Decided, Draw, Majority, StoppingRule
from maker_graph.errors import UsageError
from maker_graph.statistics import correlated, independent
from maker_graph.statistics.within import MOST_VOTES, passing_law

RULES: list[StoppingRule] = [
    AheadBy(1, within=1),
    AheadBy(2, within=2),
    AheadBy(2, within=5),
    AheadBy(3, within=5),
    AheadBy(3, within=6),
    Confirm(1, of=1),
    Confirm(2, of=3),
    Confirm(3, of=4),
    Majority(5),
]


def written_out(rule: StoppingRule, p: float, rival: float, cold: float, most: int, *, rounds: bool) -> list[float]:
    """Return the chance of right, wrong, passed, the votes and the rounds, from each sequence of `most` votes."""
    found = [0.0] * 5
    for votes in product("Rrx", repeat=most):
        chance = 1.0
        for i, vote in enumerate(votes):
            right = cold if i == 0 else p
            chance *= right if vote == "R" else (1 - right) * (rival if vote == "r" else 1 - rival)
        if chance:
            for i, number in enumerate(outcome(rule, votes, rounds=rounds)):
                found[i] += chance * number
    return found


def outcome(rule: StoppingRule, votes: tuple[str, ...], *, rounds: bool) -> tuple[int, int, int, int, int]:
    """Return whether it ends right, wrong or passed, after how many votes and rounds."""
    cast = asked = 0
    while isinstance(verdict := rule(ballot_of(votes[:cast])), Draw):
        cast, asked = cast + (verdict.samples if rounds else 1), asked + 1
    end = "passed" if not isinstance(verdict, Decided) else verdict.candidate
    return end == "R", end not in {"R", "passed"}, end == "passed", cast, asked


def ballot_of(votes: tuple[str, ...]) -> dict[str, int]:
    ballot: dict[str, int] = {}
    for i, vote in enumerate(votes):
        name = f"x{i}" if vote == "x" else vote
        ballot[name] = ballot.get(name, 0) + 1
    return ballot


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(
    ("p", "rival", "cold"), [(0.72, 1.0, 0.72), (0.6, 0.4, 0.6), (0.6, 0.7, 0.8), (0.7, 0.5, 0.3), (0.3, 0.5, 0.3)]
)
def test_it_is_what_comes_of_all_sequences_written_out(rule: StoppingRule, p: float, rival: float, cold: float) -> None:
    law = passing_law(rule, p, rival=rival, cold=cold)
    assert law[:4] == pytest.approx(written_out(rule, p, rival, cold, 7, rounds=False)[:4])
    in_rounds = written_out(rule, p, rival, cold, 7, rounds=True)
    assert law[:3] + law[4:] == pytest.approx(in_rounds), "the outcomes are the same in rounds; votes and rounds are their own"


@given(
    rule=st.sampled_from(RULES),
    p=st.floats(0.01, 1),
    rho=st.floats(0, 0.999),
    rival=st.floats(0.01, 1),
    cold=st.none() | st.floats(0, 1),
)
def test_the_chances_are_chances_and_rounds_spare_no_vote(
    rule: StoppingRule, p: float, rho: float, rival: float, cold: float | None
) -> None:
    law = passing_law(rule, p, rho=rho, rival=rival, cold=cold)
    assert math.fsum(law[:3]) == pytest.approx(1)
    assert min(law[:3]) >= -1e-12
    assert law.votes <= law.votes_in_rounds + 1e-9
    assert 1 <= law.rounds <= law.votes_in_rounds + 1e-9


@pytest.mark.parametrize(("p", "k"), [(0.72, 3), (0.9, 2), (0.6, 2), (0.4, 2)])
def test_with_room_enough_it_is_the_race_without_end(p: float, k: int) -> None:
    law = passing_law(AheadBy(k, within=MOST_VOTES), p)
    assert law.passed < 1e-3
    assert law.wrong == pytest.approx(independent.p_wrong(p, k), abs=1e-3)
    assert law.votes == law.votes_in_rounds == pytest.approx(independent.expected_votes(p, k), rel=1e-2)


def test_with_room_enough_it_is_the_race_without_end_of_correlated_errors_too() -> None:
    law = passing_law(AheadBy(3, within=MOST_VOTES), 0.9, rho=0.1)
    assert law.wrong == pytest.approx(correlated.p_wrong(0.9, 3, rho=0.1), abs=1e-4)
    assert law.votes == pytest.approx(correlated.expected_votes(0.9, 3, rho=0.1), rel=1e-3)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_no_correlation_is_the_limit_of_little(rule: StoppingRule) -> None:
    assert passing_law(rule, 0.8, rho=1e-9, rival=0.6, cold=0.9) == pytest.approx(passing_law(rule, 0.8, rival=0.6, cold=0.9))


@pytest.mark.parametrize("cold", [None, 0.9, 0.5])
@pytest.mark.parametrize("rule", [AheadBy(3, within=5), Confirm(3, of=4)], ids=str)
def test_correlated_errors_are_the_mean_over_steps(rule: StoppingRule, cold: float | None) -> None:
    p, rho, rival = 0.73, 0.27, 0.6
    weight = 1 / rho - 1
    thetas = np.random.default_rng(1).beta((1 - p) * weight, p * weight, 4_000)
    means = np.zeros(6)
    for theta in thetas:
        first = None if cold is None else 1 - theta * (1 - cold) / (1 - p) if cold > p else (1 - theta) * cold / p
        means += np.array(passing_law(rule, max(1 - theta, 1e-12), rival=rival, cold=first)) / len(thetas)
    law = passing_law(rule, p, rho=rho, rival=rival, cold=cold)
    assert law == pytest.approx(tuple(means), rel=0.05, abs=0.01)


@pytest.mark.parametrize("rho", [0.0, 0.3])
@pytest.mark.parametrize("rule", [AheadBy(3, within=3), AheadBy(3, within=7), Confirm(2, of=3)], ids=str)
def test_seeded_votes_on_the_rule_agree_within_four_sigma(rule: StoppingRule, rho: float) -> None:
    p, number, chance = 0.75, 4_000, Random(7)
    seen = [0, 0, 0]
    for _ in range(number):
        theta = 1 - p if rho == 0 else chance.betavariate((1 - p) * (1 / rho - 1), p * (1 / rho - 1))
        votes = tuple("r" if chance.random() < theta else "R" for _ in range(8))
        for i, hit in enumerate(outcome(rule, votes, rounds=True)[:3]):
            seen[i] += hit
    for hits, share in zip(seen, passing_law(rule, p, rho=rho)[:3], strict=True):
        assert abs(hits / number - share) <= 4 * math.sqrt(share * (1 - share) / number)


def test_a_rival_that_all_wrong_samples_vote_for_is_the_worst_case() -> None:
    laws = [passing_law(AheadBy(3, within=4), 0.7, rho=0.2, rival=rival) for rival in (0.2, 0.5, 0.8, 1.0)]
    assert [law.wrong for law in laws] == sorted(law.wrong for law in laws)


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("p must be", {"p": 0.0}),
        ("rho must be", {"p": 0.9, "rho": 1.0}),
        ("rival must be", {"p": 0.9, "rival": 0.0}),
        ("cold must be", {"p": 0.9, "cold": 1.1}),
    ],
)
def test_what_is_out_of_range_is_told(says: str, arguments: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=says):
        passing_law(AheadBy(2, within=2), **arguments)


def test_a_rule_without_an_end_is_told() -> None:
    with pytest.raises(UsageError, match="give it an end, such as within=200"):
        passing_law(AheadBy(3), 0.9)
