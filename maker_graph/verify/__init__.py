"""What verifiers are made of: a language for what models write, exact arithmetic, algebra, logic, and limits.

A verifier (`maker_graph.core.verifying`) looks at one answer and says `Valid` or `Unknown`, or raises `Invalid`. The parts here
read what a model wrote by a grammar of their own, and never evaluate it as code.
"""

from maker_graph.verify.arithmetic import arithmetic, equals, read_value
from maker_graph.verify.language import Unreadable, read_expression, read_relation, read_statement
from maker_graph.verify.trees import names_in, number_text, written
from maker_graph.verify.values import NoValue, holds, value

__all__ = [
    "NoValue",
    "Unreadable",
    "arithmetic",
    "equals",
    "holds",
    "names_in",
    "number_text",
    "read_expression",
    "read_relation",
    "read_statement",
    "read_value",
    "value",
    "written",
]
