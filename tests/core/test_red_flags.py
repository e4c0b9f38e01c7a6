"""A red flag is a name and a predicate; one that is neither is told at once."""

import math
from typing import Any

import pytest

from maker_graph.core.red_flags import Sample, empty, named, raised, refused, too_long, truncated
from maker_graph.errors import UsageError


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
        ("truncated", "red_flags is a list of functions"),
        (truncated, "red_flags is a list of functions"),
        ([lambda sample: not sample.text], "write it with def"),
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
