"""The rule that ships: it turns `"..." % x` and `"...".format(x)` into f-strings where automatic fixers do not.

A fixer leaves a site alone if it does not know the types, or it changes what the code does. Here an edit is right if
- its expressions are the same syntax trees, evaluated in the same order and as often. A name, or an attribute of a name, may
  come in another order or more than once, because looking it up changes nothing;
- the text between the expressions is the same;
- each expression is formatted as before. That is tried out on plain values (`forms.py`), such as numbers, texts, bytes, None
  and tuples, of the types that the expression can have (`kinds.py`). If its type is not known, all types are tried.

So `"%d" % x` is left as it is, unless x is certainly an int: %d cuts a float, but an f-string raises. Formattings that agree on
all these values, such as `{x}` and `{x!s}`, are one candidate. Nothing that a model wrote is run. Python's own formatting is
called with the plain values and with the conversion, width and precision in the code.

These are no sites: bytes, `%` with a width from outside (`%*d`), text that is translated (`_("..." % x)`), formats that fail.
"""

import ast
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from maker_graph.core.canonical import JSON
from maker_graph.errors import Invalid
from maker_graph.tasks.migrate.edits import NESTED_QUOTES, dump, expression_of, see_edit, see_target
from maker_graph.tasks.migrate.forms import Form, form_of, shape, why_not
from maker_graph.tasks.migrate.kinds import Kinds, Known, kinds_of, known_in
from maker_graph.tasks.migrate.rules import LEAVE
from maker_graph.tasks.migrate.sites import Site
from maker_graph.tasks.migrate.writing import f_string

if TYPE_CHECKING:
    import libcst

TRANSLATED = {"_", "gettext", "ngettext", "pgettext", "npgettext", "lazy_gettext", "gettext_lazy", "ugettext", "N_"}
"""Functions that look up their text in a catalogue. An f-string would be filled in before the lookup, and not be found."""

SYSTEM = """\
Rewrite a Python expression that formats text with % or str.format as an f-string that gives the same text for every value.

Take the expressions over as they are, in the same order. Write %% as %, and double the braces of the text.
%s is {x!s} or {x}; %r is {x!r}. A width aligns to the right with %: %5s is {x!s:>5}.
%d cuts a float, and an f-string does not: {x:d} is right only where x is an int for sure.
"..." % x takes x apart if it is a tuple: an f-string is right only where x is not a tuple for sure.
"""


class Percent:
    """The rule that turns % formatting and str.format into f-strings."""

    may_leave = True

    def find(self, module: "libcst.Module") -> "Sequence[libcst.CSTNode]":
        """Return the expressions that format a literal text with % or `format`."""
        if "%" not in module.code and ".format" not in module.code:
            return []
        return _found(module)

    def prompt(self, site: Site) -> str:
        """Return the instructions for a site."""
        oldest = site["target"]
        if oldest is not None and oldest >= NESTED_QUOTES:
            return SYSTEM
        return f"{SYSTEM}\nThe expressions in an f-string may hold neither its own quotes nor a backslash nor a comment.\n"

    def check(self, site: Site, code: str) -> bool:
        """Say whether the edit is an f-string that formats the same expressions in the same way.

        Raises:
            Invalid: it is not; the error says why.
        """
        before, after = _form(site["code"]), _form(code)
        if before is None:
            raise Invalid("the site is not formatting that this rule knows")
        if after is None or not isinstance(expression_of(code), ast.JoinedStr | ast.Constant):
            raise Invalid("it is not an f-string without nested widths")
        if (why := why_not(before, after, _kinds(site))) is not None:
            raise Invalid(why)
        return True

    def key(self, code: str) -> JSON:
        """Return what an f-string does: its expressions, the text between them, and how they are formatted."""
        form = _form(code)
        tree = expression_of(code)
        return shape(form) if form is not None else None if tree is None else dump(tree)

    def given(self, site: Site) -> str | None:
        """Return an f-string that does the same on all plain values, if one can be written."""
        return right(site)

    def truth(self, site: Site) -> str:
        """Return the right edit: the f-string that does the same, or `LEAVE` if the program cannot write one."""
        return right(site) or LEAVE

    def rehearse(self, site: Site) -> tuple[str, list[str]]:
        """Return the right edit, and mistakes that a small model makes."""
        from maker_graph.tasks.migrate.mistakes import mistakes  # noqa: PLC0415  a real run does not need them

        return mistakes(site, self.truth(site))


def _found(module: "libcst.Module") -> "list[libcst.CSTNode]":
    import libcst as cst  # noqa: PLC0415  an extra

    texts = (cst.SimpleString, cst.ConcatenatedString)
    translated, found = set[cst.CSTNode](), list[cst.CSTNode]()

    def see(node: cst.BaseExpression) -> None:
        if node not in translated and _form(module.code_for_node(node)) is not None:
            found.append(node)

    class Finder(cst.CSTVisitor):
        def visit_BinaryOperation(self, node: cst.BinaryOperation) -> None:  # noqa: N802  LibCST's names
            if isinstance(node.operator, cst.Modulo) and isinstance(node.left, texts):
                see(node)

        def visit_Call(self, node: cst.Call) -> None:  # noqa: N802
            if _name(node.func) in TRANSLATED:
                translated.update(argument.value for argument in node.args)
            elif (
                isinstance(node.func, cst.Attribute) and node.func.attr.value == "format" and isinstance(node.func.value, texts)
            ):
                see(node)

    module.visit(Finder())
    return found


def _name(function: "libcst.BaseExpression") -> str:
    """Return the last part of the name of a called function."""
    named = getattr(function, "attr", function)
    return str(getattr(named, "value", ""))


def right(site: Site) -> str | None:
    """Return the f-string that does the same as a site on all plain values of its types; None if there is none.

    It keeps the parts, quotes and escapes of the site. A site with comments inside is left alone.
    """
    form = _form(site["code"])
    code = None if form is None else f_string(site, form, _known(site))
    if form is None or code is None:
        return None
    for written in (code, f"({code})"):
        after = _form(written)
        if after is None or why_not(form, after, _kinds(site)) is not None:
            continue
        with suppress(Invalid):
            see_edit(site, written)
            see_target(site, written)
            return written
    return None


def _form(code: str) -> Form | None:
    tree = expression_of(code)
    return None if tree is None else form_of(tree)


def _kinds(site: Site) -> Callable[[ast.expr], Kinds]:
    """Return the function that gives the types of the expressions of a site."""
    return lambda tree: kinds_of(tree, _known(site))


def _known(site: Site) -> Known:
    return known_in(site["function"], tuple(site["replaced"]))
