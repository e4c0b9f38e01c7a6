"""Canonical JSON: the string by which two answers are the same, and the only form in which model text goes on."""

import json
from collections.abc import Iterable
from typing import NoReturn, TypeAlias

from pydantic_core import to_jsonable_python

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""Plain data: what a state and an answer are made of."""


def canonical(value: object) -> str:
    """Return `value` as canonical JSON: sorted keys, no spaces, no NaN, valid Unicode.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    >>> canonical(1) == canonical(1.0)
    False

    Raises:
        ValueError: the value is not plain JSON (NaN, Infinity, a lone surrogate, a set, an object).
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        text.encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not plain JSON: {error}") from error
    return text


def plain(value: object) -> JSON:
    """Return `value` as plain JSON: models, dataclasses, enums, dates and tuples become what JSON has for them.

    >>> plain({1: (2, 3)})
    {'1': [2, 3]}

    Raises:
        ValueError: something in it has no such form.
    """
    result: JSON = json.loads(canonical(to_jsonable_python(value, by_alias=False)))
    return result


def strict_json(text: str) -> JSON:
    """Return the JSON value that `text` is, and nothing else than that.

    >>> strict_json('{"a": 1}')
    {'a': 1}

    Raises:
        ValueError: text around the value, a duplicate key, NaN or Infinity, or nesting too deep to read.
    """
    try:
        value: JSON = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _no_duplicates(pairs: Iterable[tuple[str, JSON]]) -> dict[str, JSON]:
    result: dict[str, JSON] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r} stands twice")
        result[key] = value
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
