"""The books of a journal: its owner, its end, its account and the names of its notes, as they are at one moment."""

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
    """The owner of a run, the end of its journal, its account, and the names of its notes.

    Attributes:
        version: the version of the database, as the connection that has read it counts. It changes when another connection
            commits.
        owner: the number of the last owner, from 1; 0 if there was none.
        step: the number of the last step.
        hash: the hash of that step, or the digest of the origin.
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
        """One hash over all steps and amendments."""
        return head(self.hash, self.amended)


def read_books(db: sqlite3.Connection, origin: bytes) -> Books:
    """Return the books as they are now. It must be called within a transaction.

    Raises:
        DamagedRun: something was changed since it was written.
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
        raise DamagedRun(f"The journal is damaged: its steps from {step + 1} on are missing.", step + 1)
    number, amended = end_of_amendments(db)
    if account.amended != number:
        raise DamagedRun(f"The journal is damaged: it has {number} amendments, and {account.amended} were written.")
    return Books(version, int(_read(db, origin, "owner")), step, last, amended, account, names)


def head_at(db: sqlite3.Connection, origin: bytes, steps: int, amended: int) -> bytes:
    """Return the hash that the journal had when it had so many steps and amendments. If some are missing, it is another one."""
    return head(hash_at(db, origin, steps), amendment_hash_at(db, amended))


def see_origin(db: sqlite3.Connection, origin: bytes, settings: str) -> None:
    """Make sure that a journal was begun with `settings`, whose digest is `origin`.

    Raises:
        DamagedRun: it was begun with others; the text says which of them differ.
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
    raise DamagedRun(
        f"The journal belongs to another run, or the settings were changed after it began{said}. Put the settings back, "
        "or start a new run.",
        0,
    )


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` without groups: each setting in a group goes by its own name."""
    groups = [_flat(value) for value in settings.values() if isinstance(value, dict)]
    own = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    return {name: value for group in (own, *groups) for name, value in group.items()}


def version_of(db: sqlite3.Connection) -> int:
    """Return the version of a database. It is another number after another connection has committed."""
    version: int = db.execute("PRAGMA data_version").fetchone()[0]
    return version


def _read(db: sqlite3.Connection, origin: bytes, name: str) -> str:
    value = read_note(db, origin, name)
    if value is None:
        raise DamagedRun(f"The journal is damaged: its note {name!r} is missing.")
    return value
