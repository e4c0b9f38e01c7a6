"""What a journal's database says at one moment: whole, or what is missing is said."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.core.canonical import canonical
from maker_graph.errors import DamagedRun
from maker_graph.journal.chain import origin_digest
from maker_graph.journal.sqlite.books import read_books, see_origin, version_of
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal
from tests.journal.kept import filled

SETTINGS = canonical({"k": 3, "model": {"name": "m", "seed": 1}})
ORIGIN = origin_digest(SETTINGS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal with four steps, of the second owner."""
    path = tmp_path / "journal.db"
    create_journal(path, SETTINGS)
    for owner in (1, 2):
        with closing(SqliteJournal(path, SETTINGS)) as journal:
            journal.claim()
            if owner == 2:
                filled(journal)
    return path


def test_the_books_say_owner_end_and_account(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        books = read_books(db, ORIGIN)
    assert (books.owner, books.step, books.account.steps) == (2, 4, 4)
    assert {"owner", "account", "origin", "names"} <= books.notes
    assert books.account.serial > 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM notes WHERE name = 'owner'", "a note is missing"),
        ("INSERT INTO notes VALUES ('more', '1', x'00')", "a note is missing"),
        ("DELETE FROM notes WHERE name = 'names'", "'names' is missing"),
        ("DELETE FROM steps WHERE step = 4", "its steps from 4 on are missing"),
        ("UPDATE notes SET value = '3' WHERE name = 'owner'", "'owner' was changed since it was written"),
    ],
)
def test_what_does_not_fit_together_is_damage(path: Path, damage: str, said: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(damage)
        with pytest.raises(DamagedRun, match=said):
            read_books(db, ORIGIN)


def test_settings_that_changed_are_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        see_origin(db, ORIGIN, SETTINGS)
        with pytest.raises(DamagedRun, match="k was 3 and is 4; seed was 1 and is 2"):
            see_origin(db, ORIGIN, canonical({"k": 4, "model": {"name": "m", "seed": 2}}))
        with pytest.raises(DamagedRun, match="belongs to another run"):
            see_origin(db, ORIGIN, "no settings")


def test_the_version_changes_when_another_connection_commits(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(path)) as other:
        before = version_of(db)
        assert version_of(db) == before
        other.execute("CREATE TABLE more (x)")
        other.commit()
        assert version_of(db) != before
