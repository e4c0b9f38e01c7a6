"""The tree of problems grows with the steps of a decomposition, and tells the ballot of each."""

from maker_graph.core.canonical import canonical
from maker_graph.journal.entry import Skimmed, SkimmedVote
from maker_graph.report.counting.steps import CountedStep, counted_step
from maker_graph.report.counting.tree import TreeRecorder
from maker_graph.tasks import Decompose, Hanoi
from tests.report.making import step, vote

SPLIT = {"problems": ["a", "b"], "combine": "Join them."}


def answered(number: int, answer: object, ended: SkimmedVote) -> CountedStep:
    return counted_step(number, Skimmed(f"[{canonical(answer)}]", [ended], 0, first_agrees=True), 2, None)


def test_each_problem_is_told_of_with_its_answer_and_its_ballots() -> None:
    recorder = TreeRecorder(Decompose("ab", max_depth=1))
    for number, answer in enumerate([SPLIT, "A", "B", "AB"], start=1):
        recorder.add(answered(number, answer, vote(0, 1, 0, 0) if answer == "B" else vote(0, 0)))
    root = recorder.root()
    assert root is not None
    assert (root.answer, root.combine, root.at_once) == ("AB", "Join them.", None)
    assert root.told == {"split": [(canonical(SPLIT), 2)], "compose": [('"AB"', 2)]}
    first, second = root.children
    assert (first.problem, first.answer, first.at_once, first.told) == ("a", "A", "depth", {"solve": [('"A"', 2)]})
    assert second.told == {"solve": [('"B"', 3), ('"b"', 1)]}


def test_other_tasks_have_no_tree() -> None:
    recorder = TreeRecorder(Hanoi(2))
    recorder.add(step(1, vote(0, 0)))
    assert recorder.root() is None
