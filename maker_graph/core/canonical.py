r"""Canonical JSON: the string by which two answers are the same, and the only form in which model text goes on.

What a model wrote is hostile until it has passed here. Refused, each with a short ValueError:

- what a checkpoint cannot hold, or gives back as something else: integers of more than 64 bits, NaN and Infinity, nesting
  deeper than `MAX_DEPTH`, lone surrogates;
- what a terminal or a log would obey instead of showing it: control characters other than \t, \n and \r;
- what a person cannot see, so that two answers look the same and are not: zero-width characters and overrides of the direction
  of writing. The two joiners (U+200C, U+200D) may stand between two characters beyond ASCII: Persian and emoji need them.

Every answer and every state passes on every step, so the checks read the JSON text, where C code does the looking.
"""

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import NoReturn, TypeAlias

from pydantic_core import to_jsonable_python

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""Plain data: what a state and an answer are made of."""

MAX_CHARACTERS = 100_000
"""A longer text of a model is not read at all."""

MAX_DEPTH = 64
"""Lists and objects inside each other, in a text of a model, an answer or a state."""

MAX_VALUES = 5_000
"""Values in a text of a model: more of them are no short decision, and take tens of milliseconds to read and compare."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_LOOSE_ZWNJ, _LOOSE_ZWJ = (
    re.compile(f"(?<![^\\x00-\\x7f\\u200c\\u200d]){joiner}|{joiner}(?![^\\x00-\\x7f\\u200c\\u200d])")
    for joiner in "\u200c\u200d"
)
_ESCAPED_CONTROL = re.compile(r"\\(?:u[0-9a-f]{4}|[bf])")  # as the encoder writes what JSON must escape
_MANY_DIGITS = re.compile(r"[0-9]{19}")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def canonical(value: object, *, depth: int = MAX_DEPTH) -> str:
    """Return `value` as canonical JSON: sorted keys, no spaces, nothing that cannot be stored and shown as it is.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    >>> canonical(1) == canonical(1.0)
    False

    Args:
        value: plain data.
        depth: how deep it may be nested.

    Raises:
        ValueError: the value is not plain JSON (a set, an object), or holds what is refused; see the top of the file.
    """
    try:
        text = _ENCODER.encode(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not plain JSON: {error}") from error
    if "\\" in text and (escape := _ESCAPED_CONTROL.search(text.replace("\\\\", ""))):
        raise ValueError(f"not plain JSON: it holds the character {escape[0]}")
    if (not text.isascii() or "\x7f" in text) and (character := _unseen(text)):
        raise ValueError(f"not plain JSON: it holds the character {_escape(ord(character))}")
    _limit_depth(text, depth)
    if _MANY_DIGITS.search(text):
        json.loads(text, parse_int=_integer)
    return text


def plain(value: object, *, depth: int = MAX_DEPTH) -> JSON:
    """Return `value` as plain JSON: models, dataclasses, enums, dates and tuples become what JSON has for them.

    >>> plain({1: (2, 3)})
    {'1': [2, 3]}

    Args:
        value: what is to become plain.
        depth: how deep it may be nested.

    Raises:
        ValueError: something in it has no such form, or is refused; see the top of the file.
    """
    result: JSON = json.loads(canonical(to_jsonable_python(value, by_alias=False), depth=depth))
    return result


def sorted_json(value: object) -> str:
    """Return `value` as JSON with sorted keys and no spaces, whatever its texts hold: for hashes of what a user wrote.

    Raises:
        ValueError: the value is not JSON.
    """
    try:
        return _ENCODER.encode(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not plain JSON: {error}") from error


def strict_json(text: str) -> JSON:
    """Return the JSON value that `text` is, and nothing else than that.

    >>> strict_json('{"a": 1}')
    {'a': 1}

    Raises:
        ValueError: text around the value, a duplicate key, NaN or Infinity, a number or nesting too large to be kept, or more
            than `MAX_CHARACTERS` or `MAX_VALUES`.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"longer than {MAX_CHARACTERS:,} characters")
    _limit_depth(text, MAX_DEPTH)
    if _values(text) > MAX_VALUES and _values(_STRING.sub("", text)) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES:,} values")
    decoder = _CAREFUL_DECODER if _MANY_DIGITS.search(text) else _DECODER
    value: JSON = decoder.decode(text)
    return value


def visible(text: str) -> str:
    r"""Return `text` with everything that is refused in an answer as an escape that can be seen.

    >>> visible("\x1b[2J\u202e") == r"\x1b[2J\u202e"
    True
    """
    if _unseen(text) is None:
        return text
    text = text.translate(_UNSEEN_ESCAPES)
    return _LOOSE_ZWNJ.sub(r"\\u200c", _LOOSE_ZWJ.sub(r"\\u200d", text))


def without_controls(text: str) -> str:
    r"""Return `text` with control characters, but \t, \n and \r, and lone surrogates as escapes that can be seen.

    >>> without_controls("\x00") == r"\x00"
    True
    """
    return text if _CONTROL.search(text) is None else text.translate(_CONTROL_ESCAPES)


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _unseen(text: str) -> str | None:
    """Return the first character in `text` that cannot be seen, or must not be sent to a terminal."""
    found = _UNSEEN.search(text)
    if found is None and ("\u200c" in text or "\u200d" in text):
        found = _LOOSE_ZWJ.search(text) or _LOOSE_ZWNJ.search(text)
    return None if found is None else found[0]


def _limit_depth(text: str, depth: int) -> None:
    """Raise if brackets stand more than `depth` deep in JSON, before anything recursive reads it."""
    if text.count("[") + text.count("{") <= depth:
        return
    brackets = _STRING.sub("", text).encode("ascii", "ignore").translate(_SQUARE, _NO_BRACKETS)
    for _ in range(depth):
        if b"[" * (depth + 1) in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise ValueError(f"not plain JSON: nested more than {depth} deep, or brackets do not match")


def _values(text: str) -> int:
    """Return how many values JSON holds at most: each follows a comma or an opening bracket."""
    return text.count(",") + text.count("[") + text.count("{") + 1


def _no_duplicates(pairs: Iterable[tuple[str, JSON]]) -> dict[str, JSON]:
    result: dict[str, JSON] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:40]!r} stands twice")
        result[key] = value
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    # Python refuses 4,300 digits, and what is shorter takes a time that grows with its square.
    if len(digits.removeprefix("-")) > 19 or not -(2**63) <= int(digits) < 2**63:
        raise ValueError(f"not plain JSON: an integer of more than 64 bits ({len(digits)} characters)")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("not plain JSON: a number too large for 64 bits")
    return number


_CONTROL_ESCAPES = {
    number: _escape(number)
    for number in (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000))
}
_UNSEEN_ESCAPES = _CONTROL_ESCAPES | {
    number: _escape(number) for number in (0x200B, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
}
_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite)
_CAREFUL_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
)
