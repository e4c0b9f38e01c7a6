"""A draw is a shuffle that anybody can do again."""

import hashlib
from collections import Counter
from itertools import islice

import pytest

from maker_graph.errors import UsageError
from maker_graph.statistics.drawing import drawn


@pytest.mark.parametrize("population", [0, 1, 2, 7, 1000])
def test_each_member_is_drawn_once(population: int) -> None:
    assert sorted(drawn(population, 3)) == list(range(1, population + 1))


def test_the_order_is_the_shuffle_that_the_text_describes() -> None:
    members = list(range(1, 51))
    for place in range(50):
        chosen = place + int(hashlib.sha256(f"9,{place}".encode()).hexdigest(), 16) % (50 - place)
        members[place], members[chosen] = members[chosen], members[place]
    assert list(drawn(50, 9)) == members


def test_every_order_comes_about_as_often_as_any_other() -> None:
    orders = Counter(tuple(drawn(4, seed)) for seed in range(24_000))
    assert len(orders) == 24
    assert max(abs(number - 1000) for number in orders.values()) < 4.5 * 1000**0.5


def test_the_first_of_many_cost_no_more_than_the_first_of_few() -> None:
    assert len(set(islice(drawn(10**18, 1), 300))) == 300


@pytest.mark.parametrize(("population", "seed"), [(-1, 0), (1.0, 0), (True, 0), (5, -1), (5, "1"), (5, None)])
def test_what_is_no_population_and_no_seed_is_refused(population: int, seed: int) -> None:
    with pytest.raises(UsageError, match="must be a whole number"):
        drawn(population, seed)
