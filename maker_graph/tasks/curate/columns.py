"""The names of columns: all must be there, and must be different enough to be told apart."""

from collections.abc import Iterable, Sequence
from unicodedata import normalize

from maker_graph.core.characters import visible, without_unseen
from maker_graph.errors import UsageError


def see_header(columns: Sequence[str], name: str) -> None:
    """Make sure that each column of the table `name` has its own name.

    Raises:
        UsageError: a column has no name, or two names cannot be told apart.
    """
    if nameless := [number for number, column in enumerate(columns, start=1) if not folded(column)]:
        raise UsageError(f"{name}: column {nameless[0]} of the header has no name. Give it one, or take the column out.")
    if same := alike(columns):
        raise UsageError(f"{name} has columns that cannot be told apart: {named(same)}. Rename one of them.")
    if len(columns) == 1 and (separator := next((each for each in ";\t" if each in columns[0]), None)):
        what = "semicolons" if separator == ";" else "tabs"
        raise UsageError(f"{name}: the header is separated by {what}. Save the table with commas.")


def alike(columns: Iterable[str]) -> list[str]:
    """Return the names that cannot be told from another one among `columns`, as `folded` says."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(folded(column), []).append(column)
    return [column for group in groups.values() if len(group) > 1 for column in group]


def folded(column: str) -> str:
    """Return a name without differences that are hard to see: case, blanks, encoding of letters, unseen characters."""
    return " ".join(without_unseen(normalize("NFC", column)).casefold().split())


def named(columns: Iterable[str]) -> str:
    """Return names in quotes, for a message."""
    return ", ".join(f"'{visible(column)}'" for column in columns)
