"""A type is read strictly, equal values are one vote, and what cannot be compared is refused before anything is asked."""

import json
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple, NewType
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, HttpUrl, ImportString, Secret, SecretBytes, SecretStr, field_serializer
from typing_extensions import TypeAliasType, TypedDict

from maker_graph.core.answers import candidate_of, reader_of, see_key
from maker_graph.core.canonical import plain
from maker_graph.core.characters import unseen
from maker_graph.errors import Incomparable, UsageError


class Queue(Enum):
    BILLING = "billing"
    TECHNICAL = "technical"


class Tone(StrEnum):
    KIND = "kind"


class Level(IntEnum):
    LOW = 1


class Move(NamedTuple):
    disk: int
    to: int = 0


@dataclass
class Route:
    queue: str
    urgent: bool = False


class Row(TypedDict):
    city: str


class Invoice(BaseModel):
    total: Decimal
    due: date | None = None


Name = NewType("Name", str)
Short = TypeAliasType("Short", Annotated[str, Field(max_length=3)])


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (None, "  a\n", "a"),
        (bool, "false", False),
        (bool, " true ", True),
        (int, "7", 7),
        (float, "7", 7.0),
        (str, ' "a" ', '"a"'),
        (str, "{", "{"),
        (Name, "a", "a"),
        (Short, "12", "12"),
        (list[int], "[1, 2]", [1, 2]),
        (list, '[1, "a"]', [1, "a"]),
        (dict[str, bool], '{"a": true}', {"a": True}),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (Route, '{"queue": "billing"}', Route("billing")),
        (Row, '{"city": "Berlin"}', {"city": "Berlin"}),
        (Move, "[1, 2]", Move(1, 2)),
        (Move, '{"disk": 1}', Move(1)),
        (Invoice, '{"total": "10.50", "due": "2026-01-31"}', Invoice(total=Decimal("10.50"), due=date(2026, 1, 31))),
        (Literal["yes", "no"], "yes", "yes"),
        (Literal["yes", "no"], '"no"', "no"),
        (Literal["1", "2"], "1", "1"),
        (Literal["1", 1], "1", 1),
        (Literal["1", 1], '"1"', "1"),
        (Literal[True, "maybe"], "true", True),
        (Queue, "billing", Queue.BILLING),
        (Queue, '"technical"', Queue.TECHNICAL),
        (Tone, "kind", Tone.KIND),
        (Level, "1", Level.LOW),
        (date, "2026-01-31", date(2026, 1, 31)),
        (datetime, "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (timedelta, "PT1H", timedelta(hours=1)),
        (Decimal, "10.50", Decimal("10.5")),
        (Decimal, "12345678901234567.01", Decimal("12345678901234567.01")),
        (UUID, "550E8400-e29b-41d4-a716-446655440000", UUID("550e8400-e29b-41d4-a716-446655440000")),
        (str | None, "null", None),
        (str | None, "42", "42"),
        (int | None, "null", None),
        (int | str, "3", 3),
        (int | str, "three", "three"),
        (Annotated[int, Field(ge=0)], "0", 0),
        (Any, '{"a": [1]}', {"a": [1]}),
    ],
)
def test_a_type_is_read_as_what_it_is(form: Any, text: str, value: Any) -> None:
    read = reader_of(form).parse(text)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *((bool, text) for text in ("1", "yes", "True", '"true"', "", "null", "true.")),
        *((int, text) for text in ("7.0", '"7"', "+7", "1_0", "\u0667", "true", "1e2", "seven", "9223372036854775808")),
        *((float, text) for text in ("NaN", "Infinity", '"1"', "1e999", "1,5")),
        *((list[int], text) for text in ("1, 2", "[1, 2", "[true]", '["1"]', "```[1]```", "[1] [2]")),
        *((Literal["yes", "no"], text) for text in ("Yes", "yes.", "maybe", "[]")),
        *((Literal[0, 1], text) for text in ("true", "1.0", '"1"', "false")),
        *((list[Literal[0, 1]], text) for text in ("[true]", "[0, 1.0]")),
        *((dict[str, Level], text) for text in ('{"a": true}', '{"a": 1.0}')),
        *((Queue, text) for text in ("BILLING", "Queue.BILLING", "other", "0")),
        *((date, text) for text in ("31.1.2026", "2026", "0", "20260131")),
        *((datetime, text) for text in ("1700000000", "2023", "yesterday")),
        *((Decimal, text) for text in ("1,5", "NaN", '"Infinity"')),
        (list[Decimal], "[0.10000000000000000001]"),
        (Invoice, '{"total": 12345678901234567.01}'),
        (Invoice, '{"total": 1, "total": 2}'),
        *((Route, text) for text in ("billing", '{"queue": 1}', '{"queue": "a", "urgent": 1}', '["a"]', "{}")),
        (Row, '{"city": null}'),
        (Any, '{"a": 1, "a": 2}'),
        (str | dict[str, int], '{"a": 1, "a": 2}'),
        (Short, "1234"),
        (Annotated[int, Field(ge=0)], "-1"),
    ],
)
def test_what_does_not_fit_is_malformed_and_never_repaired(form: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        reader_of(form).parse(text)
    assert not isinstance(caught.value, UsageError)


@given(
    st.sampled_from([bool, int, float, bool | None, list[bool], dict[str, int], list[int | None]]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=4,
    ),
)
def test_what_is_read_is_what_stood_there(form: Any, value: Any) -> None:
    """Nothing of another kind is ever made to fit: at most, a whole number stands where any number may."""
    try:
        read = reader_of(form).parse(json.dumps(value))
    except ValueError:
        return
    assert plain(read) == value
    assert json.dumps(plain(read)).replace(".0", "") == json.dumps(value).replace(".0", "")


class Tagged(BaseModel):
    tags: set[int]


class Sorted(BaseModel):
    tags: set[int] = set()

    @field_serializer("tags")
    def _sorted(self, tags: set[int]) -> list[int]:
        return sorted(tags)


class Account(BaseModel):
    iban: SecretStr


@dataclass
class Safe:
    default: list[Secret[int]]  # by a name that pydantic's schema uses for something else


class Unfinished(BaseModel):
    queue: "NotYet"  # type: ignore[name-defined]  # noqa: F821  the slip


def _of_a_set(_: str) -> set[int]:
    return {1}


async def _later(text: str) -> str:
    return text


def _bit_by_bit(text: str) -> Iterator[str]:
    yield text


@pytest.mark.parametrize(
    "form",
    [
        *(set, set[int], frozenset[str], list[set[int]], dict[str, frozenset[int]], Tagged, list[Tagged]),
        *(SecretStr, SecretBytes, Account, Safe, list[Secret[int]], Account | None),
        *(ImportString, list[ImportString]),  # type: ignore[type-arg]  # which would run what a model names
        *(bytes, list[bytes], Iterable[int], Callable[[int], int], type, type[int], Iterator[int]),
        *({"type": "object"}, "int", "queue", 3, Queue.BILLING, Route("a"), Literal, [int], (int, str)),
        *(lambda: 1, lambda a, b: (a, b), _of_a_set, _later, _bit_by_bit, object(), TypedDict, Unfinished),
    ],
)
def test_what_cannot_be_an_answer_is_refused_before_anything_is_asked(form: Any) -> None:
    with pytest.raises(UsageError, match=r"answer"):
        reader_of(form)


@pytest.mark.parametrize("key", ["queue", 3, set, frozenset, hash, id, lambda: 1, lambda a, b: a + b, _of_a_set, _later, {}])
def test_what_cannot_be_a_key_is_refused_before_anything_is_asked(key: Any) -> None:
    with pytest.raises(UsageError, match="key"):
        see_key(key)


def test_a_set_that_becomes_a_sorted_list_can_be_voted_on() -> None:
    assert candidate_of(reader_of(Sorted).parse('{"tags": [8, 0]}')) == '{"tags":[0,8]}'


def test_any_function_of_a_text_is_a_parser() -> None:
    for function in (json.loads, len, lambda text, strict=True: (text, strict), "{}".format, Decimal.from_float):
        assert reader_of(function).instances is False


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None)


@given(decimals, st.integers(0, 12))
def test_a_decimal_is_one_vote_with_any_number_of_zeros_at_its_end(value: Decimal, zeros: int) -> None:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    longer = Decimal((sign, (*digits, *[0] * zeros), exponent - zeros))
    assert longer == value
    assert candidate_of([longer]) == candidate_of([value])


@given(decimals, decimals)
def test_decimals_are_one_vote_exactly_if_they_are_equal(one: Decimal, other: Decimal) -> None:
    assert (candidate_of(one) == candidate_of(other)) == (one == other)


@given(st.text(st.characters(categories=["L", "M", "N", "Zs"])).filter(lambda text: unseen(text) is None))
def test_a_text_is_one_vote_with_its_accents_composed_or_apart(text: str) -> None:
    apart, composed = (unicodedata.normalize(form, text) for form in ("NFD", "NFC"))
    assert candidate_of({apart: [apart]}) == candidate_of({composed: [composed]})
    assert candidate_of(apart + "\n") == candidate_of(composed + "\n")


def test_an_accent_after_an_escape_stays_with_the_character_it_belongs_to() -> None:
    assert json.loads(candidate_of("\n\u0301e\u0301")) == "\n\u0301\u00e9"


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))])))
def test_an_instant_is_one_vote_in_any_zone(value: datetime) -> None:
    elsewhere = value.astimezone(UTC) if 1 < value.year < 9999 else value
    assert candidate_of(value) == candidate_of(elsewhere)


def test_a_url_is_one_vote_in_each_of_its_forms() -> None:
    read = reader_of(list[HttpUrl]).parse
    assert (
        candidate_of(read('["http://Example.com"]'))
        == candidate_of(read('["http://example.com/"]'))
        == '["http://example.com/"]'
    )


def test_equal_values_are_one_vote_wherever_they_stand() -> None:
    one = Invoice(total=Decimal("10.50"))
    assert (
        candidate_of(one)
        == candidate_of(Invoice(total=Decimal("10.5")))
        == candidate_of({"total": Decimal("1.050E1"), "due": None})
    )
    assert candidate_of(Route("Ko\u0308ln")) == candidate_of({"queue": "K\u00f6ln", "urgent": False})
    assert candidate_of(Move(1)) == candidate_of([1, 0])
    assert candidate_of(-0.0) == candidate_of(0.0) == "0.0"
    assert candidate_of(Queue.BILLING) == '"billing"'
    assert candidate_of(datetime(2026, 1, 31, 12)) == '"2026-01-31T12:00:00"'  # noqa: DTZ001  a time without a zone
    assert candidate_of(1) != candidate_of(1.0) != candidate_of(True)
    assert candidate_of(Decimal("1e3")) == '"1000"'
    assert candidate_of(Decimal("1e999999")) == '"1E+999999"'


def test_two_keys_that_are_one_once_composed_are_refused() -> None:
    with pytest.raises(ValueError, match="two keys"):
        candidate_of({"e\u0301": 1, "\u00e9": 2})


@pytest.mark.parametrize("value", [{1}, {"a": b"x"}, SecretStr("x"), [iter("ab")], object(), Account(iban=SecretStr("x"))])
def test_what_has_no_plain_form_has_no_candidate(value: Any) -> None:
    with pytest.raises(Incomparable):
        candidate_of(value)


@pytest.mark.parametrize("value", [math.nan, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), "\u200b", [2**64]])
def test_what_cannot_be_kept_has_no_candidate(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON") as caught:
        candidate_of(value)
    assert not isinstance(caught.value, UsageError)
