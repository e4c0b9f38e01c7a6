"""A red flag is a name and a predicate: what those that ship are raised by, and what is not a flag."""

import math
from typing import Any

import pytest

from maker_graph.core.canonical import strict_json
from maker_graph.core.decision import decide
from maker_graph.core.judging import Reader, judge, judge_all
from maker_graph.core.red_flags import (
    Sample,
    ToolCall,
    empty,
    ended,
    explained,
    named,
    raised,
    refused,
    too_long,
    truncated,
)
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError

SEARCH = ToolCall(name="search", args={"q": "x"}, id="1", error="")
FLAGS = Voting().flags
HOW = Reader(parse=strict_json, key=None, check=None, red_flags=FLAGS)


@pytest.mark.parametrize(
    ("sample", "flag"),
    [
        (Sample(0, "1", tool_calls=[SEARCH]), "tool_calls"),
        (Sample(0, "", tool_calls=[SEARCH]), "tool_calls"),
        (Sample(0, "1", finish="tool_calls"), "tool_calls"),
        (Sample(0, "1", finish="abort"), "ended_abort"),
        (Sample(0, "1", finish="error"), "ended_error"),
        (Sample(0, "1", finish="unknown"), "ended_unknown"),
        (Sample(0, "1", finish="x; rm -rf"), "ended_unknown"),
        (Sample(0, "", beside="reasoning"), "no_text"),
        (Sample(0, " \n", beside="reasoning"), "no_text"),
        (Sample(0, "", output_tokens=40), "no_text"),
        (Sample(0, ""), "empty"),
        (Sample(0, " \n", output_tokens=2), "empty"),
        (Sample(0, "1", beside="reasoning", output_tokens=40), None),
    ],
)
def test_each_cause_has_a_name_of_its_own(sample: Sample, flag: str | None) -> None:
    assert judge(sample, HOW)["flag"] == flag


def test_the_names_of_ends_are_those_that_are_known_however_many_a_server_makes_up() -> None:
    names = {raised(FLAGS, Sample(0, "1", finish=f"made_up_{number}")) for number in range(1000)}
    assert names == {"ended_unknown"}


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (Sample(0, "1", tool_calls=[SEARCH]), "calls the tool 'search'"),
        (Sample(0, "1", finish="abort", end="abort"), "the provider says 'abort', which is not known to be a good end"),
        (Sample(0, "1", finish="unknown"), "the provider does not say how it ended"),
        (Sample(0, "", beside="reasoning"), "it holds reasoning and no text"),
        (Sample(0, "", output_tokens=40), "it holds 40 tokens that are not shown and no text"),
        (Sample(0, ""), "it holds no text at all"),
        (Sample(0, "1", finish="refused", end="SAFETY"), "the provider says 'SAFETY'"),
    ],
)
def test_a_vote_that_ends_for_red_flags_says_in_a_sentence_what_is_behind_them(sample: Sample, words: str) -> None:
    decision = decide(judge_all([sample] * 3, HOW), Voting(AheadBy(1), stuck_after=3), 1)
    assert words in decision["reason"]
    assert decision["reason"].endswith(".")


def test_what_comes_from_outside_cannot_reach_a_sentence_as_it_is() -> None:
    sample = Sample(0, "1", finish="unknown", end="\x1b[2J\u202e")
    assert r"\x1b[2J\u202e" in judge(sample, HOW)["why"] or r"\\x1b[2J\\u202e" in judge(sample, HOW)["why"]
    assert judge(sample, HOW)["why"].isprintable()


def test_own_red_flags_may_let_tool_calls_and_any_end_pass() -> None:
    how = Reader(parse=strict_json, key=None, check=None, red_flags=named([truncated]))
    assert judge(Sample(0, "1", tool_calls=[SEARCH], finish="abort"), how)["flag"] is None
    assert judge(Sample(0, "1", finish="abort"), Reader(strict_json, None, None, named([ended])))["flag"] == "ended_abort"


@pytest.mark.parametrize("name", ["malformed", "invalid", "copy"])
def test_the_names_that_are_counted_elsewhere_are_taken(name: str) -> None:
    def flag(_: Any) -> bool:
        return False

    flag.__name__ = name
    with pytest.raises(UsageError, match="taken"):
        named([flag])


def test_a_flag_of_the_callers_own_is_not_explained() -> None:
    assert explained("shouting", Sample(0, "A")) == ""


def fifth(sample: Sample) -> bool:
    return sample.text[5] == "x"


class Shy:
    """A flag that is an object."""

    def __init__(self, says: Any) -> None:
        self.says = says

    def __call__(self, _: Sample) -> Any:
        return self.says


def test_the_first_flag_that_is_raised_names_the_sample() -> None:
    flags = named([truncated, Shy(True), empty])
    assert raised(flags, Sample(0, "", finish="length")) == "truncated"
    assert raised(flags, Sample(0, "")) == "Shy"
    assert raised(named([Shy(False), refused]), Sample(0, "")) is None


def test_a_flag_that_fails_is_an_error_and_never_a_vote() -> None:
    with pytest.raises(UsageError, match=r"The red flag fifth, on sample 3, failed with IndexError") as caught:
        raised(named([fifth]), Sample(3, "ab"))
    assert isinstance(caught.value.__cause__, IndexError)


@pytest.mark.parametrize("says", [None, "", "yes", 0, 1, []])
def test_a_flag_that_says_neither_true_nor_false_is_an_error(says: Any) -> None:
    with pytest.raises(UsageError, match="The red flag Shy must return True or False"):
        raised(named([Shy(says)]), Sample(0, "ab"))


async def _later(sample: Sample) -> bool:
    return not sample.text


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["truncated"], "A red flag must be a function"),
        ([None], "A red flag must be a function"),
        ("truncated", "red_flags must be a list of functions"),
        (truncated, "red_flags must be a list of functions"),
        ([lambda sample: not sample.text], "write the function with def"),
        ([too_long], r"too_long\(750\)"),
        ([_later], "without await"),
        ([Sample], "called as"),
        ([empty, empty], "taken"),
    ],
)
def test_what_is_no_flag_is_refused(flags: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        named(flags)


@pytest.mark.parametrize("limit", [0, -1, True, 2.5, math.nan, "750", None])
def test_a_limit_of_tokens_is_a_whole_number(limit: Any) -> None:
    with pytest.raises(UsageError, match="too_long"):
        too_long(limit)
