"""The sites of a rule: the places in a file that are to be rewritten, with the code around them.

A site is an expression or a statement. Sites do not overlap. If one site is inside another, only the outer one is asked,
because edits of both could not be put together. The inner one is found when the migration is run again.
"""

import ast
import builtins
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import TypedDict

from maker_graph.errors import UsageError
from maker_graph.tasks.migrate.tree import LeftOut, Source, Version

if TYPE_CHECKING:
    import libcst

    from maker_graph.tasks.migrate.rules import Rule

AROUND = 12
"""The most lines that are shown above a site, and below it."""


class Site(TypedDict):
    """One place to be rewritten. All of it is plain JSON.

    Attributes:
        file: the path of its file from the root of the tree.
        line: the line where it begins, from 1.
        column: the column where it begins, from 1.
        kind: "expression" or "statement".
        code: the code of the site. The lines of a statement are shown without its indentation.
        around: the lines around the site, with the site itself.
        statement: the statement that holds the site.
        function: the code of the function whose body holds the site, without indentation; empty outside of functions.
        replaced: the builtins that the file sets somewhere, with "*" if it may set any of them (`from a import *`).
        place: where the site begins and ends, in characters of the text of the file.
        within: where `statement` begins and ends.
        target: the oldest Python on which the code must run, such as [3, 9]; None if that is not known.
    """

    file: str
    line: int
    column: int
    kind: Literal["expression", "statement"]
    code: str
    around: str
    statement: str
    function: str
    replaced: list[str]
    place: list[int]
    within: list[int]
    target: list[int] | None


def find_sites(source: Source, rule: "Rule", target: Version | None) -> list[Site] | LeftOut:
    """Return the sites of `rule` in a file, in order; if the file is not Python, the reason why it is left out.

    Raises:
        UsageError: the rule fails, or finds something that is not an expression and no statement of the file.
    """
    import libcst as cst  # noqa: PLC0415  an extra
    from libcst.metadata import MetadataWrapper, PositionProvider  # noqa: PLC0415  an extra

    try:
        module = cst.parse_module(source.text)
    except cst.ParserSyntaxError as error:
        return LeftOut(source.path, f"line {error.raw_line} is not Python that can be read")
    except RecursionError:
        return LeftOut(source.path, "it is nested too deeply")
    found = _found(rule, module, source.path)
    if not found:
        return []
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    positions: Mapping[Any, Any] = wrapper.resolve(PositionProvider)
    text = _Text(source.text, module)
    statements = [(each, text.place(at)) for each, at in positions.items() if isinstance(each, cst.BaseStatement)]
    replaced, sites = _replaced(source.text), []
    for node in found:
        if node not in positions:
            raise UsageError(f"{_name(rule)}.find returned a node that is not in {source.path}: return nodes of its module.")
        place = text.span(node, positions[node])
        above = sorted([(at, each) for each, at in statements if at[0] <= place[0] <= place[1] <= at[1]], key=_length)
        function = next((at for at, each in above if _is_in_body(place, each, text, positions)), None)
        sites.append(
            Site(
                file=source.path,
                line=positions[node].start.line,
                column=positions[node].start.column + 1,
                kind="expression" if isinstance(node, cst.BaseExpression) else "statement",
                code=text.shown(place),
                around=text.around(place, function),
                statement="",
                function="" if function is None else text.shown(function),
                replaced=replaced,
                place=list(place),
                within=list(next(filter(None, (text.statement(at) for at, _ in above)), (0, len(source.text)))),
                target=None if target is None else list(target),
            )
        )
    for site in sites:
        site["statement"] = source.text[slice(*site["within"])]
    return _outermost(sites)


def _found(rule: "Rule", module: "libcst.Module", path: str) -> "Sequence[libcst.CSTNode]":
    import libcst as cst  # noqa: PLC0415  an extra

    try:
        found = list(rule.find(module))
    except Exception as error:
        raise UsageError(f"{_name(rule)}.find failed on {path} with {type(error).__name__}: {error}.") from error
    kinds = (cst.BaseExpression, cst.BaseStatement)
    if odd := [each for each in found if not isinstance(each, kinds)]:
        raise UsageError(
            f"{_name(rule)}.find returned {type(odd[0]).__name__} in {path}: return only expressions or statements of LibCST."
        )
    return found


def _is_in_body(place: tuple[int, int], node: "libcst.CSTNode", text: "_Text", positions: Mapping[Any, Any]) -> bool:
    """Say whether a place is in the body of a function, to which decorators, defaults and annotations do not belong."""
    import libcst as cst  # noqa: PLC0415  an extra

    return isinstance(node, cst.FunctionDef) and text.place(positions[node.body])[0] <= place[0]


def _replaced(text: str) -> list[str]:
    """Return the builtins that a file sets somewhere, and "*" if it imports all names of a module."""
    tree, found = tree_of(text), set[str]()
    for node in [] if tree is None else ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add((other or name).partition(".")[0])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
            ):
                found.add(name)
    return sorted(found & {*dir(builtins), "*"})


def _name(rule: object) -> str:
    return type(rule).__name__


def _length(found: tuple[tuple[int, int], Any]) -> int:
    (begin, end), _ = found
    return end - begin


def _outermost(sites: Iterable[Site]) -> list[Site]:
    kept: list[Site] = []
    for site in sorted(sites, key=lambda each: (each["place"][0], -each["place"][1])):
        if not kept or site["place"][0] >= kept[-1]["place"][1]:
            kept.append(site)
    return kept


def tree_of(code: str) -> ast.Module | None:
    """Return the tree of one or several statements with any indentation; None if this is not Python."""
    code = code.lstrip("\x0c")
    indented = code[:1] in {" ", "\t"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in the user's code
            tree = ast.parse(f"if 1:\n{code}\n" if indented else f"{code}\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if indented:
        (block,) = tree.body if len(tree.body) == 1 else [None]
        if not isinstance(block, ast.If) or block.orelse:
            return None
        return ast.Module(block.body, [])
    return tree


class _Text:
    """The text of a file, in which code is found by the lines and columns of LibCST."""

    def __init__(self, text: str, module: "libcst.Module") -> None:
        self.text = text
        self._module = module
        self._lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)
        self._starts = [0, *accumulate(map(len, self._lines))]

    def span(self, node: "libcst.CSTNode", at: "libcst.metadata.CodeRange") -> tuple[int, int]:
        """Return where a node begins and ends, without parentheses around it.

        Raises:
            UsageError: the file does not hold the node there.
        """
        begin, end = self.place(at)
        shown = self.text[begin:end]
        if not shown or "".join(shown.split()) not in "".join(self._module.code_for_node(node).split()):
            raise UsageError(f"The code in line {at.start.line} cannot be found again: please report this file as a bug.")
        return begin, end

    def place(self, at: "libcst.metadata.CodeRange") -> tuple[int, int]:
        """Return where a range of LibCST begins and ends, in characters of the text."""
        return self._starts[at.start.line - 1] + at.start.column, self._starts[at.end.line - 1] + at.end.column

    def statement(self, at: tuple[int, int]) -> tuple[int, int] | None:
        """Return where a statement begins and ends, with its indentation; None if its text alone is not Python."""
        begin = at[0] - len(self.indent(at[0]))
        return (begin, at[1]) if tree_of(self.text[begin : at[1]]) is not None else None

    def indent(self, begin: int) -> str:
        """Return the text before a place in its line, if that is blank; else an empty text."""
        before = self.text[self._line(begin) : begin]
        return before if not before.strip() else ""

    def shown(self, place: tuple[int, int]) -> str:
        """Return the code at a place without its indentation, with plain line ends."""
        return dedented(self.text[slice(*place)].lstrip("\x0c"), self.indent(place[0]))

    def around(self, place: tuple[int, int], function: tuple[int, int] | None) -> str:
        """Return the lines around a place, but no lines outside its function."""
        first, last = self._number(place[0]), self._number(place[1] - 1)
        low, high = max(0, first - AROUND), min(len(self._lines), last + 1 + AROUND)
        if function is not None:
            low, high = max(low, self._number(function[0])), min(high, 1 + self._number(function[1] - 1))
        return "\n".join(line.rstrip("\r\n").strip("\x0c") for line in self._lines[low:high])

    def _number(self, place: int) -> int:
        """Return the number of the line that holds a place, from 0."""
        return bisect_right(self._starts, place) - 1

    def _line(self, place: int) -> int:
        return max(self.text.rfind("\n", 0, place), self.text.rfind("\r", 0, place)) + 1


def dedented(code: str, indent: str) -> str:
    r"""Return code with plain line ends; each line after the first loses `indent` if it begins with it.

    >>> dedented("if x:\r\n        y", "    ")
    'if x:\n    y'
    """
    first, *rest = re.sub(r"\r\n?", "\n", code).split("\n")
    inside = strings_at(first, rest)
    return "\n".join([first, *(line if number in inside else line.removeprefix(indent) for number, line in enumerate(rest))])


def strings_at(first: str, rest: Sequence[str]) -> set[int]:
    """Return which of the lines `rest`, from 0, begin inside a string, so that their indentation is part of it."""
    text = "(" + "\n".join([first, *rest]) + "\n)"  # so that no line end ends a statement
    found: set[int] = set()
    begun: list[int] = []
    with suppress(tokenize.TokenError, SyntaxError):  # the tokens up to an error count
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            name = tokenize.tok_name[token.type]
            if name in {"FSTRING_START", "TSTRING_START"}:  # since 3.12
                begun.append(token.start[0])
            elif name in {"FSTRING_END", "TSTRING_END"}:
                found.update(range(begun.pop() - 1, token.end[0] - 1))
            elif token.type == tokenize.STRING:
                found.update(range(token.start[0] - 1, token.end[0] - 1))
    return found
