"""Canonical JSON: two values are the same if this string of them is. All text of a model passes through here.

What a model wrote is taken as hostile until these checks have passed. Each of these is refused with a short ValueError:

- what a checkpoint cannot hold, or would give back changed: integers of more than 64 bits, NaN and Infinity, nesting deeper
  than `MAX_DEPTH`, lone surrogates;
- characters that nobody can see (`core/characters.py`). A terminal obeys them, and they make different answers look the same.
  A state may hold them, because it is made from what a user wrote (`own=True`). An answer of a model may not.

Values that cannot be compared at all raise `Incomparable`: the order of a set differs between processes, all secrets look the
same, and a generator is empty when it is read again.

Every answer and every state is checked at every step. So the checks search the JSON text, which C code does fast.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache, lru_cache
from math import isfinite
from typing import Any, NoReturn, TypeAlias

from pydantic_core import PydanticSerializationError, to_jsonable_python

from maker_graph.core.characters import unseen
from maker_graph.errors import Incomparable

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""Plain data: None, True, False, numbers, texts, and lists and dicts of these. States and answers are made of it."""

MAX_CHARACTERS = 100_000
"""A longer text of a model is not read at all."""

MAX_DEPTH = 64
"""How deep lists and objects may be nested in a text of a model, an answer or a state."""

MAX_VALUES = 5_000
"""The most values in a text of a model. A short decision needs fewer, and to read more takes tens of milliseconds."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_ESCAPED_CONTROL = re.compile(r"\\(?:u[0-9a-f]{4}|[bf])")  # as the encoder writes what JSON must escape
_MANY_DIGITS = re.compile(r"[0-9]{19}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_HOLDERS = {dict, list}
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def canonical(value: object, *, depth: int = MAX_DEPTH, own: bool = False) -> str:
    """Return `value` as canonical JSON: sorted keys, no spaces, and only what can be stored and shown as it is.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    >>> canonical(1) == canonical(1.0)
    False

    Args:
        value: plain JSON: dicts with texts as keys, lists, texts, numbers, True, False and None.
        depth: how many levels deep lists and dicts may be nested; by default 64.
        own: whether it is made from what a user wrote, and may hold characters that nobody can see.

    Raises:
        Incomparable: the value is not plain JSON, such as a set or an object.
        ValueError: it holds an integer of more than 64 bits, NaN or Infinity, too many levels, a lone surrogate, or a character
            that nobody can see (unless `own`).
    """
    try:
        text = _ENCODER.encode(value)
    except TypeError as error:
        raise Incomparable(f"not plain JSON: {error}") from error
    except RecursionError as error:
        raise ValueError(f"not plain JSON: {error}") from error
    if not own and "\\" in text and (escape := _ESCAPED_CONTROL.search(text.replace("\\\\", ""))):
        raise ValueError(f"not plain JSON: it holds the character {escape[0]}")
    if not text.isascii() or "\x7f" in text:
        _see_characters(text, own=own)
    _limit_depth(text, depth)
    if _MANY_DIGITS.search(text):
        json.loads(text, parse_int=_integer)
    return text


def plain(value: object, *, depth: int = MAX_DEPTH, own: bool = False) -> JSON:
    """Return `value` as plain JSON: models, dataclasses, enums, dates and tuples become what JSON has for them.

    >>> plain({1: (2, 3)})
    {'1': [2, 3]}

    Args:
        value: what is to become plain.
        depth: how deep it may be nested.
        own: whether it is made from what a user wrote, and may hold characters that nobody can see.

    Raises:
        Incomparable: something in it cannot become plain JSON, such as a set, a secret, a generator or an object.
        ValueError: it holds something that `canonical` refuses.
    """
    try:
        text = canonical(value, depth=depth, own=own)
    except Incomparable:
        text = canonical(_converted(value), depth=depth, own=own)
    result: JSON = json.loads(text)
    return result


def _converted(value: object) -> object:
    """Return the JSON form of `value`, in which something is not JSON yet."""
    try:
        _see_kinds(value)
        return to_jsonable_python(value, by_alias=False, fallback=_otherwise)
    except RecursionError:
        raise ValueError("not plain JSON: it is nested too deep, or holds itself") from None
    except TypeError as error:
        raise Incomparable(f"not plain JSON: {error}") from error
    except PydanticSerializationError as error:
        if "unknown type" in str(error):
            raise Incomparable(f"not plain JSON: {error}") from error
        raise


def _otherwise(value: object) -> object:
    """Return the JSON form of a value that pydantic does not know; it knows a deque since 2.14."""
    if isinstance(value, deque):
        return list(value)
    raise PydanticSerializationError(f"Unable to serialize unknown type: {type(value)}")


@lru_cache(256)
def why_incomparable(kind: type) -> str | None:
    """Return why values of this kind cannot be compared, although pydantic makes JSON of them; None if they can.

    >>> why_incomparable(frozenset)
    'a set is in another order in each process: use a sorted list'
    """
    return next((why for kinds, why in _no_kinds() if issubclass(kind, kinds)), None)


@cache
def _no_kinds() -> Sequence[tuple[tuple[type, ...], str]]:
    from pydantic import Secret, SecretBytes, SecretStr  # noqa: PLC0415  60 ms, which plain JSON does not need

    return (
        ((AbstractSet,), "a set is in another order in each process: use a sorted list"),
        ((bytes, bytearray, memoryview), "JSON has no bytes: use text"),
        ((SecretStr, SecretBytes, Secret), "all secrets look the same: use plain text"),
        ((Iterator,), "it is empty once it was read: use a list"),
    )


def _see_kinds(value: Any) -> None:
    """Raise if `value` holds something that pydantic would make JSON of, but that cannot be compared."""
    if value is None or isinstance(value, str | int | float):
        return
    kind: type = type(value)
    if why := why_incomparable(kind):
        raise Incomparable(f"not plain JSON: it holds a {kind.__name__}, and {why}")
    for part in _parts(value):
        _see_kinds(part)


def _parts(value: Any) -> Iterable[object]:
    """Return what `value` holds, as far as it is known."""
    if hasattr(type(value), "__pydantic_serializer__"):  # with the user's own serializers, which may make a list of a set
        inside = type(value).__pydantic_serializer__.to_python(value, mode="python", by_alias=False, warnings=False)
        return [] if type(inside) is type(value) else [inside]  # a URL is made of nothing simpler
    if isinstance(value, Enum):
        return [value.value]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, Mapping):
        if len(to_jsonable_python(dict.fromkeys(value))) < len(value):
            raise ValueError("not plain JSON: two keys are the same text")
        return [*value, *value.values()]
    return value if isinstance(value, list | tuple | deque) else ()


def copied(value: Any) -> Any:
    """Return a copy of plain JSON, with its own lists and objects: changing them changes nothing else."""
    if type(value) is dict:
        return {name: copied(each) if type(each) in _HOLDERS else each for name, each in value.items()}
    if type(value) is list:
        return [copied(each) if type(each) in _HOLDERS else each for each in value]
    return value


def sorted_json(value: object) -> str:
    """Return `value` as JSON with sorted keys and no spaces, for hashes of what a user wrote; its texts may hold anything.

    Raises:
        ValueError: the value is not JSON.
    """
    try:
        return _ENCODER.encode(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not plain JSON: {error}") from error


def strict_json(text: str, *, exact: bool = False) -> JSON:
    """Return the JSON value in `text`, which must hold nothing else.

    >>> strict_json('{"a": 1}')
    {'a': 1}

    Args:
        text: JSON, with nothing around it.
        exact: whether a number with more digits than a float keeps is refused instead of rounded.

    Raises:
        ValueError: the text is not JSON or has something around it, a key stands twice, or a number is NaN, Infinity or does
            not fit into 64 bits. Or it has more than 64 levels of nesting, 5,000 values or 100,000 characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"longer than {MAX_CHARACTERS:,} characters")
    _limit_depth(text, MAX_DEPTH)
    if _values(text) > MAX_VALUES and _values(_STRING.sub("", text)) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES:,} values")
    decoder = _EXACT_DECODER if exact else _CAREFUL_DECODER if _MANY_DIGITS.search(text) else _DECODER
    value: JSON = decoder.decode(text)
    return value


def _see_characters(text: str, *, own: bool) -> None:
    if own and (half := _SURROGATE.search(text)):
        raise ValueError(f"not plain JSON: it holds a lone surrogate, \\u{ord(half[0]):04x}, which cannot be stored")
    if not own and (character := unseen(text)):
        raise ValueError(f"not plain JSON: it holds the character {character}")


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
    """Return an upper bound on the number of values in JSON: each of them follows a comma or an opening bracket."""
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
    # Python refuses more than 4,300 digits. Below that, the time grows with the square of their number.
    if len(digits.removeprefix("-")) > 19 or not -(2**63) <= int(digits) < 2**63:
        raise ValueError(f"not plain JSON: an integer of more than 64 bits ({len(digits)} characters)")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("not plain JSON: a number too large for 64 bits")
    return number


def _exact(digits: str) -> float:
    number = _finite(digits)
    if len(digits) > 15 and Decimal(digits) != Decimal(repr(number)):
        raise ValueError("a number of more digits than can be kept: it must be in quotes")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite)
_CAREFUL_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
)
_EXACT_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_exact, parse_int=_integer
)
