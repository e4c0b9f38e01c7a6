"""Labels are drawn from the steps on which models vote, each in the state in which it was asked."""

from pathlib import Path

import pytest

from maker_graph import GivenPart, Items, Run, UsageError, VotedPart
from maker_graph.core.guarding import guarded
from maker_graph.run import home as homes
from maker_graph.run.populations import decided_steps, run_at, states_in, states_of, task_steps, voted_steps
from maker_graph.simulation import Replies
from maker_graph.tasks import Hanoi
from tests.run.labelled import Words, words_run


def opened(run: Run) -> homes.Run:
    return run._opened


def test_what_models_decided_is_apart_from_what_is_open_given_or_a_persons(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(12, wrong=[2], stuck=[3, 4], digits=[7])) as run:
        run.answer({3: "?X"})
        decided, voted = decided_steps(opened(run)), voted_steps(opened(run))
        assert list(decided.steps) == [1, 2, 5, 6, 8, 9, 10, 11, 12]
        assert (decided.open, decided.person, decided.given, decided.at) == (1, 1, 1, (12, 1))
        assert list(voted.steps) == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
        assert (decided.number, decided.has(2), decided.has(3), decided.has(13)) == (9, True, False, False)


def test_the_digest_changes_with_what_models_decided_and_with_nothing_else(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(6, stuck=[3])) as run:
        before = decided_steps(opened(run))
        run.answer({3: "?X"})
        assert decided_steps(opened(run)).digest == before.digest
        assert run_at(opened(run)) == (6, 1)
    with words_run(tmp_path, Words(6, stuck=[4]), "other") as run:
        assert decided_steps(opened(run)).digest != before.digest
    with words_run(tmp_path, Words(6), "one") as one, words_run(tmp_path, Words(6, wrong=[2]), "two") as two:
        assert decided_steps(opened(one)).steps == decided_steps(opened(two)).steps
        assert decided_steps(opened(one)).digest != decided_steps(opened(two)).digest
        assert voted_steps(opened(one)).digest == voted_steps(opened(two)).digest


def test_of_a_task_the_steps_that_a_program_answers_are_left_out() -> None:
    assert list(task_steps(Words(5, digits=[1, 4])).steps) == [2, 3, 5]
    assert task_steps(Hanoi(disks=4)).steps == range(1, 16)

    class Plain(Items):
        items = range(10**9)

        def prompt(self, item: int) -> str:
            return str(item)

    assert task_steps(Plain()).number == 10**9, "nobody goes through items that no program looks at"
    Plain.items = range(0)
    with pytest.raises(UsageError, match="nothing to label"):
        task_steps(Plain())


class Chain:
    """Count to three; it knows its truth, but cannot make a state."""

    def start(self) -> int:
        return 0

    def done(self, state: int) -> bool:
        return state == 3

    def prompt(self, state: int) -> str:
        return f"after {state}"

    def parse(self, text: str) -> int:
        return int(text)

    def apply(self, state: int, answer: int) -> int:
        return state + answer

    def truth(self, _: int) -> int:
        return 1

    def total(self) -> int:
        return 3


def test_states_are_made_or_walked_to() -> None:
    assert list(states_of(Chain(), [3, 1])) == [(1, 0), (3, 2)]
    assert dict(states_of(Words(5), [5, 2])) == {5: {"item": 4}, 2: {"item": 1}}
    assert [step for step, _ in states_of(Hanoi(disks=3), [7])] == [7]


@pytest.mark.parametrize(("missing", "says"), [("total", r"no total\(\)"), ("truth", r"no state_at\(step\)")])
def test_a_task_that_does_not_know_its_steps_says_what_it_lacks(missing: str, says: str) -> None:
    lacking = type("Lacking", (), {name: value for name, value in vars(Chain).items() if name != missing})
    with pytest.raises(UsageError, match=says):
        task_steps(lacking())


def test_the_states_of_a_run_are_those_it_went_through_and_not_those_of_the_right_path(tmp_path: Path) -> None:
    class Astray(Chain):
        def rehearse(self, _: int) -> Replies:
            return Replies("2", ["3"])

    with Run.create(tmp_path / "r", Astray(), model="sim:perfect", k=1) as run:
        assert run.solve()["verdict"] == "contradicted"
        assert dict(states_in(opened(run), {1, 2})) == {1: 0, 2: 2}
        assert dict(states_of(guarded(Astray()), {1, 2})) == {1: 0, 2: 1}
        assert list(states_in(opened(run), ())) == []


class Two:
    """A part that is voted on, and one that a program answers, in turn."""

    class Ask:
        def prompt(self, state: int) -> str:
            return f"after {state}"

        def parse(self, text: str) -> int:
            return int(text)

    class Double:
        by = "program"

        def answer(self, _: int, step: int) -> int:
            return step

    def __init__(self) -> None:
        self.parts: dict[str, VotedPart | GivenPart] = {"ask": self.Ask(), "double": self.Double()}

    def start(self) -> int:
        return 0

    def part(self, state: int) -> str | None:
        return None if state == 6 else "double" if state % 2 else "ask"

    def apply(self, state: int, _: int) -> int:
        return state + 1

    def total(self) -> int:
        return 6

    def state_at(self, step: int) -> int:
        return step


def test_of_a_task_of_parts_those_are_drawn_that_are_voted_on() -> None:
    assert list(task_steps(Two()).steps) == [1, 3, 5]
