"""Only what can be stored, compared and shown as it is has a canonical form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.canonical import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_VALUES,
    canonical,
    plain,
    sorted_json,
    strict_json,
    visible,
    without_controls,
)

REFUSED = [
    *map(chr, (0x00, 0x07, 0x08, 0x0B, 0x0C, 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9B, 0x9F)),
    *map(chr, (0x200B, 0x2060, 0xFEFF, 0x202A, 0x202E, 0x2066, 0x2069, 0xD800, 0xDFFF, 0x200C, 0x200D)),
]
MINE = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # "I want" in Persian: a joiner between two letters
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


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


@pytest.mark.parametrize(
    "text", ["", "a\tb\r\nc", "\\u0000", "\\b\\f", "\\\\u001b", "\\\\\\\\b", "é ß 漢 ½", MINE, FAMILY, "\u2028"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert plain({text: [text]}) == {text: [text]}
    assert visible(text) == without_controls(text) == text


@pytest.mark.parametrize("text", ["a\u200cb", "é\u200db", "a\u200dé", "\u200dé", "é\u200d", "é\u200c\u200cé"])
def test_a_joiner_needs_a_character_beyond_ascii_on_both_sides(text: str) -> None:
    with pytest.raises(ValueError, match=r"\\u200[cd]"):
        canonical(text)
    assert "\u200c" not in visible(text) or "\u200d" not in visible(text)


def test_visible_and_without_controls_write_escapes() -> None:
    assert visible("\x1b[2J \x00 \x9b \ud800 \u202e \ufeff a\u200db") == (
        "\\x1b[2J \\x00 \\x9b \\ud800 \\u202e \\ufeff a\\u200db"
    )
    assert without_controls("\x1b \ud800 \u202e \n") == "\\x1b \\ud800 \u202e \n"


@given(st.text(st.characters()))
def test_what_was_made_visible_is_never_refused(text: str) -> None:
    assert json.loads(canonical(visible(text))) == visible(text) == visible(visible(text))
    assert without_controls(text).encode().decode() == without_controls(text)


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
