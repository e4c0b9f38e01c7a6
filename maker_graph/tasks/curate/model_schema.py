"""A pydantic model as the schema of records: its types, its validators, and its rules across fields."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from maker_graph.core.answers import candidate_of, reader_of
from maker_graph.core.canonical import JSON, plain, strict_json
from maker_graph.core.characters import visible
from maker_graph.errors import Invalid, UsageError
from maker_graph.tasks.curate.prompts import resolved
from maker_graph.tasks.curate.schema import see_cells

_OF_THE_FORM = ("missing", "extra_forbidden", "json_invalid")
"""Errors of pydantic that say that something is not a record, in addition to those of types."""


class ModelSchema:
    """The records of a pydantic model.

    Validators get the row from which a record is made, as `info.context["row"]`. So a rule can check that nothing was made up.

    Attributes:
        as in `RecordSchema`.
    """

    def __init__(
        self, model: type[BaseModel], name: str, inputs: Mapping[str, Path], fields: Sequence[str], field: str | None = None
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.fields: Sequence[str] = fields if field is None else [field]
        self._model = model
        self._field = field

    @classmethod
    def of(cls, model: object, name: str, inputs: Mapping[str, Path] | None = None) -> Self:
        """Return the schema for a pydantic model.

        Raises:
            UsageError: `model` is not a pydantic model with fields, or its values cannot be voted on.
        """
        if not isinstance(model, type) or not issubclass(model, BaseModel) or issubclass(model, RootModel):
            raise UsageError(f"{name} is not a pydantic model with fields: a schema is a subclass of pydantic.BaseModel.")
        reader_of(model)  # it raises if the model cannot be voted on
        fields = [field for field, info in model.model_fields.items() if not info.exclude]
        if lost := [field for field, info in model.model_fields.items() if info.exclude and info.is_required()]:
            raise UsageError(
                f"{name} excludes the field {lost[0]} from its JSON but requires it, so a record cannot be read again: "
                "give it a default."
            )
        if not fields:
            raise UsageError(f"{name} has no fields: a record needs at least one.")
        return cls(model, name, inputs or {}, fields)

    @cached_property
    def told(self) -> Mapping[str, Any]:
        """The JSON schema of the model, with its docstring as the description."""
        whole = self._model.model_json_schema(by_alias=False)
        whole = dict(resolved(whole, whole))  # the schema of a model that refers to itself is a reference
        properties = {name: whole["properties"][name] for name in self.fields}
        return {
            **whole,
            "properties": properties,
            "required": [each for each in whole.get("required", []) if each in properties],
        }

    @property
    def reply(self) -> Any:
        """The type, or the JSON schema, of a structured reply."""
        return self._model if self._field is None else self.told

    def read(self, text: str, row: Mapping[str, JSON], /) -> dict[str, JSON]:
        """Return the record in JSON text: field -> plain JSON; see `RecordSchema`."""
        _see_object(text)
        if self._field is not None:
            return self._read_field(self._field, text, row)
        try:
            made = self._model.model_validate_json(text, strict=True, context={"row": row}, by_alias=True, by_name=True)
        except ValidationError as error:
            raise _told(error) from None
        found = plain(made)
        assert isinstance(found, dict)  # noqa: S101  a model is an object
        record = {name: found[name] for name in self.fields}
        see_cells(record)
        return record

    def _read_field(self, name: str, text: str, row: Mapping[str, JSON]) -> dict[str, JSON]:
        """Return a record of one field; errors about the other fields, which are missing, do not count."""
        value = _of_field(strict_json(text, exact=True), name, _aliases(self._model.model_fields[name]))
        try:
            made = self._adapters[name].validate_json(json.dumps(value), strict=True, context={"row": row})
        except ValidationError as error:
            raise _told(error, name) from None
        try:
            self._model.model_validate_json(text, strict=True, context={"row": row}, by_alias=True, by_name=True)
        except ValidationError as error:
            own = [each for each in error.errors(include_url=False, include_input=False) if _is_of(each, name, self._model)]
            if own:
                raise _told_first(own[0]) from None
        except Exception:  # noqa: BLE001, S110  a rule that needs another field is checked on the whole record
            pass
        record = {name: plain(made)}
        see_cells(record)
        return record

    def key(self, record: Mapping[str, JSON], /) -> JSON:
        """Return what is voted on: equal values, such as the decimals 1.50 and 1.5, are the same vote."""
        return {name: self._same(name, value) for name, value in record.items()}

    def _same(self, name: str, value: JSON) -> JSON:
        try:
            made = self._adapters[name].validate_json(json.dumps(value), strict=True)
        except Exception:  # noqa: BLE001  a rule needs the row, or the JSON form cannot be read again: then that form counts
            made = value
        return strict_json(candidate_of(made))

    def cell(self, field: str, text: str, /) -> JSON:
        """Return the value of a field in a cell of CSV; an empty cell is null if that is allowed."""
        for form in _forms(text):
            try:
                return plain(self._adapters[field].validate_json(form, strict=True))
            except Exception:  # noqa: BLE001, S112  a user's rule may fail in any way; the next form may fit
                continue
        return text

    def only(self, field: str, /) -> "ModelSchema":
        """Return the schema of one field alone."""
        return ModelSchema(self._model, self.name, self.inputs, self.fields, field)

    @cached_property
    def _adapters(self) -> Mapping[str, TypeAdapter[Any]]:
        """Field -> what reads it, without the validators of the model."""
        return {name: TypeAdapter(_annotated(info)) for name, info in self._model.model_fields.items()}


def _annotated(info: FieldInfo) -> Any:
    """Return the type of a field, annotated with its constraints."""
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _see_object(text: str) -> None:
    if not isinstance(strict_json(text, exact=False), dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  of a text


def _forms(text: str) -> list[str]:
    """Return the JSON values that a cell of CSV may stand for, the most likely first."""
    forms = [json.dumps(text), text, text.lower()]
    return forms if text.strip() else ["null", *forms]


def _of_field(value: JSON, name: str, aliases: Sequence[str | AliasPath]) -> JSON:
    if (
        not isinstance(value, dict)
        or len(value) != 1
        or not any(each in value for each in (name, *aliases) if isinstance(each, str))
    ):
        raise ValueError(f"not an object with the key {name} alone")
    return next(iter(value.values()))


def _is_of(error: Any, name: str, model: type[BaseModel]) -> bool:
    return bool(error["loc"]) and error["loc"][0] in {
        name,
        *(each.path[0] if isinstance(each, AliasPath) else each for each in _aliases(model.model_fields[name])),
    }


def _aliases(info: FieldInfo) -> list[str | AliasPath]:
    """Return the aliases under which a field may be read."""
    said = info.validation_alias or info.alias
    return [] if said is None else [*said.choices] if isinstance(said, AliasChoices) else [said]


def _told(error: ValidationError, where: str = "") -> Exception:
    return _told_first(error.errors(include_url=False, include_input=False)[0], where)


def _told_first(first: Any, where: str = "") -> Exception:
    """Return what is raised for an error of pydantic: Invalid for a broken rule, ValueError if there is no record at all."""
    place = ".".join(map(str, (*([where] if where else []), *first["loc"])))
    said = visible(first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, "))
    text = f"{place}: {said}" if place else said
    kind = first["type"]
    formal = kind in _OF_THE_FORM or kind.endswith(("_type", "_parsing"))
    return ValueError(text) if formal else Invalid(text)
