"""Exact values of trees: rationals of any size that is reasonable, never floats.

1/2^99 and 1/2^98 differ, and 0.1 + 0.2 is 0.3. What has no rational value has none at all: nothing is rounded.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import isqrt
from typing import assert_never

from maker_graph.verify.trees import (
    Connected,
    Expression,
    Name,
    Negative,
    Not,
    Number,
    Operation,
    Percent,
    Relation,
    Root,
    Sign,
    Statement,
    Word,
    short,
)

MAX_EXPONENT = 10_000
"""Of a power, either way."""

MAX_BITS = 13_900
"""Of a numerator or denominator on the way to a value: Python writes no longer number as text, with 100 decimal places."""


class NoValue(ValueError):
    """The expression has no rational value: a division by zero, an irrational root, a missing name, a number too large."""


class DividesByZero(NoValue):
    """The expression has no value at all, because it divides by zero."""


def value(expression: Expression, names: Mapping[str, Fraction | float] | None = None) -> Fraction:
    """Return the exact value of an expression.

    >>> value(Operation("*", Number(Fraction(2)), Name("x")), {"x": Fraction(1, 3)})
    Fraction(2, 3)

    Args:
        expression: as it was read.
        names: the values of the names in it; a float counts as its shortest decimal.

    Raises:
        NoValue: it has none that is rational, or one too large.
    """
    return _value(expression, names or {})


def holds(statement: Statement, names: Mapping[str, Fraction | float] | None = None) -> bool:
    """Say whether a statement is true.

    Raises:
        NoValue: an expression in it has no value, whether the truth depends on it or not.
    """
    if isinstance(statement, Not):
        return not holds(statement.of, names)
    if isinstance(statement, Connected):
        left, right = holds(statement.left, names), holds(statement.right, names)
        return joined(statement.word, lambda: left, lambda: right)
    left_value, right_value = value(statement.left, names), value(statement.right, names)
    return {
        "=": left_value == right_value,
        "!=": left_value != right_value,
        "<": left_value < right_value,
        "<=": left_value <= right_value,
        ">": left_value > right_value,
        ">=": left_value >= right_value,
    }[statement.sign]


def settled(statement: Statement, relation: Callable[[Relation], bool]) -> bool:
    """Say whether a statement about a point is true; one side of it may settle that, where the other has no value.

    `x = 0 or 1/x = 2` is true for x = 0, and `x != 0 implies 1/x = 2` too.

    Args:
        statement: any.
        relation: says whether a relation is true at the point, and raises `NoValue`.

    Raises:
        DividesByZero: it is not true, because what it needs divides by zero.
        NoValue: what it needs has no value.
    """
    match statement:
        case Relation():
            return relation(statement)
        case Not(of):
            return opposite(lambda: settled(of, relation))
        case Connected(word, left, right):
            return joined(word, lambda: settled(left, relation), lambda: settled(right, relation))
        case _:
            assert_never(statement)


def joined(word: Word, left: Callable[[], bool], right: Callable[[], bool]) -> bool:
    """Return the truth of two statements with a word between them, where either may have no value.

    >>> joined("or", lambda: True, lambda: value(Name("x")) == 1)
    True

    Raises:
        NoValue: one has none, and the other does not settle it.
    """
    settles = word != "and"  # a true side settles `or`, and a false one settles `and`
    missing: list[NoValue] = []
    for side in (left, right):
        try:
            if (opposite(side) if word == "implies" and side is left else side()) is settles:
                return settles
        except NoValue as error:
            missing.append(error)
    if missing:  # the side that divides by zero is not true, and the other one may be
        raise min(missing, key=lambda error: isinstance(error, DividesByZero))
    return not settles


def opposite(truth: Callable[[], bool]) -> bool:
    """Return the opposite of a truth.

    Raises:
        NoValue: there is none. A relation that divides by zero is not true, but its opposite may be meant to be, or not.
    """
    try:
        return not truth()
    except DividesByZero:
        raise NoValue("the opposite of a relation that divides by zero may be meant as true or not") from None


def _value(expression: Expression, names: Mapping[str, Fraction | float]) -> Fraction:
    match expression:
        case Number(number):
            found = number
        case Percent(number):
            found = number.value / 100
        case Name(name):
            if name not in names:
                raise NoValue(f"{name} has no value")
            found = exact(names[name])
        case Negative(of):
            found = -_value(of, names)
        case Root(of):
            found = root(_value(of, names), 2)
        case Operation(sign, left, right):
            found = _result(sign, _value(left, names), _value(right, names))
        case _:
            assert_never(expression)
    if bits(found) > MAX_BITS:
        raise NoValue("a number that is too large")
    return found


def _result(sign: Sign, left: Fraction, right: Fraction) -> Fraction:
    if sign == "^":
        return power(left, right)
    if sign == "/":
        if right == 0:
            raise DividesByZero("a division by zero")
        return left / right
    return left + right if sign == "+" else left - right if sign == "-" else left * right


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """Return a power exactly; one with a fraction is a root of a number that is not negative.

    >>> power(Fraction(8), Fraction(-2, 3))
    Fraction(1, 4)

    Raises:
        NoValue: it is 0^0, a division by zero, irrational, or too large.
    """
    if base == 0 and exponent <= 0:
        if exponent < 0:
            raise DividesByZero("a power of 0 divides by zero")
        raise NoValue("0 to the power of 0 has no value")
    if abs(exponent) > MAX_EXPONENT or (abs(base) != 1 and abs(exponent) * bits(base) > MAX_BITS):
        raise NoValue("a power that is too large")
    if exponent.denominator > 1:
        base = root(base, exponent.denominator)
    return Fraction(base**exponent.numerator)


def root(number: Fraction, degree: int) -> Fraction:
    """Return the root of a number that is not negative, if it is rational.

    >>> root(Fraction(9, 4), 2)
    Fraction(3, 2)

    Raises:
        NoValue: it is not rational, or `number` is negative.
    """
    if number < 0:
        raise NoValue("the root of a negative number has no real value")
    return Fraction(_whole_root(number.numerator, degree), _whole_root(number.denominator, degree))


def _whole_root(number: int, degree: int) -> int:
    """Return the root of a whole number, by Newton's method on whole numbers."""
    if number < 2:
        return number
    if degree == 2:
        found = isqrt(number)
    elif degree > number.bit_length():
        found = 1
    else:
        found, lower = 1 << -(-number.bit_length() // degree), 0
        while (lower := ((degree - 1) * found + number // found ** (degree - 1)) // degree) < found:
            found = lower
    if found**degree != number:
        raise NoValue(f"the root of {short(str(number))} is not rational")
    return found


def exact(number: Fraction | float) -> Fraction:
    """Return a number exactly; a float is its shortest decimal, for that is what a person or a program wrote.

    >>> exact(0.1)
    Fraction(1, 10)

    Raises:
        ValueError: it is infinite, or no number.
    """
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def bits(number: Fraction) -> int:
    """Return how long a number is: the bits of its numerator or of its denominator."""
    return max(number.numerator.bit_length(), number.denominator.bit_length())
