"""Which files a run has written: kept in its journal, in doubt at no moment."""

import hashlib
from pathlib import Path

import pytest

from maker_graph.errors import DamagedRun, LimitReached, UsageError
from maker_graph.files import OwnFiles
from maker_graph.run.own_files import note_of, own_files
from tests.disks import full_disk
from tests.made import created
from tests.survival.harness import settings_of


def test_what_a_run_has_written_is_known_to_its_next_session_and_no_longer_when_it_was_changed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with created(tmp_path / "r", settings_of()) as run:
        own_files(run.journal).write({out: b"one"})
        own_files(run.journal).write({out: b"two"})
        out.write_bytes(b"mine")
        with pytest.raises(UsageError, match=r"out was changed since this run wrote it: .*--force"):
            own_files(run.journal).write({out: b"three"})
        own_files(run.journal).see(out, force=True)
        assert out.read_bytes() == b"mine"
        own_files(run.journal).write({out: b"three"})
        out.write_bytes(b"mine again")
        with pytest.raises(UsageError, match="was changed"):
            own_files(run.journal).see(out)


def test_what_is_to_be_written_is_known_before_it_is_and_a_kill_leaves_no_file_in_doubt(tmp_path: Path) -> None:
    kept: list[dict[str, list[str]]] = []
    out = tmp_path / "out"
    own = OwnFiles(keep=lambda known: kept.append({"there": [out.read_text()] if out.exists() else []} | known))
    own.write({out: b"one"})
    own.write({out: b"two"})
    one, two = (hashlib.sha256(each).hexdigest() for each in (b"one", b"two"))
    assert [each["there"] for each in kept] == [[], ["one"], ["two"]]
    assert [each[str(out)] for each in kept] == [[one], [one, two], [two]]


def test_what_stands_there_already_is_left_as_it_is_whoever_wrote_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"same")
    before = out.stat()
    OwnFiles(keep=lambda _: pytest.fail("nothing is new")).write({out: b"same"})
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_of_several_files_none_is_written_where_one_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(UsageError, match="b is there already"):
        OwnFiles().write({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_only_what_is_the_runs_own_is_removed(tmp_path: Path) -> None:
    own = OwnFiles()
    own.write({tmp_path / "own": b"1"})
    (tmp_path / "mine").write_text("mine")
    own.write({tmp_path / "own": None, tmp_path / "mine": None, tmp_path / "none": None})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_without_room_nothing_is_lost_and_the_run_says_so(tmp_path: Path) -> None:
    own = OwnFiles()
    own.write({tmp_path / "out": b"old"})
    with full_disk(2), pytest.raises(LimitReached, match="make room"):
        own.write({tmp_path / "out": b"new and longer"})
    assert (tmp_path / "out").read_bytes() == b"old"
    own.write({tmp_path / "out": b"new and longer"})


@pytest.mark.parametrize("note", ["[]", "{", '{"a": 1}', "null"])
def test_a_note_that_is_none_is_damage(tmp_path: Path, note: str) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        (name,) = note_of({})
        run.journal.set_note(name, note)
        with pytest.raises(DamagedRun, match="list of files"):
            own_files(run.journal)
