"""The schema that is sent holds a model to what is read, in the form that providers take."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema
from typing_extensions import TypedDict

from maker_graph.core.schema import is_closed, schema_asked, schema_of
from maker_graph.errors import UsageError


class Kind(Enum):
    GOOD = "good"
    BAD = "bad"


class Title(TypedDict):
    title: str
    default: int


@dataclass
class Move:
    disk: int
    kind: Kind = Kind.GOOD


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]


class Pet(BaseModel):
    animal: Cat | Dog = Field(discriminator="kind")
    seen: date | None = None


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (bool, {"type": "boolean"}),
        (Literal["yes", "no"], {"type": "string", "enum": ["yes", "no"]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (
            Title,
            {
                "type": "object",
                "properties": {"title": {"type": "string"}, "default": {"type": "integer"}},
                "required": ["title", "default"],
                "additionalProperties": False,
            },
        ),
        (
            Move,
            {
                "$defs": {"Kind": {"enum": ["good", "bad"], "type": "string"}},
                "type": "object",
                "properties": {"disk": {"type": "integer"}, "kind": {"$ref": "#/$defs/Kind"}},
                "required": ["disk", "kind"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_the_schema_of_a_type_asks_for_all_its_keys_and_no_others(answer: Any, sent: dict[str, Any]) -> None:
    assert schema_of(answer) == sent
    assert is_closed(sent)


def test_unions_are_written_as_all_providers_take_them() -> None:
    sent: Any = schema_of(Pet)
    assert sent["properties"]["animal"] == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}
    assert sent["properties"]["seen"] == {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}
    assert sent["$defs"]["Cat"]["required"] == ["kind", "lives"]
    assert "discriminator" not in repr(sent)
    assert is_closed(sent)


@pytest.mark.parametrize("answer", [dict[str, int], list[dict[str, int]], dict])
def test_an_object_with_any_keys_is_not_closed(answer: Any) -> None:
    assert not is_closed(schema_of(answer))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "structured needs a type as answer=.*the stripped text"),
        (lambda text: text, "structured needs a type as answer=.*what a function makes"),
        (str, "no effect on a text"),
        (set[int], "cannot be voted on"),
        (Annotated[int, PlainValidator(int)], "needs a type with a JSON schema, but that of answer allows anything"),
        (Any, "allows anything"),
        (Annotated[int, WithJsonSchema(None)], "needs a type with a JSON schema, but answer has none"),
    ],
)
def test_what_has_no_schema_is_refused_in_a_sentence(answer: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        schema_of(answer)


def test_a_task_that_reads_replies_itself_says_what_they_are() -> None:
    assert schema_asked(Decimal, bool, parsed=True) == schema_of(bool)
    assert schema_asked(bool, None, parsed=False) == schema_of(bool)
    with pytest.raises(
        UsageError, match=r"leave structured out, or .* an attribute schema, which is the type whose JSON its parse reads"
    ):
        schema_asked(bool, None, parsed=True)


def test_a_json_schema_that_a_task_says_itself_is_sent_as_others_are() -> None:
    own = {"type": "object", "title": "Price", "properties": {"a": {"type": "string", "default": "x"}}, "required": []}
    sent = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    assert schema_of(own) == schema_asked(None, own, parsed=True) == sent
