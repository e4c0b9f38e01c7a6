"""Building blocks of verifiers: a language for what models write, exact arithmetic, algebra, logic, and limits.

A verifier (`maker_graph.core.verifying`) looks at one answer and returns `Valid` or `Unknown`, or raises `Invalid`. The parts
here read what a model wrote by their own grammar (`language.py`), and never evaluate it as code. Verifications that may take
long run in a separate process (`limits.py`). SymPy and Z3 are only loaded there, and need the extra `verify`.
"""

from maker_graph.verify.algebra import Algebra
from maker_graph.verify.arithmetic import arithmetic, equals, read_value
from maker_graph.verify.keys import canonical_expression
from maker_graph.verify.language import Unreadable, read_expression, read_relation, read_statement
from maker_graph.verify.limits import limited
from maker_graph.verify.logic import Logic
from maker_graph.verify.quantities import DifferentUnits, Quantity, quantities, read_quantity
from maker_graph.verify.trees import names_in, number_text, written
from maker_graph.verify.values import DividesByZero, NoValue, holds, value

__all__ = [
    "Algebra",
    "DifferentUnits",
    "DividesByZero",
    "Logic",
    "NoValue",
    "Quantity",
    "Unreadable",
    "arithmetic",
    "canonical_expression",
    "equals",
    "holds",
    "limited",
    "names_in",
    "number_text",
    "quantities",
    "read_expression",
    "read_quantity",
    "read_relation",
    "read_statement",
    "read_value",
    "value",
    "written",
]
