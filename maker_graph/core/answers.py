"""What an answer is: how it is read from a reply, and when two answers are the same vote.

A *type* is read strictly. The stripped text must be strict JSON of that type: no duplicate keys, no NaN, no "3" for 3, no 1 for
true, no number that would be rounded. If the type takes a text, the reply may also be that text without quotes: `yes` for
`Literal["yes", "no"]`, `2026-01-31` for a date, `billing` for an Enum of texts. For `str` the text is always taken as it is.

Two answers are the same vote if they are equal as values, not as texts: the Decimals 10.50 and 10.5, two times that name the
same instant, a text with composed or decomposed accents (NFC and NFD). The answer itself stays as it was read.

Values that cannot be compared are refused as early as possible. For a type, or a function with a return annotation, that is
before any model is asked. `canonical.py` says which values these are, and why.
"""

import json
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from pydantic_core import ValidationError, to_jsonable_python

from maker_graph.core import checks
from maker_graph.core.canonical import JSON, MAX_DEPTH, canonical, plain, strict_json, why_incomparable
from maker_graph.errors import Incomparable, UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_NO_KINDS = {
    "set": "a set is in another order in each process: use list",
    "frozenset": "a set is in another order in each process: use list",
    "bytes": "JSON has no bytes: use str",
    "generator": "an iterable is empty once it was read: use list",
    "callable": "JSON has no functions",
    "is-instance": "JSON has no such objects",
    "is-subclass": "JSON has no classes",
}
"""Kinds of values, in pydantic's words, that no answer can hold."""

_NOT_READ = {"python_schema", "lax_schema", "serialization", "metadata", "config", "default", "expected", "members"}
"""Parts of pydantic's schema of a type that do not describe what is read from JSON."""


class Reader(NamedTuple):
    """How a reply becomes an answer.

    Attributes:
        parse: returns the answer in a text, or raises; then the reply is malformed.
        instances: whether `key` and `check` get the instance of a type that `parse` made; else they get its plain JSON.
    """

    parse: Callable[[str], Any]
    instances: bool


def reader_of(answer: object) -> Reader:
    """Return how a reply is read as `answer`: a type, a function from text, or None for the stripped text.

    >>> reader_of(bool).parse(" false ")
    False

    Raises:
        UsageError: it is none of these, or a type whose values cannot be read or compared.
    """
    if answer is None:
        return Reader(str.strip, instances=False)
    if is_type(answer):
        return Reader(_typed(answer), instances=True)
    if not callable(answer):
        raise UsageError(f"answer must be a type, or a function from the text of a reply to an answer, not {answer!r}.")
    checks.function("answer", answer, "text")
    _see_returned("answer", answer)
    return Reader(answer, instances=False)


def is_type(answer: object) -> bool:
    """Say whether `answer` is a type, by any name."""
    return (
        isinstance(answer, type) or get_origin(answer) is not None or type(answer).__module__ in {"typing", "typing_extensions"}
    )


def see_key(key: object) -> None:
    """Make sure that `key` can say what is voted on.

    Raises:
        UsageError: it is not a function of an answer, or what it returns cannot be compared.
    """
    if isinstance(key, str):
        raise UsageError(f"key must be a function from an answer to what is voted on, such as lambda answer: answer[{key!r}].")
    checks.function("key", key, "answer")
    if key is hash or key is id:
        raise UsageError("This key returns different numbers in different processes: use a function that returns plain JSON.")
    _see_returned("key", key)


def candidate_of(value: object, *, depth: int = MAX_DEPTH) -> str:
    r"""Return the canonical JSON by which `value` is voted on: the same for equal values.

    >>> candidate_of([Decimal("10.50"), "Ko\u0308ln"]) == candidate_of((Decimal("10.5"), "K\u00f6ln"))
    True

    Raises:
        Incomparable: it holds something that cannot be compared.
        ValueError: it holds something that `canonical` refuses.
    """
    try:
        text = canonical(value, depth=depth)
    except Incomparable:
        plain(value, depth=depth)  # or it raises
    else:
        if (text.isascii() or unicodedata.is_normalized("NFC", text)) and "-0.0" not in text:
            return text
    return canonical(_same(value), depth=depth)


def _same(value: Any) -> JSON:
    """Return `value` as plain JSON that is the same for equal values."""
    if isinstance(value, Enum):
        return _same(value.value)
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    inside: object
    if hasattr(type(value), "__pydantic_serializer__"):
        inside = type(value).__pydantic_serializer__.to_python(value, mode="python", by_alias=False, warnings=False)
    elif is_dataclass(value):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
    else:
        inside = plain(value)
    return _same(plain(value) if type(inside) is type(value) else inside)  # as a URL is


def _object(value: Mapping[Any, Any]) -> dict[str, JSON]:
    result: dict[str, JSON] = {}
    for key, each in value.items():
        ((name, _),) = to_jsonable_python({key: None}).items()
        name = unicodedata.normalize("NFC", name)
        if name in result:
            raise ValueError("not plain JSON: two keys are the same text")
        result[name] = _same(each)
    return result


def _digits(value: Decimal) -> str:
    """Return `value` without zeros at its end, exactly."""
    if not value.is_finite():
        raise ValueError(f"not plain JSON: {value} is not a number")
    if not value:
        return "0"
    exact = Context(prec=len(value.as_tuple().digits), Emax=MAX_EMAX, Emin=MIN_EMIN)
    number = value.normalize(exact)
    return f"{number:f}" if abs(number.adjusted()) < 30 else str(number)


def _instant(value: datetime) -> str:
    if value.utcoffset() is None:
        return value.isoformat()
    try:
        return value.astimezone(UTC).isoformat()
    except OverflowError:  # in the first year or the last
        return value.isoformat()


_FORMS: Sequence[tuple[tuple[type, ...], Callable[[Any], JSON]]] = (
    ((NoneType, int), lambda value: value),
    ((float,), lambda value: value + 0.0),  # there is no -0.0
    ((str,), lambda value: unicodedata.normalize("NFC", value)),
    ((Decimal,), _digits),
    ((datetime,), _instant),
    ((Mapping,), _object),
    ((list, tuple, deque), lambda value: [_same(each) for each in value]),
)


def _renamed(form: Any) -> Any:
    """Return the type for which `form` is another name, by NewType or `type Name = ...`."""
    while type(form).__name__ in {"NewType", "TypeAliasType"}:
        form = getattr(form, "__supertype__", None) or form.__value__
    return form


def is_text(form: Any) -> bool:
    """Say whether `form` is str, by any name and with any rules."""
    form = _renamed(form)
    return is_text(get_args(form)[0]) if get_origin(form) is Annotated else form is str


def _typed(form: Any) -> Callable[[str], Any]:
    """Return how a text becomes a value of the type `form`."""
    shown = getattr(form, "__name__", None) if get_origin(form) is None else None
    adapter, exact, listed = _adapter(form, shown or str(form))
    text_only = is_text(form)

    def parse(text: str) -> Any:
        text = text.strip()
        if text_only:
            return _validated(adapter, json.dumps(text))
        try:
            read = strict_json(text, exact=exact)
        except ValueError:
            if text.startswith(("{", "[")):
                raise
            return _validated(adapter, json.dumps(text))
        try:
            value = _validated(adapter, text)
        except ValueError:
            if isinstance(read, dict | list):
                raise
            value = _validated(adapter, json.dumps(text))
            if not isinstance(value, str | Enum):
                raise
            return value
        if listed and not _same_kinds(read, plain(value)):
            raise ValueError("a number in place of true or false, or the other way round")
        return value

    return parse


def _adapter(form: Any, shown: str) -> tuple["TypeAdapter[Any]", bool, bool]:
    """Return what reads JSON as `form`, whether its numbers must be exact, and whether it lists numbers, true or false."""
    from pydantic import TypeAdapter  # noqa: PLC0415  60 ms, which a function or plain text does not need

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(form)
        adapter.rebuild()  # or it raises, for a name in it that is not defined yet
        nodes = list(_nodes(adapter.core_schema))
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(
            f"answer={shown} cannot be read ({reason}): give a type that pydantic knows, or a function from the text."
        ) from error
    for node, serialized in nodes:
        if _is_secret(node):
            raise UsageError(f"answer={shown} cannot be voted on: all secrets look the same, so use str.")
        if _is_import(node):
            raise UsageError(f"answer={shown} would import what a model names: use str, or Literal with the allowed names.")
        if not serialized and (why := _NO_KINDS.get(node["type"])):
            raise UsageError(f"answer={shown} cannot be voted on: {why}.")
    kinds = {node["type"] for node, _ in nodes}
    values = [each for node, _ in nodes for each in node.get("expected", ())]
    values += [member.value for node, _ in nodes if node["type"] == "enum" for member in node["members"]]
    return adapter, "decimal" in kinds, not all(isinstance(value, str) for value in values)


def _nodes(schema: Any, *, serialized: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield each part of a schema that is read from JSON, and whether the caller's own function makes JSON of it."""
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from _nodes(part, serialized=serialized)
    if not isinstance(schema, dict):
        return
    serialized = serialized or schema.get("serialization", {}).get("type") == "function-plain"
    if isinstance(schema.get("type"), str):
        yield schema, serialized
    parts: Iterable[Any] = (part for name, part in schema.items() if name not in _NOT_READ | {"fields"})
    for part in parts:
        yield from _nodes(part, serialized=serialized)
    named = schema.get("fields", ())
    for part in named.values() if isinstance(named, dict) else named:  # by names that are the caller's own
        yield from _nodes(part, serialized=serialized)


def _is_secret(node: Mapping[str, Any]) -> bool:
    made = node.get("serialization", {}).get("function")
    return getattr(made, "__module__", "") == "pydantic.types" and "secret" in getattr(made, "__name__", "")


def _is_import(node: Mapping[str, Any]) -> bool:
    called = node.get("function")
    return isinstance(called, dict) and getattr(called.get("function"), "__qualname__", "") == "import_string"


def _validated(adapter: "TypeAdapter[Any]", text: str) -> Any:
    try:
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _same_kinds(read: JSON, kept: JSON) -> bool:
    """Say whether true, 1 and 1.0 were kept apart. In a list of allowed values pydantic does not tell them apart."""
    if isinstance(read, dict) and isinstance(kept, dict):
        return all(_same_kinds(each, kept[name]) for name, each in read.items() if name in kept)
    if isinstance(read, list) and isinstance(kept, list):
        return len(read) != len(kept) or all(map(_same_kinds, read, kept))
    if isinstance(read, int | float) and isinstance(kept, int | float):
        return isinstance(read, bool) == isinstance(kept, bool) and isinstance(kept, float | type(read))
    return True


def _see_returned(name: str, function: Any) -> None:
    """Make sure that the return annotation of a function, if any, is of a kind that can be compared.

    Raises:
        UsageError: it is not.
    """
    returned: Any = function
    if not isinstance(function, type):
        try:
            returned = get_type_hints(function).get("return")
        except Exception:  # noqa: BLE001  the annotation is meant for other readers
            return
    kind = get_origin(returned) or returned
    if isinstance(kind, type) and (why := why_incomparable(kind)):
        raise UsageError(f"What {name} returns cannot be voted on: {why}.")
