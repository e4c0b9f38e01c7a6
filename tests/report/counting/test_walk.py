"""The walk knows what is right at each step, until a wrong turn."""

from maker_graph.core.canonical import canonical
from maker_graph.journal.entry import Skimmed
from maker_graph.report.counting.steps import CountedStep, counted_step
from maker_graph.report.counting.walk import TruthWalk
from maker_graph.tasks import Hanoi, Records
from tests.report.making import vote

ROW = {"address": "5 Elm St. 10115 Berlin", "date": "3.4.24", "amount": "$5"}


def decided(number: int, answer: object, truth: str | None) -> CountedStep:
    return counted_step(number, Skimmed(canonical([answer]), [vote(0)], 0, first_agrees=True), 1, truth)


def test_it_knows_every_right_answer_of_a_run_that_keeps_to_them_and_nothing_after_a_wrong_one() -> None:
    task = Hanoi(3)
    walk, state = TruthWalk(task, replayed=True), task.start()
    assert walk.known
    for number in range(1, 5):
        answer = task.truth(state)
        assert walk.truth(number) == canonical(answer)
        walk.add(decided(number, answer, walk.truth(number)))
        state = task.apply(state, answer)
    assert walk.truth(5) == canonical(task.truth(state))
    walk.add(decided(5, task.truth(task.start()), walk.truth(5)))  # a legal move elsewhere, and not the right one here
    assert walk.truth(6) is None


def test_of_a_long_run_or_a_task_without_truth_no_state_is_made() -> None:
    for walk in (TruthWalk(Hanoi(20), replayed=False), TruthWalk(Records([ROW]), replayed=True)):
        assert (walk.known, walk.truth(1)) == (False, None)
        walk.add(counted_step(1, Skimmed('["no answer of this task"]', [vote(0)], 0, first_agrees=True), 1, None))
