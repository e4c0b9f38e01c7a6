"""Later answers in a journal of SQLite: their table, and the copies of its file."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.core.decision import Decision
from maker_graph.core.spending import Account, Reserved, Spent
from maker_graph.errors import DamagedRun, OlderJournal
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.database import AMENDMENTS, form_of
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.journal.watermark import watermark_path
from tests.journal.kept import by_a_person, with_open_steps


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal of six rows of seven; the second, the fourth and the fifth are open."""
    folder = tmp_path / "run"
    folder.mkdir()
    create_journal(folder / "j.db", "run")
    with closing(SqliteJournal(folder / "j.db", "run")) as journal:
        journal.claim()
        with_open_steps(journal)
    return folder / "j.db"


@pytest.fixture(name="owner")
def fixture_owner(path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(path, "run")) as journal:
        journal.claim()
        yield journal


def opened(path: Path) -> dict[int, Decision]:
    with closing(SqliteJournal(path, "run")) as journal:
        journal.check()
        return journal.amendments()


# ------------------------------------------------------------------------------------------------------------ damage and loss

DAMAGES: dict[str, str] = {
    "a hash of another kind": "UPDATE amendments SET hash = 'text' WHERE number = 3",
    "the table": "DROP TABLE amendments",
    "the form": "PRAGMA user_version = 2",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_an_amendment_is_found(owner: SqliteJournal, path: Path, damage: str) -> None:
    owner.amend([(2, by_a_person("two")), (4, by_a_person("four"))])
    owner.amend([(5, by_a_person("five"))])
    owner.close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(DAMAGES[damage])
    with pytest.raises(DamagedRun):
        opened(path)


def test_two_copies_that_were_answered_apart_are_not_taken_for_each_other(path: Path) -> None:
    other = shutil.copytree(path.parent, path.parent.with_name("other"))
    for folder, text in ((path.parent, "two"), (other, "deux")):
        with closing(SqliteJournal(folder / "j.db", "run")) as owner:
            owner.claim()
            owner.amend([(2, by_a_person(text))])
            if folder == other:
                owner.spend(Spent(calls=1))
    shutil.copy(other / "j.db", path)
    with pytest.raises(OlderJournal, match="two copies of it"):
        SqliteJournal(path, "run")


# ----------------------------------------------------------------------------------------------------------------- older forms


def to_form(path: Path, form: int) -> None:
    """Make the journal one that was written before there were amendments."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"DROP TABLE amendments; PRAGMA user_version = {form}")


def test_a_journal_without_the_table_is_read_and_gets_it_when_somebody_goes_on(path: Path) -> None:
    to_form(path, 2)
    with closing(SqliteJournal(path, "run")) as journal:
        assert (journal.amendments(), len(list(journal.decisions()))) == ({}, 6)
        assert form_of(journal._db) == 2
        journal.claim()
        assert form_of(journal._db) == 3
        journal.amend([(2, by_a_person("two"))])
    assert set(opened(path)) == {2}


def test_a_crash_while_the_table_is_made_leaves_the_form_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_form(path, 2)

    def crash(name: str, _: str) -> None:
        if name == "account":  # it is written last
            raise KeyboardInterrupt

    with closing(SqliteJournal(path, "run")) as journal:
        monkeypatch.setattr(journal, "_write", crash)
        with pytest.raises(KeyboardInterrupt):
            journal.claim()
    with closing(sqlite3.connect(path)) as db:
        assert form_of(db) == 2
        assert AMENDMENTS not in {sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema")}
    with closing(SqliteJournal(path, "run")) as journal:
        journal.claim()


def test_what_is_stored_of_a_journal_without_amendments_is_as_it_was() -> None:
    assert Account(4, serial=9).parts() == [4, list(Spent()), list(Reserved()), list(Reserved()), 9]
    assert Account.of(Account(4, serial=9, amended=2).parts()) == Account(4, serial=9, amended=2)
    assert watermark_path(Path("a/journal.db")) == Path("a/journal.watermark")


@pytest.mark.parametrize("entry", [b"\xff,null,", "[,null,", ",null,"])
def test_an_open_step_that_cannot_be_read_is_named(path: Path, entry: str | bytes) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE steps SET entry = ? WHERE step = 4", (entry,))
        db.commit()
    with closing(SqliteJournal(path, "run")) as journal, pytest.raises(DamagedRun, match="step 4"):
        list(journal.left_open())
