"""A pydantic model as a schema: what it reads, why it refuses, and which records are one vote."""

from typing import Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, Field, RootModel, ValidationInfo, computed_field, field_validator

from maker_graph.errors import Invalid, UsageError
from maker_graph.tasks.curate.model_schema import ModelSchema
from tests.tasks.curate.tables import ORDER

ROW = {"text": "Coffee, 3 at 2.50"}


def test_a_record_is_its_json_form_with_what_was_left_out() -> None:
    assert ORDER.read('{"price": 2.50, "name": "Coffee", "count": 3}', ROW) == {
        "name": "Coffee",
        "count": 3,
        "price": "2.5",
        "currency": "EUR",
        "paid": None,
    }


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("[]", ValueError, "not a JSON object"),
        ("{", ValueError, "."),
        ('{"name": "Coffee", "name": "Coffee", "count": 1, "price": 1}', ValueError, "stands twice"),
        ('{"name": "Coffee", "count": 1}', ValueError, "price: Field required"),
        ('{"name": "Coffee", "count": "1", "price": 1}', ValueError, "count"),
        ('{"name": "Coffee", "count": true, "price": 1}', ValueError, "count"),
        ('{"name": "Coffee", "count": 0, "price": 1}', Invalid, "count: Input should be greater"),
        ('{"name": "Tea", "count": 1, "price": 1}', Invalid, "name: it does not stand in the row"),
        ('{"name": "Coffee", "count": 3, "price": "4.0"}', Invalid, "three cannot cost 4"),
        ('{"name": "Coffee", "count": 1, "price": 1, "currency": "CHF"}', Invalid, "currency"),
    ],
)
def test_what_is_no_record_is_malformed_and_what_breaks_a_rule_is_invalid(
    text: str, kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind, match=problem) as caught:
        ORDER.read(text, ROW)
    assert isinstance(caught.value, Invalid) == (kind is Invalid)


def test_neither_the_order_of_keys_nor_the_form_of_a_number_splits_votes() -> None:
    texts = ['{"name": "Coffee", "count": 1, "price": "1.50"}', '{"price": 1.5, "paid": null, "count": 1, "name": "Coffee"}']
    one, other = (ORDER.key(ORDER.read(text, ROW)) for text in texts)
    assert one == other
    assert ORDER.read(texts[0], ROW)["price"] == "1.50"


def test_one_field_alone_is_held_to_its_own_rules() -> None:
    price, name = ORDER.only("price"), ORDER.only("name")
    assert price.read('{"price": 4}', ROW) == {"price": "4"}
    assert list(price.told["properties"]) == ["price"]
    with pytest.raises(ValueError, match="not an object with the key price alone"):
        price.read('{"price": 4, "count": 3}', ROW)
    with pytest.raises(Invalid, match="name: it does not stand in the row"):
        name.read('{"name": "Tea"}', ROW)
    with pytest.raises(Invalid, match="count"):
        ORDER.only("count").read('{"count": 0}', ROW)


def test_cells_of_csv_become_the_values_that_they_stand_for() -> None:
    cells = {"name": "123", "count": "3", "price": "1.50", "paid": "", "currency": "USD"}
    values = {name: ORDER.cell(name, text) for name, text in cells.items()}
    assert values == {"name": "123", "count": 3, "price": "1.50", "paid": None, "currency": "USD"}
    assert ORDER.cell("count", "many") == "many"


class Alias(BaseModel):
    short: str = Field(alias="A long name")
    hidden: str = Field(default="x", exclude=True)

    @computed_field  # type: ignore[prop-decorator]  # as pydantic says
    @property
    def twice(self) -> str:
        return self.short * 2


def test_columns_are_the_fields_whatever_their_aliases() -> None:
    schema = ModelSchema.of(Alias, "Alias")
    assert list(schema.fields) == ["short"]
    assert schema.read('{"A long name": "x"}', {}) == schema.read('{"short": "x"}', {}) == {"short": "x"}


def test_what_cannot_be_a_schema_is_refused() -> None:
    class Empty(BaseModel):
        pass

    class Sets(BaseModel):
        names: set[str]

    class Excluded(BaseModel):
        name: str
        hidden: str = Field(exclude=True)

    for odd in (int, "x", Empty, RootModel[int], Sets, Excluded):
        anything: Any = odd
        with pytest.raises(UsageError, match=r"."):
            ModelSchema.of(anything, "x")


class Tree(BaseModel):
    name: str
    inner: "list[Tree]" = []


def test_a_model_may_name_itself() -> None:
    schema = ModelSchema.of(Tree, "Tree")
    assert [*schema.told["properties"]] == ["name", "inner"]
    assert schema.read('{"name": "a", "inner": [{"name": "b"}]}', {})["inner"] == [{"name": "b", "inner": []}]


class Ruled(BaseModel):
    first: int = Field(validation_alias=AliasChoices("One", AliasPath("all", "one")))
    second: int

    @field_validator("first")
    @classmethod
    def _small(cls, value: int) -> int:
        if value > 9:
            raise ValueError("too large")
        return value

    @field_validator("second")
    @classmethod
    def _more(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data["first"]:
            raise ValueError("less than the first")
        return value


def test_one_field_alone_is_held_to_its_rules_by_any_name_and_not_to_those_that_need_another_field() -> None:
    first, second = (ModelSchema.of(Ruled, "Ruled").only(name) for name in ("first", "second"))
    for text in ('{"first": 10}', '{"One": 10}'):
        with pytest.raises(Invalid, match="too large"):
            first.read(text, {})
    assert first.read('{"One": 1}', {}) == {"first": 1}
    assert second.read('{"second": 2}', {}) == {"second": 2}
    with pytest.raises(Invalid, match="less than the first"):
        ModelSchema.of(Ruled, "Ruled").read('{"first": 3, "second": 2}', {})
