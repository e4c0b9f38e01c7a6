"""The task contract: five functions are enough, and what else a task has is known by its functions."""

import pytest

from maker_graph.core import task as contract
from maker_graph.core.guarding import draftable, guarded, total_of
from maker_graph.core.items import Items
from maker_graph.core.task import Drafted, Goal, Predicts, Task
from maker_graph.errors import UsageError
from maker_graph.tasks import Hanoi, Records


class Smallest:
    """A task with what every task must have, and nothing else."""

    def start(self) -> int:
        return 3

    def done(self, state: int) -> bool:
        return state == 0

    def prompt(self, state: int) -> str:
        return str(state)

    def parse(self, text: str) -> int:
        return int(text)

    def apply(self, state: int, answer: int) -> int:
        return answer - state + state


OPTIONAL = ("Checks", "Keyed", "Counted", "Rephrases", "Predicts", "Drafted", "Skippable", "Located", "Known", "Goal")


def has(task: object) -> set[str]:
    return {name for name in OPTIONAL if isinstance(task, getattr(contract, name))}


def test_five_functions_are_a_task_and_four_are_none() -> None:
    class Four:
        start = done = prompt = parse = Smallest.start

    assert isinstance(Smallest(), Task)
    assert not isinstance(Four(), Task)
    assert has(Smallest()) == set()


def test_a_task_that_ships_has_what_its_functions_say() -> None:
    assert {"Checks", "Counted", "Rephrases", "Drafted", "Located", "Known", "Goal"} <= has(Hanoi(3))
    assert isinstance(Records([]), Items)
    assert not isinstance(guarded(Records([])), Goal), "a row that keeps the rules may still be wrong"
    assert not isinstance(Hanoi(3), Predicts)
    assert isinstance(Hanoi(3), Drafted)


def test_the_number_of_steps_is_a_number_or_not_known() -> None:
    class Endless(Smallest):
        def total(self) -> int:
            return -1

    assert (total_of(Hanoi(4)), total_of(Smallest())) == (15, None)
    with pytest.raises(UsageError, match=r"Endless.total\(\)"):
        total_of(Endless())


def test_a_task_without_drafts_says_what_it_lacks() -> None:
    draftable(Hanoi(3))
    with pytest.raises(UsageError, match=r"Smallest cannot be drafted.*draft\(state, n\)"):
        draftable(Smallest())
