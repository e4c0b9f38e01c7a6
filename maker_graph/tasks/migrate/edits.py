"""Which edits are allowed under any rule: Python that changes its site and nothing else, and keeps the comments.

Edits are compared by the trees of Python's own parser. So differences in spacing, quotes and parentheses do not count.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from maker_graph.core.canonical import JSON
from maker_graph.errors import Invalid
from maker_graph.tasks.migrate.sites import Site, strings_at, tree_of
from maker_graph.tasks.migrate.tree import Source

if TYPE_CHECKING:
    import libcst

_PLACE = "_maker_site_"
NESTED_QUOTES = [3, 12]
"""Before this Python, the expressions of an f-string cannot hold its own quotes, a backslash or a comment."""


class Edit(NamedTuple):
    """The new code of a site, and the imports that it needs.

    Attributes:
        site: the site.
        code: the new code.
        imports: (module, name) of each import.
    """

    site: Site
    code: str
    imports: tuple[tuple[str, str], ...] = ()


def same_tree(code: str) -> JSON:
    """Return the tree of code as a text, which is the same for code that differs only in spacing, quotes or parentheses.

    Raises:
        ValueError: the code is not Python.
    """
    tree = tree_of(code) if not (wrapped := expression_of(code)) else wrapped
    if tree is None:
        raise ValueError("it is not Python")
    return dump(tree)


def expression_of(code: str) -> ast.expr | None:
    """Return the tree of an expression, which may span several lines; None if the code is not an expression."""
    tree = tree_of(f"({code}\n)")
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    value = tree.body[0].value
    empty = isinstance(value, ast.Tuple) and not value.elts and "(" not in code
    return value if _closed(code) and not empty else None


def dump(tree: ast.AST) -> str:
    """Return a tree as a text, without the prefix u, which has no effect."""
    return re.sub(r", kind='u'\)", ")", ast.dump(tree))


def see_edit(site: Site, code: str) -> None:
    """Make sure that code can stand at a site and changes nothing outside it.

    Raises:
        Invalid: it cannot; the error says why.
    """
    if site["kind"] == "expression":
        new: ast.AST | None = expression_of(code)
    else:
        new = tree_of(code) if code and not code[0].isspace() else None
    if new is None:
        raise Invalid(f"it is not a Python {site['kind']}")
    if site["kind"] == "statement":
        if not getattr(new, "body", None):
            raise Invalid("there is no statement in it")
        return _see_statement(site, code)
    before, after = tree_of(_in_statement(site, _PLACE)), tree_of(_in_statement(site, code))
    if before is None or after is None:
        raise Invalid("the statement around the site would no longer be Python")
    if dump(before).replace(f"Name(id='{_PLACE}', ctx=Load())", dump(new)) != dump(after):
        raise Invalid("it changes the code around the site; put it in parentheses")
    return None


def _see_statement(site: Site, code: str) -> None:
    """Make sure that the new statements of a site leave those around it as they were.

    Raises:
        Invalid: they do not.
    """
    before, after = tree_of(_in_statement(site, f"{_PLACE}")), tree_of(_in_statement(site, code))
    new = tree_of(code)
    if before is None or after is None or new is None:
        raise Invalid("the statement around the site would no longer be Python")
    place = f"Expr(value=Name(id='{_PLACE}', ctx=Load()))"
    if dump(before).replace(place, ", ".join(map(dump, new.body))) != dump(after):
        raise Invalid("it changes the code around the site")


def _in_statement(site: Site, code: str) -> str:
    begin = site["place"][0] - site["within"][0]
    end = site["place"][1] - site["within"][0]
    before = site["statement"][:begin]
    return before + _indented(code, site, before) + site["statement"][end:]


def _indented(code: str, site: Site, before: str) -> str:
    """Return code as it is put at its site: the further lines of a statement get the indentation of the first."""
    if site["kind"] == "expression":
        return code
    line = re.split(r"[\r\n]", before)[-1]
    indent = line if not line.strip() else ""
    first, *rest = code.split("\n")
    inside = strings_at(first, rest)
    return "\n".join([first, *(indent + each if each and n not in inside else each for n, each in enumerate(rest))])


def see_comments(site: Site, code: str) -> None:
    """Make sure that code keeps the comments of its site, and adds none.

    Raises:
        Invalid: it does not.
    """
    if comments_in(site["code"]) != comments_in(code):
        raise Invalid("its comments are not those of the site")


def comments_in(code: str) -> list[str]:
    """Return the comments in code, in order."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(f"({code}\n)").readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    return [token.string.rstrip() for token in tokens if token.type == tokenize.COMMENT]


def _closed(code: str) -> bool:
    """Say whether code closes only parentheses that it has opened: `a) + (b` is not an expression."""
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(f"({code}\n)").readline):
            depth += (token.type == tokenize.OP) * ((token.string in "([{") - (token.string in ")]}"))
            if depth == 0 and token.type == tokenize.OP and token.start[0] <= code.count("\n") + 1:
                return False
    except (tokenize.TokenError, SyntaxError):
        return False
    return True


def see_target(site: Site, code: str) -> None:
    """Make sure that the oldest Python on which code must run can read the f-strings in it.

    Raises:
        Invalid: it cannot.
    """
    if site["target"] is not None and site["target"] >= NESTED_QUOTES:
        return
    import libcst as cst  # noqa: PLC0415  an extra
    from libcst import matchers as m  # noqa: PLC0415

    try:
        module = cst.parse_module(f"({code}\n)\n" if site["kind"] == "expression" else f"{code}\n")
    except cst.ParserSyntaxError:
        raise Invalid("it is not Python that can be read") from None
    for string in m.findall(module, m.FormattedString()):
        assert isinstance(string, cst.FormattedString)  # noqa: S101  findall looked for these
        for part in string.parts:
            if isinstance(part, cst.FormattedStringExpression):
                _see_inside(module.code_for_node(part.expression), string.quote)


def _see_inside(code: str, quote: str) -> None:
    if quote[0] in code or "\\" in code or "#" in code or (len(quote) == 1 and "\n" in code):
        raise Invalid(f"before Python 3.12 an f-string in {quote} cannot hold {code[:40]}")


def edited(source: Source, edits: Sequence[Edit]) -> str:
    """Return the text of a file with all edits in it, with the line ends of the file.

    Raises:
        Invalid: the text would no longer be Python.
    """
    text, end = source.text, _line_end(source.text)
    for edit in sorted(edits, key=lambda each: -each.site["place"][0]):
        begin, after = edit.site["place"]
        code = _indented(edit.code, edit.site, text[:begin]).replace("\r\n", "\n").replace("\n", end)
        text = text[:begin] + code + text[after:]
    if imports := sorted({each for edit in edits for each in edit.imports}):
        text = _with_imports(text, imports)
    if tree_of(text) is None:
        raise Invalid(f"{source.path} would no longer be Python")
    return text


def is_import(pair: object) -> bool:
    """Say whether something is a pair of a module and a name in it, or of a module and an empty text."""
    match pair:
        case [str(module), str(name)]:
            return tree_of(f"from {module} import {name}" if name else f"import {module}") is not None
    return False


def _line_end(text: str) -> str:
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def _with_imports(text: str, imports: Iterable[tuple[str, str]]) -> str:
    """Return the text of a file with imports of these names at its beginning, unless they are imported already."""
    import libcst as cst  # noqa: PLC0415  an extra
    from libcst.codemod import CodemodContext  # noqa: PLC0415
    from libcst.codemod.visitors import AddImportsVisitor  # noqa: PLC0415

    module: libcst.Module = cst.parse_module(text)
    context = CodemodContext()
    for place, name in imports:
        AddImportsVisitor.add_needed_import(context, place, name or None)
    return AddImportsVisitor(context).transform_module(module).code
