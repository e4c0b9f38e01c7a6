"""How the rule `percent` writes an f-string: as the site is written, part by part, with the same quotes, escapes and lines."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from maker_graph.tasks.migrate.edits import NESTED_QUOTES, comments_in, expression_of
from maker_graph.tasks.migrate.forms import Field, Form
from maker_graph.tasks.migrate.kinds import Known, kinds_of
from maker_graph.tasks.migrate.sites import Site

_STRING = re.compile(r"(?P<prefix>[A-Za-z]*)(?P<quote>'''|\"\"\"|'|\")(?P<body>.*)(?P=quote)\Z", re.DOTALL)
_PERCENT = re.compile(r"\\N\{[^}]*\}|\\.|%%|%(?:\([^()]*\))?[#0\- +]*\d*(?:\.\d*)?[hlL]?[a-zA-Z]|[{}]|[^\\%{}]+", re.DOTALL)
_BRACES = re.compile(r"\\N\{[^}]*\}|\\.|\{\{|\}\}|\{[^{}]*\}|[^\\{}]+", re.DOTALL)


class _Part(NamedTuple):
    prefix: str
    quote: str
    body: str


def f_string(site: Site, form: Form, known: Known) -> str | None:
    """Return a site as an f-string; None if that cannot be written without a change of quotes that is not plain to see.

    Args:
        site: the site; one with comments inside is not written.
        form: what it does.
        known: the types of names.
    """
    code = site["code"]
    if comments_in(code):
        return None
    tree = expression_of(code)
    if isinstance(tree, ast.BinOp):
        literal, percent = _segment(code, tree.left), True
    elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
        literal, percent = _segment(code, tree.func.value), False
    else:
        return None
    sources = [_source(code, field.tree) for field in form.fields]
    fields = [_field(source, field, known) for source, field in zip(sources, form.fields, strict=True)]
    if literal is None or any(each is None for each in fields):
        return None
    free = site["target"] is not None and site["target"] >= NESTED_QUOTES
    written, left = list[str](), iter([each for each in fields if each is not None])
    for before, part in _parts(literal):
        new = None if part is None else _part(part, left, percent=percent, free=free)
        if new is None:
            return None
        written += [before, new]
    whole = "".join(written)
    return whole if next(left, None) is None else None


def _segment(code: str, tree: ast.expr) -> str | None:
    return ast.get_source_segment(f"({code}\n)", tree)


def _source(code: str, tree: ast.expr) -> str | None:
    """Return how an expression is written; one that was put together, as an item of a mapping, is written anew."""
    if hasattr(tree, "lineno"):
        found = _segment(code, tree)
        inner = getattr(tree, "elts", None) if isinstance(tree, ast.Tuple) else None
        return f"({found})" if found is not None and inner and not found.startswith("(") else found
    match tree:
        case ast.Subscript(value=inner, slice=ast.Constant(value=key)):
            base = _source(code, inner)
            return None if base is None else f"{base}[{key!r}]"
        case ast.Attribute(value=inner, attr=name):
            base = _source(code, inner)
            return None if base is None else f"{base}.{name}"
    return None


def _field(source: str | None, field: Field, known: Known) -> str | None:
    """Return a field of an f-string, its expression in the first place; None if it has no form there."""
    if source is None or "\n" in source:
        return None
    if isinstance(field.tree, ast.Lambda | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Starred):
        source = f"({source})"
    if source.startswith("{"):
        source = f" {source}"
    if field.format[0] == "f":
        _, conversion, spec = field.format
        return f"{{{source}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
    spec = field.format[1]
    kinds = kinds_of(field.tree, known)
    match = re.fullmatch(r"%(?P<flags>[#0\- +]*)(?P<width>\d*)(?P<precision>(?:\.\d*)?)(?P<kind>.)", spec)
    assert match is not None  # noqa: S101  form_of read it
    flags, width, precision, kind = match["flags"], match["width"], match["precision"], match["kind"]
    precision = ".0" if precision == "." else precision
    if kind in "sra":
        conversion = "" if kind == "s" and kinds == {"str"} else f"!{kind}"
        align = ("" if not width else "<" if "-" in flags else ">") + width
        return f"{{{source}{conversion}{':' + align + precision if align or precision else ''}}}"
    plain = kinds <= {"int", "bool"} if kind in "diouxXc" else True
    if not plain or (kind in "diouxXc" and precision):
        return None
    kind = "d" if kind in "iu" else kind
    align = "<" if "-" in flags and width else ""
    sign = "+" if "+" in flags else " " if " " in flags else ""
    zero = "0" if "0" in flags and "-" not in flags and width else ""
    return f"{{{source}:{align}{sign}{'#' if '#' in flags else ''}{zero}{width}{precision}{kind}}}"


def _parts(literal: str) -> Iterator[tuple[str, _Part | None]]:
    """Yield the texts of which a literal is put together, each with what stands before it; None for one that is no text."""
    place, lines = 0, literal.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for token in _strings(literal):
        begin = starts[token.start[0] - 1] + token.start[1]
        match = _STRING.fullmatch(token.string)
        bad = match is None or "b" in match["prefix"].lower() or "f" in match["prefix"].lower()
        yield literal[place:begin], None if match is None or bad else _Part(match["prefix"], match["quote"], match["body"])
        place = begin + len(token.string)


def _strings(literal: str) -> Sequence[tokenize.TokenInfo]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(literal).readline))
    except (tokenize.TokenError, SyntaxError):
        tokens = list(_tolerant(literal))
    return [token for token in tokens if token.type == tokenize.STRING]


def _tolerant(literal: str) -> Iterator[tokenize.TokenInfo]:
    """Yield tokens as far as they go: the lines of a literal may be indented as no block is."""
    shifted = f"({literal}\n)"
    for token in tokenize.generate_tokens(io.StringIO(shifted).readline):
        first = int(token.start[0] == 1)
        last = int(token.end[0] == 1)
        yield token._replace(start=(token.start[0], token.start[1] - first), end=(token.end[0], token.end[1] - last))


def _part(part: _Part, fields: Iterator[str], *, percent: bool, free: bool) -> str | None:
    """Return a text as part of an f-string, with as many of `fields` as it has places."""
    body, used, place = "", list[str](), 0
    raw = "r" in part.prefix.lower()
    pattern = _PERCENT if percent else _BRACES
    while place < len(part.body):
        match = pattern.match(part.body, place)
        if match is None:
            return None
        piece, place = match[0], match.end()
        if piece.startswith("\\"):
            if piece.startswith("\\N{") and raw:
                return None
            body += piece
        elif percent and piece == "%%":
            body += "%"
        elif percent and piece in {"{", "}"}:
            body += piece * 2
        elif piece.startswith("%" if percent else "{") and piece not in {"{{", "}}"}:
            field = next(fields, None)
            if field is None:
                return None
            used.append(field)
            body += field
        else:
            body += piece
    if not used:
        plain = body.replace("{{", "{").replace("}}", "}")
        return f"{part.prefix}{part.quote}{plain}{part.quote}"
    quote = part.quote
    if not free:
        if any("\\" in field or "#" in field for field in used):
            return None
        if any(quote[0] in field for field in used):
            other = quote.translate({34: "'", 39: '"'})
            if other[0] in part.body or any(other[0] in field for field in used):
                return None
            quote = other
    prefix = "f" + ("r" if raw else "")
    return f"{prefix}{quote}{body}{quote}"
