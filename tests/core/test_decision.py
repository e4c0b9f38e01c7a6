"""Samples become votes or red flags, and votes a decision, as a pure function."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.canonical import canonical, strict_json
from maker_graph.core.decision import (
    Decision,
    Judged,
    Reader,
    after_trying,
    answered,
    decide,
    first_of,
    judge,
    judge_all,
    next_draw,
    unasked,
    vote_of,
)
from maker_graph.core.red_flags import Sample, empty, estimated_tokens, named, refused, too_long, truncated
from maker_graph.core.rules import AheadBy, FirstTo, Majority
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.core.voting import Voting
from maker_graph.errors import Incomparable, Invalid, UsageError

FLAGS = named([truncated, too_long(750), refused, empty])


def reading(**changes: Any) -> Reader:
    settings = {"parse": strict_json, "key": None, "check": None, "red_flags": FLAGS} | changes
    return Reader(**settings)


def judged(*texts: str, how: Reader | None = None) -> list[Judged]:
    return [judge(Sample(index, text), how or reading()) for index, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("sample", "flag"),
    [
        (Sample(0, "1"), None),
        (Sample(0, "1", finish="length"), "truncated"),
        (Sample(0, "1", output_tokens=751), "too_long"),
        (Sample(0, "1", output_tokens=750), None),
        (Sample(0, "1", finish="refused"), "refused"),
        (Sample(0, " \n"), "empty"),
        (Sample(0, "one"), "malformed"),
        (Sample(0, "NaN"), "malformed"),
        (Sample(0, '{"a": 1, "a": 2}'), "malformed"),
        (Sample(0, '"\\ud800"'), "malformed"),
        (Sample(0, "-1"), "invalid"),
    ],
)
def test_each_red_flag_is_counted_by_its_name(sample: Sample, flag: str | None) -> None:
    assert judge(sample, reading(check=lambda answer: answer >= 0))["flag"] == flag


def test_a_flagged_sample_is_never_a_vote_even_if_it_can_be_read() -> None:
    samples = [judge(Sample(0, "1", finish="length"), reading()), *judged("2", "2")]
    decision = decide(samples, Voting(AheadBy(2), max_samples=100), 1)
    assert decision["ballot"] == {"2": 2}
    assert decision["flags"] == {"truncated": 1}
    assert decision["samples"] == 3
    assert decision["sequence"] == ["truncated", 0, 0]


def test_any_function_is_a_red_flag_under_its_own_name() -> None:
    def shouting(sample: Sample) -> bool:
        return sample.text.isupper()

    assert judge(Sample(0, '"A"'), reading(red_flags=named([shouting])))["flag"] == "shouting"


def test_a_red_flag_without_a_name_or_with_a_taken_one_is_refused() -> None:
    with pytest.raises(UsageError, match="write it with def"):
        named([lambda sample: not sample.text])
    with pytest.raises(UsageError, match="taken"):
        named([empty, empty])


def test_a_parser_that_fails_in_any_way_makes_a_malformed_sample_and_says_why() -> None:
    result = judge(Sample(0, "{}"), reading(parse=lambda text: strict_json(text)["queue"]))  # type: ignore[index,call-overload]
    assert result["flag"] == "malformed"
    assert result["why"] == "KeyError: 'queue'"


@pytest.mark.parametrize("says", [None, "yes", "no", "", 1, 0, [], [1]])
def test_a_check_that_says_neither_true_nor_false_is_an_error_and_lets_no_answer_win(says: Any) -> None:
    with pytest.raises(UsageError, match="check must return True or False, and it returned"):
        judged("1", how=reading(check=lambda _: says))


def test_a_check_may_say_why_an_answer_is_invalid() -> None:
    def young(answer: Any) -> bool:
        if answer > 9:
            raise Invalid(f"{answer} is \x1b[2J too old")
        return True

    (sample,) = samples = judged("12", how=reading(check=young))
    assert (sample["flag"], sample["candidate"], sample["why"]) == ("invalid", "12", "12 is \\x1b[2J too old")
    decision = decide([*samples, *samples], Voting(k=1, stuck_after=2, max_samples=9), 2)
    assert decision["flags"] == {"invalid": 2}
    assert "The last invalid reply: 12 is \\x1b[2J too old." in decision["reason"]


def test_a_check_that_fails_in_another_way_is_an_error_for_it_may_fail_on_right_answers_only() -> None:
    with pytest.raises(UsageError, match="check failed with KeyError: 'queue'") as caught:
        judged("{}", how=reading(check=lambda answer: answer["queue"] == "a"))
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("value", [{1, 2}, b"a", (each for each in "ab"), object(), [{"a": frozenset()}]])
def test_an_answer_that_cannot_be_compared_is_an_error_when_first_seen(value: Any) -> None:
    with pytest.raises(Incomparable, match=r"An answer cannot be voted on: not plain JSON"):
        judged("1", how=reading(parse=lambda _: value))
    with pytest.raises(Incomparable, match=r"What key returned cannot be voted on: not plain JSON"):
        judged("1", how=reading(key=lambda _: value))


def test_equal_values_are_one_vote_and_the_answer_is_that_of_the_first() -> None:
    samples = judged("10.50", "10.5", "1.05e1", how=reading(parse=Decimal))
    decision = decide(samples, Voting(k=3), 1)
    assert (decision["ballot"], decision["answer"]) == ({'"10.5"': 3}, "10.50")
    apart, composed = '"Ko\u0308ln"', '"K\u00f6ln"'
    decision = decide(judged(apart, composed, apart), Voting(k=3), 1)
    assert (decision["ballot"], decision["answer"]) == ({'"K\u00f6ln"': 3}, "Ko\u0308ln")


def test_key_and_check_see_plain_json_that_they_may_change_or_an_instance() -> None:
    def spoil(answer: Any) -> Any:
        return answer.pop("queue")

    how = reading(key=spoil, check=lambda answer: spoil(answer) == "a")
    (sample,) = judged('{"queue": "a"}', how=how)
    assert (sample["flag"], sample["candidate"], sample["answer"]) == (None, '"a"', {"queue": "a"})
    seen: list[Any] = []
    how = reading(parse=Decimal, key=lambda value: seen.append(value) or 1, instances=True)  # type: ignore[func-returns-value]
    judged("10.50", how=how)
    judged("10.50", how=reading(parse=Decimal, key=lambda value: seen.append(value) or 1))  # type: ignore[func-returns-value]
    assert seen == [Decimal("10.50"), "10.50"]


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


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_json_reads_back_to_the_same_canonical_json(value: Any) -> None:
    try:
        text = canonical(value)
    except ValueError:
        return  # a lone surrogate
    assert canonical(strict_json(text)) == text


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), b"x", "\ud800"])
def test_what_is_not_plain_json_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        canonical(value)


def test_the_estimate_of_tokens_is_one_per_four_bytes() -> None:
    assert [estimated_tokens(text) for text in ("", "a", "abcd", "abcde", "ééé")] == [0, 1, 1, 2, 2]


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


def test_a_parser_that_reads_by_rules_says_which_one_a_reply_breaks() -> None:
    def parse(text: str) -> int:
        if int(text) < 0:
            raise Invalid("it is below 0")
        return int(text)

    how = Reader(parse=parse, key=None, check=None, red_flags={})
    found = [judge(Sample(0, text), how) for text in ("1", "-1", "x")]
    assert [each["flag"] for each in found] == [None, "invalid", "malformed"]
    assert found[1]["why"] == "it is below 0"


def test_a_vote_that_could_not_be_taken_is_undecided_without_a_sample() -> None:
    decision = unasked("base", "the prompt is too long")
    assert (decision["status"], decision["samples"], decision["candidate"]) == ("undecided", 0, None)


def even(answer: Any) -> Valid | Unknown:
    """Prove 42, call other even numbers valid, know nothing of odd ones, and refuse those below 0."""
    if not isinstance(answer, int):
        return Unknown("it is no number")
    if answer < 0:
        raise Invalid(f"{answer} is below 0")
    if answer % 2:
        return Unknown("it is odd")
    return Valid("it is the answer", conclusive=True) if answer == 42 else Valid("it is even")


def verified(*texts: str, **changes: Any) -> list[Judged]:
    how = reading(verify=even, **changes)
    return judge_all([Sample(index, text) for index, text in enumerate(texts)], how)


def test_the_first_proved_sample_decides_alone_however_many_say_otherwise() -> None:
    votes = verified("7", "7", "7", "42", "7")
    decision = decide(votes, Voting(k=3), rounds=2)
    assert (decision["status"], decision["answer"], decision["proved"]) == ("decided", 42, "it is the answer")
    assert (decision["ballot"], decision["verified"]) == ({"7": 4, "42": 1}, {"unknown": 4, "proved": 1})
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


def test_what_a_verifier_calls_invalid_is_discarded_with_its_reason_and_other_flags_come_first() -> None:
    votes = verified("-1", "one", "")
    assert [each["flag"] for each in votes] == ["invalid", "malformed", "empty"]
    assert votes[0]["why"] == "-1 is below 0"
    asked = list[Any]()

    def seen(answer: Any) -> Unknown:
        asked.append(answer)
        return Unknown()

    samples = [Sample(0, "1", finish="length"), Sample(1, "2"), Sample(2, "2"), Sample(3, "-3")]
    judge_all(samples, reading(verify=seen, check=lambda answer: answer > 0))
    assert asked == [2], "once about each answer, and never about one that is discarded anyway"


def test_with_a_verifier_a_vote_draws_one_at_a_time_until_a_sample_is_valid() -> None:
    voting = Voting(k=3)
    assert next_draw([], voting) == 3
    assert next_draw([], voting, verifies=True) == 1
    assert next_draw(verified("-1", "-2"), voting, verifies=True) == 1
    assert next_draw(verified("-1", "7"), voting, verifies=True) == 2
    assert next_draw(verified("7", "2"), voting, verifies=True) == 3
    assert next_draw(verified(*["-1"] * 20), voting, verifies=True) == 0, "stuck"


def test_two_different_proofs_decide_nothing() -> None:
    def everything(answer: Any) -> Valid:
        return Valid(f"it is {answer}", conclusive=True)

    votes = judge_all([Sample(0, "7"), Sample(1, "2")], reading(verify=everything))
    decision = decide(votes, Voting(k=2), rounds=1)
    assert (decision["status"], "passed" in decision, "proved" in decision) == ("undecided", False, False)
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


def test_what_a_verifier_sees_and_says_cannot_change_or_garble_what_is_kept() -> None:
    def careless(answer: Any) -> Valid:
        answer.append("more")
        return Valid("it holds\x1b[31m", conclusive=True)

    votes = judge_all([Sample(0, "[1]"), Sample(1, "[1] ")], reading(verify=careless))
    assert [each["answer"] for each in votes] == [[1], [1]]
    assert "\x1b" not in decide(votes, Voting(k=1), rounds=1)["proved"]
