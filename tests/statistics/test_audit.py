"""The bound on wrong steps holds whenever it is looked at, and is no other than looking at each number after each label."""

import math
import random
from collections.abc import Sequence
from itertools import islice, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.errors import UsageError
from maker_graph.statistics.audit import Bound, _log_falling, most_wrong
from maker_graph.statistics.drawing import drawn

_BETS = [(0.0, 0.6), *(((i + 0.5) / 16, 0.3 * (1 - (i + 0.5) / 16) / 8) for i in range(16))]


def falling(a: float, n: int) -> float:
    return math.prod(a - i for i in range(n))


def ratio(population: int, w: int, wrong: int, right: int) -> float:
    """Return M(w) as the text of the module says it, with numbers that are multiplied out."""
    truth = falling(w, wrong) * falling(population - w, right)
    if truth <= 0:
        return math.inf
    bets = (weight * falling(r * w, wrong) * falling(population - r * w, right) for r, weight in _BETS if r * w >= wrong)
    return sum(bets) / truth


def enumerated(population: int, labels: Sequence[bool], confidence: float) -> int:
    """Return the largest number that was never rejected, each looked at after each label."""
    never = set(range(population + 1))
    for t in range(1, len(labels) + 1):
        wrong = sum(labels[:t])
        never = {w for w in never if ratio(population, w, wrong, t - wrong) < 1 / (1 - confidence)}
    return max([*never, sum(labels)])


@pytest.mark.parametrize("population", [1, 2, 5, 7])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_of_few_it_is_what_enumeration_finds_for_all_labels(population: int, confidence: float) -> None:
    for length in range(population + 1):
        for labels in product([False, True], repeat=length):
            assert most_wrong(population, labels, confidence) == enumerated(population, labels, confidence), labels


@given(
    st.integers(10, 60), st.lists(st.sampled_from([False, False, False, True]), max_size=60), st.sampled_from([0.5, 0.8, 0.95])
)
def test_of_more_it_is_what_enumeration_finds_too(population: int, labels: list[bool], confidence: float) -> None:
    labels = labels[:population]
    assert most_wrong(population, labels, confidence) == enumerated(population, labels, confidence)


@given(st.integers(1, 10**6), st.lists(st.booleans(), max_size=200))
def test_looking_in_between_changes_nothing_and_what_was_seen_is_within(population: int, labels: list[bool]) -> None:
    labels = labels[:population]
    looked, before = Bound(population), population
    for each in labels:
        looked.see(wrong=each)
        assert looked.wrong <= looked.most <= population - (looked.drawn - looked.wrong)
        assert looked.most <= max(before, looked.wrong)
        before = looked.most
    assert looked.most == most_wrong(population, labels)


def rejected(population: int, wrong: int, confidence: float) -> float:
    """Return the exact chance that the true number is ever rejected: over all orders in which labels may come."""
    going, found = {0: 1.0}, 0.0
    for t in range(1, population + 1):
        after = dict.fromkeys(range(t + 1), 0.0)
        for x, chance in going.items():
            share = (wrong - x) / (population - t + 1)
            after[x + 1] += chance * share
            after[x] += chance * (1 - share)
        out = {x for x, chance in after.items() if chance and ratio(population, wrong, x, t - x) >= 1 / (1 - confidence)}
        found += sum(after[x] for x in out)
        going = {x: chance for x, chance in after.items() if x not in out and chance}
    return found


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_the_truth_is_rejected_with_no_more_than_the_chance_that_is_left(confidence: float) -> None:
    chances = {(n, w): rejected(n, w, confidence) for n in (1, 2, 3, 5, 10, 25) for w in range(n + 1)}
    assert max(chances.values()) <= 1 - confidence + 1e-9
    if confidence < 0.9:
        assert max(chances.values()) > (1 - confidence) / 4, "it is not an empty promise: the bound does move"


@pytest.mark.parametrize(("population", "wrong"), [(200, 0), (200, 10), (2000, 4), (2000, 100)])
def test_it_covers_under_looking_after_each_label(population: int, wrong: int) -> None:
    missed = 0
    for seed in range(150):
        bound, order = Bound(population, 0.9), drawn(population, seed)
        for member in islice(order, 100):
            bound.see(wrong=member <= wrong)
            if bound.most < wrong:
                missed += 1
                break
    assert missed <= 150 * 0.1 + 3 * (150 * 0.1 * 0.9) ** 0.5


@pytest.mark.parametrize(("wrong", "least", "most"), [(0, 299, 340), (1, 473, 800), (2, 627, 1010)])
def test_one_per_cent_takes_about_as_many_labels_as_a_single_look_and_one_error_ruins_nothing(
    wrong: int, least: int, most: int
) -> None:
    bound = Bound(1_000_000)
    for _ in range(wrong):
        bound.see(wrong=True)
    while bound.most > 10_000:
        bound.see(wrong=False)
    assert least <= bound.drawn <= most


def test_all_labels_leave_nothing_in_doubt_and_there_is_no_further_one() -> None:
    labels = [False] * 30 + [True] * 3
    random.Random(2).shuffle(labels)
    bound = Bound(33)
    for each in labels:
        bound.see(wrong=each)
    assert bound.most == 3
    with pytest.raises(UsageError, match="All 33 steps have been drawn"):
        bound.see(wrong=False)


def test_the_first_labels_may_all_be_wrong_and_the_bound_stays_true() -> None:
    assert most_wrong(1_000_000, [True] * 3000) == 1_000_000
    assert most_wrong(100, [False] * 60 + [True] * 40) == 40


@pytest.mark.parametrize(
    ("a", "n"), [(1500.0, 400), (1500.5, 501), (1e6, 3000), (2e5 + 0.25, 1), (12.5, 12), (5.0, 5), (3.0, 0)]
)
def test_the_series_and_the_gamma_function_are_the_sum_of_the_logarithms(a: float, n: int) -> None:
    assert _log_falling(a, n) == pytest.approx(math.fsum(math.log(a - i) for i in range(n)), abs=1e-9)


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1, True, "0.95", float("nan"), None])
def test_what_is_no_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        Bound(10, confidence)
    with pytest.raises(UsageError, match="population must be"):
        Bound(0)
