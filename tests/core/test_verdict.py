"""What a run is worth: the first word that fits, what speaks against it, and what single samples would have come to."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from maker_graph import Invalid, UsageError
from maker_graph.core.decision import Decision, after_trying, decide, given, vote_of
from maker_graph.core.items import Items
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Machine
from maker_graph.core.red_flags import Sample, empty, named
from maker_graph.core.rules import AheadBy
from maker_graph.core.verdict import Examiner, Findings, Verdict, verified
from maker_graph.core.voting import Voting

END = 4


class Bare:
    """Counts to four, whatever is answered, and knows nothing of it."""

    def start(self) -> Any:
        return {"n": 0, "said": ""}

    def done(self, state: Any) -> bool:
        return bool(state["n"] >= END)

    def prompt(self, state: Any) -> str:
        return str(state)

    def parse(self, text: str) -> Any:
        return text

    def apply(self, state: Any, answer: Any) -> Any:
        return {"n": state["n"] + 1, "said": state["said"] + answer}


class Ruled(Bare):
    def check(self, state: Any, answer: str) -> bool:  # noqa: ARG002  the rule needs the answer only
        if answer == "!":
            raise Invalid("no such letter")
        return answer.isalpha()


class Wanted(Ruled):
    """All ways that end with a d are good."""

    def goal(self, state: Any) -> bool:
        return bool(state["said"].endswith("d"))


class Free(Bare):
    goal = Wanted.goal


class Knowing(Bare):
    """Step n is answered with the n-th letter."""

    def truth(self, state: Any) -> str:
        return "abcd"[state["n"]]


class Independent(Knowing):
    def skip(self, state: Any) -> Any:
        return {**state, "n": state["n"] + 1}


class Located(Knowing):
    """What was said is not in its state, so a wrong answer leads to the right one."""

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002
        return {**state, "n": state["n"] + 1}

    def state_at(self, step: int) -> Any:
        return {"n": step, "said": ""}


class WantedKnowing(Wanted):
    truth = Knowing.truth


class Keyed(Knowing):
    def key(self, answer: str) -> str:
        return answer.lower()


def decided(*texts: str, k: int = 1, key: Any = None) -> Decision:
    """Return the decision of these replies; an empty one is flagged."""
    how = Reader(parse=str, key=key, check=None, red_flags=named([empty]))
    samples = [judge(Sample(i, text), how) for i, text in enumerate(texts)]
    return decide(samples, Voting(AheadBy(k), max_samples=len(texts)), 1)


def found(task: Any, *steps: str | Decision) -> Findings:
    """Return what a run of these steps is worth; a text is the letters of its steps, "-" for one that was left open."""
    machine, examiner = Machine(task), Examiner(task)
    at = machine.begin()
    for each in steps:
        for decision in [each] if not isinstance(each, str) else map(letter, each):
            examiner.see(decision, at)
            at = machine.advance(at, decision)
    return examiner.found(at)


def letter(text: str) -> Decision:
    return decided("") if text == "-" else decided(text)


@pytest.mark.parametrize(
    ("task", "letters", "verdict", "because"),
    [
        (Bare(), "abcd", "consistent", "the task has no rules to check, and nothing says that the answers are right"),
        (Ruled(), "abcd", "consistent", "every answer keeps the task's rules, and nothing says that the answers are right"),
        (Wanted(), "xyzd", "proved", "every answer keeps the task's rules, and the goal is reached"),
        (Free(), "xyzd", "consistent", "the goal is reached; the task has no rules, so that does not prove the answers"),
        (Knowing(), "abcd", "right", "every answer is the one that the task knows to be right"),
        (WantedKnowing(), "xyzd", "proved", "every answer keeps the task's rules, and the goal is reached"),
        (Wanted(), "abcc", "contradicted", "the goal is not reached"),
        (Ruled(), "a!cd", "contradicted", "the answer of step 2 contradicts a rule of the task (no such letter)"),
        (Ruled(), "a2cd", "contradicted", "the answer of step 2 contradicts a rule of the task"),
        (Wanted(), "a2c4", "contradicted", "the answer of step 2 contradicts a rule of the task; the goal is not reached"),
        (Knowing(), "abxx", "contradicted", "the answer of step 3 contradicts what the task knows to be right"),
        (Independent(), "axx", "contradicted", ("2 answers, the first of them at step 2, contradict what the task knows to be "
         "right")),
        (Independent(), "a-cd", "open", "1 of 4 steps is left open"),
        (Independent(), "a-c-", "open", "2 of 4 steps are left open"),
        (Independent(), "x-cd", "contradicted", "the answer of step 1 contradicts what the task knows to be right"),
        (Knowing(), "ab", "unfinished", "2 steps are decided"),
        (Independent(), "a-", "unfinished", "2 steps are decided"),
        (Knowing(), "x", "contradicted", "the answer of step 1 contradicts what the task knows to be right"),
        (Wanted(), "", "unfinished", "0 steps are decided"),
    ],
)  # fmt: skip
def test_the_first_word_that_fits_is_the_verdict(task: Any, letters: str, verdict: Verdict, because: str) -> None:
    assert found(task, letters)[:2] == (verdict, because)


def test_only_proved_and_right_are_verified_and_only_what_is_contradicted_is_known_to_be_wrong() -> None:
    words: Sequence[Verdict] = ("proved", "right", "consistent", "contradicted", "open", "unfinished")
    assert [verified(word) for word in words] == [True, True, None, False, None, None]


class Counted(Bare):
    def __init__(self, steps: int) -> None:
        self.steps = steps

    def total(self) -> int:
        return self.steps


def test_without_a_goal_the_end_is_missed_where_done_and_total_do_not_agree() -> None:
    assert found(Counted(3), "abc")[:2] == ("contradicted", "the task is not done after the 3 steps that total() says")
    assert found(Counted(5), "abcd")[:2] == ("contradicted", "the task is done after 4 steps, and total() says 5")
    assert found(Counted(4), "abcd").verdict == "consistent"
    assert found(Counted(5), "abc").because == "3 of 5 steps are decided"


def test_where_steps_are_open_a_goal_cannot_be_missed() -> None:
    class Both(Wanted):
        skip = Independent.skip

    assert found(Both(), "abc-").verdict == "open"


def test_dependent_steps_are_compared_up_to_the_first_wrong_one_and_independent_ones_all() -> None:
    assert found(Knowing(), "axxx").wrong == 1
    assert found(Located(), "axxx").wrong == 3, "each is on the right path again, as state_at says"
    assert found(Independent(), "axxx").wrong == 3
    assert found(Ruled(), "a!!!").because.startswith("the answer of step 2")
    assert (found(Bare(), "abcd").wrong, found(Bare(), "abcd").single_wrong) == (None, None)


def test_a_task_with_a_goal_has_its_wrong_steps_counted_and_is_proved_all_the_same() -> None:
    assert found(WantedKnowing(), "xbcd")[:3:2] == ("proved", 1)


def test_truth_is_compared_as_votes_are() -> None:
    def step(text: str) -> Decision:
        return decided(text, key=str.lower)

    assert found(Keyed(), *map(step, "ABcD")).verdict == "right"
    assert found(Keyed(), *map(step, "AXcD")).wrong == 1


def test_single_samples_are_counted_where_they_differ_and_where_they_are_wrong() -> None:
    steps = [
        decided("a", "a", k=2),
        decided("x", "b", "b", "b", k=2),  # outvoted, and wrong
        decided("", "c", "c", k=2),  # discarded
        decided("d", "x", "x", "x", k=2),  # outvoted, and right
    ]
    judged = found(Independent(), *steps)
    assert (judged.single_differs, judged.single_wrong, judged.wrong) == (3, 2, 1)
    assert (found(Bare(), *steps).single_differs, found(Bare(), *steps).single_wrong) == (3, None)


def test_the_first_sample_of_a_step_that_climbed_is_the_first_one_of_all() -> None:
    stuck = decided("x", "a", k=2)
    climbed = after_trying([vote_of(stuck)], decided("a"))
    judged = found(Independent(), climbed, letter("-"), "cd")
    assert (judged.verdict, judged.single_differs, judged.single_wrong) == ("open", 2, 2)


def test_a_decision_that_no_sample_was_drawn_for_is_no_other_without_votes() -> None:
    given: Decision = {**decided("a"), "sequence": [], "ballot": {}, "samples": 0, "by": "program"}
    assert found(Independent(), given, "bcd")[2:] == (0, 0, 0)


def test_what_a_program_answered_is_held_against_the_truth_as_votes_are() -> None:
    class Both(Independent, Keyed):
        """Items are so."""

    def program(answer: str) -> Decision:
        return given(answer, "program")

    assert found(Both(), program("A"), program("b"), decided("C", "c", k=2, key=str.lower), program("d")).verdict == "right"
    assert found(Both(), program("A"), program("x"), program("c"), program("d")).wrong == 1


class Vague(Wanted):
    def goal(self, state: Any) -> Any:
        return state["said"]


def test_a_goal_that_is_neither_true_nor_false_is_the_tasks_fault_and_says_so() -> None:
    with pytest.raises(UsageError, match=r"Vague.goal must return True or False"):
        found(Vague(), "abcd")


class Forgetful(Independent):
    def truth(self, state: Any) -> str:
        return {0: "a", 1: "b"}[state["n"]]


class Absurd(Knowing):
    def truth(self, state: Any) -> Any:  # noqa: ARG002
        return float("nan")


class Sworn(WantedKnowing):
    def truth(self, state: Any) -> str:
        raise AssertionError(state)


def test_a_truth_that_fails_is_not_known_and_no_run_is_lost_for_it() -> None:
    judged = found(Forgetful(), "abcd")
    assert (judged.verdict, judged.wrong, judged.single_wrong) == ("consistent", None, None)
    assert "nothing says that the answers are right, because truth, at step 3, failed with KeyError: 2" in judged.because
    assert found(Forgetful(), "axcd").verdict == "contradicted", "what was known is known"
    assert found(Absurd(), "abcd").verdict == "consistent"
    assert found(Sworn(), "xyzd")[:3] == ("proved", "every answer keeps the task's rules, and the goal is reached", None)


def test_what_is_known_changes_no_state() -> None:
    class Grabbing(Independent):
        def truth(self, state: Any) -> str:
            right = super().truth(state)
            state.clear()
            return right

    assert found(Grabbing(), "abcd").verdict == "right"


class Letter:
    """A voted part: the letter of the step, in either case."""

    prompt = Bare.prompt
    parse = Bare.parse
    truth = Knowing.truth

    def key(self, answer: str) -> str:
        return answer.lower()


class Look:
    """A given part."""

    by = "world"

    def answer(self, state: Any, step: int) -> str:
        pytest.fail(f"the world was asked at step {step} in {state}")


class Parted:
    """Says two letters, and looks after each."""

    parts: ClassVar[dict[str, Any]] = {"letter": Letter(), "look": Look()}
    start, apply = Bare.start, Bare.apply

    def part(self, state: Any) -> str | None:
        return None if state["n"] == END else ("letter", "look")[state["n"] % 2]


class PartedWithGoal(Parted):
    parts: ClassVar[dict[str, Any]] = {"letter": type("Strict", (Letter,), {"check": Ruled.check})(), "look": Look()}

    def goal(self, state: Any) -> bool:
        return bool(state["said"][-1] == "?")


def test_what_is_given_is_held_against_nothing_and_what_a_part_votes_on_against_the_parts_own_truth() -> None:
    def step(text: str) -> Decision:
        return decided(text, key=str.lower)

    assert found(Parted(), *map(step, "A?c!")).verdict == "right"
    assert found(Parted(), *map(step, "A?x!"))[:3] == (
        "contradicted", "the answer of step 3 contradicts what the task knows to be right", 1,
    )  # fmt: skip
    assert found(PartedWithGoal(), *map(step, "a?x?")).verdict == "proved"
    assert found(PartedWithGoal(), *map(step, "a?5?")).because.startswith("the answer of step 3 contradicts a rule")


class Spelled(Items):
    """Words that a program spells in its own way; case is not part of a vote."""

    items = ("a", "b")

    def given(self, item: str) -> str:
        return item.upper()

    def prompt(self, item: str) -> str:
        return item

    def key(self, answer: str) -> str:
        return answer.lower()

    def truth(self, item: str) -> str:
        return item if item == "a" else "c"


def test_what_a_program_says_of_an_item_is_held_against_the_truth_as_votes_are() -> None:
    machine = Machine(Spelled())
    at, examiner = machine.begin(), Examiner(Spelled())
    for answer in ("A", "B"):
        decision = given(answer, "program")
        examiner.see(decision, at)
        at = machine.advance(at, decision)
    found = examiner.found(at)
    assert (found.wrong, found.single_wrong) == (1, 1)
