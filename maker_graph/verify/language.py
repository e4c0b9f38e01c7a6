r"""A small language for what models write: numbers, names, arithmetic, relations and premises.

A text is read into a frozen tree by a grammar of what is allowed. Nothing in it is ever evaluated as code. A text with anything
that the grammar does not know is `Unreadable` as a whole. So is a text with two possible readings.

| written | read as |
|---|---|
| `12`, `0.5`, `.5` | exact rationals; leading zeros (`007`) and a point at the end (`5.`) are unreadable |
| `1,234`, `1,234,567.8`, `1{,}234` | English thousands; `1,5`, `0,125`, `1234,567` and the pair `(1,234)` are unreadable |
| `50%`, `50\%` | 50/100; `80 - 20%` has two meanings and is unreadable, `1 - 20%` has one |
| `x`, `apples`, `x_1` | names of ASCII letters, digits and underscores; `pi`, `e` and `i` are ordinary names |
| `+ - * / ^ ( ) **`, `× · ⋅ ÷ − ∕ ≤ ≥ ≠`, `x²` | the operators; `-2^2` is -(2^2), and `2^3^2` needs brackets |
| `3x`, `2(x + 1)`, `2 1/2`, `1 000`, `f(x)`, `2e3` | unreadable: two values side by side have no operator |
| `sqrt(x)`, `\frac{a}{b}`, `\sqrt{x}`, `\cdot`, `\times`, `\div`, `\left( \right)`, `x^{2}`, `\le` | as in LaTeX |
| `$...$`, `\(...\)`, `\[...\]`, `\boxed{...}` around the whole, `$5` | the text inside |
| `=`, `==`, `!=`, `<`, `<=`, `>`, `>=`, chains like `1 < x <= 5` | relations |
| `and`, `or`, `implies`, `not` | premises; mixed words need brackets |

Digits of other scripts, `½`, line breaks and any other character are unreadable. A text is also unreadable if it is longer,
deeper or larger than the limits below. A value is a `Fraction`, so 1/2^99 and 1/2^98 differ, and 0.1 + 0.2 is 0.3.
"""

import re
from collections.abc import Container
from fractions import Fraction
from typing import NamedTuple, NoReturn, cast

from maker_graph.verify.trees import (
    STATEMENTS,
    Comparison,
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
    Statement,
    names_in,
)

MAX_CHARACTERS = 2_000
"""The most characters of a text. A short statement needs fewer."""

MAX_NODES = 400
"""The most numbers, names and operators of a text."""

MAX_DEPTH = 40
"""The most brackets inside each other."""

MAX_DIGITS = 100
"""The most digits of one number."""


class Unreadable(ValueError):
    """The text is not in the language. The message says what cannot be read, or what has two readings."""


def read_expression(text: str) -> Expression:
    """Return the tree of the expression in `text`.

    >>> read_expression("1,234 × x²") == read_expression("1234*x^2")
    True

    Raises:
        Unreadable: the text is not an expression.
    """
    tree = Reader(text).tree
    if isinstance(tree, STATEMENTS):
        raise Unreadable("this is a statement, but an expression is asked for")
    return tree


def read_relation(text: str) -> Relation:
    """Return the tree of the single relation in `text`; a chain like `1 < x < 5` holds two.

    >>> read_relation("3*4 = 12").sign
    '='

    Raises:
        Unreadable: the text is not a single relation.
    """
    tree = Reader(text).tree
    if not isinstance(tree, Relation):
        raise Unreadable("one relation is asked for, such as 3*x = 12")
    return tree


def read_statement(text: str) -> Statement:
    """Return the tree of the statement in `text`: relations, joined by `and`, `or`, `not` and `implies`.

    >>> read_statement("1 < x <= 5") == read_statement("1 < x and x <= 5")
    True

    Raises:
        Unreadable: the text is not a statement.
    """
    tree = Reader(text).tree
    if not isinstance(tree, STATEMENTS):
        raise Unreadable("a statement is asked for, such as x > 5, but this is an expression")
    return tree


_RELATIONS: dict[str, Comparison] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_RESERVED = {"and", "or", "not", "implies", "sqrt"}
_SPELLINGS = {
    **dict.fromkeys(("×", "·", "⋅", "∗", "\\cdot", "\\times"), "*"),
    **dict.fromkeys(("÷", "∕", "⁄", "\\div"), "/"),
    **dict.fromkeys(("≤", "\\le", "\\leq"), "<="),
    **dict.fromkeys(("≥", "\\ge", "\\geq"), ">="),
    **dict.fromkeys(("≠", "\\ne", "\\neq"), "!="),
    **dict.fromkeys(("\\dfrac", "\\tfrac"), "\\frac"),
    "**": "^", "−": "-", "==": "=", "\\%": "%", "\\sqrt": "sqrt",
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>(?:[0-9]|\.[0-9])(?:[0-9.]|,[0-9]|\{,\}[0-9])*)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<superscript>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|(?P<money>\\?\$)"
    r"|(?P<sign>\\left\(|\\right\)|\\[A-Za-z]+|\\%|\*\*|==|!=|<=|>=|[-+*/^(){}=<>%×·⋅∗÷∕⁄−≤≥≠])"
)
_NUMBER = re.compile(r"(?P<whole>(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3})+)?)(?P<places>(?:\.[0-9]+)?)")
_AROUND = (("\\boxed{", "}"), ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_CLOSING = {"(": ")", "\\left(": "\\right)", "{": "}"}


class _Token(NamedTuple):
    kind: str
    text: str


_END = _Token("end", "the end")


class Reader:
    """Reads a text, with one method for each level of operators.

    Args:
        text: the text to read.
        units: names that may follow a number without an operator, as in `3 km`. If `dollar` is among them, `$` before or after
            a number is this unit. If not, `$` is ignored.

    Raises:
        Unreadable: the text is not in the language.
    """

    def __init__(self, text: str, units: Container[str] = ()) -> None:
        self._units = units
        self._tokens = _tokens(text)
        self._place = 0
        self._depth = 0
        self._bare: object = None
        if not self._tokens:
            raise Unreadable("there is nothing to read")
        self.tree = self._implication()
        if self._next is not _END:
            self._refuse()

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place] if self._place < len(self._tokens) else _END

    def _take(self, *signs: str) -> str | None:
        """If the next token is one of these signs, return it and go on to the token after it."""
        token = self._next
        if token.kind != "sign" or token.text not in signs:
            return None
        self._place += 1
        return token.text

    def _need(self, sign: str) -> None:
        if self._take(sign) is None:
            raise Unreadable(f"{sign} is missing before {_cut(self._next.text)}")

    def _refuse(self) -> NoReturn:
        token = self._next
        if self._place and (token.kind in {"number", "name", "money"} or token.text in {"(", "\\left(", "\\frac", "sqrt"}):
            raise Unreadable(f"an operator is missing before {_cut(token.text)}; a product is written with *")
        raise Unreadable(f"{_cut(token.text)} is not expected here")

    def _implication(self) -> Expression | Statement:
        left = self._junction()
        if self._take("implies"):
            left = Connected("implies", _statement(left), _statement(self._junction()))
            if self._next == ("sign", "implies"):
                raise Unreadable("implies twice in a row needs brackets")
        return left

    def _junction(self) -> Expression | Statement:
        left, before = self._denial(), None
        while word := self._take("and", "or"):
            if before not in {None, word}:
                raise Unreadable("and and or together need brackets")
            before = word
            left = Connected("and" if word == "and" else "or", _statement(left), _statement(self._denial()))
        return left

    def _denial(self) -> Expression | Statement:
        return Not(_statement(self._comparison())) if self._take("not") else self._comparison()

    def _comparison(self) -> Expression | Statement:
        left = self._sum()
        if (sign := self._take(*_RELATIONS)) is None:
            return left
        chain: Statement | None = None
        signs = ""
        while sign:
            right = self._sum()
            link = Relation(_RELATIONS[sign], _expression(left), _expression(right))
            chain = Connected("and", chain, link) if chain else link
            signs, left, sign = signs + sign, right, self._take(*_RELATIONS)
        if isinstance(chain, Connected) and ("!" in signs or ("<" in signs and ">" in signs)):
            raise Unreadable("a chain of relations goes one way, like 1 < x <= 5")
        return cast("Statement", chain)

    def _sum(self) -> Expression | Statement:
        left = self._product()
        while sign := self._take("+", "-"):
            right = self._product()
            if _of_hundredths(right) != _of_hundredths(left) and left != Number(Fraction(1)):
                raise Unreadable("a percentage that is added to a number has two meanings; write 80*(1 + 5%) or 80 + 0.05")
            left = Operation("+" if sign == "+" else "-", _expression(left), _expression(right))
        return left

    def _product(self) -> Expression | Statement:
        left = self._signed()
        measured, below = self._has_unit(left), False
        while sign := self._take("*", "/"):
            first = self._next
            right = self._signed()
            if below and first.kind == "name":
                raise Unreadable("units behind a divisor have two meanings; write 150 km / (60 km/h) or (150 km / 60 km)/h")
            below = sign == "/" and (first.kind in {"number", "money"} or first.text == "-") and self._has_unit(right)
            if sign == "/" and right is self._bare and not measured:
                raise Unreadable("a number divided by a quantity needs brackets: write (1/2) km or 1/(2 km)")
            measured = measured or self._has_unit(right)
            left = Operation("*" if sign == "*" else "/", _expression(left), _expression(right))
        return left

    def _signed(self) -> Expression | Statement:
        return Negative(_expression(self._quantity())) if self._take("-") else self._quantity()

    def _quantity(self) -> Expression | Statement:
        number = self._power()
        if self._next.kind != "name" or self._next.text not in self._units:
            return number
        if self._has_unit(number):
            self._refuse()
        quantity = Operation("*", _expression(number), _expression(self._power()))
        self._bare = quantity
        return quantity

    def _power(self) -> Expression | Statement:
        base = self._atom()
        if self._next.kind == "superscript":
            base = Operation("^", _expression(base), _number(self._next.text.translate(_SUPERSCRIPTS)))
            self._place += 1
        elif self._take("^"):
            exponent = self._negative_atom() if self._next == ("sign", "-") else self._atom(braces=True)
            base = Operation("^", _expression(base), _expression(exponent))
        if self._next.kind == "superscript" or self._next == ("sign", "^"):
            raise Unreadable("a power of a power needs brackets")
        return base

    def _negative_atom(self) -> Expression:
        self._need("-")
        return Negative(_expression(self._atom(braces=True)))

    def _atom(self, *, braces: bool = False) -> Expression | Statement:
        token = self._next
        if token.kind == "name":
            self._place += 1
            return Name(token.text)
        if token.kind in {"number", "money"}:
            return self._amount()
        if self._take("\\frac"):
            upper = self._bracketed("{")
            return Operation("/", _expression(upper), _expression(self._bracketed("{")))
        if self._take("sqrt"):
            return Root(_expression(self._bracketed("(", "\\left(", "{")))
        return self._bracketed("(", "\\left(", *(["{"] if braces else []))

    def _amount(self) -> Expression:
        money = self._money()
        token = self._next
        if token.kind != "number":
            self._refuse()
        self._place += 1
        number = _number(token.text)
        if self._take("%"):
            return Percent(number)
        money = self._money() or money
        return Operation("*", number, Name("dollar")) if money and "dollar" in self._units else number

    def _money(self) -> bool:
        found = self._next.kind == "money"
        self._place += found
        return found

    def _bracketed(self, *opening: str) -> Expression | Statement:
        sign = self._take(*opening)
        if sign is None:
            self._refuse()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"brackets stand more than {MAX_DEPTH} deep")
        first = self._place
        inside = self._implication()
        if self._place == first + 1 and sign != "{" and "," in self._tokens[first].text:
            raise Unreadable(f"({self._tokens[first].text}) may be a number or a pair")
        self._need(_CLOSING[sign])
        self._depth -= 1
        return inside

    def _has_unit(self, tree: Expression | Statement) -> bool:
        return bool(self._units) and any(name in self._units for name in names_in(tree))


def _tokens(text: str) -> list[_Token]:
    """Return the tokens of a text, each in its standard spelling."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"longer than {MAX_CHARACTERS:,} characters")
    text = _inside(text)
    tokens, place = [], 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise Unreadable(f"the character {text[place]!a} is not in the language")
        place, kind, said = found.end(), str(found.lastgroup), found[0]
        if kind == "name" and said.lower() in _RESERVED:
            tokens.append(_Token("sign", said.lower()))
        elif kind != "space":
            tokens.append(_Token(kind, _SPELLINGS.get(said, said)))
    if len(tokens) > MAX_NODES:
        raise Unreadable(f"more than {MAX_NODES} numbers, names and operators")
    return tokens


def _inside(text: str) -> str:
    """Return a text without the delimiters that may stand around all of it."""
    text = text.strip(" \t\r\n")
    for before, after in _AROUND:
        inside = text[len(before) : -len(after)]
        if len(text) > len(before + after) and text.startswith(before) and text.endswith(after) and _balanced(inside, after):
            return _inside(inside)
    return text


def _balanced(text: str, after: str) -> bool:
    """Say whether the delimiters around `text` belong together: nothing in it closes the opening one."""
    if after != "}":
        return after not in text and not text.startswith("$")
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _number(text: str) -> Number:
    """Return the number that a token holds."""
    found = _NUMBER.fullmatch(text.replace("{,}", ","))
    if found is None or not text:
        raise Unreadable(f"{_cut(text)} is not a number of this language")
    digits = found["whole"].replace(",", "") + found["places"]
    if len(digits) > MAX_DIGITS:
        raise Unreadable(f"a number of more than {MAX_DIGITS} digits")
    return Number(Fraction(digits))


def _expression(tree: Expression | Statement) -> Expression:
    if isinstance(tree, STATEMENTS):
        raise Unreadable("a statement stands where a value is expected")
    return tree


def _statement(tree: Expression | Statement) -> Statement:
    if not isinstance(tree, STATEMENTS):
        raise Unreadable("a value stands where a statement is expected, such as x > 5")
    return tree


def _of_hundredths(tree: Expression | Statement) -> bool:
    """Say whether a term is a percentage, or a sum of percentages."""
    if isinstance(tree, Negative):
        return _of_hundredths(tree.of)
    if isinstance(tree, Operation) and tree.sign in {"+", "-"}:
        return _of_hundredths(tree.left) and _of_hundredths(tree.right)
    return isinstance(tree, Percent)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
