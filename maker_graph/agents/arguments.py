"""The arguments of a tool, and the fields of a structured response, as the tool will see them: converted, and with defaults.

Two calls are compared by the values that are returned here, so the values must differ if the calls differ. Pydantic's own
output would not do: it hides secrets, and leaves out fields that are marked to be left out. A default that is made anew each
time (the time of day, an id) is not compared, and neither is a default for which JSON has no form. Sets are put in order.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel, TypeAdapter

from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import copied, plain
from maker_graph.errors import Incomparable, Invalid

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_EMPTY = (list, dict, set, frozenset, tuple, str)
"""Default factories whose value is the same each time."""


def fitted(name: str, schema: Any, args: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call of `name` as they are compared.

    Args:
        name: the tool, or the schema of a structured response.
        schema: a pydantic model (also of version 1), a dataclass or a TypedDict; or a JSON schema, in which only the required
            arguments and the types of the outermost ones are looked at; None if the schema is not known.
        args: the arguments as the model wrote them.

    Raises:
        Invalid: the arguments do not fit.
    """
    if schema is None:
        return args
    if isinstance(schema, Mapping):
        if why := _misfit(schema, args):
            raise Invalid(f"the arguments of {name} do not fit: {why}")
        return args
    try:
        value = _validated(schema, copied(args))
    except Exception as error:  # noqa: BLE001  a validator of the user's may raise anything on what a model wrote
        raise Invalid(f"the arguments of {name} do not fit: {_why(error)}") from None
    try:
        found: dict[str, Any] = compared(value)
    except Incomparable:
        return args
    return found


def compared(value: Any) -> Any:
    """Return a value in the form in which it is compared.

    Raises:
        Incomparable: JSON has no form for something in it.
        ValueError: it holds something that is refused; see `core/canonical.py`.
    """
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: compared(getattr(value, each.name)) for each in fields(value)}
    plain(value)
    return value


def _of_model(value: BaseModel) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in type(value).model_fields.items():
        given = name in value.model_fields_set
        if not given and field.default_factory not in (None, *_EMPTY):
            continue
        try:
            found[name] = compared(getattr(value, name))
        except (ValueError, Incomparable):
            if given:
                raise
    return found | {name: compared(each) for name, each in (value.model_extra or {}).items()}


_FORMS: Sequence[tuple[tuple[type, ...], Callable[[Any], Any]]] = (
    ((BaseModel,), _of_model),
    ((Enum,), lambda value: compared(value.value)),
    ((Mapping,), lambda value: {key: compared(each) for key, each in value.items()}),
    ((AbstractSet,), lambda value: sorted(map(compared, value), key=candidate_of)),
    ((list, tuple, deque), lambda value: [compared(each) for each in value]),
)


def _validated(schema: Any, args: dict[str, Any]) -> Any:
    if hasattr(schema, "parse_obj") and not issubclass(schema, BaseModel):  # pydantic 1
        return schema.parse_obj(args).dict()
    return TypeAdapter(schema).validate_python(args)


def _why(error: Exception) -> str:
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return str(error) or type(error).__name__
    first = errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _misfit(schema: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    """Return why arguments do not fit a JSON schema; empty if no misfit is seen."""
    known = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in args:
            return f"{name} is missing"
    for name, value in args.items():
        if name not in known:
            if schema.get("additionalProperties") is False:
                return f"there is no {name}"
            continue
        wanted = known[name] if isinstance(known[name], Mapping) else {}
        kinds = wanted.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(_is(kind, value) for kind in kinds):
            return f"{name} must be of type {' or '.join(kinds)}"
        if "enum" in wanted and value not in wanted["enum"]:
            return f"{name} is none of {json.dumps(wanted['enum'])}"
    return ""


def _is(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean" or kind not in _KINDS
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS.get(kind, object))
