"""What a resume takes over."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from maker_graph import UnusableRun, UsageError
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.run.options import RunOptions, kept_options


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    create_journal(tmp_path / "journal.db", "{}")
    with closing(SqliteJournal(tmp_path / "journal.db", "{}")) as made:
        yield made


def test_they_are_kept_and_read_back(journal: SqliteJournal, tmp_path: Path) -> None:
    assert kept_options(journal) == RunOptions()
    options = RunOptions.of(max_cost=2.5, max_calls=7, lookahead="auto", price=".4,1.6", out=tmp_path / "o.csv")
    options.keep(journal)
    assert kept_options(journal) == options


def test_what_is_not_said_again_stays(journal: SqliteJournal) -> None:
    RunOptions.of(max_cost=2.5, lookahead=4).keep(journal)
    changed = kept_options(journal).updated(max_cost=3.0, lookahead=None)
    assert (changed.max_cost, changed.lookahead) == (3.0, 4)


def test_the_notes_of_0_1_0_are_read(journal: SqliteJournal) -> None:
    for name, value in {"max_cost": "2.5", "max_calls": "7", "lookahead": "8", "out": "rows.csv", "price": ".4,1.6"}.items():
        journal.set_note(name, value)
    expected = RunOptions.of(max_cost=2.5, max_calls=7, lookahead=8, out=Path("rows.csv"), price=".4,1.6")
    assert kept_options(journal) == expected


def test_a_default_of_the_first_form_is_the_default_of_this_one(journal: SqliteJournal) -> None:
    for wide, expected in ((1, None), (8, 8)):
        journal.set_note("options", f'{{"version": 1, "lookahead": {wide}, "max_calls": 7}}')
        assert kept_options(journal) == RunOptions.of(max_calls=7, lookahead=expected)


def test_a_newer_form_is_one_clear_sentence(journal: SqliteJournal) -> None:
    journal.set_note("options", '{"version": 3, "more": true}')
    with pytest.raises(UnusableRun, match="newer maker_graph"):
        kept_options(journal)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_cost": -1},
        {"max_calls": 1.5},
        {"max_steps": 0},
        {"lookahead": 0},
        {"lookahead": "wide"},
        {"lookahead": True},
        {"max_samples": 0},
    ],
)
def test_a_value_that_cannot_be_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RunOptions.of(**wrong)
