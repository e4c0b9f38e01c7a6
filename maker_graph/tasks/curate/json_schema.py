"""A JSON schema in a file as the schema of records; drafts 4, 6, 7, 2019-09 and 2020-12.

Formats such as `date` are checked. The target of a `$ref` must be in the file itself, because nothing is fetched.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import JSON, plain, strict_json
from maker_graph.core.characters import visible
from maker_graph.errors import Invalid, UsageError
from maker_graph.extras import need_extra
from maker_graph.files import users_text
from maker_graph.tasks.curate.prompts import resolved
from maker_graph.tasks.curate.rows import read_object
from maker_graph.tasks.curate.schema import see_cells

_FORM = frozenset({"type", "required", "additionalProperties", "unevaluatedProperties"})
"""Keywords that say whether something is a record at all; the others are rules."""

_ABOUT_ALL = frozenset(
    {
        "required",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
    }
    | {"additionalProperties", "unevaluatedProperties", "minProperties", "maxProperties", "patternProperties", "propertyNames"}
)
"""Keywords that say something about several fields of a record."""


class JsonSchema:
    """The records of a JSON schema: an object with `properties`, which are the fields.

    A record has no other fields than these, even if the schema allows some.

    Attributes:
        as in `RecordSchema`.
    """

    def __init__(
        self, schema: Mapping[str, Any], name: str, inputs: Mapping[str, Path] | None = None, field: str | None = None
    ) -> None:
        """Take a schema; with `field`, the records have this field alone.

        Raises:
            UsageError: it is not a schema, or names no fields.
        """
        schema = resolved(schema, schema)  # the whole schema may be a reference, as generators write it
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or not properties or schema.get("type", "object") != "object":
            raise UsageError(f'{name} is not a schema of records: it needs "type": "object" and "properties" with the fields.')
        self._validator = _validator(schema, name)
        if lost := [each for each in schema.get("required", ()) if each not in properties]:
            raise UsageError(f"{name} requires {visible(str(lost[0]))[:40]!r}, which is none of its properties: add it there.")
        loose = {each: part for each, part in schema.items() if each not in _ABOUT_ALL} | {"properties": properties}
        required = [field] if field in schema.get("required", ()) else []
        self.name = name
        self.inputs = inputs or {}
        self.fields: Sequence[str] = list(properties) if field is None else [field]
        self.told: Mapping[str, Any] = schema
        if field is not None:
            self.told = {**loose, "type": "object", "properties": {field: properties[field]}, "required": required}
        self._whole = schema
        if field is not None:
            self._validator = _validator({**loose, **({"required": required} if required else {})}, name)
        self._loose = _validator(loose, name)

    @property
    def reply(self) -> Any:
        """The JSON schema of a structured reply."""
        return self.told

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Return the schema in a file.

        Raises:
            UsageError: the file cannot be read, or holds no schema.
        """
        text = users_text(path, "the JSON schema")
        try:
            schema = read_object(text)
        except ValueError as error:
            raise UsageError(f"{path}: {visible(str(error))[:200].partition(': each line')[0]}.") from None
        return cls(schema, str(path), {"schema file": path.absolute()})

    def read(self, text: str, row: Mapping[str, JSON], /) -> dict[str, JSON]:  # noqa: ARG002  a JSON schema knows no row
        """Return the record in JSON text; an optional field that is missing becomes null. See `RecordSchema`."""
        found = strict_json(text, exact=True)
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004  of a text
        if unknown := [each for each in found if each not in self.fields]:
            raise ValueError(f"{visible(unknown[0])[:40]} is not a field")
        lacking = self._null(found)
        for error in self._validator.iter_errors({name: value for name, value in found.items() if name not in lacking}):
            raise _told(error)
        record = {name: found.get(name) for name in self.fields}
        see_cells(record)
        return record

    def _null(self, found: Mapping[str, JSON]) -> set[str]:
        """Return the fields that are null but may not be: these count as missing, which a table can only write as null."""
        return {name for name, value in found.items() if value is None and not self._loose.is_valid({name: None})}

    def key(self, record: Mapping[str, JSON], /) -> JSON:
        """Return what is voted on: the numbers 1 and 1.0 are one vote."""
        return strict_json(candidate_of(_numbers(plain(dict(record)))))

    def cell(self, field: str, text: str, /) -> JSON:
        """Return the value of a field in a cell of CSV; an empty cell is null where no text may be empty."""
        forms: list[JSON] = [text]
        for each in (text, text.lower()):
            try:
                forms.append(strict_json(each))
            except ValueError:
                continue
        if not text.strip():
            forms.append(None)
        return next((each for each in forms if self._loose.is_valid({field: each})), forms[-1] if not text.strip() else text)

    def only(self, field: str, /) -> "JsonSchema":
        """Return the schema of one field alone."""
        return JsonSchema(self._whole, self.name, self.inputs, field)


def _validator(schema: Mapping[str, Any], name: str) -> Any:
    """Return the validator of a schema.

    Raises:
        UsageError: it is not a JSON schema.
    """
    need_extra("curate", "A JSON schema", "jsonschema_rs")
    import jsonschema_rs  # noqa: PLC0415  an extra

    try:
        return jsonschema_rs.validator_for(dict(schema), validate_formats=True, retriever=_nothing)
    except Exception as error:
        reason = visible(str(error).partition("\n")[0])[:200].rstrip(".")
        raise UsageError(f"{name} is not a JSON schema of a draft from 4 to 2020-12: {reason}.") from error


def _told(error: Any) -> Exception:
    place = ".".join(map(str, error.instance_path))
    said = visible(error.message)[:200]
    text = f"{place}: {said}" if place else said
    return ValueError(text) if _FORM.intersection(list(error.schema_path)[-1:]) else Invalid(text)


def _numbers(value: JSON) -> JSON:
    """Return `value` with whole numbers as integers: JSON does not tell 1 from 1.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return {name: _numbers(each) for name, each in value.items()} if isinstance(value, dict) else value


def _nothing(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not in the file, and nothing is fetched: put it under $defs")
