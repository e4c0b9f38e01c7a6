"""Schemas of records: a pydantic model, or a JSON schema in a file.

A schema reads records and returns them in one form: plain JSON of its fields. If a text is not a record, it raises one of two
errors, like the two red flags of replies: `ValueError` if the text does not have the form of a record, `Invalid` if the record
breaks a rule.
"""

import importlib.util
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from maker_graph.core.canonical import JSON
from maker_graph.core.characters import visible
from maker_graph.errors import Invalid, UsageError
from maker_graph.files import is_there
from maker_graph.tasks.code import find_module

_FORMULA = re.compile(r"\s*[=+\-@\uff0b\uff0d\uff1d\uff20]\s*[^\s]")  # the last four are the wide forms of the others
_NUMBER = re.compile(r"\s*[+\-]\s?[0-9][0-9.,' \u00a0\u202f]*(?:[eE][+\-]?[0-9]+)?\s?%?\s*")


class RecordSchema(Protocol):
    """The schema of a record.

    Attributes:
        name: the name of the schema, for messages.
        fields: the names of a record's fields, in their order.
        told: the JSON schema that a model is shown: an object with `properties`.
        reply: the type, or the JSON schema, of a structured reply.
        inputs: name -> file, for the files that hold the schema.
    """

    name: str
    fields: Sequence[str]
    inputs: Mapping[str, Path]

    @property
    def told(self) -> Mapping[str, Any]:
        """The JSON schema that a model is shown."""
        ...

    @property
    def reply(self) -> Any:
        """The type, or the JSON schema, of a structured reply."""
        ...

    def read(self, text: str, row: Mapping[str, JSON], /) -> dict[str, JSON]:
        """Return the record in JSON text: field -> plain JSON.

        Args:
            text: a JSON object.
            row: the row from which the record is made. Rules may look at it.

        Raises:
            ValueError: the text is not a record.
            Invalid: the record breaks a rule.
        """
        ...

    def key(self, record: Mapping[str, JSON], /) -> JSON:
        """Return what is voted on, which is the same for records with equal values."""
        ...

    def cell(self, field: str, text: str, /) -> JSON:
        """Return the value of a field whose cell of CSV holds `text`; the text itself if it cannot be read as a value."""
        ...

    def only(self, field: str, /) -> "RecordSchema":
        """Return the schema of records that have this field alone, without rules across fields."""
        ...


def load_schema(source: str) -> RecordSchema:
    """Return the schema that `source` names: `module:Model`, `file.py:Model`, or the file of a JSON schema.

    Raises:
        UsageError: there is no such schema; the error says why.
    """
    if source.lower().endswith(".json"):
        from maker_graph.tasks.curate.json_schema import JsonSchema  # noqa: PLC0415  an extra

        return JsonSchema.of_file(Path(source))
    from maker_graph.tasks.curate.model_schema import ModelSchema  # noqa: PLC0415  pydantic, which a help text does not need

    named = load_named(source, "the schema", "a pydantic model as module:Model or file.py:Model, or a file with a JSON schema")
    return ModelSchema.of(named.value, source, {} if named.file is None else {"schema file": named.file})


class Named:
    """An object that was loaded by its name.

    Attributes:
        value: the object.
        file: the file of its code, if that is known.
    """

    def __init__(self, value: Any, file: Path | None) -> None:
        self.value = value
        self.file = file


def load_named(source: str, what: str, wanted: str) -> Named:
    """Return the object that `source` names, `module:name` or `file.py:name`. It runs the code of that module.

    Args:
        source: the name.
        what: what the object is, for errors, such as "the schema".
        wanted: what may be named, for errors.

    Raises:
        UsageError: there is no such object, or it cannot be loaded.
    """
    place, colon, name = source.rpartition(":")
    if not colon or not place or not name:
        raise UsageError(f"{visible(source)!r} names nothing: give {what} as {wanted}.")
    try:
        module = _module(place)
        value = module
        for part in name.split("."):
            value = getattr(value, part)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{visible(source)} cannot be loaded ({type(error).__name__}: {visible(str(error))[:200]}). "
            f"Give {what} as {wanted}."
        ) from error
    file = getattr(module, "__file__", None)
    return Named(value, None if file is None else Path(file).absolute())


def _module(place: str) -> Any:
    if not place.endswith(".py"):
        return find_module(place)
    path = Path(place).absolute()
    if not is_there(path):
        raise UsageError(f"{path} is not there: give a file with Python code.")
    if (folder := str(path.parent)) not in sys.path:
        sys.path.append(folder)  # so that it can import other files of its folder
    name = f"curate_code_{path.stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101  a file that ends in .py has one
    assert spec.loader is not None  # noqa: S101  the same
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks there for names in annotations
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def see_cells(record: Mapping[str, JSON]) -> None:
    """Make sure that a spreadsheet would not run a text of a record: it takes a text that begins with = + - @ for a formula.

    A number, with sign, separators and percent sign, is not a formula.

    >>> see_cells({"price": "-12.50", "phone": "+49 30 1234"})

    Raises:
        Invalid: a spreadsheet would take a text for a formula.
    """
    for name, value in record.items():
        if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
            raise Invalid(f"{name} begins like a formula, which a spreadsheet would run")


def as_text(value: object) -> str:
    """Return plain JSON as the text that a schema reads."""
    return json.dumps(value, ensure_ascii=False)
