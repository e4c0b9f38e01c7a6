"""The key of an expression: one text for all ways of writing the same value.

Answers are the same vote if their keys are equal. So a key is a normal form of one answer, and never a comparison of two. It
depends only on the text, and not on time or on other answers.
"""

from fractions import Fraction

from maker_graph.core.canonical import JSON
from maker_graph.verify.language import read_expression
from maker_graph.verify.polynomials import Monomial, Polynomial, Quotient, degree, names_of, plus, quotient_of, scaled, times
from maker_graph.verify.trees import Expression, Name, Negative, Number, Operation, written
from maker_graph.verify.values import MAX_BITS, NoValue, bits

_MAX_BITS = 1_500
"""The most bits of a denominator while the common divisor of two polynomials is computed."""


def canonical_expression(answer: JSON) -> JSON:
    """Return the key of an expression, for `key=`.

    - The key of a rational number is its exact value: `1/2`, `0.5`, `50%` and `2/4` have the key `1/2`. A float counts as its
      shortest decimal.
    - A polynomial is multiplied out and sorted. A quotient with one name is reduced. Quotients with several names that share a
      factor may keep different keys. Then equal answers are different votes.
    - Any other expression is written again with uniform spaces. So equal numbers with irrational roots, such as `sqrt(8)` and
      `2*sqrt(2)`, keep different keys.
    - A text that cannot be read is its own key, so two such texts are equal only if they are identical.

    Zeros of a denominator are ignored: `x^2/x` has the key `x`.

    >>> canonical_expression("50%"), canonical_expression(0.5), canonical_expression("(x + 1)^2")
    ('1/2', '1/2', 'x^2 + 2*x + 1')
    >>> canonical_expression("3x")
    '3x'

    Args:
        answer: a text or a number; anything else is its own key.
    """
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        return answer
    try:
        tree = read_expression(answer if isinstance(answer, str) else str(Fraction(repr(answer))))
    except ValueError:  # unreadable, and Infinity is not a number
        return answer
    try:
        return written(_tree(_reduced(quotient_of(tree))))
    except NoValue:
        return written(tree)


def _reduced(quotient: Quotient) -> Quotient:
    """Return a quotient that is reduced as far as common factors are found, with 1 as the denominator's first coefficient."""
    upper, lower = quotient
    if not upper:
        return Quotient(upper, {(): Fraction(1)})
    shared = _shared([*upper, *lower])
    upper, lower = _without(upper, shared), _without(lower, shared)
    names = names_of(upper) | names_of(lower)
    if len(names) == 1:
        common = _common(upper, lower)
        upper, lower = _divided(upper, common)[0], _divided(lower, common)[0]
    elif (ratio := upper[_first(upper)] / lower[_first(lower)]) and scaled(lower, ratio) == upper:
        upper, lower = {(): ratio}, {(): Fraction(1)}
    leading = 1 / lower[_first(lower)]
    found = Quotient(scaled(upper, leading), scaled(lower, leading))
    if any(bits(number) > MAX_BITS for side in found for number in side.values()):
        raise NoValue("a number that is too large")
    return found


def _order(monomial: Monomial) -> tuple[int, list[tuple[str, int]]]:
    """Return the sort key of a monomial: the highest degree comes first, then the order is by name."""
    return -degree(monomial), [(name, -exponent) for name, exponent in monomial]


def _first(polynomial: Polynomial) -> Monomial:
    return min(polynomial, key=_order)


def _shared(monomials: list[Monomial]) -> dict[str, int]:
    """Return the powers of names that divide all monomials."""
    found = dict(monomials[0])
    for monomial in monomials[1:]:
        exponents = dict(monomial)
        found = {name: min(exponent, exponents[name]) for name, exponent in found.items() if name in exponents}
    return found


def _without(polynomial: Polynomial, shared: dict[str, int]) -> Polynomial:
    return {
        tuple((name, left) for name, exponent in monomial if (left := exponent - shared.get(name, 0))): number
        for monomial, number in polynomial.items()
    }


def _common(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the greatest common divisor of two polynomials in one name, by Euclid."""
    while right:
        left, right = right, _divided(left, right)[1]
        if right:
            right = scaled(right, 1 / right[_first(right)])
        if any(number.denominator.bit_length() > _MAX_BITS for number in right.values()):
            raise NoValue("coefficients that are too large")
    return left


def _divided(upper: Polynomial, lower: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Return the quotient and the remainder of two polynomials in one name."""
    found: Polynomial = {}
    first = _first(lower)
    while upper and degree(_first(upper)) >= degree(first):
        at = _first(upper)
        exponent = degree(at) - degree(first)
        step: Polynomial = {((at[0][0], exponent),) if exponent else (): upper[at] / lower[first]}
        found, upper = plus(found, step), plus(upper, scaled(times(step, lower), Fraction(-1)))
    return found, upper


def _tree(quotient: Quotient) -> Expression:
    """Return a quotient as an expression."""
    upper = _sum(quotient.numerator)
    return upper if quotient.denominator == {(): 1} else Operation("/", upper, _sum(quotient.denominator))


def _sum(polynomial: Polynomial) -> Expression:
    found: Expression | None = None
    for monomial in sorted(polynomial, key=_order):
        number = polynomial[monomial]
        if found is None:
            found = _product(monomial, number)
        else:
            found = Operation("+" if number > 0 else "-", found, _product(monomial, abs(number)))
    return found or Number(Fraction(0))


def _product(monomial: Monomial, number: Fraction) -> Expression:
    found: Expression | None = None if abs(number) == 1 and monomial else _exact(abs(number))
    for name, exponent in monomial:
        each = Name(name) if exponent == 1 else Operation("^", Name(name), Number(Fraction(exponent)))
        found = Operation("*", found, each) if found else each
    assert found is not None  # noqa: S101  a product of nothing is 1, which is written
    return Negative(found) if number < 0 else found


def _exact(number: Fraction) -> Expression:
    """Return a number as a quotient of whole numbers: 0.5 is 1/2 in a key."""
    upper = Number(Fraction(number.numerator))
    return upper if number.denominator == 1 else Operation("/", upper, Number(Fraction(number.denominator)))
