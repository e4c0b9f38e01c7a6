"""What a small model gets wrong when it writes an f-string. Only simulated models use this."""

import ast
import re
from collections.abc import Iterator, Sequence

from maker_graph.tasks.migrate.edits import expression_of
from maker_graph.tasks.migrate.forms import Field, Form, form_of, why_not
from maker_graph.tasks.migrate.rules import LEAVE
from maker_graph.tasks.migrate.sites import Site


def mistakes(site: Site, right: str) -> tuple[str, list[str]]:
    """Return the right reply, and wrong ones that a small model may give, as `rehearse` may return them.

    The wrong ones take each conversion for the one that fits most types, lose a width or a conversion, keep a doubled percent
    sign, swap two expressions, drop the end of a text, or leave a site that could be rewritten. None does what the site does.
    """
    tree = expression_of(site["code"])
    form = None if tree is None else form_of(tree)
    if form is None:
        return right, [LEAVE]
    wrong = []
    for parts in _variants(form):
        code = _written(parts)
        made = None if code is None else expression_of(code)
        after = None if made is None else form_of(made)
        if code is not None and after is not None and why_not(form, after) is not None:
            wrong.append(code)
    replies = list(dict.fromkeys(map(_block, wrong))) or [_block('""')]
    return (right, replies) if right == LEAVE else (_block(right), [*replies, LEAVE])


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


def _variants(form: Form) -> Iterator[list[str | Field]]:
    """Yield the parts of f-strings that a model may write; some of them are right."""
    naive = [part if isinstance(part, str) else _naive(part) for part in form.parts]
    places = [number for number, part in enumerate(naive) if isinstance(part, Field)]
    bare = [part if isinstance(part, str) else Field(part.tree, ("f", "", "")) for part in naive]
    if len(places) > 1:
        first, second = places[:2]
        swapped = [*naive]
        swapped[first], swapped[second] = naive[second], naive[first]
        yield swapped
    yield naive
    yield bare
    if any("%" in part for part in form.parts if isinstance(part, str)):
        yield [part.replace("%", "%%") if isinstance(part, str) else part for part in naive]
    for number in reversed(range(len(naive))):
        part = naive[number]
        if isinstance(part, str) and part:
            yield [*naive[:number], part[:-1], *naive[number + 1 :]]
            break
    yield [*naive, " "]


def _naive(field: Field) -> Field:
    """Return a field as it would be written for the usual type only."""
    if field.format[0] == "f":
        return field
    match = re.fullmatch(r"%([#0\- +]*)(\d*)((?:\.\d*)?)(.)", field.format[1])
    assert match is not None  # noqa: S101  form_of read it
    flags, width, precision, kind = match.groups()
    if kind in "sra":
        return Field(field.tree, ("f", "" if kind == "s" else kind, width + precision))
    return Field(field.tree, ("f", "", flags.replace("-", "<") + width + precision + ("d" if kind in "iu" else kind)))


def _written(parts: Sequence[str | Field]) -> str | None:
    values: list[ast.expr] = []
    for part in parts:
        if isinstance(part, str):
            values.append(ast.Constant(part))
            continue
        _, conversion, spec = part.format
        shown = ord(conversion) if conversion else -1
        values.append(ast.FormattedValue(part.tree, shown, ast.JoinedStr([ast.Constant(spec)]) if spec else None))
    try:
        return ast.unparse(ast.fix_missing_locations(ast.JoinedStr(values)))
    except ValueError:  # a backslash in an expression, before 3.12
        return None
