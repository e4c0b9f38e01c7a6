"""What calls cost: each request at its own place among the tiers of a price."""

import pytest

from maker_graph import UsageError
from maker_graph.core.judging import Usage
from maker_graph.models.pricing import FREE, FlatPrice, ListPrice, list_price, own_prices, parse_price, price_of

TIERED = ["openai:gpt-5.4", "google:gemini-2.5-pro", "anthropic:claude-sonnet-4-5"]
"""Models whose tokens cost more in a request with hundreds of thousands of them."""


def usage(read: int, written: int = 0) -> Usage:
    return Usage(input=read, cached=0, output=written)


@pytest.mark.parametrize("model", TIERED)
def test_a_list_price_is_that_of_requests_as_microsteps_make_them(model: str) -> None:
    price, listed = price_of(model), list_price(model)
    assert price is not None
    assert listed is not None
    assert listed(usage(500, 500)) == pytest.approx(price(usage(500, 500)))
    assert price(usage(1_000_000)) > 1.5 * listed(usage(1_000_000)), "one request of a million is dearer than many small ones"


@pytest.mark.parametrize("model", TIERED)
def test_of_large_requests_the_list_price_is_theirs(model: str) -> None:
    price, large = price_of(model), list_price(model, 400_000)
    assert price is not None
    assert large is not None
    assert large(usage(400_000, 500)) == pytest.approx(price(usage(400_000, 500)))


def test_models_in_order_of_their_cost_a_sample_are_in_that_of_their_list_prices() -> None:
    prices = {model: (price_of(model), list_price(model)) for model in (*TIERED, "openai:gpt-4.1", "openai:gpt-4.1-mini")}
    real = sorted(prices, key=lambda model: prices[model][0](usage(590, 538)))  # type: ignore[misc]  # none of them is None
    listed = sorted(prices, key=lambda model: prices[model][1](usage(590, 538)))  # type: ignore[misc]  # the same
    assert real == listed


def test_a_price_of_ones_own_is_two_numbers() -> None:
    assert parse_price("0.4,1.6") == FlatPrice(0.4, 1.6)
    assert FREE(usage(5, 5)) == 0
    for text in ("", "1", "1,2,3", "a,b", "-1,2", "nan,1", "inf,1"):
        with pytest.raises(UsageError, match="price"):
            parse_price(text)


def test_no_price_is_known_of_a_model_that_nobody_lists() -> None:
    assert price_of("openai:no-such-model") is None
    assert list_price("openai:no-such-model") is None
    assert isinstance(price_of("openai:gpt-4.1-mini"), ListPrice)


def test_each_model_may_have_a_price_of_ones_own() -> None:
    assert own_prices(None) == own_prices(" ; ") == {}
    assert own_prices("1,2; sim:perfect,error=.3 = 3,4") == {"": "1,2", "sim:perfect,error=.3": " 3,4"}
    for text, says in (
        ("openai:a=1", "A price must be"),
        ("1,2;3,4", "two prices for the model"),
        ("a=1,2;a=1,2", "two prices for a"),
    ):
        with pytest.raises(UsageError, match=says):
            own_prices(text)
