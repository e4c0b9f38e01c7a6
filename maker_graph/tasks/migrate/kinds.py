"""The types that an expression can have, as far as the code around it makes that certain; for the rule `percent`.

Types have the names of `VALUES` in `forms.py`. The types of a name in a function are known if each place that sets it is
understood: an annotated parameter, an assignment, a loop over `range` or `enumerate`, an `except` clause. All other names may
have any type, such as those of the module, of an enclosing function, or of an inner function.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

from maker_graph.tasks.migrate.forms import KINDS
from maker_graph.tasks.migrate.sites import tree_of

Kinds: TypeAlias = frozenset[str]
Known: TypeAlias = Mapping[str, Kinds]
"""Name -> the types that it can have."""

_CALLS = dict.fromkeys(("len", "int", "ord", "id", "hash"), "int") | dict.fromkeys(
    ("str", "repr", "ascii", "chr", "hex", "oct", "bin", "input"), "str"
)
_CALLS |= {
    "float": "float",
    "bool": "bool",
    "isinstance": "bool",
    "callable": "bool",
    "hasattr": "bool",
    "sorted": "list",
    "list": "list",
    "dict": "dict",
}
_OF_TEXTS = {
    "join",
    "lower",
    "upper",
    "strip",
    "lstrip",
    "rstrip",
    "replace",
    "title",
    "capitalize",
    "format",
    "zfill",
    "rjust",
    "ljust",
}
_TEXTS_OF_ALL = {"__name__", "__qualname__"}
_ANNOTATED = {
    "int": frozenset({"int", "bool"}),
    "float": frozenset({"float", "int", "bool"}),
    "str": frozenset({"str"}),
    "bool": frozenset({"bool"}),
    "bytes": frozenset({"bytes"}),
}
UNDERSTOOD = frozenset({*_CALLS, *_ANNOTATED, "range", "enumerate"})
"""Builtins from which a type is known, unless the code gives them another meaning."""

_SUMS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)


def kinds_of(tree: ast.expr, known: Known) -> Kinds:
    """Return the types that an expression can have; all of them if that is not known."""
    match tree:
        case ast.Constant(value=value):
            name = "none" if value is None else type(value).__name__
            found = {name} if name in KINDS else KINDS
        case ast.JoinedStr() | ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()):
            found = {"str"}
        case ast.Name(id=name):
            found = known.get(name, KINDS)
        case ast.Attribute(attr=name):
            found = {"str"} if name in _TEXTS_OF_ALL else KINDS
        case ast.Call():
            found = _of_call(tree, known)
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _SUMS):
            whole = all(kinds_of(each, known) <= {"int", "bool"} for each in (left, right))
            found = {"int"} if whole else KINDS
        case ast.IfExp(body=body, orelse=other):
            found = kinds_of(body, known) | kinds_of(other, known)
        case _:
            found = _of_display(tree)
    return frozenset(found)


def _of_call(tree: ast.Call, known: Known) -> set[str] | Kinds:
    match tree.func:
        case ast.Name(id=name) if name in _CALLS and name not in known:
            return {_CALLS[name]}
        case ast.Attribute(value=inner, attr=name) if name in _OF_TEXTS and kinds_of(inner, known) == {"str"}:
            return {"str"}
    return KINDS


def _of_display(tree: ast.expr) -> set[str] | Kinds:
    match tree:
        case ast.Tuple():
            return {"tuple"}
        case ast.List() | ast.ListComp():
            return {"list"}
        case ast.Dict() | ast.DictComp():
            return {"dict"}
        case ast.Compare(ops=[ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()]) | ast.UnaryOp(op=ast.Not()):
            return {"bool"}
    return KINDS


@lru_cache(256)
def known_in(function: str, replaced: tuple[str, ...] = ()) -> Known:
    """Return the types of the names of a function, given its code; outside of functions, no types are known.

    The builtins `replaced` have another meaning in the file of the function; "*" stands for all of them.
    """
    outside = dict.fromkeys(UNDERSTOOD if "*" in replaced else replaced, KINDS)
    tree = tree_of(function) if function else None
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef | ast.AsyncFunctionDef):
        return outside
    outer = tree.body[0]
    names = outside | dict.fromkeys(
        (name for name, _ in _settings(outer, {})), KINDS
    )  # nothing is known yet of any name that the function sets
    found: dict[str, Kinds] = {}
    for name, kinds in _settings(outer, names):
        found[name] = found.get(name, frozenset()) | kinds
    own = set(_own(outer))
    return outside | {name: kinds if name in own else KINDS for name, kinds in found.items()}


def _own(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield the names that a function itself sets, without those that only an inner function or class sets."""
    yield from (each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg))
    left: list[ast.AST] = [*function.body]
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if isinstance(node, ast.ExceptHandler) and node.name is not None:
            yield node.name
        left += ast.iter_child_nodes(node)


def _settings(function: ast.AST, names: Known) -> Iterator[tuple[str, Kinds]]:
    """Yield each name that is set within a function or its inner scopes, with the types that it can have there.

    `names` are all names that are set there. Nothing is known of them during this search.
    """
    understood = set[int]()
    for node in ast.walk(function):
        match node:
            case ast.arguments():
                yield from _of_parameters(node, names)
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                understood.add(id(target))
                yield name, kinds_of(value, names)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value) if isinstance(op, _SUMS):
                understood.add(id(target))
                kinds = kinds_of(value, names)
                yield name, kinds if kinds <= {"int", "bool"} or kinds == {"str"} else KINDS
            case ast.For(target=ast.Name(id=name) as target, iter=ast.Call(func=ast.Name(id="range"))) if "range" not in names:
                understood.add(id(target))
                yield name, frozenset({"int"})
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(id=name) as target, _]), iter=ast.Call(func=ast.Name(id="enumerate"), args=[_])
            ) if "enumerate" not in names:
                understood.add(id(target))
                yield name, frozenset({"int"})
            case ast.ExceptHandler(name=str(name)):
                yield name, frozenset({"object"})
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if id(node) not in understood:
                yield name, KINDS
            case ast.Global(names=others) | ast.Nonlocal(names=others):
                yield from ((name, KINDS) for name in others)
            case ast.alias(name=name, asname=other):
                yield (other or name).partition(".")[0], KINDS
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, KINDS
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name, KINDS


def _of_parameters(node: ast.arguments, names: Known) -> Iterator[tuple[str, Kinds]]:
    """Yield the parameters of a function with their types, to which the type of a default, such as None, is added."""
    positional = [*node.posonlyargs, *node.args]
    defaults = [*[None] * (len(positional) - len(node.defaults)), *node.defaults, *node.kw_defaults]
    for each, default in zip([*positional, *node.kwonlyargs], defaults, strict=True):
        plain = each.annotation.id if isinstance(each.annotation, ast.Name) and each.annotation.id not in names else ""
        kinds = _ANNOTATED.get(plain, KINDS)
        other = frozenset[str]() if default is None else kinds_of(default, names)
        yield each.arg, kinds if other == KINDS else kinds | other
    yield from (
        (each.arg, frozenset({kind})) for each, kind in ((node.vararg, "tuple"), (node.kwarg, "dict")) if each is not None
    )
