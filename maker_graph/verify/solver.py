"""The part of `Logic` that runs in the process with limits: formulas for Z3, and the counterexamples that it finds.

Z3 may give a division by zero any value. So nothing is divided there: a quotient is a new number q with q*divisor = dividend,
and a root is a new number r >= 0 with r*r = radicand. Conditions say where an expression has a value. A relation is true only
where both of its sides have a value.
"""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any, assert_never

from maker_graph.core.verifying import Unknown, Valid, Verification
from maker_graph.errors import Invalid
from maker_graph.verify.language import Unreadable, read_statement
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
    Statement,
    names_in,
    short,
    shown_number,
    written,
)
from maker_graph.verify.values import DividesByZero, NoValue, holds, settled, value

_MAX_EXPONENT = 60
_OF_THE_TIME = 0.9  # Z3 stops by itself before its process is killed


def follows(premises: Sequence[str], step: str, whole: Collection[str], conclusive: bool, seconds: float) -> Verification:
    """See `Logic.follows`."""
    try:
        given, asked = [read_statement(each) for each in premises], read_statement(step)
        formulas = _Formulas(whole)
        found = _said(given, asked, formulas, conclusive, seconds)
        if formulas.odd_roots and not isinstance(found, Unknown):  # some people take (-8)^(1/3) as -2
            other = _said(given, asked, _Formulas(whole, signed=True), conclusive, seconds)
            if type(found) is not type(other):
                return Unknown("an odd root of a negative number has two meanings, and it depends on which is meant")
    except (Unreadable, NoValue) as error:
        return Unknown(str(error))
    if isinstance(found, str):
        raise Invalid(found)
    return found


def _said(
    given: Sequence[Statement], asked: Statement, formulas: "_Formulas", conclusive: bool, seconds: float
) -> Verification | str:
    """Return the verdict; if the step is invalid, the reason as a text."""
    try:
        return _verdict(given, asked, formulas, conclusive, seconds)
    except Invalid as error:
        return str(error)


def _verdict(
    given: Sequence[Statement], asked: Statement, formulas: "_Formulas", conclusive: bool, seconds: float
) -> Verification:
    """Return what Z3 says with one meaning of roots.

    Raises:
        Invalid: the step does not follow.
        NoValue: an expression has no meaning.
    """
    kept = [formulas.statement(each) for each in given]
    broken = formulas.not_true(asked)
    z3 = _Z3(formulas, seconds * _OF_THE_TIME / (6 if formulas.odd_roots else 3))
    possible = z3.case(*kept)
    if possible is None:
        return Unknown("the premises contradict each other, so anything follows from them")
    case = z3.case(*kept, broken)
    if isinstance(case, dict):
        return _refuted(given, asked, case)
    if isinstance(case, Unknown):
        return case
    if isinstance(possible, Unknown):
        return Unknown("it is not known whether the premises contradict each other")
    counted = [name for name in formulas.whole if name in formulas.names]
    return _follows(given, asked, counted, conclusive, alone=z3.case(broken))


def _follows(
    given: Sequence[Statement],
    asked: Statement,
    counted: Sequence[str],
    conclusive: bool,
    alone: dict[str, Any] | Unknown | None,
) -> Valid:
    """Return the verdict on a step that follows; `alone` is a case in which it is not true without the premises."""
    said = short(written(asked))
    where = f", for whole {' and '.join(counted)}" if counted else ""
    if not given:
        return Valid(f"{said} always holds{where}", conclusive)
    if alone is None:
        return Valid(f"{said} holds even without the premises{where}", conclusive=False)
    needed = conclusive and isinstance(alone, dict)
    return Valid(f"{said} follows from {', '.join(short(written(each)) for each in given)}{where}", needed)


def _refuted(given: Sequence[Statement], asked: Statement, case: Mapping[str, Any]) -> Unknown:
    """Check a counterexample of Z3 again, if it is rational; return `Unknown` if it is none.

    Raises:
        Invalid: it is a counterexample.
    """
    said = short(written(asked))
    breaks = f"breaks the step {said}"
    if all(isinstance(number, Fraction) for number in case.values()):
        if _truth(asked, case) or False in {_truth(each, case) for each in given}:
            return Unknown("Z3 found a counterexample that is none")
        if _divides_by_zero(asked, case):
            breaks = f"makes the step {said} divide by zero"
    if not case:
        raise Invalid(f"{said} does not hold")
    where = ", ".join(f"{name} = {shown_number(each) if isinstance(each, Fraction) else each}" for name, each in case.items())
    raise Invalid(f"{where} {'keeps the premises, and ' if given else ''}{breaks}")


def _truth(statement: Statement, case: Mapping[str, Fraction]) -> bool | None:
    """Say whether a statement holds, if that is known exactly."""
    try:
        return settled(statement, lambda relation: holds(relation, case))
    except NoValue:
        return None


def _divides_by_zero(statement: Statement, case: Mapping[str, Fraction]) -> bool:
    try:
        settled(statement, lambda relation: holds(relation, case))
    except DividesByZero:
        return True
    except NoValue:
        pass
    return False


class _Formulas:
    """Formulas of trees, with new numbers for quotients and roots.

    Attributes:
        names: the names so far -> their variables in Z3.
        facts: formulas that are true of the new numbers.
        defined: the conditions under which the expressions so far have a value.
        whole: the names that stand for whole numbers.
        odd_roots: whether there is an odd root, such as x^(1/3), so far.

    Args:
        whole: the names that stand for whole numbers.
        signed: whether an odd root of a negative number is negative. If not, it has no value.
    """

    def __init__(self, whole: Collection[str], *, signed: bool = False) -> None:
        import z3  # noqa: PLC0415  only this process waits for it

        self._z3 = z3
        self.whole = whole
        self.odd_roots = False
        self._signed = signed
        self.names: dict[str, Any] = {}
        self.facts: list[Any] = []
        self.defined: list[Any] = []

    def not_true(self, step: Statement) -> Any:
        """Return the formula that a step is not true, or needs something that has no value.

        Raises:
            NoValue: the step has an exponent that is not a small number, or always divides by zero.
        """
        return self._z3.Not(self._surely(step, true=True))

    def _surely(self, tree: Statement, *, true: bool) -> Any:
        """Return the formula that a statement has a value and is true, or that it has a value and is false."""
        match tree:
            case Not(of):
                return self._surely(of, true=not true)
            case Connected(word, left, right):
                one = self._surely(left, true=true is not (word == "implies"))
                join = self._z3.And if true is (word == "and") else self._z3.Or
                return join(one, self._surely(right, true=true))
            case Relation():
                compared, defined = self._relation(tree)
                return self._z3.And(compared if true else self._z3.Not(compared), *defined)
            case _:
                assert_never(tree)

    def statement(self, tree: Statement) -> Any:
        """Return the formula of a premise, in which a relation without a value is not true.

        Raises:
            NoValue: the premise has an exponent that is not a small number, or always divides by zero.
        """
        match tree:
            case Not(of):
                return self._z3.Not(self.statement(of))
            case Connected(word, left, right):
                join = {"and": self._z3.And, "or": self._z3.Or, "implies": self._z3.Implies}[word]
                return join(self.statement(left), self.statement(right))
            case Relation():
                compared, defined = self._relation(tree)
                return self._z3.And(compared, *defined)
            case _:
                assert_never(tree)

    def _relation(self, tree: Relation) -> tuple[Any, list[Any]]:
        """Return a comparison, and the conditions under which both of its sides have a value."""
        before = len(self.defined)
        one, other = self._number(tree.left), self._number(tree.right)
        compare = {"=": one == other, "!=": one != other, "<": one < other, "<=": one <= other}
        compare |= {">": one > other, ">=": one >= other}
        return compare[tree.sign], self.defined[before:]

    def _number(self, tree: Expression) -> Any:
        match tree:
            case Number() | Percent():
                found = self._exact(value(tree))
            case Name(name):
                found = self._named(name)
            case Negative(of):
                found = -self._number(of)
            case Root(of):
                found = self._root(self._number(of), 2)
            case Operation("/", left, right):
                found = self._quotient(self._number(left), right)
            case Operation("^", left, right):
                found = self._power(left, right)
            case Operation(sign, left, right):
                one, other = self._number(left), self._number(right)
                found = one * other if sign == "*" else one + other if sign == "+" else one - other
            case _:
                assert_never(tree)
        return found

    def _exact(self, number: Fraction) -> Any:
        return self._z3.RealVal(f"{number.numerator}/{number.denominator}")

    def _named(self, name: str) -> Any:
        if name not in self.names:
            self.names[name] = self._z3.Int(name) if name in self.whole else self._z3.Real(name)
        known = self.names[name]
        return self._z3.ToReal(known) if name in self.whole else known

    def _quotient(self, dividend: Any, divisor: Expression) -> Any:
        if not names_in(divisor) and not _has_root(divisor):
            number = value(divisor)
            if number == 0:
                raise DividesByZero("a division by zero")
            return dividend * self._exact(1 / number)
        below = self._number(divisor)
        quotient = self._new()
        self.facts.append(self._z3.Implies(below != 0, quotient * below == dividend))
        self.defined.append(below != 0)
        return quotient

    def _power(self, base: Expression, exponent: Expression) -> Any:
        if names_in(exponent):
            raise NoValue("a name stands in an exponent")
        number = value(exponent)
        if abs(number.numerator) > _MAX_EXPONENT or number.denominator > _MAX_EXPONENT:
            raise NoValue("an exponent that is too large")
        if number == 0 and names_in(base):
            raise NoValue("0 to the power of 0 has no value, and a name with the power of 0 may be 0")
        found = self._number(base)
        if number <= 0:
            self.defined.append(found != 0)
        if number.denominator > 1:
            found = self._root(found, number.denominator)
        power = self._exact(Fraction(1))
        for _ in range(abs(number.numerator)):
            power = power * found
        if number >= 0:
            return power
        turned = self._new()
        self.facts.append(self._z3.Implies(found != 0, turned * power == 1))
        return turned

    def _root(self, under: Any, degree: int) -> Any:
        root = self._new()
        power = root
        for _ in range(degree - 1):
            power = power * root
        self.odd_roots = self.odd_roots or degree % 2 == 1
        if degree % 2 and self._signed:
            self.facts.append(power == under)
            return root
        self.facts.append(self._z3.Implies(under >= 0, self._z3.And(root >= 0, power == under)))
        self.defined.append(under >= 0)
        return root

    def _new(self) -> Any:
        return self._z3.Real(f"new {len(self.facts)} {len(self.defined)}")  # no name of the language has a space


def _has_root(tree: Expression) -> bool:
    try:
        value(tree)
    except DividesByZero:
        return False
    except NoValue:
        return True
    return False


class _Z3:
    """Asks Z3 for cases in which formulas hold, for so many seconds each time."""

    def __init__(self, formulas: _Formulas, seconds: float) -> None:
        self._formulas = formulas
        self._milliseconds = max(1, int(seconds * 1_000))

    def case(self, *wanted: Any) -> dict[str, Any] | Unknown | None:
        """Return a case in which all formulas hold, None if there is none, or `Unknown` with the reason."""
        import z3  # noqa: PLC0415

        whole = any(each.is_int() for each in self._formulas.names.values())
        solver = z3.Solver() if whole else z3.SolverFor("QF_NRA")
        solver.set("timeout", self._milliseconds)
        solver.add(*self._formulas.facts, *wanted)
        try:
            found = solver.check()
        except z3.Z3Exception as error:  # such as "out of memory"
            return Unknown(f"Z3 gave up ({short(str(error))})")
        if found == z3.unsat:
            return None
        if found != z3.sat:
            reason = solver.reason_unknown()
            timed = reason in {"timeout", "canceled"}
            return Unknown("Z3 was stopped before it knew" if timed else f"Z3 does not know ({short(reason)})")
        model = solver.model()
        return {name: _shown(model.eval(known, model_completion=True)) for name, known in sorted(self._formulas.names.items())}


def _shown(number: Any) -> Fraction | str:
    """Return a number of Z3: exactly if it is rational, else as a decimal and the polynomial of which it is a root."""
    import z3  # noqa: PLC0415

    if z3.is_int_value(number):
        return Fraction(number.as_long())
    if z3.is_rational_value(number):
        return Fraction(number.numerator_as_long(), number.denominator_as_long())
    if not z3.is_algebraic_value(number):
        return str(number)
    terms = [
        f"{coefficient}*t^{exponent}" if exponent else str(coefficient)
        for exponent, coefficient in enumerate(number.poly())
        if str(coefficient) != "0"
    ]
    return f"{number.as_decimal(10).rstrip('?')}... (a root of {' + '.join(reversed(terms))})"
