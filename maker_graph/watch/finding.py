"""Finding the runs to watch: those that the user names, or all runs in a folder or in a database of journals."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from maker_graph.errors import MakerError
from maker_graph.run.directory import Directory
from maker_graph.run.home import Home
from maker_graph.watch.following import Seen
from maker_graph.watch.hub import MOST_RUNS, Finding, Found

Finder: TypeAlias = Callable[[], Finding]
"""Returns the runs to watch now. It is called at each look."""


def named(homes: Sequence[Home]) -> Finder:
    """Return a finder of these runs."""
    finding = Finding([Found(home) for home in homes])
    return lambda: finding


def in_folder(folder: Path) -> Finder:
    """Return a finder of all runs in the directories of a folder. The last changed run comes first."""

    def find() -> Finding:
        found = []
        for path in folder.glob("*/settings.json"):
            try:
                found.append((path.with_name("journal.db").stat().st_mtime, path.parent.absolute()))
            except OSError:
                continue
        return Finding([Found(Directory(directory)) for _, directory in sorted(found, reverse=True)])

    return find


class InJournal:
    """A finder of all runs in a database of journals, with one query. The run that was heard of last comes first.

    While the database cannot be reached, it returns the runs that were there, each with why it cannot be reached.
    """

    def __init__(self, address: str) -> None:
        """Find runs in the database at this address; the database is not asked yet.

        Raises:
            UsageError: it is not an address, or the extra `postgres` is not installed.
        """
        from maker_graph.journal.postgres.connection import StandingConnection  # noqa: PLC0415  an extra

        self.connection = StandingConnection(address)
        self._last = Finding([])

    def __call__(self) -> Finding:
        """Return the runs that are in the database now."""
        from maker_graph.journal.postgres import schema  # noqa: PLC0415
        from maker_graph.run.remote import Remote, newest  # noqa: PLC0415

        try:
            found = newest(self.connection, MOST_RUNS)
            ((number,),) = self.connection.rows(schema.HOW_MANY)
        except MakerError as error:
            return self._last._replace(runs=[Found(each.home, Seen(away=str(error))) for each in self._last.runs])
        runs = [Found(Remote(name, self.connection), Seen(stamp)) for name, stamp in found]
        self._last = Finding(runs, max(0, number - len(runs)))
        return self._last
