"""Labelled rows, split into examples and those to measure with."""

import random

import pytest

from maker_graph import Items, UsageError
from maker_graph.core.examples import Example
from maker_graph.core.items import LabelledItem
from maker_graph.tasks.labelled import with_labelled


def rows(number: int) -> list[LabelledItem]:
    return [LabelledItem({"text": f"row {place}"}, place, place + 1) for place in range(number)]


def split(given: list[LabelledItem]) -> Items:
    task = Items()
    with_labelled(task, given, "labels.csv")
    return task


def test_a_tenth_become_examples_and_no_row_is_on_both_sides() -> None:
    task = split(rows(200))
    shown = {each.row for each in task.examples}
    assert (len(shown), len(task.labelled)) == (20, 180)
    assert {each.row for each in task.labelled} == set(range(1, 201)) - shown
    assert [len(split(rows(number)).examples) for number in (30, 1000)] == [5, 40]


def test_the_split_is_the_same_in_any_order_of_the_rows() -> None:
    given, mixed = rows(100), rows(100)
    random.Random(1).shuffle(mixed)
    assert {each.row for each in split(given).examples} == {each.row for each in split(mixed).examples}


def test_rows_that_hold_the_same_count_once_and_are_never_on_both_sides() -> None:
    task = split([*rows(60), *(each._replace(row=each.row + 60) for each in rows(60))])
    places = [*(each.row for each in task.examples), *(each.row for each in task.labelled)]
    assert set(places) == set(range(1, 61))
    assert len(places) == 60


def test_two_rows_that_hold_the_same_and_have_different_answers_are_refused() -> None:
    with pytest.raises(UsageError, match="rows 3 and 41 are equal"):
        split([*rows(40), LabelledItem({"text": "row 2"}, 99, 41)])


@pytest.mark.parametrize("given", [rows(29), rows(1) * 400])
def test_too_few_different_rows_are_refused_with_what_to_do_instead(given: list[LabelledItem]) -> None:
    with pytest.raises(UsageError, match=r"different rows, but .* Label more, drawn at random, or give these to --examples"):
        split(given)


def test_a_row_that_is_an_example_already_is_refused_and_examples_of_their_own_leave_all_rows_to_measure_with() -> None:
    task = Items()
    task.examples = [Example({"text": "row 7"}, "7")]
    with pytest.raises(UsageError, match=r"1 rows of labels.csv are also examples \(row 8\)"):
        with_labelled(task, rows(50), "labels.csv")
    task.examples = [Example({"text": "another"}, "7")]
    with_labelled(task, rows(50), "labels.csv")
    assert (len(task.labelled), len(task.examples)) == (50, 1)
