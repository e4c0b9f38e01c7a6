"""Amendments: an open step is answered once, later, and what was stored is there as it was, or the damage is named."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.core.decision import Decision, answered, decide
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Machine
from maker_graph.core.red_flags import Sample, empty, named
from maker_graph.core.spending import Account, Reserved, Spent
from maker_graph.core.voting import Voting
from maker_graph.errors import DamagedRun, OlderJournal, TakenOver, UsageError
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.database import AMENDMENTS, form_of
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.journal.watermark import watermark_path
from maker_graph.tasks import Records

ROWS = [{"address": f"{number} Elm St., 10115 Berlin", "date": "3.4.24", "amount": "$5"} for number in range(1, 8)]
READER = Reader(parse=str, key=None, check=None, red_flags=named([empty]))


def decision(text: str) -> Decision:
    """Return what a vote of one sample comes to; it is open if the text is empty."""
    return decide([judge(Sample(0, text, input_tokens=9, output_tokens=3), READER)], Voting(1, max_samples=1), 1)


def by_a_person(text: str) -> Decision:
    return answered(decision(""), judge(Sample(0, text), READER))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal of six rows of seven; the second, the fourth and the fifth are open."""
    folder = tmp_path / "run"
    folder.mkdir()
    create_journal(folder / "j.db", "run")
    with closing(SqliteJournal(folder / "j.db", "run")) as journal:
        journal.claim()
        fill(journal)
    return folder / "j.db"


def fill(journal: SqliteJournal) -> None:
    machine = Machine(Records(ROWS))
    at = machine.begin()
    for text in ("one", "", "three", "", "", "six"):
        made = decision(text)
        at = machine.advance(at, made)
        journal.append([(made, at)])


@pytest.fixture(name="owner")
def fixture_owner(path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(path, "run")) as journal:
        journal.claim()
        yield journal


def opened(path: Path) -> dict[int, Decision]:
    with closing(SqliteJournal(path, "run")) as journal:
        journal.check()
        return journal.amendments()


def test_the_final_answer_of_a_step_is_that_of_its_amendment(owner: SqliteJournal, path: Path) -> None:
    owner.amend([(4, by_a_person("four")), (2, by_a_person("two"))], Spent(calls=3))
    for journal in (owner, SqliteJournal(path, "run")):
        assert [each["answer"] for each in journal.decisions()] == ["one", "two", "three", "four", None, "six"]
        assert [step for step, _ in journal.entries()] == [1, 2, 3, 4, 5, 6]
        assert {step: each["by"] for step, each in journal.amendments().items()} == {4: "person", 2: "person"}
        assert (journal.account().amended, journal.account().spent.calls) == (2, 3)
        assert [after["step"] for _, _, after in journal.replay(Machine(Records(ROWS)))] == [1, 2, 3, 4, 5, 6]
    journal.close()


def test_the_samples_of_the_open_step_still_count_after_it_was_answered(owner: SqliteJournal) -> None:
    owner.amend([(2, by_a_person("two"))])
    (amended,) = owner.amendments().values()
    assert [(vote["by"], vote["samples"]) for vote in amended["tried"]] == [("base", 1)]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(7, by_a_person("seven"))], "Step 7 .* not committed"),
        ([(1, by_a_person("one"))], "Step 1 .* not left open"),
        ([(4, by_a_person("other"))], "Step 4 .* answered already"),
        ([(2, by_a_person("two")), (2, by_a_person("two"))], "Step 2 .* answered already"),
        ([(2, decision(""))], "Step 2 stays open"),
    ],
)
def test_what_cannot_be_answered_is_refused_whole_and_its_cost_is_booked(
    owner: SqliteJournal, answers: list[tuple[int, Decision]], said: str
) -> None:
    owner.amend([(4, by_a_person("four"))])
    with pytest.raises(UsageError, match=said):
        owner.amend([(5, by_a_person("five")), *answers], Spent(calls=2))
    assert set(owner.amendments()) == {4}
    assert owner.account().spent.calls == 2


def test_who_was_taken_over_answers_nothing_and_pays_all_the_same(owner: SqliteJournal, path: Path) -> None:
    with closing(SqliteJournal(path, "run")) as later:
        later.claim()
        with pytest.raises(TakenOver):
            owner.amend([(2, by_a_person("two"))], Spent(calls=2))
        assert (later.amendments(), later.account().spent.calls) == ({}, 2)
        later.amend([(2, by_a_person("two"))])
    with closing(SqliteJournal(path, "run")) as onlooker, pytest.raises(TakenOver):
        onlooker.amend([(4, by_a_person("four"))])


def test_steps_are_appended_after_an_amendment_as_before(owner: SqliteJournal) -> None:
    owner.amend([(2, by_a_person("two"))])
    machine = Machine(Records(ROWS))
    *_, (_, _, at) = owner.replay(machine)
    made = decision("seven")
    owner.append([(made, machine.advance(at, made))])
    assert [each["answer"] for each in owner.decisions()] == ["one", "two", "three", None, None, "six", "seven"]


# ------------------------------------------------------------------------------------------------------------ damage and loss

DAMAGES: dict[str, str] = {
    "an entry": "UPDATE amendments SET entry = replace(entry, 'four', 'fuor') WHERE number = 2",
    "a hash": "UPDATE amendments SET hash = x'00' WHERE number = 2",
    "the last hash": "UPDATE amendments SET hash = 'text' WHERE number = 3",
    "the step": "UPDATE amendments SET step = 3 WHERE number = 2",
    "the first is gone": "DELETE FROM amendments WHERE number = 1",
    "one is gone": "DELETE FROM amendments WHERE number = 2",
    "the last is gone": "DELETE FROM amendments WHERE number = 3",
    "all are gone": "DELETE FROM amendments",
    "the order": "UPDATE amendments SET number = 9 WHERE number = 1; UPDATE amendments SET number = 1 WHERE number = 2; "
    "UPDATE amendments SET number = 2 WHERE number = 9",
    "one more": "INSERT INTO amendments SELECT 4, 6, entry, hash FROM amendments WHERE number = 3",
    "a transplant": "UPDATE amendments SET entry = (SELECT entry FROM amendments WHERE number = 1), hash = "
    "(SELECT hash FROM amendments WHERE number = 1) WHERE number = 2",
    "the table": "DROP TABLE amendments",
    "the form": "PRAGMA user_version = 2",
    "the step that was answered": "UPDATE steps SET hash = x'00000000000000000000000000000000' WHERE step = 4",
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


def test_no_flipped_bit_in_an_amendment_is_accepted_in_silence(owner: SqliteJournal, path: Path, tmp_path: Path) -> None:
    owner.amend([(2, by_a_person("two")), (4, by_a_person("four"))])
    owner.close()
    chance = random.Random(1)
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT number, step, entry, hash FROM amendments").fetchall()
    for number in range(60):
        folder = shutil.copytree(path.parent, tmp_path / f"flipped-{number}")
        row, column = chance.choice(rows), chance.choice(["step", "entry", "hash"])
        with closing(sqlite3.connect(folder / "j.db")) as db:
            value = row[("number", "step", "entry", "hash").index(column)]
            raw = value.to_bytes(4) if isinstance(value, int) else value.encode() if isinstance(value, str) else value
            place = chance.randrange(8 * len(raw))
            changed = bytes(byte ^ (1 << place % 8 if each == place // 8 else 0) for each, byte in enumerate(raw))
            new = (
                int.from_bytes(changed)
                if isinstance(value, int)
                else changed.decode("latin-1")
                if isinstance(value, str)
                else changed
            )
            db.execute(f"UPDATE amendments SET {column} = ? WHERE number = ?", (new, row[0]))  # noqa: S608  a fixed column
            db.commit()
        with pytest.raises(DamagedRun):
            opened(folder / "j.db")


def test_a_copy_from_before_the_answers_is_refused_and_says_what_is_missing(path: Path) -> None:
    older = shutil.copytree(path.parent, path.parent.with_name("older"))
    with closing(SqliteJournal(path, "run")) as owner:
        owner.claim()
        owner.amend([(2, by_a_person("two")), (4, by_a_person("four"))], Spent(calls=3))
    shutil.copy(older / "j.db", path)
    with pytest.raises(OlderJournal, match="later answers to 2 open steps, 3 calls"):
        SqliteJournal(path, "run")
    with closing(SqliteJournal(path, "run", accept_loss=True)) as owner:
        owner.claim()
        assert (owner.amendments(), owner.account().spent.calls) == ({}, 3)
        owner.amend([(2, by_a_person("two"))])
    assert set(opened(path)) == {2}


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


def test_a_step_is_looked_up_alone_and_the_open_ones_are_found(owner: SqliteJournal) -> None:
    assert [step for step, _ in owner.left_open()] == [2, 4, 5]
    owner.amend([(4, by_a_person("null,null,"))])
    found = dict(owner.left_open())
    assert {step: each["status"] for step, each in found.items()} == {2: "undecided", 5: "undecided"}
    assert [(each := owner.decision(step)) and each["answer"] for step in (1, 2, 4)] == ["one", None, "null,null,"]
    assert [owner.decision(step) for step in (0, -1, 7, 2**70)] == [None] * 4


@pytest.mark.parametrize("entry", [b"\xff,null,", "[,null,", ",null,"])
def test_an_open_step_that_cannot_be_read_is_named(path: Path, entry: str | bytes) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE steps SET entry = ? WHERE step = 4", (entry,))
        db.commit()
    with closing(SqliteJournal(path, "run")) as journal, pytest.raises(DamagedRun, match="step 4"):
        list(journal.left_open())
