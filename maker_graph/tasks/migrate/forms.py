"""What a formatting does: its text, its expressions, and how each of them is formatted, tried out on plain values.

A *form* is the common structure of `"..." % x`, `"...".format(x)` and an f-string. Two forms do the same if they have the same
text and the same expressions, and format each expression in the same way for all plain values that it can have.
"""

import ast
import json
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from maker_graph.core.canonical import JSON
from maker_graph.tasks.migrate.edits import dump


class _Plain:
    """An object without its own way of being formatted."""

    def __repr__(self) -> str:
        return "<plain>"


VALUES: Mapping[str, tuple[Any, ...]] = {
    "int": (0, 7, -3, 65, 1234567, -(10**20)),
    "bool": (True, False),
    "float": (0.0, -2.5, 3.7, 1e20, 1.5e-9, float("inf"), float("nan")),
    "str": ("", "a", "née", "two words", "x{y}%s", "1234567890abc"),
    "bytes": (b"", b"ab"),
    "none": (None,),
    "tuple": ((), (1,), (1, 2)),
    "list": ([], [1]),
    "dict": ({}, {"a": 1}),
    "object": (LookupError("no such key"), _Plain()),
}
"""Type -> plain values of this type."""

KINDS = frozenset(VALUES)

_CHANGING = {
    "pop",
    "popitem",
    "popleft",
    "append",
    "add",
    "remove",
    "insert",
    "extend",
    "update",
    "setdefault",
    "clear",
    "sort",
}
"""Methods that change what they are called on."""

_MOST = 10_000
"""A formatting with a larger width or precision has no form here, because trying it out would fill the memory."""

_SPEC = re.compile(
    r"%(?:\((?P<key>[^()]*)\))?(?P<flags>[#0\- +]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d*))?[hlL]?(?P<kind>.)", re.DOTALL
)

Format: TypeAlias = tuple[str, ...]
"""How an expression is formatted: ("%", spec), ("% alone", spec) if a tuple is taken apart, or ("f", conversion, spec)."""


class Field(NamedTuple):
    """An expression that is formatted.

    Attributes:
        tree: the expression.
        format: how it is formatted.
    """

    tree: ast.expr
    format: Format


class Form(NamedTuple):
    """What a formatting does.

    Attributes:
        parts: texts and fields in turn, beginning and ending with a text.
        evaluated: the expressions in the order of evaluation, each as often as it is evaluated.
    """

    parts: tuple[str | Field, ...]
    evaluated: tuple[ast.expr, ...]

    @property
    def fields(self) -> list[Field]:
        """The fields in order."""
        return [each for each in self.parts if isinstance(each, Field)]


def form_of(tree: ast.expr) -> Form | None:
    """Return the form of an expression; None if it is not formatting, or one that fails or depends on other values too."""
    match tree:
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=operand):
            return _percent(text, operand)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=args, keywords=keywords):
            return _called(text, args, keywords)
        case ast.JoinedStr(values=values):
            return _joined(values)
        case ast.Constant(value=str(text)):
            return Form((text,), ())
    return None


def _percent(text: str, operand: ast.expr) -> Form | None:
    pieces, specs, place = [""], list[tuple[str | None, str]](), 0
    for found in re.finditer("%", text):
        if found.start() < place:
            continue
        spec = _SPEC.match(text, found.start())
        if spec is None or "*" in (spec["width"], spec["precision"]) or _is_huge(spec["width"], spec["precision"]):
            return None
        pieces[-1] += text[place : found.start()]
        place = spec.end()
        if spec["kind"] == "%":
            if spec[0] != "%%":
                return None
            pieces[-1] += "%"
            continue
        if spec["kind"] not in "diouxXeEfFgGcrsa":
            return None
        rest = (
            f"%{spec['flags']}{spec['width'] or ''}{'' if spec['precision'] is None else '.' + spec['precision']}{spec['kind']}"
        )
        specs.append((spec["key"], rest))
        pieces.append("")
    pieces[-1] += text[place:]
    found_operands = _operands(operand, [key for key, _ in specs])
    if found_operands is None:
        return None
    trees, evaluated, alone = found_operands
    fields = [Field(tree, ("% alone" if alone else "%", spec)) for tree, (_, spec) in zip(trees, specs, strict=True)]
    return _form(pieces, fields, evaluated)


def _operands(operand: ast.expr, keys: Sequence[str | None]) -> tuple[Sequence[ast.expr], Sequence[ast.expr], bool] | None:
    """Return the expression of each field, the evaluated expressions, and whether the operand is taken apart if a tuple."""
    named = [key for key in keys if key is not None]
    if named and len(named) == len(keys):
        return _named(operand, named)
    if isinstance(operand, ast.Tuple):
        plain = len(operand.elts) == len(keys) and not any(isinstance(each, ast.Starred) for each in operand.elts)
        return (operand.elts, operand.elts, False) if plain and not named else None
    return ([operand], [operand], True) if len(keys) == 1 and not named else None


def _named(operand: ast.expr, named: Sequence[str]) -> tuple[Sequence[ast.expr], Sequence[ast.expr], bool] | None:
    """Return the same for fields with names, whose operand is a dict in the code or a mapping that is looked up."""
    if isinstance(operand, ast.Dict):
        values = {
            key.value: value for key, value in zip(operand.keys, operand.values, strict=True) if isinstance(key, ast.Constant)
        }
        if len(values) != len(operand.keys) or not set(named) <= set(values):
            return None
        return [values[key] for key in named], operand.values, False
    if not is_lookup(operand):
        return None
    trees: list[ast.expr] = [ast.Subscript(operand, ast.Constant(key), ast.Load()) for key in named]
    return trees, trees, False


def _called(text: str, args: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> Form | None:
    if any(isinstance(each, ast.Starred) for each in args) or any(each.arg is None for each in keywords):
        return None
    named = {each.arg: each.value for each in keywords}
    pieces, fields, next_one = [""], list[Field](), 0
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError:
        return None
    for literal, name, spec, conversion in parsed:
        pieces[-1] += literal
        if name is None:
            continue
        if "{" in (spec or "") or _is_huge(*re.findall(r"\d+", spec or "")):
            return None
        first, *rest = re.split(r"(?=[.\[])", name)
        if not first:
            first, next_one = str(next_one), next_one + 1
        tree = _at(args, first) if first.isdecimal() else named.get(first)
        tree = None if tree is None else _reached(tree, rest)
        if tree is None:
            return None
        fields.append(Field(tree, ("f", conversion or "", spec or "")))
        pieces.append("")
    return _form(pieces, fields, [*args, *named.values()])


def _at(args: Sequence[ast.expr], number: str) -> ast.expr | None:
    return args[int(number)] if not _is_huge(number) and int(number) < len(args) else None


def _reached(tree: ast.expr, steps: Iterable[str]) -> ast.expr | None:
    """Return the expression that `.name` and `[key]` of a field reach from an expression."""
    for step in steps:
        if step.startswith("."):
            private = step.startswith(".__") and not step.endswith("__")  # Python would give it another name within a class
            if private or not step[1:].isidentifier():
                return None
            tree = ast.Attribute(tree, step[1:], ast.Load())
        elif step.endswith("]") and len(step) > len("[]"):
            key = step[1:-1]
            if _is_huge(key):
                return None
            tree = ast.Subscript(tree, ast.Constant(int(key) if key.isdecimal() else key), ast.Load())
        else:
            return None
    return tree


def _joined(values: Sequence[ast.expr]) -> Form | None:
    pieces, fields = [""], list[Field]()
    for each in values:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            pieces[-1] += each.value
            continue
        if not isinstance(each, ast.FormattedValue):
            return None
        spec = ""
        if isinstance(each.format_spec, ast.JoinedStr):
            if not all(isinstance(part, ast.Constant) for part in each.format_spec.values):
                return None
            spec = "".join(str(part.value) for part in each.format_spec.values if isinstance(part, ast.Constant))
        if _is_huge(*re.findall(r"\d+", spec)):
            return None
        fields.append(Field(each.value, ("f", "" if each.conversion < 0 else chr(each.conversion), spec)))
        pieces.append("")
    return _form(pieces, fields, [field.tree for field in fields])


def _form(pieces: Sequence[str], fields: Sequence[Field], evaluated: Sequence[ast.expr]) -> Form:
    parts: list[str | Field] = [pieces[0]]
    for field, piece in zip(fields, pieces[1:], strict=True):
        parts += [field, piece]
    return Form(tuple(parts), tuple(evaluated))


def _is_huge(*numbers: str | None) -> bool:
    return any(number is not None and number.isdecimal() and (len(number) > 6 or int(number) > _MOST) for number in numbers)


def is_lookup(tree: ast.expr) -> bool:
    """Say whether an expression only looks up a value: a constant, a name, or an attribute or item of a lookup."""
    match tree:
        case ast.Constant() | ast.Name():
            return True
        case ast.Attribute(value=inner):
            return is_lookup(inner)
        case ast.Subscript(value=inner, slice=key):
            return is_lookup(inner) and is_lookup(key)
    return False


_SHOWN: Mapping[str, Callable[[object], object]] = {"": lambda same: same, "s": str, "r": repr, "a": ascii}


@lru_cache(4096)
def outcome(how: Format, kind: str) -> tuple[str, ...]:
    """Return the text to which each plain value of a type is formatted; if that fails with any error, a mark."""
    return tuple(_tried(how, value) for value in VALUES[kind])


def _tried(how: Format, value: object) -> str:
    try:
        match how:
            case ("%", spec):
                return "text " + spec % (value,)
            case ("% alone", spec):
                return "text " + spec % value
            case (_, conversion, spec):
                return "text " + format(_SHOWN[conversion](value), spec)
    except Exception:  # noqa: BLE001  the kind of error depends on the way of formatting
        return "fails"
    return "fails"


def why_not(before: Form, after: Form, kinds_of: Callable[[ast.expr], Iterable[str]] = lambda _: KINDS) -> str | None:
    """Return in a clause why two forms do not do the same; None if they do.

    Args:
        before: the form of the site.
        after: the form of the edit.
        kinds_of: returns the types that an expression can have.
    """
    olds, news = (
        [each for each in before.parts if isinstance(each, str)],
        [each for each in after.parts if isinstance(each, str)],
    )
    if len(olds) != len(news):
        return f"it has {len(news) - 1} expressions, but the site has {len(olds) - 1}"
    if olds != news:
        return "the text between the expressions differs"
    for old, new in zip(before.fields, after.fields, strict=True):
        if dump(old.tree) != dump(new.tree):
            return f"an expression differs: {ast.unparse(new.tree)[:60]} in place of {ast.unparse(old.tree)[:60]}"
        for kind in sorted(kinds_of(old.tree)):
            if outcome(old.format, kind) != outcome(new.format, kind):
                return f"{ast.unparse(old.tree)[:60]} would be formatted in another way if it is of type {kind}"
    return _why_not_in_order(before, after)


def _why_not_in_order(before: Form, after: Form) -> str | None:
    """Return in a clause why the expressions of `after` are not evaluated and formatted in the order of `before`."""
    order = [dump(each) for each in before.evaluated]
    if order != [dump(each) for each in after.evaluated] and not all(map(is_lookup, before.evaluated)):
        return "expressions would be evaluated in another order, or not as often"
    changed = _changed(before.fields)
    return None if changed is None else f"{ast.unparse(changed)[:60]} would be formatted before a later expression changes it"


def _changed(fields: Sequence[Field]) -> ast.expr | None:
    """Return an expression that a later one changes: an f-string formats it before the change, other formattings after it."""
    for number, field in enumerate(fields):
        for node in (node for later in fields[number + 1 :] for node in ast.walk(later.tree)):
            match node:
                case ast.Call(func=ast.Attribute(value=changed, attr=name)) if name in _CHANGING:
                    if dump(changed) == dump(field.tree):
                        return field.tree
    return None


def shape(form: Form) -> JSON:
    """Return what a form does as plain JSON, which is the same for forms that agree for all types."""
    outcomes = {kind: [list(outcome(field.format, kind)) for field in form.fields] for kind in sorted(KINDS)}
    texts: list[JSON] = [each if isinstance(each, str) else dump(each.tree) for each in form.parts]
    return [*texts, json.dumps(outcomes), [dump(each) for each in form.evaluated]]
