"""Prices of calls: list prices from `genai-prices`, or the caller's own."""

import os
from dataclasses import dataclass
from math import inf
from typing import Protocol

from maker_graph.core.judging import Usage
from maker_graph.errors import UsageError
from maker_graph.models.names import info_of


class Price(Protocol):
    """A function from tokens to USD."""

    def __call__(self, usage: Usage, /) -> float:
        """Return the cost of `usage`, in USD."""
        ...


@dataclass(frozen=True, slots=True)
class FlatPrice:
    """A price in USD per million tokens of input and of output; cached input costs the same.

    Raises:
        UsageError: a price is below 0, or no number.

    >>> FlatPrice(0.4, 1.6)(Usage(input=1_000_000, cached=0, output=500_000))
    1.2
    """

    input: float
    output: float

    def __post_init__(self) -> None:
        if not (0 <= self.input < inf and 0 <= self.output < inf):
            raise UsageError(f"A price must be a number of at least 0, not {self.input:g},{self.output:g}.")

    def __call__(self, usage: Usage, /) -> float:
        """Return the cost of `usage`, in USD."""
        return (self.input * usage["input"] + self.output * usage["output"]) / 1e6


FREE = FlatPrice(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ListPrice:
    """The list price of a provider's model."""

    provider: str
    model: str

    def __call__(self, usage: Usage, /) -> float:
        """Return the cost of `usage`, in USD."""
        from genai_prices import Usage as PricedUsage  # noqa: PLC0415  a fifth of a second, and few runs need it
        from genai_prices import calc_price  # noqa: PLC0415  the same

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
        raise UsageError(f"A price must be input,output in USD per million tokens, such as 0.4,1.6, not {text!r}.") from None
    return FlatPrice(given, made)


def own_prices(text: str | None) -> dict[str, str]:
    """Return the user's own prices in `text`, by model; the price of the run's own model may have no name.

    >>> own_prices("0.4,1.6"), own_prices("openai:a=1,2; openai:b=3,4")
    ({'': '0.4,1.6'}, {'openai:a': '1,2', 'openai:b': '3,4'})

    Raises:
        UsageError: one of them is no price, or two of them are for the same model.
    """
    found: dict[str, str] = {}
    for each in filter(None, map(str.strip, (text or "").split(";"))):
        name, _, price = each.rpartition("=")
        parse_price(price)
        if name.strip() in found:
            raise UsageError(f"--price gives two prices for {name.strip() or 'the model'}: leave one out.")
        found[name.strip()] = price
    return found


def price_of(model: str) -> Price | None:
    """Return the list price of `provider:model`, or None if none is known, as for a user's own server."""
    if model.startswith("openai:") and (os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")):
        return None
    provider, _, name = model.partition(":")
    price = ListPrice(provider, name)
    try:
        price(Usage(input=1, cached=0, output=1))
    except LookupError:
        return None
    return price


def price_for(model: str, own: str | None, max_cost: float | None, *, said: str = "IN,OUT") -> Price | None:
    """Return the price of requests to `model`; None if it is not known.

    Args:
        model: the name of the model.
        own: the user's own price, "input,output" in USD per million tokens.
        max_cost: the limit on the cost, which cannot be kept without a price.
        said: how the user writes its price, for the error.

    Raises:
        UsageError: there is a limit, but no price.
    """
    info = info_of(model)
    if own is not None:
        return parse_price(own)
    price = None if info.simulated else FREE if info.ships else price_of(model)
    if max_cost is not None and price is None:
        raise UsageError(
            f"No price is known for {model}, so --max-cost cannot be kept: give --price '{said}' (USD per million tokens), or "
            "leave out --max-cost."
        )
    return price


def other_price(model: str | None, max_cost: float | None, own: str | None = None) -> Price | None:
    """Return the price of a stronger model, or of one that drafts; None if there is no such model, or no known price."""
    if model is None:
        return None
    return FREE if own is None and info_of(model).ships else price_for(model, own, max_cost, said=f"{model}=IN,OUT")


def list_price(model: str, read: int = 1000) -> FlatPrice | None:
    """Return the list price of `model`, or the published price behind a simulated model; None if none is known.

    Args:
        model: the name of the model.
        read: the input tokens of a request. Some models charge more for each token in a request with many tokens.
    """
    info = info_of(model)
    if info.simulated:
        profile = info.profile()
        return FlatPrice(profile.input_price, profile.output_price)
    if info.ships:
        return FREE
    price = price_of(model)
    if price is None:
        return None
    nothing, prompt, both = (price(Usage(input=n, cached=0, output=m)) for n, m in ((0, 0), (read, 0), (read, 1000)))
    return FlatPrice(round(1e6 * (prompt - nothing) / read, 9), round(1000 * (both - prompt), 9))
