"""The JSON schema of an answer, for providers that hold a model to one (structured output).

What is sent keeps to what most providers take: all keys of an object are required and no others are let in, as OpenAI's strict
mode wants it, and titles and defaults are left out. A reply is read as strictly as without a schema: what is sent only makes a
malformed reply rarer.
"""

from collections.abc import Mapping
from typing import Any

from maker_graph.core.answers import is_text, is_type, reader_of
from maker_graph.errors import UsageError

Schema = Mapping[str, Any]
"""A JSON schema."""

_LEFT_OUT = frozenset({"title", "default", "discriminator", "examples"})
_NAMED = frozenset({"properties", "$defs"})
"""Parts of a schema whose keys are names of the caller's own."""

_VALUES = frozenset({"const", "enum"})
"""Parts of a schema that are values of the caller's own."""

_SAYS = frozenset({"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"})
"""Parts of a schema one of which says what a value is."""


def schema_of(answer: Any) -> Schema:
    """Return the JSON schema of the type `answer`, as it is sent; a task may also say the JSON schema itself.

    >>> schema_of(bool)
    {'type': 'boolean'}

    Raises:
        UsageError: it is no type, or one without a schema; the text says what to do.
    """
    if isinstance(answer, Mapping):
        given: Schema = _sent(answer)
        return given
    if not is_type(answer):
        what = "the stripped text" if answer is None else "what a function makes of the text"
        raise UsageError(f"structured needs a type as answer=, for its schema goes to the provider; here the answer is {what}.")
    if is_text(answer):
        raise UsageError(
            "structured has no use for a text, which is taken as it is: give a type as answer=, or leave structured out."
        )
    reader_of(answer)  # or it raises: what cannot be voted on
    from pydantic import TypeAdapter  # noqa: PLC0415  60 ms, which nothing else here needs

    try:
        made: Schema = TypeAdapter(answer).json_schema()
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(f"structured needs a type with a JSON schema, and answer has none ({reason}).") from error
    if not _SAYS.intersection(made):
        raise UsageError("structured needs a type with a JSON schema, and that of answer lets anything in.")
    sent: Schema = _sent(made)
    return sent


def schema_asked(answer: Any, schema: Any, *, parsed: bool) -> Schema:
    """Return the JSON schema that the replies to a question are held to.

    Args:
        answer: what a reply is read as.
        schema: the type that a task's own `parse` reads, if it says.
        parsed: whether that `parse` reads the replies, and not `answer`.

    Raises:
        UsageError: there is none.
    """
    if not parsed:
        return schema_of(answer)
    if schema is None:
        raise UsageError(
            "structured needs to know what a reply is: give the task, or its part, an attribute schema, the type whose JSON "
            "its parse reads; or leave structured out."
        )
    return schema_of(schema)


def is_closed(schema: Any) -> bool:
    """Say whether each object in a schema has a fixed set of keys; only then does OpenAI's strict mode take it."""
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
