"""The JSON schema of an answer, for providers that make a model keep to it (structured output).

The schema that is sent uses only what most providers accept: all keys of an object are required and no others are allowed, as
OpenAI's strict mode wants it, and titles and defaults are left out. A reply is read as strictly as without a schema. Sending it
only makes malformed replies rarer.
"""

from collections.abc import Mapping
from typing import Any

from maker_graph.core.answers import is_text, is_type, reader_of
from maker_graph.errors import UsageError

Schema = Mapping[str, Any]
"""A JSON schema."""

_LEFT_OUT = frozenset({"title", "default", "discriminator", "examples"})
_NAMED = frozenset({"properties", "$defs"})
"""Parts of a schema whose keys are the caller's own names."""

_VALUES = frozenset({"const", "enum"})
"""Parts of a schema that are the caller's own values."""

_SAYS = frozenset({"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"})
"""Parts of a schema that say what a value is. A usable schema has at least one of them."""


def schema_of(answer: Any) -> Schema:
    """Return the JSON schema of the type `answer` in the form that is sent. `answer` may also be a JSON schema.

    >>> schema_of(bool)
    {'type': 'boolean'}

    Raises:
        UsageError: it is not a type, or a type without a schema; the error says what to do.
    """
    if isinstance(answer, Mapping):
        given: Schema = _sent(answer)
        return given
    if not is_type(answer):
        what = "the stripped text" if answer is None else "what a function makes of the text"
        raise UsageError(f"structured needs a type as answer=, because it sends the type's schema; here answer is {what}.")
    if is_text(answer):
        raise UsageError(
            "structured has no effect on a text, which is taken as it is: give a type as answer=, or leave structured out."
        )
    reader_of(answer)  # it raises if the type cannot be voted on
    from pydantic import TypeAdapter  # noqa: PLC0415  60 ms, which nothing else here needs

    try:
        made: Schema = TypeAdapter(answer).json_schema()
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(f"structured needs a type with a JSON schema, but answer has none ({reason}).") from error
    if not _SAYS.intersection(made):
        raise UsageError("structured needs a type with a JSON schema, but that of answer allows anything.")
    sent: Schema = _sent(made)
    return sent


def schema_asked(answer: Any, schema: Any, *, parsed: bool) -> Schema:
    """Return the JSON schema to which the replies to a question must keep.

    Args:
        answer: how a reply is read, if the task's own `parse` does not read it.
        schema: the type of what the task's own `parse` reads, if the task says it.
        parsed: whether the task's own `parse` reads the replies.

    Raises:
        UsageError: there is no schema.
    """
    if not parsed:
        return schema_of(answer)
    if schema is None:
        raise UsageError(
            "structured needs the JSON schema of a reply, and this task has none: leave structured out, or give the task "
            "(or its part) an attribute schema, which is the type whose JSON its parse reads."
        )
    return schema_of(schema)


def is_closed(schema: Any) -> bool:
    """Say whether each object in a schema has a fixed set of keys. OpenAI's strict mode takes no other schema."""
    if isinstance(schema, Mapping):
        open_object = schema.get("type") == "object" and schema.get("additionalProperties") is not False
        return not open_object and all(map(is_closed, schema.values()))
    return all(map(is_closed, schema)) if isinstance(schema, list) else True


def _sent(schema: Any) -> Any:
    """Return a schema as it is sent."""
    if isinstance(schema, list):
        return [_sent(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    sent: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _LEFT_OUT:
            continue
        if key in _NAMED:
            sent[key] = {name: _sent(part) for name, part in value.items()}
        else:
            sent["anyOf" if key == "oneOf" else key] = value if key in _VALUES else _sent(value)
    if isinstance(properties := sent.get("properties"), Mapping):
        sent["required"] = [*properties]
        sent.setdefault("additionalProperties", False)
    return sent
