"""What two calls are compared by: the same where their taker sees the same, and different where it does not."""

import itertools
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, model_validator

from maker_graph.agents.arguments import fitted
from maker_graph.core.answers import candidate_of
from maker_graph.errors import Invalid

COUNTER = itertools.count()


class Inner(BaseModel):
    tags: set[str] = set()
    made: int = Field(default_factory=lambda: next(COUNTER))


class Given(BaseModel):
    order: int = 0
    day: date = date(2026, 1, 1)
    much: Decimal = Decimal(1)
    word: SecretStr = SecretStr("")
    hidden: int = Field(0, exclude=True)
    tags: set[str] = set()
    names: list[str] = Field(default_factory=list)
    inner: Inner = Inner()
    raw: bytes = b"\xff"
    thing: Any = object()


def candidate(**args: Any) -> str:
    return candidate_of(fitted("tool", Given, args))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"order": "0", "names": []}),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a", "a"]}),
        ({"much": "2.50"}, {"much": 2.5}),
        ({"inner": {}}, {"inner": {"tags": []}}),
    ],
)
def test_what_the_tool_sees_as_the_same_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert candidate(**one) == candidate(**other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"word": "a"}, {"word": "b"}),
        ({"hidden": 1}, {"hidden": 2}),
        ({"inner": {"made": 1}}, {"inner": {"made": 2}}),
        ({"raw": "a"}, {"raw": "b"}),
        ({"thing": 1}, {"thing": "1"}),
    ],
)
def test_what_the_tool_tells_apart_is_told_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert candidate(**one) != candidate(**other)


def test_a_set_is_in_the_same_order_in_each_process() -> None:
    code = "from tests.agents.test_arguments import candidate; print(candidate(tags=[f'tag{n}' for n in range(20)]))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({}, "a is missing"),
        ({"a": "1"}, "a must be of type integer"),
        ({"a": True}, "a must be of type integer"),
        ({"a": 1, "b": 2}, "b must be of type string or null"),
        ({"a": 1, "c": "z"}, "c is none of"),
        ({"a": 1, "d": 1}, "there is no d"),
    ],
)
def test_arguments_are_held_to_a_json_schema(args: dict[str, Any], why: str) -> None:
    properties = {"a": {"type": "integer"}, "b": {"type": ["string", "null"]}, "c": {"enum": ["x"]}, "e": True}
    schema = {"type": "object", "properties": properties, "required": ["a"], "additionalProperties": False}
    with pytest.raises(Invalid, match=why):
        fitted("tool", schema, args)
    assert fitted("tool", schema, {"a": 1.0, "b": None, "c": "x", "e": 1}) == {"a": 1.0, "b": None, "c": "x", "e": 1}


def test_a_validator_that_raises_anything_says_that_the_arguments_do_not_fit() -> None:
    class Raises(BaseModel):
        a: int = 0

        @model_validator(mode="before")
        @classmethod
        def look(cls, values: Any) -> Any:
            raise KeyError(str(values))

    with pytest.raises(Invalid, match="the arguments of tool do not fit"):
        fitted("tool", Raises, {"a": 1})
