"""Plausible mistakes in a record, for simulated models: what a small model might get wrong when it reads a row.

A word is left out, day and month are swapped, a decimal mark is taken for a thousands separator, or a value lands in another
field, or in none. These mistakes are no evidence about any real model.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from maker_graph.core.canonical import JSON, sorted_json
from maker_graph.tasks.curate.prompts import resolved
from maker_graph.tasks.curate.schema import RecordSchema, as_text

MOST = 6
"""How many wrong replies are rehearsed for a row, at most."""


def slips(schema: RecordSchema, record: Mapping[str, JSON], row: Mapping[str, JSON]) -> list[str]:
    """Return wrong replies about a row whose right record is known: first those that keep the rules of the schema."""
    right = sorted_json(schema.key(record))
    kept, broken = [], []
    for wrong in _slips(schema, record, row):
        text = as_text(wrong)
        try:
            if sorted_json(schema.key(schema.read(text, row))) != right:
                kept.append(text)
        except Exception:  # noqa: BLE001  a user's rule may fail in any way
            broken.append(text)
        if len(kept) == MOST:
            break
    return [*dict.fromkeys([*kept, *broken])][:MOST] or ["I cannot tell."]


def _slips(schema: RecordSchema, record: Mapping[str, JSON], row: Mapping[str, JSON]) -> Iterator[dict[str, JSON]]:
    """Yield records in which one field is wrong, beginning with another field in each row."""
    names = list(schema.fields)
    first = int.from_bytes(hashlib.sha256(sorted_json(row).encode()).digest()[:4]) % len(names)
    ways = [_values(schema, name, record) for name in (*names[first:], *names[:first])]
    order = [*names[first:], *names[:first]]
    while ways:
        for name, way in [*zip(order, ways, strict=True)]:
            try:
                yield {**record, name: next(way)}
            except StopIteration:
                place = ways.index(way)
                del ways[place], order[place]


def _values(schema: RecordSchema, name: str, record: Mapping[str, JSON]) -> Iterator[JSON]:
    """Yield wrong values of a field."""
    value, part = record.get(name), resolved(schema.told["properties"][name], schema.told)
    yield from (each for each in part.get("enum", ()) if each != value)
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value * 10, value + 1, value * 100)
        with suppress(ValueError, OverflowError):
            yield value / 10
    elif isinstance(value, str) and value:
        yield from _texts(value)
    elif isinstance(value, list) and value:
        yield value[:-1]
    yield None
    yield from (other for each, other in record.items() if each != name and other not in (value, None))


def _texts(value: str) -> Iterator[str]:
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})(.*)", value):
        year, month, day, rest = match.groups()
        yield (
            f"{year}-{day}-{month}{rest}"
            if day <= "12" and day != month
            else f"{year}-{month}-{'01' if day != '01' else '02'}{rest}"
        )
        yield f"{int(year) + 1:04}-{month}-{day}{rest}"
    elif match := re.fullmatch(r"(-?\d+)\.(\d+)", value):
        yield f"{match[1]}{match[2]}"
        yield f"{match[1]}"
        yield f"{match[1]}{match[2][:1]}.{match[2][1:] or '0'}"
    elif value.isdigit():
        yield value[::-1]
        yield value[:-1]
        yield f"{value}0"
    else:
        words = value.split()
        if len(words) > 1:
            yield " ".join(words[:-1])
            yield " ".join(words[1:])
        yield value.lower() if value != value.lower() else value.upper()
        yield value[:-1]
