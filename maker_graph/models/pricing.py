"""What calls cost: list prices from `genai-prices`, or the caller's own."""

import os
from dataclasses import dataclass
from math import inf
from typing import Protocol

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from maker_graph.core.decision import Usage
from maker_graph.errors import UsageError


class Price(Protocol):
    """From tokens to USD."""

    def __call__(self, usage: Usage, /) -> float:
        """Return what `usage` costs, in USD."""
        ...


@dataclass(frozen=True, slots=True)
class FlatPrice:
    """So much per million tokens of input and of output; cached input costs the same.

    Raises:
        UsageError: it is below 0, or no number.

    >>> FlatPrice(0.4, 1.6)(Usage(input=1_000_000, cached=0, output=500_000))
    1.2
    """

    input: float
    output: float

    def __post_init__(self) -> None:
        if not (0 <= self.input < inf and 0 <= self.output < inf):
            raise UsageError(f"A price is at least 0, not {self.input:g},{self.output:g}.")

    def __call__(self, usage: Usage, /) -> float:
        """Return what `usage` costs, in USD."""
        return (self.input * usage["input"] + self.output * usage["output"]) / 1e6


FREE = FlatPrice(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ListPrice:
    """The list price of a provider's model."""

    provider: str
    model: str

    def __call__(self, usage: Usage, /) -> float:
        """Return what `usage` costs, in USD."""
        used = PricedUsage(input_tokens=usage["input"], cache_read_tokens=usage["cached"], output_tokens=usage["output"])
        price = calc_price(used, model_ref=self.model, provider_id=self.provider).total_price
        return float(price)


def parse_price(text: str) -> FlatPrice:
    """Return the price in `text`: USD per million tokens, "input,output".

    Raises:
        UsageError: the text is not two numbers of at least 0.
    """
    try:
        given, made = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"A price is USD per million tokens, input,output: for example 0.4,1.6; not {text!r}.") from None
    return FlatPrice(given, made)


def price_of(model: str) -> Price | None:
    """Return the list price of `provider:model`, or None if none is known: a server of one's own has no list."""
    if model.startswith("openai:") and (os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")):
        return None
    provider, _, name = model.partition(":")
    price = ListPrice(provider, name)
    try:
        price(Usage(input=1, cached=0, output=1))
    except LookupError:
        return None
    return price
