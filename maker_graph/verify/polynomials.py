"""Exact polynomials and quotients of them: the form in which two expressions can be compared.

Two quotients n/d and N/D are equal exactly if n*D = N*d. Zeros of a denominator are ignored: x^2/x and x are equal here. A
polynomial is a mapping of monomials to coefficients that are not zero, so equal polynomials are equal mappings.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple, TypeAlias, assert_never

from maker_graph.verify import values
from maker_graph.verify.trees import Expression, Name, Negative, Number, Operation, Percent, Root
from maker_graph.verify.values import DividesByZero, NoValue, bits, power, root, value

MAX_TERMS = 120
"""The most terms of a polynomial. A larger one is refused, because a key must be made within 50 milliseconds."""

MAX_DEGREE = 100
"""The highest degree of a monomial."""

MAX_BITS = 2_000
"""The most bits of a coefficient in a polynomial with names. A number without names has the limit of `values.py`."""

Monomial: TypeAlias = tuple[tuple[str, int], ...]
"""Names with their exponents, by name."""

Polynomial: TypeAlias = Mapping[Monomial, Fraction]
"""Monomials with their coefficients, none of them zero."""


class Quotient(NamedTuple):
    """One polynomial over another, which is not zero."""

    numerator: Polynomial
    denominator: Polynomial


ONE: Polynomial = {(): Fraction(1)}
"""The polynomial 1."""


def quotient_of(tree: Expression) -> Quotient:
    """Return an expression as a quotient of polynomials.

    Raises:
        NoValue: a root or an exponent prevents that form, the expression is too large, or it divides by zero.
    """
    match tree:
        case Number() | Percent():
            found = constant(value(tree))
        case Name(name):
            found = Quotient({((name, 1),): Fraction(1)}, ONE)
        case Negative(of):
            inside = quotient_of(of)
            found = Quotient(scaled(inside.numerator, Fraction(-1)), inside.denominator)
        case Root(of):
            found = constant(root(_number(quotient_of(of)), 2))
        case Operation("^", left, right):
            found = _power(quotient_of(left), _number(quotient_of(right)))
        case Operation(sign, left, right):
            found = _joined(sign, quotient_of(left), quotient_of(right))
        case _:
            assert_never(tree)
    return found


def constant(number: Fraction) -> Quotient:
    """Return a number as a quotient of polynomials."""
    return Quotient({(): number} if number else {}, ONE)


def same(left: Quotient, right: Quotient) -> bool:
    """Say whether two quotients are equal, wherever both have a value.

    Raises:
        NoValue: they are too large to be compared.
    """
    return times(left.numerator, right.denominator) == times(right.numerator, left.denominator)


def plus(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the sum."""
    found = dict(left)
    for monomial, number in right.items():
        if total := found.get(monomial, Fraction(0)) + number:
            found[monomial] = total
        else:
            del found[monomial]
    return _small(found)


def scaled(polynomial: Polynomial, number: Fraction) -> Polynomial:
    """Return the product with a number that is not zero."""
    return {monomial: each * number for monomial, each in polynomial.items()}


def times(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the product.

    Raises:
        NoValue: the product is too large.
    """
    found: dict[Monomial, Fraction] = {}
    for one, first in left.items():
        for other, second in right.items():
            exponents = dict(one)
            for name, exponent in other:
                exponents[name] = exponents.get(name, 0) + exponent
            monomial = tuple(sorted(exponents.items()))
            found[monomial] = found.get(monomial, Fraction(0)) + first * second
        _small(found, 4)
    return _small({monomial: number for monomial, number in found.items() if number})


def degree(monomial: Monomial) -> int:
    """Return the sum of the exponents."""
    return sum(exponent for _, exponent in monomial)


def names_of(polynomial: Polynomial) -> set[str]:
    """Return the names in a polynomial."""
    return {name for monomial in polynomial for name, _ in monomial}


def _small(polynomial: Polynomial, slack: int = 1) -> Polynomial:
    if len(polynomial) > slack * MAX_TERMS or any(degree(monomial) > MAX_DEGREE for monomial in polynomial):
        raise NoValue("a polynomial that is too large")
    most = MAX_BITS if any(polynomial) else values.MAX_BITS
    if any(bits(number) > most for number in polynomial.values()):
        raise NoValue("a number that is too large")
    return polynomial


def _number(quotient: Quotient) -> Fraction:
    """Return the number that a quotient without names stands for."""
    if names_of(quotient.numerator) or names_of(quotient.denominator):
        raise NoValue("a name stands in an exponent or under a root")
    return quotient.numerator.get((), Fraction(0)) / quotient.denominator[()]


def _power(base: Quotient, exponent: Fraction) -> Quotient:
    if not names_of(base.numerator) and not names_of(base.denominator):
        return constant(power(_number(base), exponent))
    if exponent.denominator != 1 or abs(exponent) > MAX_DEGREE:
        raise NoValue("an exponent that is too large, or not whole")
    if exponent < 0:
        base = _turned(base)
    found = Quotient(ONE, ONE)
    for _ in range(abs(exponent.numerator)):
        found = Quotient(times(found.numerator, base.numerator), times(found.denominator, base.denominator))
    return found


def _joined(sign: str, left: Quotient, right: Quotient) -> Quotient:
    if sign == "/":
        sign, right = "*", _turned(right)
    if sign == "*":
        return Quotient(times(left.numerator, right.numerator), times(left.denominator, right.denominator))
    other = right.numerator if sign == "+" else scaled(right.numerator, Fraction(-1))
    if left.denominator == right.denominator:
        return Quotient(plus(left.numerator, other), left.denominator)
    upper = plus(times(left.numerator, right.denominator), times(other, left.denominator))
    return Quotient(upper, times(left.denominator, right.denominator))


def _turned(quotient: Quotient) -> Quotient:
    if not quotient.numerator:
        raise DividesByZero("a division by zero")
    return Quotient(quotient.denominator, quotient.numerator)
