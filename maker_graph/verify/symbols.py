"""The part of `Algebra` that runs in the process with limits: exact polynomials first, and SymPy if there are roots."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import islice, product
from typing import Any, assert_never

from maker_graph.core.verifying import Unknown, Valid, Verification
from maker_graph.errors import Invalid
from maker_graph.verify.language import MAX_CHARACTERS, Unreadable, read_expression, read_relation, read_statement
from maker_graph.verify.polynomials import Polynomial, degree, names_of, plus, quotient_of, same, scaled
from maker_graph.verify.trees import (
    Connected,
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
from maker_graph.verify.values import DividesByZero, NoValue, holds, power, settled, value

_POINTS = 60
_TRIED = [Fraction(number) for number in (2, -1, 3, "1/2", 5, -3, 7, 0, "-2/3", 11, 1, -4)]


def equal(left: str, right: str, conclusive: bool) -> Verification:
    """See `Algebra.equal`."""
    try:
        one, other = read_expression(left), read_expression(right)
    except Unreadable as error:
        return Unknown(str(error))
    try:
        alike = same(quotient_of(one), quotient_of(other))
    except DividesByZero as error:
        return Unknown(str(error))
    except NoValue:
        alike = None
    said = f"{short(written(one))} = {short(written(other))}"
    if alike:
        where = ", wherever both have a value" if _divides_by_names(one) or _divides_by_names(other) else ""
        return Valid(said + where, conclusive)
    _see_points(one, other)
    if alike is False:
        raise Invalid(f"{short(written(one))} and {short(written(other))} are different quotients of polynomials")
    return _equal_with_roots(one, other, said, conclusive)


def _see_points(one: Expression, other: Expression) -> None:
    """Look for a point at which two expressions differ.

    Raises:
        Invalid: there is such a point.
    """
    names = sorted(names_in(one) | names_in(other))
    for at in _points(names):
        try:
            left, right = value(one, at), value(other, at)
        except NoValue:
            continue
        if left != right:
            where = f"at {_listed(at)}, " if at else ""
            raise Invalid(
                f"{where}{short(written(one))} is {shown_number(left)}, and {short(written(other))} is {shown_number(right)}"
            )


def _points(names: Sequence[str]) -> Iterator[dict[str, Fraction]]:
    """Yield points to try, first those with different values, because they tell most."""
    for turn in range(len(_TRIED) if names else 1):
        yield {name: _TRIED[(turn + 5 * place) % len(_TRIED)] for place, name in enumerate(names)}
    if len(names) > 1:
        for values in islice(product(_TRIED, repeat=len(names)), _POINTS):
            yield dict(zip(names, values, strict=True))


def _listed(at: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{name} = {shown_number(number)}" for name, number in at.items())


def _divides_by_names(tree: Expression) -> bool:
    """Say whether an expression may have no value for some values of its names."""
    match tree:
        case Operation("/" | "^", left, right) if names_in(right if tree.sign == "/" else left):
            return tree.sign == "/" or not isinstance(right, Number) or _divides_by_names(left)
        case Operation(_, left, right):
            return _divides_by_names(left) or _divides_by_names(right)
        case Negative(of) | Root(of):
            return _divides_by_names(of)
        case _:
            return False


def _equal_with_roots(one: Expression, other: Expression, said: str, conclusive: bool) -> Verification:
    """Compare expressions that are no quotients of polynomials, because of roots."""
    from sympy import simplify  # noqa: PLC0415  half a second, which only this process waits for

    try:
        left, right = _symbolic(one), _symbolic(other)
    except NoValue as error:
        return Unknown(str(error))
    if not names_in(one) | names_in(other):
        if _is_zero(left - right):
            return Valid(said, conclusive)
        raise Invalid(f"{short(written(one))} is about {left.n(12)}, and {short(written(other))} is about {right.n(12)}")
    if simplify(left - right) == 0:
        return Valid(f"{said}, as SymPy simplifies it", conclusive=False)
    return Unknown(f"it is not known whether {said}")


def _is_zero(number: Any) -> bool:
    """Say exactly whether a number with roots is zero: it is, if its polynomial over the rationals is x."""
    from sympy import Symbol, minimal_polynomial  # noqa: PLC0415

    x = Symbol("x")
    return bool(minimal_polynomial(number, x) == x)


def _symbolic(tree: Expression) -> Any:
    """Return an expression for SymPy, built from its parts and never from text.

    Raises:
        NoValue: the expression divides by zero, is 0^0, or has a root of a negative number.
    """
    from sympy import Rational, Symbol  # noqa: PLC0415

    match tree:
        case Number() | Percent():
            number = value(tree)
            found = Rational(number.numerator, number.denominator)
        case Name(name):
            found = Symbol(name, real=True)
        case Negative(of):
            found = -_symbolic(of)
        case Root(of):
            found = _power(_symbolic(of), Rational(1, 2))
        case Operation("/", left, right):
            found = _symbolic(left) * _power(_symbolic(right), Rational(-1))
        case Operation("^", left, right):
            found = _power(_symbolic(left), _symbolic(right))
        case Operation(sign, left, right):
            one, other = _symbolic(left), _symbolic(right)
            found = one * other if sign == "*" else one + other if sign == "+" else one - other
        case _:
            assert_never(tree)
    return found


def _power(base: Any, exponent: Any) -> Any:
    """Return a power, if it has exactly one meaning."""
    from sympy import Rational  # noqa: PLC0415

    if not exponent.is_Rational:
        raise NoValue("an exponent that is not a rational number")
    if not base.free_symbols:
        if exponent <= 0 and _is_zero(base):
            raise DividesByZero("a division by zero") if exponent < 0 else NoValue("0 to the power of 0 has no value")
        if not exponent.is_integer and base.is_negative is not False:
            raise NoValue("the root of a negative number has no real value")
        if base.is_Rational and exponent.is_integer:  # within the limits of values
            number = power(Fraction(base.p, base.q), Fraction(int(exponent)))
            return Rational(number.numerator, number.denominator)
    if abs(exponent.p) > 1_000:
        raise NoValue("an exponent that is too large")
    return base**exponent


def solves(equations: Sequence[str], solution: str | Mapping[str, str], conclusive: bool | None) -> Verification:
    """See `Algebra.solves`."""
    try:
        asked = [read_statement(each) for each in equations]
        names = sorted(frozenset().union(*map(names_in, asked)))
        given = _solution(solution, names)
        _see_names(given, names)
    except Unreadable as error:
        return Unknown(str(error))
    said = ", ".join(f"{name} = {short(written(given[name]))}" for name in names)
    listed = " and ".join(short(written(each)) for each in asked)
    try:
        at = {name: value(tree) for name, tree in given.items()}
        for each in asked:
            _see_true(each, at, said)
    except DividesByZero:
        raise Invalid(f"the solution {said} divides by zero") from None
    except NoValue:
        return _solves_with_roots(asked, given, said, listed, conclusive)
    if conclusive is None:
        conclusive = _only(asked, names, at)
        if conclusive:
            return Valid(f"{said} is the only real solution of {listed}", conclusive=True)
    return Valid(f"{said} solves {listed}", conclusive)


def _solution(solution: str | Mapping[str, str], names: Sequence[str]) -> dict[str, Expression]:
    """Return the value of each name in a solution.

    Raises:
        Unreadable: it is not a solution.
    """
    if not isinstance(solution, str):
        return _see_numbers({name: read_expression(text) for name, text in solution.items()})
    if len(solution) > MAX_CHARACTERS:
        raise Unreadable(f"longer than {MAX_CHARACTERS:,} characters")
    found: dict[str, Expression] = {}
    for part in re.split(r";|\n|,\s+|\band\b", solution.strip().strip("$")):
        if "=" not in part and len(names) == 1:
            name, tree = names[0], read_expression(part)
        else:
            relation = read_relation(part)
            if relation.sign != "=" or not isinstance(relation.left, Name):
                raise Unreadable("a solution is written like x = 3, y = 4")
            name, tree = relation.left.name, relation.right
        if name in found:
            raise Unreadable(f"the solution has two values of {name}")
        found[name] = tree
    return _see_numbers(found)


def _see_names(given: Mapping[str, Expression], names: Sequence[str]) -> None:
    """Make sure that a solution has the unknowns of the equations, and no others.

    Raises:
        Unreadable: it does not.
    """
    if not names:
        raise Unreadable("no equation has an unknown")
    if missing := [name for name in names if name not in given]:
        raise Unreadable(f"the solution has no value for {missing[0]}")
    if extra := [name for name in given if name not in names]:
        raise Unreadable(f"{short(extra[0])} is in no equation")


def _see_numbers(solution: dict[str, Expression]) -> dict[str, Expression]:
    for name, tree in solution.items():
        if names_in(tree):
            raise Unreadable(f"the value of {name} is not a number")
    return solution


def _see_true(statement: Statement, at: Mapping[str, Fraction], said: str) -> None:
    """Make sure that a statement is true at a point.

    Raises:
        Invalid: the statement is not true there, or divides by zero.
        NoValue: it has no exact value there.
    """
    shown = short(written(statement))
    try:
        if settled(statement, lambda relation: holds(relation, at)):
            return
    except DividesByZero:
        raise Invalid(f"{shown} divides by zero at {said}") from None
    if not isinstance(statement, Relation):
        raise Invalid(f"{shown} is not true at {said}")
    left, right = shown_number(value(statement.left, at)), shown_number(value(statement.right, at))
    raise Invalid(f"{said} does not solve {shown}: the left side is {left}, and the right side is {right}")


def _solves_with_roots(
    asked: Sequence[Statement], given: Mapping[str, Expression], said: str, listed: str, conclusive: bool | None
) -> Verification:
    """Return the verdict on a solution that has numbers with roots."""
    try:
        for each in asked:
            if not settled(put(each, given), _holds):
                raise Invalid(f"{short(written(each))} is not true at {said}")
        only = _only(asked, given.keys(), {}) if conclusive is None else conclusive
    except DividesByZero:
        raise Invalid(f"{listed} divides by zero at {said}") from None
    except NoValue as error:
        return Unknown(str(error))
    if only and conclusive is None:
        return Valid(f"{said} is the only real solution of {listed}", conclusive=True)
    return Valid(f"{said} solves {listed}", conclusive=only)


def _holds(relation: Relation) -> bool:
    """Say exactly whether a relation between numbers with roots is true."""
    order = _order(_symbolic(relation.left) - _symbolic(relation.right))
    return order in {"=": {0}, "!=": {1, -1}, "<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}}[relation.sign]


def _order(difference: Any) -> int:
    """Return 1, 0 or -1 if a number with roots is above, at or below zero.

    Raises:
        NoValue: the number is too near to zero for its sign to be computed.
    """
    from sympy.core.evalf import PrecisionExhausted  # noqa: PLC0415

    if _is_zero(difference):
        return 0
    for places in (100, 1_000, 10_000):
        with contextlib.suppress(PrecisionExhausted):
            return 1 if difference.evalf(2, maxn=places, strict=True) > 0 else -1
    raise NoValue("two numbers that are too near to each other")


def _only(asked: Sequence[Statement], names: Collection[str], at: Mapping[str, Fraction]) -> bool:
    """Say whether it is proved that statements have only one real solution.

    Args:
        asked: the statements. Those that are no equations may exclude a second solution.
        names: the unknowns.
        at: the known solution, if it is rational.
    """
    zeros = [zero for each in asked for zero in _zeros(each)]
    linear = [zero for zero in zeros if all(degree(monomial) <= 1 for monomial in zero)]
    with contextlib.suppress(NoValue):  # too large
        if _rank(linear, sorted(names)) == len(names):
            return True
    return len(names) == 1 and _one_root([zero for zero in zeros if zero], asked, at)


def _zeros(statement: Statement) -> Iterator[Polynomial]:
    """Yield the polynomials that are zero where a statement is true."""
    if isinstance(statement, Connected) and statement.word == "and":
        yield from _zeros(statement.left)
        yield from _zeros(statement.right)
    elif isinstance(statement, Relation) and statement.sign == "=":
        with contextlib.suppress(NoValue):
            yield quotient_of(Operation("-", statement.left, statement.right)).numerator


def _rank(rows: Sequence[Polynomial], names: Sequence[str]) -> int:
    """Return how many of the unknowns linear equations determine, by elimination."""
    left = [dict(row) for row in rows]
    rank = 0
    for name in names:
        column = ((name, 1),)
        pivot = next((row for row in left if column in row), None)
        if pivot is None:
            continue
        rank += 1
        left = [
            dict(plus(row, scaled(pivot, -row[column] / pivot[column]))) if column in row else row
            for row in left
            if row is not pivot
        ]
    return rank


def _one_root(zeros: Sequence[Polynomial], asked: Sequence[Statement], at: Mapping[str, Fraction]) -> bool:
    """Say whether polynomials of one unknown share only one real root, not counting those where a statement is not true."""
    from sympy import Poly, Rational, Symbol  # noqa: PLC0415

    if not zeros:
        return False
    x = Symbol("x")
    given = [
        {(degree(monomial),): Rational(each.numerator, each.denominator) for monomial, each in zero.items()} for zero in zeros
    ]
    common = reduce(Poly.gcd, (Poly.from_dict(each, x, domain="QQ") for each in given)).sqf_part()
    (name,) = names_of(zeros[0]) or [""]
    others = [Fraction(int(root.p), int(root.q)) for root in common.ground_roots()]
    excluded = sum(not _may_hold(asked, {name: each}) for each in others if each != at.get(name))
    return int(common.count_roots()) - excluded == 1


def _may_hold(asked: Sequence[Statement], at: Mapping[str, Fraction]) -> bool:
    """Say whether statements are true at a point, or may be, because that is not known."""
    try:
        return all(settled(each, lambda relation: holds(relation, at)) for each in asked)
    except DividesByZero:
        return False
    except NoValue:
        return True
