"""Writes the f-strings of the rule `percent`, part by part, with the same quotes, escapes and lines as the site."""

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
    """Return a site as an f-string; None if that needs more than a simple change of quotes.

    Args:
        site: the site; None is returned if it has comments inside.
        form: the form of the site.
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
    """Return an expression as it is written in the code; a generated one, such as an item of a mapping, is written anew."""
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
    """Return a field of an f-string, which begins with its expression; None if an f-string has no such field."""
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
    """Yield the parts of a literal, each with the code before it; None for a part that is not a plain text."""
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
    """Yield the tokens of a literal whose lines may be indented in ways that no block allows."""
    shifted = f"({literal}\n)"
    for token in tokenize.generate_tokens(io.StringIO(shifted).readline):
        first = int(token.start[0] == 1)
        last = int(token.end[0] == 1)
        yield token._replace(start=(token.start[0], token.start[1] - first), end=(token.end[0], token.end[1] - last))


def _part(part: _Part, fields: Iterator[str], *, percent: bool, free: bool) -> str | None:
    """Return a part of a literal as part of an f-string, with as many of `fields` as it has places."""
    pieces, place = list[str](), 0
    while place < len(part.body):
        match = (_PERCENT if percent else _BRACES).match(part.body, place)
        if match is None or (match[0].startswith("\\N{") and "r" in part.prefix.lower()):
            return None
        pieces.append(match[0])
        place = match.end()
    places = [number for number, piece in enumerate(pieces) if _is_place(piece, percent=percent)]
    used = [field for _, field in zip(places, fields, strict=False)]
    if len(used) < len(places):
        return None
    if not places:
        plain = "".join(pieces).replace("%%", "%") if percent else "".join(pieces).replace("{{", "{").replace("}}", "}")
        return f"{part.prefix}{part.quote}{plain}{part.quote}"
    quote = part.quote if free else _quote(part, used)
    if quote is None:
        return None
    left = iter(used)
    body = "".join(next(left) if number in places else _text(piece, percent=percent) for number, piece in enumerate(pieces))
    return f"f{'r' * ('r' in part.prefix.lower())}{quote}{body}{quote}"


def _is_place(piece: str, *, percent: bool) -> bool:
    """Say whether a piece of a text is a place where a field is filled in."""
    return piece != "%%" and piece.startswith("%") if percent else piece.startswith("{") and piece != "{{"


def _text(piece: str, *, percent: bool) -> str:
    """Return a piece of text in the form that an f-string needs."""
    if not percent or piece.startswith("\\"):
        return piece
    return "%" if piece == "%%" else piece * 2 if piece in {"{", "}"} else piece


def _quote(part: _Part, fields: Sequence[str]) -> str | None:
    """Return quotes that no field holds: those of the text if possible, else the other ones; None if neither will do."""
    if any("\\" in field or "#" in field for field in fields):
        return None
    other = part.quote.translate({34: "'", 39: '"'})
    for quote in (part.quote, other):
        if not any(quote[0] in field for field in fields) and (quote == part.quote or quote[0] not in part.body):
            return quote
    return None
