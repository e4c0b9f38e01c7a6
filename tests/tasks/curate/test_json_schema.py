"""A JSON schema in a file: drafts, formats, rules across fields, and nothing is fetched."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph.errors import Invalid, UsageError
from maker_graph.tasks.curate.json_schema import JsonSchema
from tests.tasks.curate.tables import JSON_SCHEMA, written

SCHEMA = JsonSchema(JSON_SCHEMA, "order.json")


def test_a_record_has_all_fields_and_what_is_missing_is_null() -> None:
    assert SCHEMA.read('{"count": 1, "name": "Tea"}', {}) == {"name": "Tea", "count": 1, "price": None, "paid": None}
    again = json.dumps(SCHEMA.read('{"count": 1, "name": "Tea"}', {}))
    assert SCHEMA.read(again, {})["price"] is None


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("3", ValueError, "not a JSON object"),
        ('{"name": "Tea"}', ValueError, "count"),
        ('{"name": "Tea", "count": "1"}', ValueError, "count"),
        ('{"name": "Tea", "count": 1, "more": 1}', ValueError, "more is not a field"),
        ('{"name": "Tea", "count": 0}', Invalid, "count: 0 is less"),
        ('{"name": "Tea", "count": 1, "paid": "31 May"}', Invalid, "paid"),
        ('{"name": "Tea", "count": 3, "price": 4}', Invalid, "."),
        ('{"name": "=Tea", "count": 1}', Invalid, "formula"),
    ],
)
def test_what_is_no_record_is_malformed_and_what_breaks_a_rule_is_invalid(
    text: str, kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind, match=problem) as caught:
        SCHEMA.read(text, {})
    assert isinstance(caught.value, Invalid) == (kind is Invalid)


def test_a_whole_number_is_the_same_vote_however_it_is_written() -> None:
    one, other = (SCHEMA.read(f'{{"name": "Tea", "count": 1, "price": {each}}}', {}) for each in ("2", "2.0"))
    assert SCHEMA.key(one) == SCHEMA.key(other)


def test_one_field_alone_is_held_to_its_own_rules() -> None:
    price = SCHEMA.only("price")
    assert price.read('{"price": 4}', {}) == {"price": 4}
    with pytest.raises(ValueError, match="count is not a field"):
        price.read('{"price": 4, "count": 3}', {})


def test_cells_of_csv_become_the_values_that_they_stand_for() -> None:
    cells = {"name": "12", "count": "3", "price": "1.50", "paid": ""}
    assert {name: SCHEMA.cell(name, text) for name, text in cells.items()} == {
        "name": "12",
        "count": 3,
        "price": 1.5,
        "paid": None,
    }


@pytest.mark.parametrize("draft", ["draft-04", "draft-06", "draft-07", "2019-09", "2020-12"])
def test_these_drafts_are_read(draft: str) -> None:
    where = (
        f"http://json-schema.org/{draft}/schema#"
        if "-0" in draft and "draft" in draft
        else f"https://json-schema.org/draft/{draft}/schema"
    )
    schema = JsonSchema({**JSON_SCHEMA, "$schema": where}, "x.json")
    with pytest.raises(Invalid, match="count"):
        schema.read('{"name": "Tea", "count": 0}', {})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]", "this is not a JSON object"),
        ("{", "this is not JSON"),
        ('{"type": "string"}', "is not a schema of records"),
        ('{"properties": {}}', "is not a schema of records"),
        ('{"properties": {"a": {"type": "nope"}}}', "is not a JSON schema of a draft from 4 to 2020-12"),
        ('{"properties": {"a": {"$ref": "http://127.0.0.1:9/a.json"}}}', "nothing is fetched"),
        ('{"properties": {"a": {"pattern": "("}}}', "is not a JSON schema"),
        ('{"properties": {"a": {}}, "required": "a"}', "is not a JSON schema"),
        ('{"properties": {"a": {}}, "required": ["b"]}', "requires 'b', which is none of its properties"),
    ],
)
def test_what_cannot_be_a_schema_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        JsonSchema.of_file(written(tmp_path / "s.json", content))


def test_the_file_is_an_input(tmp_path: Path) -> None:
    inputs: Any = JsonSchema.of_file(written(tmp_path / "s.json", json.dumps(JSON_SCHEMA))).inputs
    assert list(inputs.values()) == [tmp_path / "s.json"]


def test_a_schema_may_be_a_reference_into_itself() -> None:
    schema = JsonSchema({"$ref": "#/definitions/order", "definitions": {"order": JSON_SCHEMA, "other": {}}}, "x")
    assert [*schema.fields] == ["name", "count", "price", "paid"]
    with pytest.raises(Invalid, match="count"):
        schema.read('{"name": "Tea", "count": 0}', {})
