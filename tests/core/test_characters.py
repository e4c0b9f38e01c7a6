"""Nobody is shown a character that cannot be seen, and every script that needs one may use it."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.canonical import canonical
from maker_graph.core.characters import unseen, visible, without_controls

PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # "I want": a joiner between two letters
SINHALA = "\u0dc1\u0dca\u200d\u0dbb\u0dd3"
HEBREW = "C++\u200e \u05d4\u05d9\u05d0 \u05e9\u05e4\u05d4\u200f!"
ARABIC = "\u0627\u0644\u0633\u0639\u0631: \u061c5 \u0600\u0661"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
CAPTAIN = "\U0001f9d1\U0001f3fd\u200d\u2708\ufe0f"
HEART = "I \u2764\ufe0f\u200d\U0001f525 it, 1\ufe0f\u20e3 \u00a9\ufe0e"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
KATSURAGI = "\u845b\U000e0100\u57ce\u5e02"  # a city whose name is written with one form of its first character

FINE = [PERSIAN, SINHALA, HEBREW, ARABIC, FAMILY, CAPTAIN, HEART, SCOTLAND, KATSURAGI]


@pytest.mark.parametrize(
    "text", ["", "a\tb\r\nc", "\\u0000", "\\b\\f", "\\\\u001b", "\\\\\\\\b", "é ß 漢 ½ 1\u00a0000 e\u0301", "\u2028", *FINE]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert unseen(text) is None
    assert json.loads(canonical({text: [text]})) == {text: [text]}
    assert visible(text) == without_controls(text) == text


@pytest.mark.parametrize(
    ("text", "escape"),
    [
        ("a\u200cb", "\\u200c"),
        ("é\u200dé", "\\u200d"),
        ("\u0645\u200c", "\\u200c"),
        ("\u0645\u200c\u200c\u0645", "\\u200c"),
        ("\U0001f468\u200d", "\\u200d"),
        ("\U0001f468\u200d\u200d\U0001f469", "\\u200d"),
        ("\U0001f468\u200da", "\\u200d"),
        ("a\ufe0f", "\\ufe0f"),
        ("1\ufe0f", "\\ufe0f"),
        ("\u2764\ufe0f\ufe0f", "\\ufe0f"),
        ("hello\U000e0068\U000e0069", "\\U000e0068"),
        ("\U0001f3f4\U000e0067\U000e0062", "\\U000e0067"),
        ("a\U000e0100", "\\U000e0100"),
        ("abc\u200e", "\\u200e"),
        ("abc\u061c", "\\u061c"),
        ("\u05d4\u202e\u05d4", "\\u202e"),
        ("\u05d4\u2066x\u2069", "\\u2066"),
        ("co\u00adoperate", "\\xad"),
        ("\u3164", "\\u3164"),
        ("\ufeffa", "\\ufeff"),
        ("\x1b[2J", "\\x1b"),
        ("\ud800", "\\ud800"),
        ("\ufff9", "\\ufff9"),
    ],
)
def test_where_it_does_not_belong_it_is_found_and_shown(text: str, escape: str) -> None:
    assert unseen(text) == escape
    assert escape in visible(text)
    assert unseen(visible(text)) is None


def test_each_character_of_the_categories_and_every_ignorable_one_is_found_when_it_stands_alone() -> None:
    """Python knows the categories, and has no table of what is default-ignorable: those ranges are from Unicode's own file."""
    visible_signs = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    ignorable = {0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0}
    for first, last in ((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F)):
        ignorable |= {*range(first, last + 1)}
    for first, last in ((0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)):
        ignorable |= {*range(first, last + 1)}
    for number in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(number))
        hidden = category in {"Cc", "Cs"} and number not in {0x9, 0xA, 0xD}
        hidden |= 0x13430 <= number <= 0x1343F  # a younger Python knows more of them
        hidden |= number in ignorable or (category == "Cf" and number not in visible_signs)
        assert (unseen(chr(number)) is not None) == hidden, hex(number)


def test_visible_and_without_controls_write_escapes() -> None:
    assert visible("\x1b[2J \x00 \x9b \ud800 \u202e \ufeff a\u200db \U000e0041") == (
        "\\x1b[2J \\x00 \\x9b \\ud800 \\u202e \\ufeff a\\u200db \\U000e0041"
    )
    assert without_controls("\x1b \ud800 \u202e \n") == "\\x1b \\ud800 \u202e \n"


pieces = st.sampled_from([*FINE, *map(chr, (0x200D, 0x200C, 0xFE0F, 0x200F, 0xE0067, 0x20E3, 0x31, 0x5D0, 0x645, 0x1F3FD))])


@given(st.text(st.characters()) | st.lists(pieces | st.text(st.characters(), max_size=1)).map("".join))
def test_what_was_made_visible_is_never_refused(text: str) -> None:
    assert json.loads(canonical(visible(text))) == visible(text) == visible(visible(text))
    assert without_controls(text).encode().decode() == without_controls(text)
    assert (unseen(text) is None) == (visible(text) == text)
