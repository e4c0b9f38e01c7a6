"""The journal in SQLite, beyond what every journal promises: its files, their copies, and what is put in their place."""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.machine import Machine
from maker_graph.core.spending import Account, Reserved, Spent
from maker_graph.errors import DamagedRun, LimitReached, LostJournal, OlderJournal
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.tasks import Hanoi
from tests.journal.kept import MOVES, decision, filled, following, replayed

Open = Callable[..., SqliteJournal]


@pytest.fixture(name="open_")
def fixture_open() -> Iterator[Open]:
    """Return what opens a journal; all are closed at the end of the test."""
    with ExitStack() as stack:

        def open_(path: Path, origin: str = "run", *, claim: bool = True) -> SqliteJournal:
            if not path.exists():
                create_journal(path, origin)
            journal = stack.enter_context(closing(SqliteJournal(path, origin)))
            if claim:
                journal.claim()
            return journal

        yield open_


def test_steps_cut_off_at_the_end_are_missed(open_: Open, tmp_path: Path) -> None:
    filled(open_(tmp_path / "j.db"))[0].close()
    with closing(sqlite3.connect(tmp_path / "j.db")) as db:
        db.execute("DELETE FROM steps WHERE step = 4")
        db.commit()
    with pytest.raises(DamagedRun, match="from 4"):
        open_(tmp_path / "j.db")


@pytest.mark.parametrize("name", ["account", "owner", "price"])
def test_a_note_that_is_not_what_was_written_is_damage(open_: Open, tmp_path: Path, name: str) -> None:
    journal, _ = filled(open_(tmp_path / "j.db"))
    journal.set_note("price", "1,2")
    journal.close()
    with closing(sqlite3.connect(tmp_path / "j.db")) as db:
        db.execute("UPDATE notes SET value = replace(replace(value, '1', '0'), '4', '3') WHERE name = ?", (name,))
        db.commit()
    with pytest.raises(DamagedRun, match="damaged"):
        open_(tmp_path / "j.db").note(name)


# -------------------------------------------------------------------------- a journal that is no longer the one on the disk


def _replaced(path: Path) -> None:
    shutil.copy2(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


def _restored(path: Path) -> None:
    """Put a directory back from a copy, as a backup does: all files are others, with the same content."""
    shutil.copytree(path.parent, path.parent.with_name("backup"))
    shutil.rmtree(path.parent)
    path.parent.with_name("backup").rename(path.parent)


LOSSES: dict[str, Callable[[Path], Any]] = {
    "the directory is deleted": lambda path: shutil.rmtree(path.parent),
    "it is moved": lambda path: path.parent.rename(path.parent.with_name("moved")),
    "it is put back": _restored,
    "the database is deleted": Path.unlink,
    "it is replaced": _replaced,
    "its log is deleted": lambda path: path.with_name("j.db-wal").unlink(),
    "its log is replaced": lambda path: _replaced(path.with_name("j.db-wal")),
    "its shared memory is deleted": lambda path: path.with_name("j.db-shm").unlink(),
    "the high-water mark is deleted": lambda path: path.with_name("j.watermark").unlink(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_an_owner_whose_journal_is_lost_stops_before_its_next_call(open_: Open, tmp_path: Path, loss: str) -> None:
    (tmp_path / "r").mkdir()
    journal, at = filled(open_(tmp_path / "r" / "j.db"))
    journal.owned()
    LOSSES[loss](tmp_path / "r" / "j.db")
    for _ in range(2):
        with pytest.raises(LostJournal, match="after step 4"):
            journal.owned()
    with pytest.raises(LostJournal):
        journal.append(following(at), Spent(cost=1.0))
    with pytest.raises(LostJournal):
        journal.spend(Spent(cost=1.0))
    with pytest.raises(LostJournal):
        journal.claim()


@pytest.mark.parametrize(
    ("names", "checkpoints"),
    [(["j.db", "j.db-wal", "j.db-shm", "j.watermark"], False), (["j.db"], True), (["j.db-wal"], False)],
)
def test_an_older_copy_that_is_written_over_the_open_files_stops_the_owner(
    open_: Open, tmp_path: Path, names: list[str], *, checkpoints: bool
) -> None:
    (tmp_path / "r").mkdir()
    journal = open_(tmp_path / "r" / "j.db")
    machine = Machine(Hanoi(3))
    at = machine.begin()
    for number, text in enumerate(MOVES):
        if number == 2:
            shutil.copytree(tmp_path / "r", tmp_path / "old")
        made = decision(text)
        at = machine.advance(at, made)
        journal.append([(made, at)])
        if checkpoints:
            journal._db.execute("PRAGMA wal_checkpoint")  # as it happens by itself every thousand pages
            journal._files.know()
    time.sleep(0.01)  # a file system tells the time of a change to a few milliseconds
    for name in names:
        shutil.copyfile(tmp_path / "old" / name, tmp_path / "r" / name)
    with pytest.raises(DamagedRun):
        journal.owned()
    with pytest.raises(DamagedRun):
        journal.append(following(at))


def test_an_older_log_over_one_that_was_read_to_its_end_does_no_harm_after_a_kill(open_: Open, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    journal = open_(tmp_path / "r" / "j.db")
    older = (tmp_path / "r" / "j.db-wal").read_bytes()
    filled(journal)
    journal._db.execute("PRAGMA wal_checkpoint")  # all of the log is in the database: nobody reads it any more
    journal._files.know()
    time.sleep(0.01)
    (tmp_path / "r" / "j.db-wal").write_bytes(older)
    journal.owned()
    killed = shutil.copytree(tmp_path / "r", tmp_path / "killed", ignore=shutil.ignore_patterns("*-shm"))
    assert len(replayed(open_(killed / "j.db"))) == 4


def test_what_another_process_commits_is_no_loss(open_: Open, tmp_path: Path) -> None:
    journal, at = filled(open_(tmp_path / "j.db"))
    onlooker = open_(tmp_path / "j.db", claim=False)
    onlooker.set_note("verified", "yes")
    journal.owned()
    journal.append(following(at))
    onlooker.close()
    journal.owned()
    assert journal.note("verified") == "yes"


def test_files_that_were_only_touched_are_no_loss(open_: Open, tmp_path: Path) -> None:
    journal, at = filled(open_(tmp_path / "j.db"))
    for path in tmp_path.iterdir():
        path.touch()
    journal.owned()
    journal.append(following(at))


# ------------------------------------------------------------------------------------------ a journal that is an older copy


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "state" / "w.watermark"


def owned(path: Path, witness: Path | None = None, *, accept_loss: bool = False) -> SqliteJournal:
    if not path.exists():
        create_journal(path, "run")
    journal = SqliteJournal(path, "run", witness=witness, accept_loss=accept_loss)
    journal.claim()
    return journal


def spent_on(journal: SqliteJournal) -> Account:
    """Commit the four steps with what they cost, and leave something reserved; return the account."""
    machine = Machine(Hanoi(3))
    at = machine.begin()
    for text in MOVES:
        made = decision(text)
        at = machine.advance(at, made)
        journal.append([(made, at)], Spent(cost=1.0, calls=3), Reserved(0.5, 2))
    return journal.account()


def copied(folder: Path, name: str) -> Path:
    """Return a copy of a directory as a kill leaves it."""
    return shutil.copytree(folder, folder.with_name(name))


def put_back(old: Path, new: Path, *names: str) -> None:
    """Put files of an older copy in the place of the newer ones; without names all of them."""
    for name in names or {path.name for path in (*old.iterdir(), *new.iterdir())}:
        (new / name).unlink(missing_ok=True)
        if (old / name).exists():
            shutil.copy(old / name, new / name)


def test_an_owner_that_begins_on_a_log_that_another_was_copied_over_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    log = tmp_path / "r" / "j.db-wal"
    with closing(owned(tmp_path / "r" / "j.db")) as before:
        before.spend(Spent(calls=1))
        older = log.read_bytes()
    with closing(owned(tmp_path / "r" / "j.db")) as asleep:  # its index of the log is what others read the log by
        asleep.spend(Spent(calls=1))
        log.write_bytes(older)
        with closing(SqliteJournal(tmp_path / "r" / "j.db", "run", accept_loss=True)) as journal:
            journal.claim()
            journal.owned()
            killed = shutil.copytree(tmp_path / "r", tmp_path / "killed", ignore=shutil.ignore_patterns("*-shm"))
            with closing(SqliteJournal(killed / "j.db", "run")) as after:
                assert (after.owners(), after.account()) == (journal.epoch, journal.account())


def test_a_log_that_somebody_reads_hinders_no_owner_and_is_emptied_before_a_later_call(open_: Open, tmp_path: Path) -> None:
    filled(open_(tmp_path / "j.db"))
    with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM steps").fetchone()
        journal = open_(tmp_path / "j.db")
        journal.owned()
        assert (tmp_path / "j.db-wal").stat().st_size
    journal.owned()
    assert not (tmp_path / "j.db-wal").stat().st_size


@pytest.mark.parametrize("what", ["the journal", "its log deleted", "all of the directory"])
def test_an_older_journal_is_refused_and_accepted_with_all_that_was_spent(tmp_path: Path, witness: Path, what: str) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    with closing(owned(folder / "j.db", witness)) as journal:
        old = copied(folder, "old")
        account = spent_on(journal)
        killed = copied(folder, "killed")
    put_back(killed, folder)
    match what:
        case "the journal":
            put_back(old, folder, "j.db", "j.db-wal", "j.db-shm")
        case "its log deleted":
            (folder / "j.db-wal").unlink()
        case _:
            put_back(old, folder)
    with pytest.raises(OlderJournal, match=r"steps 1 to 4, 12 calls, \$4\.0000\. .*--accept-loss"):
        SqliteJournal(folder / "j.db", "run", witness=witness)
    with closing(owned(folder / "j.db", witness, accept_loss=True)) as journal:
        assert journal.step == 0
        assert journal.account().spent == account.spent
        assert journal.account().unsettled == Reserved(0.5, 2)
        assert journal.owners() == 2
        spent_on(journal)
    with closing(SqliteJournal(folder / "j.db", "run", witness=witness)) as journal:
        assert (journal.step, journal.account().spent.calls) == (4, 24), "once accepted, it is the run"


def test_a_journal_without_its_mark_can_be_looked_at_and_must_be_accepted(tmp_path: Path) -> None:
    with closing(owned(tmp_path / "j.db")) as journal:
        spent_on(journal)
    (tmp_path / "j.watermark").unlink()
    with closing(SqliteJournal(tmp_path / "j.db", "run")) as journal:
        assert journal.step == 4
        with pytest.raises(OlderJournal, match="nobody can tell"):
            journal.claim()
    owned(tmp_path / "j.db", accept_loss=True).close()
    owned(tmp_path / "j.db").close()


def test_a_state_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with closing(owned(tmp_path / "j.db", tmp_path / "state" / "maker-graph" / "w.watermark")) as journal:
        spent_on(journal)
        journal.owned()


def test_a_mark_that_cannot_be_written_stops_the_run_before_its_next_call(tmp_path: Path) -> None:
    with closing(owned(tmp_path / "j.db")) as journal:
        spent_on(journal)
        file = journal._marks._files[0]._file
        assert file is not None
        os.close(file)  # as a disk that fails
        journal.spend(Spent(calls=1))  # it is committed
        with pytest.raises(LimitReached, match="watermark cannot be written"):
            journal.owned()
        journal._marks._files[0]._file = None
        journal.claim()
        journal.owned()
        assert journal.account().spent.calls == 13


# --------------------------------------------------------------------------------------------------------------------- damage


def test_a_file_that_is_no_journal_is_refused(open_: Open, tmp_path: Path) -> None:
    (tmp_path / "j.db").write_bytes(b"not a database, but long enough to look like one" * 99)
    with pytest.raises(DamagedRun, match="cannot be read"):
        open_(tmp_path / "j.db")


def test_flipped_bits_are_never_accepted_in_silence(open_: Open, tmp_path: Path) -> None:
    journal, at = filled(open_(tmp_path / "j.db"))
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    whole, chance = (tmp_path / "j.db").read_bytes(), random.Random(5)
    for number in range(150):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{number}.db"
        path.write_bytes(damaged)
        try:
            opened = open_(path)
        except DamagedRun:
            continue
        with suppress(DamagedRun):
            assert replayed(opened)[-1:] == [at]
