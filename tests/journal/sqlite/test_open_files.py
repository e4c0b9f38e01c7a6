"""What becomes of open files is seen by their names."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph.journal.sqlite.open_files import Found, OpenFiles

NAMES = ("j.db", "j.db-wal", "j.db-shm", "j.watermark")


@pytest.fixture
def files(tmp_path: Path) -> OpenFiles:
    for name in NAMES:
        (tmp_path / name).write_text(name)
    files = OpenFiles(tmp_path / "j.db")
    assert files.opened() is Found.SAME
    files.add(tmp_path / "j.watermark")
    return files


def _replace(path: Path) -> None:
    shutil.copy2(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", [Path.unlink, _replace, lambda path: path.rename(path.with_suffix(".old"))])
def test_a_file_that_is_deleted_replaced_or_moved_is_gone(
    files: OpenFiles, tmp_path: Path, name: str, how: Callable[[Path], None]
) -> None:
    how(tmp_path / name)
    assert files.look() is Found.GONE
    assert files.know() is Found.GONE
    assert files.look() is Found.GONE, "it does not become the right one by being looked at"


def test_files_in_a_directory_that_was_moved_are_gone(files: OpenFiles, tmp_path: Path) -> None:
    tmp_path.rename(tmp_path.with_name("moved"))
    assert files.look() is Found.GONE


@pytest.mark.parametrize("name", ["j.db", "j.db-wal"])
def test_what_is_copied_over_the_database_or_its_log_is_seen_until_it_is_known(
    files: OpenFiles, tmp_path: Path, name: str
) -> None:
    now = (tmp_path / name).stat()
    (tmp_path / name).write_text("x" * now.st_size)
    os.utime(tmp_path / name, ns=(now.st_atime_ns, now.st_mtime_ns + 1))
    assert files.look() is Found.WRITTEN
    assert files.know() is Found.WRITTEN
    assert files.look() is Found.SAME


def test_what_is_written_in_passing_is_no_matter(files: OpenFiles, tmp_path: Path) -> None:
    for name in NAMES[2:]:
        (tmp_path / name).write_text("more of it")
    assert files.look() is Found.SAME


def test_a_name_that_is_given_to_another_file_while_it_is_opened_is_seen(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_text(name)
    files = OpenFiles(tmp_path / "j.db")
    _replace(tmp_path / "j.db")
    assert files.opened() is Found.GONE


def test_the_process_may_change_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    files = OpenFiles(Path("j.db"))
    files.opened()
    files.add(Path("j.watermark"))
    monkeypatch.chdir("/")
    assert files.look() is Found.SAME
