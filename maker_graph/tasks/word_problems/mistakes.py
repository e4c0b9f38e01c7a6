"""Plausible mistakes in a step, for simulated models. They are no evidence about any real model.

A mistake is one of arithmetic (the right expression with a wrong value) or one of set-up (another expression with its own
value). A step has mistakes of one kind. The simulated model decides how often a mistake is made, and how alike the samples of a
step are. On some steps all samples make the very same mistake. These are errors in unison.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from maker_graph.tasks.word_problems.making import Dice
from maker_graph.tasks.word_problems.problems import Problem, Step, operand
from maker_graph.verify import NoValue, number_text, read_expression, value
from maker_graph.verify.trees import Operation

MOST = 5
"""The most wrong replies that are rehearsed for a step."""


def arithmetic_slips(right: str) -> list[str]:
    """Return replies with the right expression and a wrong value.

    >>> arithmetic_slips("4 * 12")
    ['4 * 12 = 58', '4 * 12 = 47', '4 * 12 = 49', '4 * 12 = 38', '4 * 12 = 50']
    """
    found = _value(right)
    assert found is not None  # noqa: S101  a right expression has a value
    near = [found + 10, found - 1, found + 1, found - 10, found + 2]
    return [f"{right} = {number_text(each)}" for each in near if each > 0 or found <= 0][:MOST]


def setup_slips(problem: Problem, values: Sequence[Fraction], dice: Dice) -> list[str]:
    """Return replies with another expression than the right one, and its own value, in an order drawn with `dice`.

    Those with another operation between the right numbers come first, then those with other numbers of the text.
    """
    step, last = problem.steps[len(values)], values[-1] if values else None
    right, found = _value(step.right(last)), dict[str, None]()
    for text in (*_shuffled(_other_operations(step, last), dice), *_shuffled(_other_numbers(problem, values), dice)):
        came_to = _value(text)
        if came_to is not None and came_to != right and came_to > 0 and came_to.denominator == 1:
            found[f"{text} = {number_text(came_to)}"] = None
    return [*found][:MOST]


def _other_operations(step: Step, last: Fraction | None) -> Iterator[str]:
    """Yield expressions with other operations between the right numbers."""
    numbers = step.numbers(last)
    if step.kind == "equation":
        first, more, times = numbers
        yield from (f"({first} {sign} {more}) {then} {times}" for sign in "+-" for then in "*/")
        yield from (f"{first} - {more}", f"{first} / {times}")
    elif step.kind == "percent":
        first, part = numbers
        yield from (f"{first} / {part}", f"{first} - {part}", f"{first} - {first} * {part} / 100", f"{first} * {part} / 10")
    else:
        yield from (f"{numbers[0]} {sign} {numbers[1]}" for sign in "+-*/")


def _other_numbers(problem: Problem, values: Sequence[Fraction]) -> Iterator[str]:
    """Yield the right operation between other numbers that are known."""
    tree = read_expression(problem.steps[len(values)].right(values[-1] if values else None))
    known = list(dict.fromkeys(operand(each.value) for each in problem.known(values)))
    if isinstance(tree, Operation) and problem.steps[len(values)].kind not in {"equation", "percent"}:
        yield from (f"{one} {tree.sign} {other}" for one in known for other in known if one != other)


def _shuffled(texts: Iterable[str], dice: Dice) -> list[str]:
    left = [*texts]
    return [left.pop(dice.below(len(left))) for _ in range(len(left))]


def _value(text: str) -> Fraction | None:
    try:
        return value(read_expression(text))
    except NoValue:
        return None
