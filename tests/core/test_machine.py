"""The step machine: the same decisions lead to the same place, and everything counts in the sums."""

from typing import Any

import pytest

from maker_graph.core.decision import Decision, decide
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Machine, MakerOutput, added, no_totals
from maker_graph.core.red_flags import Sample, empty, named
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError


class Letters:
    """A task whose state is what was answered so far, three letters at most."""

    def start(self) -> Any:
        return ""

    def total(self) -> int:
        return 3

    def done(self, state: Any) -> bool:
        return bool(state.endswith("z"))

    def prompt(self, state: str) -> str:
        return state

    def parse(self, text: str) -> str:
        return text

    def apply(self, state: Any, answer: Any) -> Any:
        return state + answer


def decided(*texts: str, k: int = 1) -> Decision:
    how = Reader(parse=str, key=None, check=None, red_flags=named([empty]))
    samples = [judge(Sample(i, text, input_tokens=5, output_tokens=2), how) for i, text in enumerate(texts)]
    return decide(samples, Voting(AheadBy(k), max_samples=99), 1)


def walked(*answers: str) -> MakerOutput:
    machine = Machine(Letters())
    at = machine.begin()
    for answer in answers:
        at = machine.advance(at, decided(answer))
    return at


def test_the_same_decisions_lead_to_the_same_place_and_others_to_another() -> None:
    assert walked("a", "b") == walked("a", "b")
    assert len({walked(*answers)["digest"] for answers in ("", "a", "b", "ab", "ba", "aa")}) == 6


def test_a_task_ends_where_it_is_done_or_at_its_total() -> None:
    assert [walked(*answers)["done"] for answers in ("", "a", "ab", "abc", "z")] == [False, False, False, True, True]
    assert (walked("a", "b")["step"], walked("a", "b")["state"]) == (2, "ab")


def test_every_sample_of_a_decision_is_in_the_sums_once() -> None:
    totals = added(no_totals(), decided("b", "a", "", "a", "a", k=2), 1)
    assert (totals["samples"], totals["votes"], totals["outvoted"], totals["undecided"]) == (5, 4, 1, 0)
    assert totals["flags"] == {"empty": 1}
    assert (totals["tokens"]["input"], totals["tokens"]["output"]) == (25, 10)
    assert totals["first_sample_wrong_at"] == 1
    assert "lost" not in totals


def test_the_first_step_whose_first_sample_was_wrong_stays_the_first() -> None:
    totals = no_totals()
    for step, texts in enumerate((["a"], ["b", "a", "a"], ["b", "a", "a"]), start=1):
        totals = added(totals, decided(*texts), step)
    assert added(no_totals(), decided("a"), 1)["first_sample_wrong_at"] is None
    assert totals["first_sample_wrong_at"] in {None, 2}


def test_what_was_before_is_not_changed() -> None:
    machine = Machine(Letters())
    before = machine.begin()
    machine.advance(before, decided("a"))
    assert before == machine.begin()


def test_a_start_that_changes_and_a_state_that_is_no_json_are_refused_by_name() -> None:
    class Restless(Letters):
        starts = 0

        def start(self) -> int:
            self.starts += 1
            return self.starts

    class Opaque(Letters):
        def apply(self, state: Any, answer: Any) -> Any:
            return {state, answer}

    with pytest.raises(UsageError, match=r"Restless.start\(\) returned two different states"):
        Machine(Restless()).begin()
    machine = Machine(Opaque())
    with pytest.raises(UsageError, match="state after step 1 of Opaque"):
        machine.advance(machine.begin(), decided("a"))
