"""Problems are the same each time, say in their text what they are about, and lead back from their last value to the text."""

import re
from fractions import Fraction

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.word_problems.making import HOLDERS, MOST_PARTS, Dice, Sizes, made
from maker_graph.tasks.word_problems.problems import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_begin_a_problem_and_follow_another_step(kind: str) -> None:
    among = tuple(each for each in KINDS if each in {kind, "sum"})
    problems = [made(number, Sizes(among, 2, 20, 0)) for number in range(60)]
    for place in (0, 1):
        assert any(each.steps[place].kind == kind for each in problems)


def test_every_value_is_a_whole_number_that_leads_back_to_the_text() -> None:
    for number in range(300):
        problem = made(number, Sizes(KINDS, 4, 20, 3))
        assert all(problem.backwards())
        assert all(value.denominator == 1 and value >= 1 for value in problem.values())


def test_what_a_step_states_stands_in_its_text() -> None:
    for number in range(200):
        for step in made(number, Sizes(KINDS, 3, 20, 5)).steps:
            said = {Fraction(each) for each in re.findall(r"\d+", step.text)}
            of_percent = {Fraction(100), *(each / 100 for each in said)}
            assert {each.value for each in step.stated} <= said | (of_percent if step.kind == "percent" else set())
            assert said == {each.value for each in step.stated} & said


def test_problems_are_drawn_anew_for_each_number_and_seed_and_are_the_same_each_time() -> None:
    sizes = Sizes(KINDS, 3, 20, 0)
    texts = [made(number, sizes).text for number in range(50)]
    assert len(set(texts)) == 50
    assert texts == [made(number, sizes).text for number in range(50)]
    assert made(0, sizes._replace(seed=1)).text != texts[0]


def test_numbers_stay_below_the_largest_that_may_be_drawn() -> None:
    for number in range(100):
        for step in made(number, Sizes(("sum", "difference", "product", "rate"), 3, 7, 0)).steps:
            assert all(each.value <= 7 for each in step.stated)


def test_what_is_kept_by_percent_a_second_time_is_not_told_by_what_it_has_been_chosen_by() -> None:
    for number in range(60):
        assert made(number, Sizes(("sum", "percent"), 4, 100, 0)).text.count("red") <= 1


def test_each_holder_and_each_letter_of_a_problem_of_few_steps_stands_for_one_thing() -> None:
    for number in range(100):
        problem = made(number, Sizes(("product", "share", "equation"), 4, 100, 0))
        parts = [each.unit for each in problem.steps if each.kind == "share"]
        names = [name for step in problem.steps for each in step.stated for name, exponent in each.unit if exponent > 0]
        holders = [name for name in names if name in HOLDERS]
        assert len({*holders}) == len(holders), problem.text
        assert len({*parts}) == len(parts), problem.text


def test_a_letter_stands_for_one_thing_in_problems_of_many_steps_too() -> None:
    problem = made(0, Sizes(("sum", "product", "equation"), 30, 1_000, 0))
    letters = [each.letter for each in problem.steps if each.letter]
    assert len({*letters}) == len(letters)
    assert any(len(each) > 1 for each in letters)
    assert all(each.letter in each.equation for each in problem.steps)


def test_large_numbers_and_many_steps_take_little_work() -> None:
    assert len(made(0, Sizes(("sum", "difference"), 1_000, 20, 0)).steps) == 1_000
    found = made(0, Sizes(("sum", "share"), 3, 10**9, 0))
    assert all(step.kind == "sum" or place == 0 or step.stated[0].value <= MOST_PARTS for place, step in enumerate(found.steps))


def test_a_problem_that_is_seldom_made_is_made_with_more_attempts_and_is_the_same() -> None:
    sizes = Sizes(("equation",), 3, 8, 0)
    with pytest.raises(UsageError):
        made(20, sizes)
    assert made(20, sizes, 100_000) == made(20, sizes, 50_000)
    assert made(0, sizes) == made(0, sizes, 100_000)


def test_what_cannot_be_made_is_told_with_what_to_change() -> None:
    with pytest.raises(UsageError, match=r"30 steps can be made of share .* name more kinds"):
        made(0, Sizes(("share",), 30, 3, 0))


def test_dice_draw_the_same_for_the_same_name_and_reach_all_sides() -> None:
    first, again = Dice("a"), Dice("a")
    drawn = [first.between(1, 6) for _ in range(200)]
    assert drawn == [again.between(1, 6) for _ in range(200)]
    assert set(drawn) == set(range(1, 7))
    assert Dice("b").share() != Dice("a").share()
    assert Dice("a").between(5, 3) == 5
