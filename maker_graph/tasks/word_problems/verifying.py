"""Verifies an answer to a step from the text of the problem and the answers before it, and never from the right answer.

If the text states a step as an equation, the value is put into it. The equation has the form c*x + d = e with c not 0, so only
one value solves it, and that value is right. This is a proof, given the answers before it.

If the step is stated in words, only necessary conditions can be checked:
- the equation is exactly true;
- it is a calculation, and each number in it is one that the text states, or the value of an earlier step;
- its units fit each other and the question, if each number stands for a quantity of its value.

A wrong set-up may keep all three, such as a sum where a difference is asked for. So such an answer is valid, but never proved.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from maker_graph.core.verifying import Unknown, Valid, Verification
from maker_graph.errors import Invalid
from maker_graph.tasks.word_problems.problems import PLAIN, Problem, Quantity, Unit, product_of
from maker_graph.verify import arithmetic, holds, number_text, read_relation, read_statement, value, written
from maker_graph.verify.trees import Expression, Negative, Number, Operation, Percent, Relation, Sign, short

MOST_UNITS = 64
"""The most units that are tried for an expression whose numbers may stand for several quantities."""

Known: TypeAlias = Mapping[Fraction | None, frozenset[Unit]]
"""Known number -> the units that it may have. None is never among the numbers."""


def verified(problem: Problem, values: Sequence[Fraction], answer: Mapping[str, str]) -> Verification:
    """Return the verdict on the answer to the step after those with `values`.

    Raises:
        Invalid: the answer is wrong; the error says why.
    """
    step, last = problem.steps[len(values)], values[-1] if values else None
    equation, found = answer["equation"], Fraction(answer["value"])
    if step.equation:
        said = _solves(step.relation(last), step.letter, found)
        arithmetic(equation)  # it raises if the model's own equation is false
        return said
    true = arithmetic(equation)
    if isinstance(true, Unknown):
        return true
    tree = read_statement(equation)
    if not isinstance(tree, Relation) or tree.sign != "=" or value(tree.right) != found:
        return Unknown(f"{short(written(tree))} is not one equation whose right side is the value")
    return _fits(tree.left, problem.known(values), step.unit, true.evidence)


def _solves(equation: str, letter: str, found: Fraction) -> Valid:
    """Return the verdict that a value solves an equation.

    Raises:
        Invalid: it does not.
    """
    if not holds(read_relation(equation), {letter: found}):
        raise Invalid(f"{letter} = {number_text(found)} does not solve {equation}")
    return Valid(f"{letter} = {number_text(found)} solves {equation}", conclusive=True)


def _fits(left: Expression, known: Sequence[Quantity], asked: Unit, true: str) -> Verification:
    """Return the verdict that a true equation may answer the question.

    Raises:
        Invalid: it cannot.
    """
    if not isinstance(left, Operation):
        raise Invalid(f"{written(left)} is not a calculation")
    numbers: dict[Fraction | None, frozenset[Unit]] = {}
    for each in known:
        numbers[each.value] = numbers.get(each.value, frozenset()) | {each.unit}
    found = _units(left, numbers)
    if isinstance(found, Unknown):
        return found
    if asked not in found:
        raise Invalid(f"{written(left)} does not come to {_named(asked)}: the units do not fit")
    return Valid(f"{true}, with numbers that are known, and in {_named(asked)}")


def _units(tree: Expression, known: Known) -> frozenset[Unit] | Unknown:
    """Return the units that an expression may have; none if its units do not fit each other.

    Raises:
        Invalid: the expression has a number that is not known.
    """
    as_known = known.get(_as_written(tree), frozenset())
    match tree:
        case Number() | Percent():
            if not as_known:
                raise Invalid(f"{written(tree)} is not a known number of this problem")
            return as_known
        case Negative(of):
            return as_known or _units(of, known)
        case Operation(sign, left, right) if sign != "^":
            try:
                worked_out = _joined(sign, _units(left, known), _units(right, known))
            except Invalid:
                if not as_known:
                    raise
                return as_known
            return worked_out if isinstance(worked_out, Unknown) else worked_out | as_known
        case _:
            return Unknown(f"the unit of {written(tree)} is not worked out")


def _joined(sign: Sign, left: frozenset[Unit] | Unknown, right: frozenset[Unit] | Unknown) -> frozenset[Unit] | Unknown:
    """Return the units that two expressions with an operator between them may have."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    if sign in {"+", "-"}:
        return left & right
    found = frozenset(product_of(one, other, 1 if sign == "*" else -1) for one in left for other in right)
    return found if len(found) <= MOST_UNITS else Unknown("the numbers may stand for too many quantities")


def _as_written(tree: Expression) -> Fraction | None:
    """Return the number that an expression is written as, such as `12`, `25%`, `-3` or `1/3`; None for others, as `6/3`."""
    match tree:
        case Number(number):
            return number
        case Percent(Number(number)):
            return number / 100
        case Negative(of):
            found = _as_written(of)
            return None if found is None else -found
        case Operation("/", (Number() | Negative(Number())) as above, Number(below)) if below > 1:
            found = value(above) / below
            return found if found.denominator == below else None
        case _:
            return None


def _named(of: Unit) -> str:
    """Return a unit as people write it."""
    above = "*".join(f"{name}s" for name, exponent in of if exponent > 0) or "a number"
    return "/".join([above, *(name for name, exponent in of if exponent < 0)]) if of != PLAIN else "a plain number"
