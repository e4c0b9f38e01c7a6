"""Where the file of a journal is made."""

from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.core.spending import Account
from maker_graph.errors import DamagedRun
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal


def test_a_new_journal_is_empty_has_its_first_notes_and_a_mark(tmp_path: Path) -> None:
    create_journal(tmp_path / "j.db", "run", {"price": "1,2"})
    with closing(SqliteJournal(tmp_path / "j.db", "run")) as journal:
        assert (journal.step, journal.owners(), journal.note("price")) == (0, 0, "1,2")
        assert journal.account() == Account(serial=1)
        journal.claim()
    assert (tmp_path / "j.watermark").exists()


def test_a_journal_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    create_journal(tmp_path / "j.db", "run")
    before = (tmp_path / "j.db").read_bytes()
    with pytest.raises(DamagedRun):
        create_journal(tmp_path / "j.db", "another")
    assert (tmp_path / "j.db").read_bytes() == before
