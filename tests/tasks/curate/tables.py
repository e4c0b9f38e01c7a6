"""What the tests of curate share: a schema with rules of all kinds, in its three forms, and small tables."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from maker_graph.tasks.curate.model_schema import ModelSchema


class Order(BaseModel):
    """An order of a café."""

    name: str = Field(description="what is ordered", examples=["Coffee"])
    count: int = Field(ge=1)
    price: Decimal
    currency: Literal["EUR", "USD"] = "EUR"
    paid: date | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        row = (info.context or {}).get("row", {})
        if "text" in row and value not in str(row["text"]):
            raise ValueError("it does not stand in the row")
        return value

    @model_validator(mode="after")
    def _no_odd_order(self) -> Self:
        if self.count == 3 and self.price == 4:
            raise ValueError("three cannot cost 4")
        return self


ORDER = ModelSchema.of(Order, "Order")

JSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "description": "An order.",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "count": {"type": "integer", "minimum": 1},
        "price": {"$ref": "#/$defs/money"},
        "paid": {"type": ["string", "null"], "format": "date"},
    },
    "required": ["name", "count"],
    "if": {"properties": {"count": {"const": 3}}},
    "then": {"properties": {"price": {"not": {"const": 4}}}},
    "$defs": {"money": {"type": "number", "description": "in euros"}},
}

ROWS = 'id,text\n1,"Coffee, 3 at 2.50"\n2,Tea 1 at 1.20\n3,"Cake\nbig 2 at 4"\n'
LABELLED = """\
id,text,name,count,price,currency,paid
1,"Coffee, 3 at 2.50",Coffee,3,2.50,EUR,
2,Tea 1 at 1.20,Tea,1,1.20,USD,2026-01-31
3,"Cake
big 2 at 4",Cake,2,4,EUR,
"""


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
