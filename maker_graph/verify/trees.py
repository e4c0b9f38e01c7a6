"""The frozen trees into which texts are read, and how they are written as text again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, TypeAlias, assert_never


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written: never negative."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Percent:
    """A number of hundredths."""

    number: Number


@dataclass(frozen=True, slots=True)
class Name:
    """A name that stands for a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """The negative of an expression."""

    of: "Expression"


@dataclass(frozen=True, slots=True)
class Root:
    """The square root that is not negative."""

    of: "Expression"


Sign: TypeAlias = Literal["+", "-", "*", "/", "^"]
Comparison: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
Word: TypeAlias = Literal["and", "or", "implies"]


@dataclass(frozen=True, slots=True)
class Operation:
    """Two expressions and the operator between them."""

    sign: Sign
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Relation:
    """Two expressions and how they compare; an equation, if the sign is `=`."""

    sign: Comparison
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a statement."""

    of: "Statement"


@dataclass(frozen=True, slots=True)
class Connected:
    """Two statements and the word between them."""

    word: Word
    left: "Statement"
    right: "Statement"


Expression: TypeAlias = Number | Percent | Name | Negative | Root | Operation
"""A tree that has a value."""

Statement: TypeAlias = Relation | Not | Connected
"""A tree that is true or false."""

STATEMENTS = (Relation, Not, Connected)
"""The kinds of statements."""


def names_in(tree: Expression | Statement) -> frozenset[str]:
    """Return the names in a tree.

    >>> sorted(names_in(Operation("+", Name("x"), Name("y"))))
    ['x', 'y']
    """
    if isinstance(tree, Number | Percent):
        return frozenset()
    if isinstance(tree, Name):
        return frozenset({tree.name})
    if isinstance(tree, Negative | Root | Not):
        return names_in(tree.of)
    return names_in(tree.left) | names_in(tree.right)


def put(tree: Any, given: Mapping[str, Expression]) -> Any:
    """Return a tree with expressions in the places of names.

    >>> put(Negative(Name("x")), {"x": Number(Fraction(1))})
    Negative(of=Number(value=Fraction(1, 1)))

    Args:
        tree: an expression or a statement.
        given: name -> the expression to put in its place.
    """
    match tree:
        case Name(name):
            return given.get(name, tree)
        case Negative() | Root() | Not():
            return replace(tree, of=put(tree.of, given))
        case Operation() | Relation() | Connected():
            return replace(tree, left=put(tree.left, given), right=put(tree.right, given))
        case _:
            return tree


def written(tree: Expression | Statement) -> str:
    """Return a tree as a text that is read as the same tree again.

    >>> written(Operation("*", Number(Fraction(2)), Operation("+", Name("x"), Number(Fraction(1, 2)))))
    '2*(x + 0.5)'
    """
    return _written(tree)[0]


def number_text(number: Fraction | int) -> str:
    """Return a number as people write it: whole, or as a decimal of at most 12 places, or as a fraction.

    >>> number_text(Fraction(5, 2)), number_text(Fraction(-1, 3)), number_text(7)
    ('2.5', '-1/3', '7')
    """
    exact = Fraction(number)
    if exact.denominator == 1:
        return str(exact.numerator)
    return _decimal(exact, 12) or f"{exact.numerator}/{exact.denominator}"


_MAX_PLACES = 100  # more than a text of the language can have
_WORD, _NOT, _RELATION, _SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(8)  # from the loosest to the tightest


def shown_number(number: Fraction | int) -> str:
    """Return a number for a message, cut if it is long."""
    return short(number_text(number))


def short(text: str) -> str:
    """Return a text, cut to the length that a message shows."""
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text):,} characters)"


def _written(tree: Expression | Statement) -> tuple[str, int]:
    """Return a tree as text, and the level of its loosest operator."""
    match tree:
        case Number(number):
            said = _plain(number)
        case Percent(number):
            said = f"{_plain(number.value)[0]}%", _ATOM
        case Name(name):
            said = name, _ATOM
        case Negative(of):
            said = f"-{_within(of, _POWER)}", _SIGNED
        case Root(of):
            said = f"sqrt({written(of)})", _ATOM
        case Not(of):
            said = f"not {_within(of, _RELATION)}", _NOT
        case Relation(sign, left, right):
            said = f"{_within(left, _SUM)} {sign} {_within(right, _SUM)}", _RELATION
        case Operation("^", left, right):
            said = f"{_within(left, _ATOM)}^{_within(right, _ATOM)}", _POWER
        case Operation(sign, left, right):
            level, space = (_SUM, " ") if sign in {"+", "-"} else (_PRODUCT, "")
            said = f"{_within(left, level)}{space}{sign}{space}{_within(right, level + 1)}", level
        case Connected(word, left, right):
            again = word != "implies" and isinstance(left, Connected) and left.word == word
            said = f"{_within(left, _WORD if again else _NOT)} {word} {_within(right, _NOT)}", _WORD
        case _:
            assert_never(tree)
    return said


def _within(tree: Expression | Statement, loosest: int) -> str:
    text, level = _written(tree)
    return text if level >= loosest else f"({text})"


def _plain(number: Fraction) -> tuple[str, int]:
    """Return a number as text: as a decimal if possible, which holds for all numbers that were read, else as a quotient."""
    if (decimal := _decimal(abs(number), _MAX_PLACES)) is None:
        return f"{number.numerator}/{number.denominator}", _PRODUCT if number > 0 else _SIGNED
    return (f"-{decimal}", _SIGNED) if number < 0 else (decimal, _ATOM)


def _decimal(number: Fraction, places: int) -> str | None:
    """Return a number as a decimal of at most so many places; None if it needs more."""
    scale = number * 10**places
    if scale.denominator != 1:
        return None
    digits = f"{abs(scale.numerator):0{places + 1}d}"
    text = f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
    return f"-{text}" if number < 0 else text
