"""Only what can be stored, compared and shown as it is has a canonical form."""

import json
from collections import deque
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr, field_serializer

from maker_graph.core.canonical import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_VALUES,
    canonical,
    plain,
    sorted_json,
    strict_json,
)
from maker_graph.errors import Incomparable

REFUSED = [
    *map(chr, (0x00, 0x07, 0x08, 0x0B, 0x0C, 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9B, 0x9F)),
    *map(chr, (0x200B, 0x2060, 0xFEFF, 0x202A, 0x202E, 0x2066, 0x2069, 0xD800, 0xDFFF, 0x200C, 0x200D, 0xAD, 0xE0041)),
]


def nested(depth: int) -> Any:
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize("character", REFUSED, ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("make", [canonical, plain])
def test_a_character_that_cannot_be_seen_is_refused_in_values_and_keys_and_named_but_not_repeated(
    make: Any, character: str
) -> None:
    for value in (character, f"a{character}b", [f"\\{character}"], {"a": {character: 1}}, f"\\\\{character}\\u0000"):
        with pytest.raises(ValueError, match=r"it holds the character|surrogates not allowed") as caught:
            make(value)
        assert character not in str(caught.value)
        assert len(str(caught.value)) < 100


def test_what_a_user_wrote_may_hold_what_nobody_can_see_but_no_lone_surrogate() -> None:
    own = "".join(map(chr, range(0x250))) + "\u200b\u2060\u202e\ufeff"
    assert plain({own: [own]}, own=True) == {own: [own]}
    assert json.loads(canonical(own, own=True)) == own
    for value in ("\ud800", {"a": ["\udfff"]}):
        with pytest.raises(ValueError, match=r"lone surrogate, \\ud"):
            plain(value, own=True)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, -(10**4000), 10**5000], ids=["a", "b", "c", "d", "e"])
def test_an_integer_of_more_than_64_bits_is_refused_wherever_it_stands(number: int) -> None:
    for value in (number, [number], {"a": {"b": number}}):
        with pytest.raises(ValueError, match=r"64 bits|4300 digits"):
            canonical(value)
        with pytest.raises(ValueError, match=r"64 bits|4300 digits"):
            plain(value)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 1e300, 0.00012345678901234567, "1" * 40, [18446744073709551615.0]])
def test_what_64_bits_hold_is_kept(value: Any) -> None:
    assert strict_json(canonical(value)) == plain(value) == value


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "-9223372036854775809", "1" * 20, "1" * 90_000, "[-" + "7" * 10_000 + "]"]
)
def test_a_long_integer_is_refused_before_it_is_converted(text: str) -> None:
    with pytest.raises(ValueError, match="an integer of more than 64 bits"):
        strict_json(text)


@pytest.mark.parametrize("text", ["1e999", "-1e999", '{"a": 1E400}', "1" + "0" * 400 + ".0", "NaN", "Infinity", "[-Infinity]"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        strict_json(text)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_has_a_limit_that_is_seen_before_anything_recursive(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    text = opening * MAX_DEPTH + "1" + closing * MAX_DEPTH
    assert canonical(strict_json(text)) == canonical(plain(json.loads(text))) == text
    for depth in (MAX_DEPTH + 1, 200, 15_000):
        with pytest.raises(ValueError, match="nested more than 64 deep"):
            strict_json(opening * depth + "1" + closing * depth)
    for make in (canonical, plain):
        with pytest.raises(ValueError, match="nested more than 64 deep"):
            make(json.loads(opening * 65 + "1" + closing * 65))
    with pytest.raises(ValueError, match="nested more than 3 deep"):
        canonical([[[[] for _ in range(9)]]], depth=3)


def test_brackets_beside_each_other_or_in_strings_are_no_nesting() -> None:
    values: list[Any] = [[[]] * 500, [{"a": [1]}] * 100, "[" * 5000, ['"[{\\"'] * 100, {"]" * 70: "[" * 70}]
    for value in values:
        assert plain(value) == value
        assert strict_json(json.dumps(value)) == value


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match=r"[Cc]ircular"):
        canonical(value)
    with pytest.raises(ValueError, match=r"[Cc]ircular"):
        plain(value)


def test_a_text_above_the_size_cap_is_not_read() -> None:
    assert strict_json("[" + " " * (MAX_CHARACTERS - 2) + "]") == []
    with pytest.raises(ValueError, match="longer than 100,000 characters"):
        strict_json("[" + " " * (MAX_CHARACTERS - 1) + "]")


def test_a_text_of_too_many_values_is_not_read_and_commas_in_strings_are_none() -> None:
    assert strict_json("[" + "1," * (MAX_VALUES - 2) + "1]") == [1] * (MAX_VALUES - 1)
    assert strict_json('["' + "[{," * 9_000 + '"]') == ["[{," * 9_000]
    with pytest.raises(ValueError, match="more than 5,000 values"):
        strict_json("[" + "1," * MAX_VALUES + "1]")


def test_a_duplicate_key_is_named_short_and_escaped() -> None:
    with pytest.raises(ValueError, match="stands twice") as caught:
        strict_json('{"\\u202e' + "k" * 9000 + '": 1, "\\u202e' + "k" * 9000 + '": 2}')
    assert len(str(caught.value)) < 100
    assert "\u202e" not in str(caught.value)


def test_a_hash_of_what_a_user_wrote_takes_any_text() -> None:
    assert sorted_json({"b": "\u202e", "a": "\x1b"}) == '{"a":"\\u001b","b":"\u202e"}'
    with pytest.raises(ValueError, match="not plain JSON"):
        sorted_json({1, 2})


class Money(BaseModel):
    amount: Decimal = Decimal("10.50")
    tags: set[str] = {"b", "a"}

    @field_serializer("tags")
    def _sorted(self, tags: set[str]) -> list[str]:
        return sorted(tags)


@dataclass
class Pair:
    first: Any
    second: Any = 1


class Colour(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        ({1: "a", "b": 2}, {"1": "a", "b": 2}),
        (Point(1, 2), [1, 2]),
        (Pair(Colour.RED), {"first": "red", "second": 1}),
        ([date(2026, 1, 31), UUID(int=0)], ["2026-01-31", "00000000-0000-0000-0000-000000000000"]),
        (Money(), {"amount": "10.50", "tags": ["a", "b"]}),
        ({"m": [Money(tags=set())]}, {"m": [{"amount": "10.50", "tags": []}]}),
        (deque([1]), [1]),
    ],
)
def test_what_has_a_plain_form_gets_it(value: Any, expected: Any) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset("ab"),
        {"a": 1}.keys(),
        b"a",
        bytearray(b"a"),
        memoryview(b"a"),
        SecretStr("a"),
        SecretBytes(b"a"),
        Secret[int](1),
        (each for each in "ab"),
        iter([1]),
        map(str, [1]),
        object(),
        int,
        len,
        range(3),
        ...,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_compared_is_refused_however_deep_it_stands(value: Any) -> None:
    class Holder(BaseModel, arbitrary_types_allowed=True):
        held: Any

    for holder in (value, [value], {"a": (value,)}, Pair(value), Pair([Holder(held=value)]), Holder(held={"a": [value]})):
        with pytest.raises(Incomparable, match="not plain JSON"):
            plain(holder)
        with pytest.raises(Incomparable, match="not plain JSON"):
            canonical(holder)


def test_two_keys_that_are_one_in_json_are_refused() -> None:
    with pytest.raises(ValueError, match="two keys are the same text"):
        plain({1: "a", "1": "b"})


@pytest.mark.parametrize("digits", ["12345678901234567.01", "0.10000000000000000001", "[1e400]", "9223372036854775808"])
def test_exactly_read_a_number_is_never_rounded(digits: str) -> None:
    with pytest.raises(ValueError, match=r"digits|64 bits"):
        strict_json(digits, exact=True)
    assert strict_json("[10.50, 0.1, 1e300, 7]", exact=True) == [10.5, 0.1, 1e300, 7]


def test_what_holds_itself_in_a_dataclass_is_refused() -> None:
    value = Pair(None)
    value.first = [value]
    with pytest.raises(ValueError, match="holds itself"):
        plain(value)
