"""Units fit together, exactly, or the answer is wrong, or it is not known what they mean."""

from fractions import Fraction

import pytest

from maker_graph import UsageError
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid
from maker_graph.verify.language import Unreadable
from maker_graph.verify.quantities import UNITS, DifferentUnits, Quantity, quantities, read_quantity


@pytest.mark.parametrize(
    "text",
    [
        "3 km + 200 m = 3.2 km", "3km = 3000m", "60 km/h * 30 min = 30 km", "60 km / 2 h = 30 km/h", "(1/2) km = 500 m",
        "5 m^2 = 50000 cm^2", "$12/h * 40 h = $480", "$5 * 3 = 15 dollars", "5$ + 3$ = 8$", "3 cents = $0.03",
        "50% * 3 km = 1.5 km",
        "2 h + 30 min = 2.5 h", "1 L = 1000 cm^3", "6 m / 3 m = 2", "1 mile = 1.609344 km", "1 km < 1 mile",
        "sqrt(4 m^2) = 2 m",
        "1 kWh = 3600 kJ", "$20 - 20 dollars = 0", "150 km / (60 km/h) = 2.5 h", "(150 km / 60 km)/h = 2.5/h",
        "10 m/s / 2 s = 5 m/s^2", "60 km / 2 h * 3 h = 90 km", "1/s * 5 s = 5", "5 kg * 2 m/s^2 = 10 N", "1 h = 60 min",
        "0.1 m + 0.2 m = 0.3 m",
    ],
)  # fmt: skip
def test_what_is_right_is_valid(text: str) -> None:
    assert quantities(text, conclusive=True) == Valid(text, conclusive=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("3 km + 200 m = 3.3 km", "the left side is 3200 m, and the right side is 3300 m"), ("3 km + 2 h = 5 km",
        "adds m and s"),
        ("3 km = 3 h", "compares m with s"), ("$5 + 3 km = 8 km", "adds dollar and m"), ("0 km = 0 h", "compares m with s"),
        ("2^(3 m) = 8", "an exponent must be a number, not m"), ("3 m * 2 m = 6 m", r"compares m\^2 with m"),
        ("3 km + 5 = 8 km", "adds m and a number without a unit"), ("5 euro = $5", "compares euro with dollar"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_invalid_and_says_why(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        quantities(text)


@pytest.mark.parametrize(
    "text",
    [
        "1/2 km = 500 m", "$5 * 3 = 15", "2 h 30 min = 150 min", "1 month = 30 day", "1 year = 365 day",
        "20 °C = 68 °F", "20 C = 68 F",
        "1 lb = 16 oz", "1 gallon = 4 L", "3 apples = 3 apples", "$20 - 25% = $15", "1 m = 1 m and 2 m = 2 m", "3 km",
        "", "1 m/0 = 1 m",
        "20 celsius = 68 fahrenheit", "sqrt(2 m^2) = 1.4 m",
        "150 km / 60 km/h = 2.5 h", "150 km / 60 km/h = 2.5/h", "6 J / 2 N*m = 3", "$100 / $5/h = 20 h",  # (a/b)/c or a/(b/c)
        "A = 5 m * 3 m", "5 m * 3 m = A", "V = 2 m^3", "h = 5 m", "2 m + h = 7 m", "g/2 = 4.9 m/s^2",  # a unit or a name
        "hours = 2 h + 3 h", "-s = 5 m", "$5 m = 5000000 dollars", "km h = 1 km*h",
        "2 h = 120 m", "5 m + 30 s = 330 s", "100 cents = 1 euro", "50 cent + 0.5 euro = 1 euro",  # another meaning
    ],
)  # fmt: skip
def test_what_has_two_meanings_is_unknown(text: str) -> None:
    assert isinstance(quantities(text, conclusive=True), Unknown)


def test_units_of_ones_own_are_counted_apart() -> None:
    units = {"apple": "", "apples": "apple", "pears": "", "dozen": "12", "month": "30 day"}
    assert isinstance(quantities("3 apples + 1 apple = 4 apples", units=units), Valid)
    assert isinstance(quantities("2 dozen * 3 = 72", units=units), Valid)
    assert isinstance(quantities("1 month = 720 h", units=units), Valid)
    with pytest.raises(Invalid, match="adds apple and pears"):
        quantities("3 apples + 2 pears = 5 apples", units=units)
    for wrong in ({"a": "a"}, {"a": "b", "b": "a"}, {"a": "3x"}, {"a": "1/0"}, {"a": "1 m + 1 s"}):
        with pytest.raises(UsageError, match="The unit 'a' cannot be read from"):
            quantities("1 a = 1 a", units=wrong)


def test_a_quantity_is_read_in_base_units() -> None:
    assert read_quantity("90 km/h") == Quantity(Fraction(25), {"m": Fraction(1), "s": Fraction(-1)})
    with pytest.raises(Unreadable, match="a quantity is asked for"):
        read_quantity("1 m = 1 m")
    with pytest.raises(DifferentUnits):
        read_quantity("1 m + 1 s")


def test_every_unit_is_made_of_others() -> None:
    for name in UNITS:
        assert read_quantity(f"1 {name}").number > 0
