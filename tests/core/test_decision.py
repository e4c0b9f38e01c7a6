"""Samples become votes or red flags, and votes a decision, as a pure function."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.decision import Decision, after_trying, answered, decide, first_of, next_draw, unasked, vote_of
from maker_graph.core.judging import Reader, judge, judge_all
from maker_graph.core.red_flags import Sample, empty, named
from maker_graph.core.rules import AheadBy, Confirm, FirstTo, Majority
from maker_graph.core.verifying import Valid
from maker_graph.core.voting import Voting
from tests.core.judged import judged, reading, verified


def test_a_flagged_sample_is_never_a_vote_even_if_it_can_be_read() -> None:
    samples = [judge(Sample(0, "1", finish="length"), reading()), *judged("2", "2")]
    decision = decide(samples, Voting(AheadBy(2), max_samples=100), 1)
    assert decision["ballot"] == {"2": 2}
    assert decision["flags"] == {"truncated": 1}
    assert decision["samples"] == 3
    assert decision["sequence"] == ["truncated", 0, 0]


def test_equal_values_are_one_vote_and_the_answer_is_that_of_the_first() -> None:
    samples = judged("10.50", "10.5", "1.05e1", how=reading(parse=Decimal))
    decision = decide(samples, Voting(k=3), 1)
    assert (decision["ballot"], decision["answer"]) == ({'"10.5"': 3}, "10.50")
    apart, composed = '"Ko\u0308ln"', '"K\u00f6ln"'
    decision = decide(judged(apart, composed, apart), Voting(k=3), 1)
    assert (decision["ballot"], decision["answer"]) == ({'"K\u00f6ln"': 3}, "Ko\u0308ln")


def test_answers_that_share_a_key_are_the_same_vote_and_the_first_of_them_wins() -> None:
    how = reading(key=lambda answer: answer["queue"])
    samples = judged('{"queue": "a", "why": "x"}', '{"queue": "b", "why": "y"}', '{"queue": "a", "why": "z"}', how=how)
    decision = decide(samples, Voting(FirstTo(2), max_samples=100), 2)
    assert decision["answer"] == {"queue": "a", "why": "x"}
    assert decision["candidate"] == '"a"'


def test_a_vote_that_cannot_be_won_within_the_cap_ends_undecided_before_it_costs_more() -> None:
    samples = judged("1", "2", "1", "2")
    assert next_draw(samples, Voting(AheadBy(3), max_samples=6)) == 0
    decision = decide(samples, Voting(AheadBy(3), max_samples=6), 2)
    assert decision["status"] == "undecided"
    assert decision["answer"] is None
    assert "within 6 samples" in decision["reason"]


def test_ten_valid_samples_of_which_no_two_agree_end_the_vote_and_name_key() -> None:
    samples = judged(*map(str, range(10)))
    assert next_draw(samples[:9], Voting(AheadBy(3), max_samples=100)) == 3
    assert next_draw(samples, Voting(AheadBy(3), max_samples=100)) == 0
    assert "key=" in decide(samples, Voting(AheadBy(3), max_samples=100), 4)["reason"]


def test_a_hung_majority_is_undecided() -> None:
    assert decide(judged("1", "2", "1", "2"), Voting(Majority(4), max_samples=100), 1)["status"] == "undecided"


def test_the_first_sample_alone_is_held_against_the_decision_even_if_it_was_flagged() -> None:
    flagged_but_right = judge(Sample(0, "1", output_tokens=900), reading())
    assert decide([flagged_but_right, *judged("1", "1")], Voting(AheadBy(2), max_samples=9), 1)["first_agrees"] is True
    assert decide(judged("2", "1", "1", "1"), Voting(AheadBy(2), max_samples=9), 1)["first_agrees"] is False
    assert decide(judged("?", "1", "1"), Voting(AheadBy(2), max_samples=9), 1)["first_agrees"] is False


@given(st.lists(st.sampled_from(["1", "2", "3", "no JSON"]), min_size=1, max_size=40), st.integers(1, 4))
def test_every_sample_is_counted_once(texts: list[str], k: int) -> None:
    decision = decide(judged(*texts), Voting(AheadBy(k), max_samples=10_000), 1)
    assert sum(decision["ballot"].values()) + sum(decision["flags"].values()) == decision["samples"] == len(texts)


def test_the_first_sample_of_a_step_is_that_of_its_first_rung_also_once_it_was_read_from_a_journal() -> None:
    def voted(*texts: str) -> Decision:
        how = Reader(parse=str, key=None, check=None, red_flags=named([empty]))
        return decide([judge(Sample(i, text), how) for i, text in enumerate(texts)], Voting(2, max_samples=2), 1)

    base, hotter = voted("a", "b"), voted("b", "a")
    assert first_of([base, hotter]) == '"a"'
    kept: Decision = {**base, "first": ""}
    discarded: Decision = {**voted("", "b"), "first": ""}
    assert first_of([kept]) == '"a"'
    assert first_of([discarded]) == "", "nobody knows what a discarded sample said"
    reply = judge(Sample(0, "a"), Reader(parse=str, key=None, check=None, red_flags={}))
    assert answered(after_trying([vote_of(kept)], hotter), reply)["first_agrees"]
    assert not answered(after_trying([vote_of(hotter)], kept), reply)["first_agrees"]
    assert after_trying([vote_of(kept)], voted("a", "a"))["first_agrees"]


def test_a_vote_that_could_not_be_taken_is_undecided_without_a_sample() -> None:
    decision = unasked("base", "the prompt is too long")
    assert (decision["status"], decision["samples"], decision["candidate"]) == ("undecided", 0, None)


def test_the_first_proved_sample_decides_alone_however_many_say_otherwise() -> None:
    votes = verified("7", "7", "7", "42", "7")
    decision = decide(votes, Voting(k=3), rounds=2)
    assert (decision["status"], decision["answer"], decision["proved"]) == ("decided", 42, "it is the answer")
    assert (decision["ballot"], decision["standings"]) == ({"7": 4, "42": 1}, {"unknown": 4, "proved": 1})
    assert (decision["first_agrees"], "passed" in decision, "merged" in decision) == (False, False, False)
    assert next_draw(votes, Voting(k=3), verifies=True) == 0


@pytest.mark.parametrize("texts", [("7", "7", "7"), ("2", "2", "2"), ("2", "7", "2", "2", "2")])
def test_what_is_unknown_or_only_valid_is_a_vote_like_any_other(texts: tuple[str, ...]) -> None:
    with_verifier, without = verified(*texts), judged(*texts)
    for number in range(len(texts) + 1):
        decisions = [decide(each[:number], Voting(k=3), 1) for each in (with_verifier, without)] if number else []
        assert all(each["status"] == decisions[0]["status"] for each in decisions)
        assert all("proved" not in each for each in decisions)
    assert next_draw(with_verifier[:2], Voting(k=3), verifies=True) == next_draw(without[:2], Voting(k=3))


def test_with_a_verifier_a_vote_draws_one_at_a_time_until_a_sample_is_valid() -> None:
    voting = Voting(k=3)
    assert next_draw([], voting) == 3
    assert next_draw([], voting, verifies=True) == 1
    assert next_draw(verified("-1", "-2"), voting, verifies=True) == 1
    assert next_draw(verified("-1", "7"), voting, verifies=True) == 2
    assert next_draw(verified("7", "2"), voting, verifies=True) == 3
    assert next_draw(verified(*["-1"] * 20), voting, verifies=True) == 0, "stuck"


def test_two_different_proofs_decide_nothing_and_leave_the_step_to_a_person() -> None:
    def everything(answer: Any) -> Valid:
        return Valid(f"it is {answer}", conclusive=True)

    votes = judge_all([Sample(0, "7"), Sample(1, "2")], reading(verify=everything))
    decision = decide(votes, Voting(k=2), rounds=1)
    assert (decision["status"], decision.get("passed"), "proved" in decision) == ("undecided", True, False)
    assert decision["reason"].startswith("the verifier proved two different answers, 7 and 2: verify is wrong")
    same = decide(judge_all([Sample(0, "7"), Sample(1, "7 ")], reading(verify=everything)), Voting(k=2), rounds=1)
    assert same["proved"] == "it is 7"


def test_a_proof_in_a_vote_that_the_rule_gives_up_decides_all_the_same() -> None:
    votes = verified("7", "9", "42")
    assert decide(votes, Voting(k=AheadBy(3, within=3)), rounds=1)["answer"] == 42


def test_a_winner_that_key_made_of_several_answers_says_so() -> None:
    def decimal(answer: Any) -> str:
        return str(Decimal(str(answer)).normalize())

    def ended(*texts: str) -> Decision:
        return decide(judged(*texts, how=reading(key=decimal)), Voting(k=Majority(len(texts))), rounds=1)

    merged = ended('"1.0"', '"1.00"', '"2"', '"2"', '"1"')
    assert (merged["answer"], merged.get("merged")) == ("1.0", True)
    assert "merged" not in ended('"1.0"', '"1.0"', '"1.0"', '"2"', '"2"')
    assert "merged" not in ended('"1.0"', '"1.0"', '"1"', '"2"', '"2"'), "a tie as whole answers is no other winner"
    assert "merged" not in ended('"1"', '"1.0"', '"1.00"')


def test_a_rule_that_lets_the_fewer_votes_win_merges_nothing() -> None:
    votes = judged("1", "2", "2", "2", "1")
    decision = decide(votes, Voting(k=Confirm(1, of=4)), rounds=3)
    assert (decision["candidate"], decision["ballot"]) == ("1", {"1": 2, "2": 3})
    assert "merged" not in decision
