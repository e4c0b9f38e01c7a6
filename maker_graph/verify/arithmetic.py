"""Arithmetic in texts: are these numbers equal, and does this relation hold?"""

from fractions import Fraction

from maker_graph.core.verifying import Unknown, Valid, Verification
from maker_graph.errors import Invalid
from maker_graph.verify.language import Unreadable, read_expression, read_statement
from maker_graph.verify.trees import Relation, names_in, short, shown_number, written
from maker_graph.verify.values import NoValue, exact, holds, value


def read_value(text: str) -> Fraction:
    """Return the exact value of an expression without names.

    >>> read_value("1,234 + 50%*2")
    Fraction(1235, 1)

    Raises:
        Unreadable: the text is not an expression.
        NoValue: the expression has no rational value.
    """
    return value(read_expression(text))


def arithmetic(statement: str, *, conclusive: bool = False) -> Verification:
    """Return whether a statement about numbers is true, such as `12*3 = 36`.

    A true statement may still be the answer to another question, so by itself it does not prove the answer. Say
    `conclusive=True` only if every true statement is a right answer.

    >>> arithmetic("0.1 + 0.2 = 0.3")
    Valid(evidence='0.1 + 0.2 = 0.3', conclusive=False)

    Args:
        statement: relations between expressions without names.
        conclusive: whether the verdict is conclusive if the statement is true.

    Raises:
        Invalid: the statement is false.
    """
    try:
        tree = read_statement(statement)
        if names := sorted(names_in(tree)):
            return Unknown(f"it is not known what {names[0]} is")
        true = holds(tree)
    except (Unreadable, NoValue) as error:
        return Unknown(str(error))
    if true:
        return Valid(short(written(tree)), conclusive)
    if isinstance(tree, Relation):
        left, right = shown_number(value(tree.left)), shown_number(value(tree.right))
        raise Invalid(f"{short(written(tree))} is false: the left side is {left}, and the right side is {right}")
    raise Invalid(f"{short(written(tree))} is false")


def equals(text: str, expected: str | Fraction | float, *, conclusive: bool = True) -> Verification:
    """Return whether the value of an expression is the expected one, exactly.

    >>> equals("3/4", "0.75")
    Valid(evidence='3/4 = 0.75', conclusive=True)

    Args:
        text: the expression that a model wrote, without names.
        expected: the value that a program has found, or an expression for it. A float counts as its shortest decimal.
        conclusive: whether the verdict is conclusive if the values are equal. Say False if the expected value is only a
            condition.

    Raises:
        Invalid: the values differ.
        ValueError: the expected value cannot be read, or has no value.
    """
    wanted = read_value(expected) if isinstance(expected, str) else exact(expected)
    try:
        tree = read_expression(text)
        found = value(tree)
    except (Unreadable, NoValue) as error:
        return Unknown(str(error))
    if found != wanted:
        raise Invalid(f"{short(written(tree))} is {shown_number(found)}, but it should be {shown_number(wanted)}")
    return Valid(f"{short(written(tree))} = {shown_number(wanted)}", conclusive)
