r"""Typed records of orders as people write them down: the schema, and a program that answers where it is sure.

    maker-graph run curate --input orders.csv --schema orders.py:Order --program orders.py:program \
        --truth labelled.csv --out clean.csv --model sim:perfect,error=.2,rho=.3

Leave out `--truth` for a real model (`--model openai:gpt-4.1-nano`). Only a simulated model must be told what is right.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator


class Order(BaseModel):
    """One order of a café."""

    item: str = Field(description="what was ordered, as the row says it", examples=["Flat white"])
    count: int = Field(ge=1, description="how many pieces")
    each: Decimal = Field(gt=0, description="the price of one piece", examples=["3.20"])
    total: Decimal = Field(gt=0, description="the price of all pieces")
    currency: Literal["EUR", "USD", "GBP"]
    paid: date | None = Field(description="when it was paid; null if the row does not say")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.count * self.each != self.total:
            raise ValueError(f"{self.count} times {self.each} is not {self.total}")
        return self


_PLAIN = re.compile(
    r"(?P<count>\d+) x (?P<item>[A-Z][a-z ]+) @ (?P<each>\d+\.\d\d) (?P<currency>EUR|USD|GBP) = (?P<total>\d+\.\d\d) "
    r"(?P=currency)(?:, (?P<paid>\d{4}-\d\d-\d\d))?"
)


def program(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the order if the till printed the row; None if a person wrote it."""
    found = _PLAIN.fullmatch(row["note"])
    return None if found is None else {**found.groupdict(), "count": int(found["count"])}
