"""Expected rounds: the chain against votes that are drawn by the rule itself."""

from random import Random

import pytest

from maker_graph.core.rules import AheadBy, Draw
from maker_graph.errors import UsageError
from maker_graph.statistics.rounds import MOST_K, expected_rounds


def rounds_of(rng: Random, p: float, k: int, valid: float) -> int:
    """Draw one vote by the rule; return its rounds."""
    ballot: dict[str, int] = {}
    rounds = 0
    while isinstance(verdict := AheadBy(k)(ballot), Draw):
        rounds += 1
        for _ in range(verdict.samples):
            if rng.random() < valid:
                answer = "right" if rng.random() < p else "wrong"
                ballot[answer] = ballot.get(answer, 0) + 1
    return rounds


@pytest.mark.parametrize(("p", "k", "valid"), [(0.9, 3, 1.0), (0.6, 5, 0.7), (0.99, 1, 0.5), (0.3, 2, 0.9)])
def test_the_rounds_are_those_of_votes_drawn_by_the_rule(p: float, k: int, valid: float) -> None:
    rng, number = Random(1), 20_000
    mean = sum(rounds_of(rng, p, k, valid) for _ in range(number)) / number
    assert mean == pytest.approx(expected_rounds(p, k, valid=valid), rel=0.03)


def test_a_perfect_model_takes_one_round_and_a_very_large_k_is_as_the_largest() -> None:
    assert expected_rounds(1.0, 7) == 1.0
    assert expected_rounds(0.9, MOST_K + 1) == expected_rounds(0.9, MOST_K)


@pytest.mark.parametrize(("p", "k", "valid"), [(0.0, 3, 1.0), (0.9, 0, 1.0), (0.9, 3, 0.0)])
def test_what_is_out_of_range_is_refused(p: float, k: int, valid: float) -> None:
    with pytest.raises(UsageError):
        expected_rounds(p, k, valid=valid)
