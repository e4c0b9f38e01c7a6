"""Each part has a certificate of its own, and what they come to together is no more than they say."""

from typing import Any

import pytest

from maker_graph.core.copies import CopiesSeen
from maker_graph.core.decision import Decision, decide, given
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.red_flags import Sample
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.journal.entry import encode
from maker_graph.report.certificate import as_json, ballots_in, ballots_of, certify
from maker_graph.report.parts import certify_parts


def voted(texts: str, part: str, k: int = 2) -> Decision:
    samples = [Sample(index, text, output_tokens=9) for index, text in enumerate(texts)]
    decision = decide(judge_all(samples, Reader(str.strip, None, None, {})), Voting(k), rounds=1)
    return {**decision, "part": part} if part else decision


def from_program(part: str) -> Decision:
    return {**given({"page": 1}, "world"), "part": part}


def in_journal(*decisions: Decision) -> Any:
    return ballots_in((step, encode(each)) for step, each in enumerate(decisions, start=1))


CHOICES = [voted("aa", "choose")] * 40 + [voted("abaa", "choose")] * 3
VERDICTS = [voted("y", "verdict", 1)] * 43
EDITS = [voted("cc", "edit")] * 20 + [voted("cdcc", "edit")]


def test_the_parts_are_certified_apart_and_their_chances_are_multiplied() -> None:
    acts = [from_program("act")] * 43
    found = certify_parts(in_journal(*CHOICES, *acts, *VERDICTS, *EDITS), 2, {"verdict": 1})
    alone = {name: certify(ballots_of(each), 2).chance for name, each in (("choose", CHOICES), ("edit", EDITS))}
    assert {name: found.parts[name].chance for name in alone} == alone
    for end in ("value", "low", "high"):
        assert getattr(found.chance, end) == pytest.approx(getattr(alone["choose"], end) * getattr(alone["edit"], end))
    assert (found.steps, found.covered, found.given, found.contested) == (150, 64, 43, 4)
    assert any("'verdict'" in each and "one vote" in each for each in found.assumptions)
    assert any("43 steps were answered by the program or the world" in each for each in found.assumptions)
    assert any("says nothing of another part" in each for each in found.assumptions)
    assert as_json(found)["parts"]["choose"]["chance"]["value"] == alone["choose"].value


def test_the_most_contested_steps_of_all_parts_come_first() -> None:
    found = certify_parts(in_journal(*CHOICES, *EDITS), 2, {})
    wrong = [step.wrong for step in found.contested_steps]
    assert wrong == sorted(wrong, reverse=True)
    assert {step.step for step in found.contested_steps} == {41, 42, 43, 64}


def test_a_task_without_parts_is_certified_as_ever() -> None:
    decisions = [voted("aa", "")] * 30
    assert certify_parts(in_journal(*decisions), 2, {}) == certify(ballots_of(decisions), 2)


def test_where_nothing_can_contradict_the_chance_is_anything() -> None:
    found = certify_parts(in_journal(*VERDICTS, from_program("act")), 3, {"verdict": 1})
    assert (found.covered, found.chance) == (0, (0.0, 0.0, 1.0))
    with pytest.raises(UsageError, match="nothing to certify"):
        certify_parts(in_journal(from_program("act")), 3, {})
    with pytest.raises(UsageError, match="nothing to certify"):
        certify_parts({}, 3, {})


def test_copies_refuse_the_chance_of_all_parts() -> None:
    found = certify_parts(in_journal(*CHOICES, *EDITS), 2, {}, CopiesSeen(proven=1))
    assert (found.chance, found.assumptions) == ((0.0, 0.0, 1.0), [])
    assert found.refused


def test_a_program_that_answers_a_task_without_parts_is_counted_and_not_covered() -> None:
    found = certify_parts(in_journal(*[voted("aa", "")] * 30, given(1, "program")), 2, {})
    assert (found.steps, found.covered, found.given) == (31, 30, 1)
    assert any("One step was answered by the program" in each for each in found.assumptions)
