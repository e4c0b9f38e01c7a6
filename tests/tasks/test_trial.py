"""What came of a trial can be asked by the names of its checks."""

from maker_graph.tasks.trial import CHECKS, Problem, Trial


def test_a_trial_says_which_of_its_checks_have_failed() -> None:
    trial = Trial(problems=[Problem("pure", "another state each time", 3)])
    assert trial.failed("plain", "pure")
    assert not trial.failed("plain", "end")
    assert {problem.check for problem in trial.problems} <= set(CHECKS)
