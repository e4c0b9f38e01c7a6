"""Exact arithmetic with units: 3 km + 200 m is 3.2 km, and 3 km + 2 h has no meaning.

A unit is a name behind a number. Each unit has a rational value in base units, so nothing is rounded. Units with more than one
meaning are left out: pounds, ounces, gallons and tons, months and years, and temperatures, whose scales have different zeros. A
text with such a unit is unreadable, so its verdict is unknown. `units=` can say what the unit means.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, assert_never

from maker_graph.core.verifying import Unknown, Valid, Verification
from maker_graph.errors import Invalid, UsageError
from maker_graph.verify.language import Reader, Unreadable
from maker_graph.verify.trees import (
    STATEMENTS,
    Expression,
    Name,
    Negative,
    Number,
    Operation,
    Percent,
    Relation,
    Root,
    Statement,
    names_in,
    put,
    short,
    shown_number,
    written,
)
from maker_graph.verify.values import DividesByZero, NoValue, power, root, value

UNITS: Mapping[str, str] = {
    "m": "", "metre": "m", "metres": "m", "meter": "m", "meters": "m", "km": "1000 m", "kilometre": "km", "kilometres": "km",
    "kilometer": "km", "kilometers": "km", "cm": "m/100", "centimeter": "cm", "centimeters": "cm", "mm": "m/1000",
    "inch": "0.0254 m", "inches": "inch", "ft": "0.3048 m", "foot": "ft", "feet": "ft", "yd": "0.9144 m", "yard": "yd",
    "yards": "yd", "mile": "1609.344 m", "miles": "mile", "mph": "mile/h",
    "kg": "", "kilogram": "kg", "kilograms": "kg", "g": "kg/1000", "gram": "g", "grams": "g", "mg": "g/1000",
    "lb": "0.45359237 kg", "lbs": "lb",
    "s": "", "sec": "s", "second": "s", "seconds": "s", "min": "60 s", "minute": "min", "minutes": "min", "h": "60 min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "24 h", "days": "day", "week": "7 day", "weeks": "week",
    "L": "m^3/1000", "l": "L", "liter": "L", "liters": "L", "litre": "L", "litres": "L", "ml": "L/1000", "mL": "ml",
    "dollar": "", "dollars": "dollar", "USD": "dollar", "cent": "dollar/100", "cents": "cent", "euro": "", "euros": "euro",
    "EUR": "euro",
    "N": "kg*m/s^2", "J": "N*m", "kJ": "1000 J", "W": "J/s", "kW": "1000 W", "kWh": "kW*h", "A": "", "V": "W/A",
}  # fmt: skip
"""Unit -> its value in other units; the text of a base unit is empty."""


class Quantity(NamedTuple):
    """A number with units.

    Attributes:
        number: the number in base units.
        units: base unit -> exponent, none of them 0.
    """

    number: Fraction
    units: Mapping[str, Fraction]


class DifferentUnits(ValueError):
    """Quantities of different dimensions are added or compared."""


def read_quantity(text: str, units: Mapping[str, str] | None = None) -> Quantity:
    """Return the quantity that an expression with units stands for.

    >>> read_quantity("3 km + 200 m") == read_quantity("3.2 km")
    True

    Args:
        text: the expression; `$5` is 5 dollars.
        units: more units, as in `UNITS`: `{"apple": "", "apples": "apple", "dozen": "12"}`.

    Raises:
        Unreadable: the text is no such expression, or a name in it is not a unit.
        DifferentUnits: quantities of different dimensions are added.
        NoValue: the expression has no rational value.
    """
    tree = _read(text, units)
    if isinstance(tree, STATEMENTS):
        raise Unreadable("this is a statement, but a quantity is asked for")
    return _quantity(tree, units)


def quantities(statement: str, *, units: Mapping[str, str] | None = None, conclusive: bool = False) -> Verification:
    """Return whether a relation between quantities is true, such as `3 km + 200 m = 3.2 km`.

    >>> quantities("60 km/h * 30 min = 30 km")
    Valid(evidence='60 km/h * 30 min = 30 km', conclusive=False)

    Args:
        statement: one relation.
        units: more units, see `read_quantity`.
        conclusive: whether the verdict is conclusive if the relation is true.

    Raises:
        Invalid: the relation is false, or adds or compares different units. If one side has no unit at all, the verdict is
            unknown.
        UsageError: `units` has a text that cannot be read.
    """
    try:
        tree = _relation(statement, units)
    except Unreadable as error:
        return Unknown(str(error))
    try:
        left, right = _sides(tree, units)
    except NoValue as error:
        return Unknown(str(error))
    except DifferentUnits as error:
        if name := _meant_otherwise(tree, units):
            return Unknown(f"{name} has another meaning, in which the units fit: {_OTHERWISE[name][0]}")
        raise Invalid(str(error)) from None
    said = short(" ".join(statement.split()))
    if left.units != right.units and any(not side.units and side.number for side in (left, right)):
        return Unknown(f"one side of {said} has no unit")
    one, other = left.number, right.number
    true = {"=": one == other, "!=": one != other, "<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}
    if true[tree.sign]:
        return Valid(said, conclusive)
    raise Invalid(f"{said} is false: the left side is {_shown(left)}, and the right side is {_shown(right)}")


_OTHERWISE: Mapping[str, tuple[str, Expression]] = {
    "m": ("minutes", Name("min")),
    **dict.fromkeys(("cent", "cents"), ("cents of a euro", Operation("/", Name("euro"), Number(Fraction(100))))),
}
"""Unit -> its other common meaning, in words and as an expression."""


def _relation(statement: str, units: Mapping[str, str] | None) -> Relation:
    """Return the tree of a relation.

    Raises:
        Unreadable: the text is not a relation, or a name in it is perhaps not meant as a unit.
    """
    tree = _read(statement, units)
    if not isinstance(tree, Relation):
        raise Unreadable("one relation between quantities is asked for, such as 3 km + 200 m = 3.2 km")
    if name := _leading(tree.left) or _leading(tree.right):
        raise Unreadable(f"{name} may be a unit or a name for something else; write 1 {name} for the unit")
    return tree


def _sides(relation: Relation, units: Mapping[str, str] | None) -> tuple[Quantity, Quantity]:
    """Return the quantities on both sides of a relation.

    Raises:
        DifferentUnits: the sides cannot be compared, or one of them adds different units.
    """
    left, right = _quantity(relation.left, units), _quantity(relation.right, units)
    if left.units != right.units and left.units and right.units:
        raise DifferentUnits(f"{short(written(relation))} compares {_named(left)} with {_named(right)}")
    return left, right


def _leading(tree: Expression, *, first: bool = True) -> str | None:
    """Return a name that a term begins with: `A` in `A = 3 m * 5 m` is hardly an ampere."""
    match tree:
        case Name(name):
            return name if first else None
        case Operation(sign, left, right):
            return _leading(left, first=first or sign in {"+", "-"}) or _leading(right, first=sign in {"+", "-"})
        case Negative(of) | Root(of):
            return _leading(of, first=first)
        case _:
            return None


def _meant_otherwise(relation: Relation, units: Mapping[str, str] | None) -> str | None:
    """Return a name with another meaning in which the units fit, if there is one."""
    for name in sorted(names_in(relation) & _OTHERWISE.keys() - (units or {}).keys()):
        same = {each: meant for each, meant in _OTHERWISE.items() if meant == _OTHERWISE[name]}
        try:
            left, right = _sides(put(relation, {each: tree for each, (_, tree) in same.items()}), units)
        except (DifferentUnits, NoValue):
            continue
        if left.units == right.units:
            return name
    return None


def _read(text: str, units: Mapping[str, str] | None) -> Expression | Statement:
    known = {**UNITS, **(units or {})}
    tree = Reader(text, units=known).tree
    if unknown := sorted(names_in(tree) - known.keys()):
        raise Unreadable(f"{short(unknown[0])} is not a unit that is known")
    return tree


def _quantity(tree: Expression, units: Mapping[str, str] | None) -> Quantity:
    match tree:
        case Number() | Percent():
            found = Quantity(value(tree), {})
        case Name(name):
            found = _unit(name, tuple(sorted(units.items())) if units else ())
        case Negative(of):
            inside = _quantity(of, units)
            found = Quantity(-inside.number, inside.units)
        case Root(of):
            inside = _quantity(of, units)
            found = Quantity(root(inside.number, 2), _scaled(inside.units, Fraction(1, 2)))
        case Operation("^", left, right):
            found = _power(_quantity(left, units), _quantity(right, units))
        case Operation(sign, left, right):
            found = _joined(tree, sign, _quantity(left, units), _quantity(right, units))
        case _:
            assert_never(tree)
    return found


@lru_cache(maxsize=1_000)
def _unit(name: str, units: tuple[tuple[str, str], ...]) -> Quantity:
    """Return a unit in base units."""
    more = dict(units)
    meaning = more.get(name, UNITS.get(name, ""))
    if not meaning:
        return Quantity(Fraction(1), {name: Fraction(1)})
    try:
        return read_quantity(meaning, more or None)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The unit {name!r} cannot be read from {meaning!r}: {str(error)[:200]}.") from error


def _power(base: Quantity, exponent: Quantity) -> Quantity:
    if exponent.units:
        raise DifferentUnits(f"an exponent must be a number, not {_named(exponent)}")
    return Quantity(power(base.number, exponent.number), _scaled(base.units, exponent.number))


def _joined(tree: Expression, sign: str, left: Quantity, right: Quantity) -> Quantity:
    if sign in {"+", "-"}:
        if left.units != right.units:
            raise DifferentUnits(f"{short(written(tree))} adds {_named(left)} and {_named(right)}")
        return Quantity(left.number + right.number if sign == "+" else left.number - right.number, left.units)
    if sign == "/":
        if right.number == 0:
            raise DividesByZero("a division by zero")
        right = Quantity(1 / right.number, _scaled(right.units, Fraction(-1)))
    exponents = dict(left.units)
    for name, exponent in right.units.items():
        exponents[name] = exponents.get(name, Fraction(0)) + exponent
    return Quantity(left.number * right.number, {name: exponent for name, exponent in exponents.items() if exponent})


def _scaled(units: Mapping[str, Fraction], factor: Fraction) -> Mapping[str, Fraction]:
    return {name: exponent * factor for name, exponent in units.items()} if factor else {}


def _named(quantity: Quantity) -> str:
    """Return the units of a quantity as text."""
    powers = (f"{name}^{exponent}" if exponent != 1 else name for name, exponent in sorted(quantity.units.items()))
    return "*".join(powers) or "a number without a unit"


def _shown(quantity: Quantity) -> str:
    return f"{shown_number(quantity.number)} {_named(quantity) if quantity.units else ''}".strip()
