"""What the database of a journal says at one moment, beside its steps."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from maker_graph.core.spending import Account
from maker_graph.errors import DamagedRun
from maker_graph.journal.chain import head
from maker_graph.journal.sqlite.amendments import amendment_hash_at, end_of_amendments
from maker_graph.journal.sqlite.database import form_of
from maker_graph.journal.sqlite.steps import end_of, hash_at, read_note


@dataclass(slots=True)
class Books:
    """Who owns a run, where its journal ends, its account, and which notes there are.

    Attributes:
        version: of the database, as the connection counts it that has read it; it changes when another one commits.
        owner: the last owner, counted from 1; 0 if there was none.
        step: the last step.
        hash: of that step, or of the origin.
        amended: the hash of the last amendment; None if there is none.
        account: the account.
        notes: the names of all notes.
    """

    version: int
    owner: int
    step: int
    hash: bytes
    amended: bytes | None
    account: Account
    notes: frozenset[str]

    @property
    def head(self) -> bytes:
        """What stands for all steps and amendments."""
        return head(self.hash, self.amended)


def read_books(db: sqlite3.Connection, origin: bytes) -> Books:
    """Return what the database says now; to be called within a transaction.

    Raises:
        DamagedRun: it was changed since it was written.
    """
    version = version_of(db)
    names = frozenset(name for (name,) in db.execute("SELECT name FROM notes"))
    if names != frozenset(json.loads(_read(db, origin, "names"))):  # a damaged name may be of any type
        raise DamagedRun("The journal is damaged: a note is missing.")
    account = Account.of(json.loads(_read(db, origin, "account")))
    if bool(account.serial) != (form_of(db) != 0):
        raise DamagedRun("The journal is damaged: its account has another form than its tables.")
    step, last = end_of(db, origin)
    if account.steps != step:
        raise DamagedRun(f"The journal is damaged: its last steps are missing, from {step + 1}.", step + 1)
    number, amended = end_of_amendments(db)
    if account.amended != number:
        raise DamagedRun(f"The journal is damaged: it has {number} amendments, and {account.amended} were written.")
    return Books(version, int(_read(db, origin, "owner")), step, last, amended, account, names)


def head_at(db: sqlite3.Connection, origin: bytes, steps: int, amended: int) -> bytes:
    """Return what stood for the journal when it had so many steps and amendments; something else if some are missing."""
    return head(hash_at(db, origin, steps), amendment_hash_at(db, amended))


def see_origin(db: sqlite3.Connection, origin: bytes, settings: str) -> None:
    """See that a journal was begun with `settings`, whose digest is `origin`.

    Raises:
        DamagedRun: it was not; the text says which of them differ.
    """
    began = _read(db, origin, "origin")
    if began == settings:
        return
    try:
        before, now = _flat(json.loads(began)), _flat(json.loads(settings))
        differ = [
            f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
    except (ValueError, AttributeError):
        differ = []
    said = f" ({'; '.join(differ)})" if differ else ""
    raise DamagedRun(f"The journal belongs to another run, or the settings were changed after it began{said}.", 0)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` in one row, those of a group by their own names."""
    groups = [_flat(value) for value in settings.values() if isinstance(value, dict)]
    own = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    return {name: value for group in (own, *groups) for name, value in group.items()}


def version_of(db: sqlite3.Connection) -> int:
    """Return the version of a database: another number if another connection has committed since."""
    version: int = db.execute("PRAGMA data_version").fetchone()[0]
    return version


def _read(db: sqlite3.Connection, origin: bytes, name: str) -> str:
    value = read_note(db, origin, name)
    if value is None:
        raise DamagedRun(f"The journal is damaged: its note {name!r} is missing.")
    return value
