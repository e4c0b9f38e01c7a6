"""A sample becomes a vote, or is discarded under the name of a red flag."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.canonical import canonical, strict_json
from maker_graph.core.decision import decide
from maker_graph.core.judging import Reader, judge, judge_all
from maker_graph.core.red_flags import Sample, empty, estimated_tokens, named
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.core.voting import Voting
from maker_graph.errors import Incomparable, Invalid, UsageError
from tests.core.judged import judged, reading, verified


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


def test_any_function_is_a_red_flag_under_its_own_name() -> None:
    def shouting(sample: Sample) -> bool:
        return sample.text.isupper()

    assert judge(Sample(0, '"A"'), reading(red_flags=named([shouting])))["flag"] == "shouting"


def test_a_red_flag_without_a_name_or_with_a_taken_one_is_refused() -> None:
    with pytest.raises(UsageError, match="write the function with def"):
        named([lambda sample: not sample.text])
    with pytest.raises(UsageError, match="taken"):
        named([empty, empty])


def test_a_parser_that_fails_in_any_way_makes_a_malformed_sample_and_says_why() -> None:
    result = judge(Sample(0, "{}"), reading(parse=lambda text: strict_json(text)["queue"]))  # type: ignore[index,call-overload]
    assert result["flag"] == "malformed"
    assert result["why"] == "KeyError: 'queue'"


@pytest.mark.parametrize("says", [None, "yes", "no", "", 1, 0, [], [1]])
def test_a_check_that_says_neither_true_nor_false_is_an_error_and_lets_no_answer_win(says: Any) -> None:
    with pytest.raises(UsageError, match="check must return True or False, but it returned"):
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


def test_a_parser_that_reads_by_rules_says_which_one_a_reply_breaks() -> None:
    def parse(text: str) -> int:
        if int(text) < 0:
            raise Invalid("it is below 0")
        return int(text)

    how = Reader(parse=parse, key=None, check=None, red_flags={})
    found = [judge(Sample(0, text), how) for text in ("1", "-1", "x")]
    assert [each["flag"] for each in found] == [None, "invalid", "malformed"]
    assert found[1]["why"] == "it is below 0"


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


def test_what_a_verifier_sees_and_says_cannot_change_or_garble_what_is_kept() -> None:
    def careless(answer: Any) -> Valid:
        answer.append("more")
        return Valid("it holds\x1b[31m", conclusive=True)

    votes = judge_all([Sample(0, "[1]"), Sample(1, "[1] ")], reading(verify=careless))
    assert [each["answer"] for each in votes] == [[1], [1]]
    assert "\x1b" not in decide(votes, Voting(k=1), rounds=1)["proved"]


@pytest.mark.parametrize(
    "evidence", ["a" * 298 + "\U0001f468\u200d\U0001f469", "\u200f" + "a" * 299 + "\u05d0", "\ud800" * 400]
)
def test_evidence_is_cut_so_that_the_journal_can_hold_it(evidence: str) -> None:
    (vote,) = judge_all([Sample(0, "1")], reading(verify=lambda _: Valid(evidence, conclusive=True)))
    assert canonical(vote["evidence"])
