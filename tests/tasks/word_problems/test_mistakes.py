"""Mistakes are wrong, of the kind that they are said to be, and some of those of set-up pass the verifier."""

from collections import Counter
from typing import Any

import pytest

from maker_graph.core.verifying import Valid, verification_of
from maker_graph.tasks.word_problems import WordProblems
from maker_graph.tasks.word_problems.making import Dice
from maker_graph.tasks.word_problems.mistakes import arithmetic_slips, setup_slips


def verdicts(task: WordProblems) -> tuple[Counter[str], int]:
    """Return what the verifier says of all mistakes that are rehearsed, and on how many steps there is only one."""
    found: Counter[str] = Counter()
    alone = 0
    for number in range(task.total()):
        state = task.state_at(number)
        right, wrong, error = task.rehearse(state)
        assert task.parse(right) == task.truth(state)
        assert error in {None, 1.0}
        alone += error == 1.0
        assert wrong
        assert (len(wrong) == 1) or error is None
        for text in wrong:
            answer: Any = task.parse(text)
            assert answer["value"] != task.truth(state)["value"]
            said = verification_of(task.verify, state, answer)
            assert not (isinstance(said, Valid) and said.conclusive)
            found["passes" if isinstance(said, Valid) else "caught"] += 1
    return found, alone


def test_every_mistake_of_arithmetic_is_caught() -> None:
    assert verdicts(WordProblems(problems=60, arithmetic=1.0))[0]["passes"] == 0


def test_some_mistakes_of_set_up_are_caught_and_some_pass() -> None:
    found, _ = verdicts(WordProblems(problems=60, arithmetic=0.0))
    assert found["passes"] > 20
    assert found["caught"] > 20


def test_on_steps_in_unison_there_is_one_mistake_and_no_right_sample() -> None:
    assert verdicts(WordProblems(problems=20, unison=1.0))[1] == 60
    assert verdicts(WordProblems(problems=20, unison=0.0))[1] == 0
    assert 20 < verdicts(WordProblems(problems=60, unison=0.3))[1] < 90


@pytest.mark.parametrize("right", ["1 * 2", "4 * 12", "5 - 4", "5 - 9"])
def test_slips_of_arithmetic_keep_the_expression_and_differ_in_the_value(right: str) -> None:
    slips = arithmetic_slips(right)
    assert len({*slips}) == len(slips) > 1
    assert all(each.startswith(f"{right} = ") for each in slips)


def test_slips_of_set_up_differ_from_the_right_expression_in_their_value_too() -> None:
    task = WordProblems(problems=40)
    for number in range(40):
        problem = task.problem(number)
        slips = setup_slips(problem, [], Dice(str(number)))
        assert all(task.parse(each) != task.truth(task.state_at(3 * number)) for each in slips)
        assert slips == setup_slips(problem, [], Dice(str(number)))
