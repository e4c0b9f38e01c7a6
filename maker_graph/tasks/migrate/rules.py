"""What a rule of a migration is: which sites there are, what is asked about one, and which edits are right.

A rule of one's own is a small class in a file: `--rule file.py:Name`. It needs `find`, `prompt` and `check`; the rest is
optional. All functions are pure: the same site, the same result, and nothing that a model wrote is run.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from maker_graph.core import checks
from maker_graph.errors import UsageError
from maker_graph.tasks.code import imported
from maker_graph.tasks.migrate.sites import Site

if TYPE_CHECKING:
    import libcst

LEAVE = "LEAVE"
"""The reply, and the answer, for a site that is to stay as it is."""


@runtime_checkable
class Rule(Protocol):
    """How one kind of edit is made.

    Optional functions, each as described:

        key(code) -> plain JSON         edits with the same key are one candidate; by default the syntax tree
        given(site) -> code or None     the right edit, where a program is sure of it: no model is asked
        imports(site, code) -> pairs    what must be imported for it: ("datetime", "UTC") is from datetime import UTC
        rehearse(site) -> Replies       what a simulated model may reply; see `maker_graph.simulation`
        truth(site) -> code             the right edit, where it is known: to measure with, no run asks it

    `may_leave = False` says that no site may stay as it is: then LEAVE is no answer.
    """

    def find(self, module: "libcst.Module", /) -> "Iterable[libcst.CSTNode]":
        """Return the expressions and statements of a file that are to be rewritten."""
        ...

    def prompt(self, site: Site, /) -> str:
        """Return what is asked about a site, in words. The code and what surrounds it is shown beneath."""
        ...

    def check(self, site: Site, code: str, /) -> bool:
        """Say whether `code` is an edit that the rule allows, or raise `Invalid` with the reason.

        It is Python that changes the site and nothing else, or it would not be asked.
        """
        ...


_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "find": ("module",),
    "prompt": ("site",),
    "check": ("site", "code"),
    "key": ("code",),
    "given": ("site",),
    "imports": ("site", "code"),
    "rehearse": ("site",),
    "truth": ("site",),
}
_NEEDED = ("find", "prompt", "check")


def _percent() -> Rule:
    from maker_graph.tasks.migrate.percent import Percent  # noqa: PLC0415  a rule of one's own does not need it

    return Percent()


SHIPPED_RULES: Mapping[str, Callable[[], Rule]] = {"percent": _percent}
"""The rules that come with this package."""


def rule_named(name: str) -> Rule:
    """Return the rule of this name: one that ships, or `file.py:Name` or `package.module:Name`, which is imported.

    Raises:
        UsageError: there is none, or it lacks a function.
    """
    if name in SHIPPED_RULES:
        return SHIPPED_RULES[name]()
    if ":" not in name:
        ships = ", ".join(SHIPPED_RULES)
        raise UsageError(f"There is no rule {name!r}: there is {ships}, and your own as file.py:Name or package.module:Name.")
    made: Any = imported(name, "The rule")
    if isinstance(made, type):
        try:
            made = made()
        except Exception as error:
            raise UsageError(f"The rule {name!r} cannot be made: {type(error).__name__}: {error}.") from error
    see_rule(made, name)
    return made  # type: ignore[no-any-return]  # it was seen to be one


def see_rule(rule: object, name: str) -> None:
    """See that a rule has what it needs.

    Raises:
        UsageError: it has not.
    """
    if missing := [each for each in _NEEDED if not hasattr(rule, each)]:
        raise UsageError(f"{name!r} is no rule: it has no {' and no '.join(missing)}.")
    for each, takes in _FUNCTIONS.items():
        if hasattr(rule, each):
            checks.function(f"{name}.{each}", getattr(rule, each), *takes, lazy=each in {"find", "imports"})
