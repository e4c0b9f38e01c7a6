"""Word problems: sentences, the quantities that they state, and one step for each question."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias, get_args

from maker_graph.verify import number_text, read_value

Kind: TypeAlias = Literal["sum", "difference", "product", "share", "rate", "percent", "equation"]
"""The kinds of steps. All but `equation` are stated in words."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds of steps."""

Unit: TypeAlias = tuple[tuple[str, int], ...]
"""The names in a unit with their exponents, none of them 0, sorted by name; empty for a plain number."""

PLAIN: Unit = ()
"""The unit of a plain number."""


class Quantity(NamedTuple):
    """A number that is known, with its unit."""

    value: Fraction
    unit: Unit


def unit(text: str) -> Unit:
    """Return the unit that is written as one name, or as two names with a slash between them.

    >>> unit("pen/box")
    (('box', -1), ('pen', 1))
    """
    above, _, below = text.partition("/")
    return product_of(((above, 1),), ((below, -1),) if below else PLAIN)


def product_of(left: Unit, right: Unit, sign: int = 1) -> Unit:
    """Return the unit of a product; if `sign` is -1, the unit of a quotient.

    >>> product_of(unit("pen/box"), unit("box"))
    (('pen', 1),)
    """
    exponents = dict(left)
    for name, exponent in right:
        exponents[name] = exponents.get(name, 0) + sign * exponent
    return tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent))


@dataclass(frozen=True, slots=True)
class Step:
    """One question about a problem.

    In `operands`, `expression` and `equation`, `{last}` stands for the value of the step before.

    Attributes:
        kind: the kind of the step.
        text: the sentences that it adds to the problem.
        question: the question.
        said: a sentence with the answer, for later steps, with `{value}` for the value.
        stated: the quantities in `text`.
        unit: the unit of the answer.
        kept: the unit of the answer in later steps: whoever keeps one of 4 boxes then has pens, and not pens in each box.
        operands: the numbers in the right expression, in its order, without the 100 of a percentage.
        expression: the right expression.
        back: an expression that leads from the right answer, `{value}`, back to the first number of `expression`.
        equation: the equation in the text that the answer solves, with the unknown `letter`; empty if the step is in words.
        letter: the name of the unknown; empty if the step is in words.
    """

    kind: Kind
    text: str
    question: str
    said: str
    stated: tuple[Quantity, ...]
    unit: Unit
    kept: Unit
    operands: tuple[str, ...]
    expression: str
    back: str
    equation: str = ""
    letter: str = ""

    def right(self, last: Fraction | None) -> str:
        """Return the right expression after a step with the value `last`, which is None for the first step."""
        return self.expression.format(last=operand(last))

    def numbers(self, last: Fraction | None) -> list[str]:
        """Return the numbers in the right expression."""
        return [each.format(last=operand(last)) for each in self.operands]

    def relation(self, last: Fraction | None) -> str:
        """Return the equation in the text, with the value of the step before put in."""
        return self.equation.format(last=operand(last))


@dataclass(frozen=True, slots=True)
class Problem:
    """Sentences, and the questions about them in order."""

    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """Return the whole problem in words."""
        return self.told(len(self.steps))

    def told(self, steps: int) -> str:
        """Return the sentences of the first steps."""
        return " ".join(each.text for each in self.steps[:steps])

    def known(self, values: Sequence[Fraction]) -> list[Quantity]:
        """Return the known quantities at the step after those with `values`: what the text states so far, and the values."""
        stated = [each for step in self.steps[: len(values) + 1] for each in step.stated]
        return stated + [Quantity(value, step.kept) for step, value in zip(self.steps, values, strict=False)]

    def values(self) -> list[Fraction]:
        """Return the right value of each step."""
        found: list[Fraction] = []
        for step in self.steps:
            found.append(read_value(step.right(found[-1] if found else None)))
        return found

    def backwards(self) -> Iterator[bool]:
        """Yield for each step, from the last to the first, whether its value leads back to the number with which it began.

        Each step begins at the number to which the step after it led back. The first step must end at a number of the text.
        """
        value = self.values()[-1]
        before = [None, *self.values()[:-1]]
        for step, last in zip(reversed(self.steps), reversed(before), strict=True):
            value = read_value(step.back.format(value=operand(value)))
            yield value in {each.value for each in step.stated} if last is None else value == last


def operand(value: Fraction | None) -> str:
    """Return a number as it is written in an expression.

    >>> operand(Fraction(5, 2)), operand(Fraction(-1, 3))
    ('2.5', '(-1/3)')
    """
    text = "" if value is None else number_text(value)
    return f"({text})" if "/" in text or "-" in text else text
