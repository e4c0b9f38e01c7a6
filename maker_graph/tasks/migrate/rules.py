"""The rules of a migration. A rule says which sites there are, what is asked about a site, and which edits are right.

To write your own rule, put a small class into a file and name it with `--rule file.py:Name`. It needs `find`, `prompt` and
`check`. The other functions are optional. All functions must be pure: the same site gives the same result, and nothing that a
model wrote is run.
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
        given(site) -> code or None     the right edit, if a program is sure of it; then no model is asked
        imports(site, code) -> pairs    the imports that it needs: ("datetime", "UTC") is from datetime import UTC
        rehearse(site) -> Replies       what a simulated model may reply; see `maker_graph.simulation`
        truth(site) -> code             the right edit, if it is known; to measure a model, no vote uses it

    `may_leave = False` says that no site may stay as it is. Then LEAVE is no answer.
    """

    def find(self, module: "libcst.Module", /) -> "Iterable[libcst.CSTNode]":
        """Return the expressions and statements of a file that are to be rewritten."""
        ...

    def prompt(self, site: Site, /) -> str:
        """Return the instructions for a site. The code and the lines around it are shown below them."""
        ...

    def check(self, site: Site, code: str, /) -> bool:
        """Say whether `code` is an edit that the rule allows, or raise `Invalid` with the reason.

        The function is called only with Python that changes the site and nothing else.
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
    from maker_graph.tasks.migrate.percent import Percent  # noqa: PLC0415  a user's rule does not need it

    return Percent()


SHIPPED_RULES: Mapping[str, Callable[[], Rule]] = {"percent": _percent}
"""The rules that come with this package."""


def rule_named(name: str) -> Rule:
    """Return the rule of this name: one that ships, or `file.py:Name` or `package.module:Name`, which is imported.

    Raises:
        UsageError: there is no such rule, or it lacks a function.
    """
    if name in SHIPPED_RULES:
        return SHIPPED_RULES[name]()
    if ":" not in name:
        ships = ", ".join(SHIPPED_RULES)
        raise UsageError(f"There is no rule {name!r}: give {ships}, or your own rule as file.py:Name or package.module:Name.")
    made: Any = imported(name, "The rule")
    if isinstance(made, type):
        try:
            made = made()
        except Exception as error:
            raise UsageError(f"The rule {name!r} cannot be made: {type(error).__name__}: {error}.") from error
    see_rule(made, name)
    return made  # type: ignore[no-any-return]  # see_rule has checked it


def see_rule(rule: object, name: str) -> None:
    """Make sure that a rule has the functions that it needs.

    Raises:
        UsageError: one is missing, or takes other arguments.
    """
    if missing := [each for each in _NEEDED if not hasattr(rule, each)]:
        raise UsageError(f"{name!r} is no rule: it has no {' and no '.join(missing)}.")
    for each, takes in _FUNCTIONS.items():
        if hasattr(rule, each):
            checks.function(f"{name}.{each}", getattr(rule, each), *takes, lazy=each in {"find", "imports"})
