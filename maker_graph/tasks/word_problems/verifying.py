"""What can be said of an answer to a step, from the text of the problem and the answers before, and never from the truth.

A step that the text states in symbols is decided: the value is put into the equation. It has the form c*x + d = e with c not 0,
so one value solves it, and whatever solves it is right. That is a proof, given the answers before it.

Of a step that is told in words only necessary conditions can be held against the answer:
- the equation is true, exactly;
- it is a calculation, and each number in it is one that the text states, or the value of an earlier step;
- its units fit each other and the question, if each number stands for a quantity of its value.

A wrong set-up may keep all three, such as a sum where a difference is asked for. So such an answer is valid, and never proved.
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
"""So many units an expression may have at most, where its numbers are those of several quantities: more are not tried."""

Known: TypeAlias = Mapping[Fraction | None, frozenset[Unit]]
"""From the numbers that are known to what they may be numbers of. None is no number, and is not among them."""


def verified(problem: Problem, values: Sequence[Fraction], answer: Mapping[str, str]) -> Verification:
    """Return what can be said of the answer to the step after those that came to `values`.

    Raises:
        Invalid: it is wrong; the text says why.
    """
    step, last = problem.steps[len(values)], values[-1] if values else None
    equation, found = answer["equation"], Fraction(answer["value"])
    if step.equation:
        said = _solves(step.relation(last), step.letter, found)
        arithmetic(equation)  # a false equation is no way to a right value
        return said
    true = arithmetic(equation)
    if isinstance(true, Unknown):
        return true
    tree = read_statement(equation)
    if not isinstance(tree, Relation) or tree.sign != "=" or value(tree.right) != found:
        return Unknown(f"{short(written(tree))} is not one equation whose right side is the value")
    return _fits(tree.left, problem.known(values), step.unit, true.evidence)


def _solves(equation: str, letter: str, found: Fraction) -> Valid:
    """Return that a value solves an equation.

    Raises:
        Invalid: it does not.
    """
    if not holds(read_relation(equation), {letter: found}):
        raise Invalid(f"{letter} = {number_text(found)} does not solve {equation}")
    return Valid(f"{letter} = {number_text(found)} solves {equation}", conclusive=True)


def _fits(left: Expression, known: Sequence[Quantity], asked: Unit, true: str) -> Verification:
    """Return that a true equation may be the one that is asked for.

    Raises:
        Invalid: it cannot be.
    """
    if not isinstance(left, Operation):
        raise Invalid(f"{written(left)} is no calculation")
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
    """Return what an expression may be a number of; nothing if its units do not fit each other.

    Raises:
        Invalid: it has a number that is not known.
    """
    as_known = known.get(_as_written(tree), frozenset())
    match tree:
        case Number() | Percent():
            if not as_known:
                raise Invalid(f"{written(tree)} is no number that is known")
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
    """Return what two expressions with a sign between them may be a number of."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    if sign in {"+", "-"}:
        return left & right
    found = frozenset(product_of(one, other, 1 if sign == "*" else -1) for one in left for other in right)
    return found if len(found) <= MOST_UNITS else Unknown("the numbers may stand for too many quantities")


def _as_written(tree: Expression) -> Fraction | None:
    """Return the number that an expression is, if it is written as one: `12`, `25%`, `-3`, and `1/3`, but not `6/3`."""
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
