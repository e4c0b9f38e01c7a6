"""Replies as the tests of the vote judge them."""

from typing import Any

from maker_graph.core.canonical import strict_json
from maker_graph.core.judging import Judged, Reader, judge, judge_all
from maker_graph.core.red_flags import Sample, empty, named, refused, too_long, truncated
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid

FLAGS = named([truncated, too_long(750), refused, empty])


def reading(**changes: Any) -> Reader:
    settings = {"parse": strict_json, "key": None, "check": None, "red_flags": FLAGS} | changes
    return Reader(**settings)


def judged(*texts: str, how: Reader | None = None) -> list[Judged]:
    return [judge(Sample(index, text), how or reading()) for index, text in enumerate(texts)]


def even(answer: Any) -> Valid | Unknown:
    """Prove 42, call other even numbers valid, know nothing of odd ones, and refuse those below 0."""
    if not isinstance(answer, int):
        return Unknown("it is not a number")
    if answer < 0:
        raise Invalid(f"{answer} is below 0")
    if answer % 2:
        return Unknown("it is odd")
    return Valid("it is the answer", conclusive=True) if answer == 42 else Valid("it is even")


def verified(*texts: str, **changes: Any) -> list[Judged]:
    how = reading(verify=even, **changes)
    return judge_all([Sample(index, text) for index, text in enumerate(texts)], how)
