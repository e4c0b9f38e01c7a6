"""Exact values of trees: rational numbers up to a limit of size, never floats.

1/2^99 and 1/2^98 differ, and 0.1 + 0.2 is 0.3. Nothing is rounded: an expression without a rational value has no value here.
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
"""The largest exponent of a power, positive or negative."""

MAX_BITS = 13_900
"""The most bits of a numerator or denominator. Python does not write longer numbers as text with 100 decimal places."""


class NoValue(ValueError):
    """The expression has no rational value: a division by zero, an irrational root, a missing name, a number too large."""


class DividesByZero(NoValue):
    """The expression has no value at all, because it divides by zero."""


def value(expression: Expression, names: Mapping[str, Fraction | float] | None = None) -> Fraction:
    """Return the exact value of an expression.

    >>> value(Operation("*", Number(Fraction(2)), Name("x")), {"x": Fraction(1, 3)})
    Fraction(2, 3)

    Args:
        expression: the tree of the expression.
        names: the values of the names in it; a float counts as its shortest decimal.

    Raises:
        NoValue: it has no rational value, or too large a value.
    """
    return _value(expression, names or {})


def holds(statement: Statement, names: Mapping[str, Fraction | float] | None = None) -> bool:
    """Say whether a statement is true.

    Raises:
        NoValue: an expression in it has no value, even if the truth does not depend on it.
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
    """Say whether a statement is true at a point; one side of it may settle that if the other side has no value.

    `x = 0 or 1/x = 2` is true for x = 0, and so is `x != 0 implies 1/x = 2`.

    Args:
        statement: any statement.
        relation: says whether a relation is true at the point, or raises `NoValue`.

    Raises:
        DividesByZero: the statement is not true, because it depends on a relation that divides by zero.
        NoValue: it depends on a relation that has no value.
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
        NoValue: one of them has no value, and the other does not settle the truth.
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
        NoValue: there is none. A relation that divides by zero is not true, but its opposite may be meant as true or not.
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
    """Return a power exactly; a fraction as exponent means a root of a number that is not negative.

    >>> power(Fraction(8), Fraction(-2, 3))
    Fraction(1, 4)

    Raises:
        NoValue: the power is 0^0, a division by zero, irrational, or too large.
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
    """Return a number exactly; a float counts as its shortest decimal, because that is what a person or a program wrote.

    >>> exact(0.1)
    Fraction(1, 10)

    Raises:
        ValueError: the float is infinite or NaN.
    """
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def bits(number: Fraction) -> int:
    """Return the size of a number: the bits of its numerator or of its denominator, whichever has more."""
    return max(number.numerator.bit_length(), number.denominator.bit_length())
