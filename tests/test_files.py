"""Files are there whole or not at all, with the right mode, and only where a regular file may be."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.files import PRIVATE, destination, replacing, write_whole
from tests.disks import full_disk


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_text_is_utf_8_with_its_line_ends_as_they_are_and_bytes_are_bytes(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "text", "zürich\r\n\n").read_bytes() == b"z\xc3\xbcrich\r\n\n"
    assert write_whole(tmp_path / "bytes", b"\x89PNG\r\n").read_bytes() == b"\x89PNG\r\n"


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    code = "import sys, pathlib, maker_graph.files as files; files.write_whole(pathlib.Path(sys.argv[1]), 'z\\u00fcrich')"
    env = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "text")], env=env, check=True)
    assert (tmp_path / "text").read_bytes() == b"z\xc3\xbcrich"


def test_a_new_file_has_the_mode_that_the_process_gives_to_files_or_is_private(tmp_path: Path) -> None:
    with umask(0o027):
        assert mode_of(write_whole(tmp_path / "new", "")) == 0o640
    with umask(0):
        assert mode_of(write_whole(tmp_path / "private", "", private=True)) == PRIVATE


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kept"
    path.touch()
    path.chmod(mode)
    with umask(0o077):
        assert mode_of(write_whole(path, "new")) == mode


def test_nobody_else_can_open_a_private_file_from_its_first_moment_on(tmp_path: Path) -> None:
    modes: set[int] = set()

    def look(*_: object) -> None:
        with suppress(FileNotFoundError):
            modes.update(stat.S_IMODE(each.stat().st_mode) for each in os.scandir(tmp_path))

    with umask(0):
        sys.setprofile(look)  # at every call and return
        try:
            write_whole(tmp_path / "private", "secret", private=True)
        finally:
            sys.setprofile(None)
    assert modes == {PRIVATE}


def test_until_the_end_the_old_file_stands_and_when_the_block_raises_it_stays(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "kept", "old")
    with replacing(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"

    def interrupted() -> None:
        with replacing(path) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_on_a_full_disk_nothing_changes_and_nothing_is_left(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "kept", "old")
    with full_disk(100), pytest.raises(OSError, match=r"."):
        write_whole(path, "x" * 1_000_000)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_content_is_on_the_disk_before_the_file_has_its_name_and_then_the_name_is(tmp_path: Path) -> None:
    calls: list[str] = []
    sys.setprofile(lambda _, event, called: calls.append(called.__name__) if event == "c_call" else None)
    try:
        write_whole(tmp_path / "file", "new")
    finally:
        sys.setprofile(None)
    assert [name for name in calls if name in {"fsync", "replace", "rename"}] == ["fsync", "replace", "fsync"]


def test_a_link_stays_and_the_file_that_it_points_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "target"
    target.write_text("old")
    target.chmod(0o640)
    chain, link = tmp_path / "chain", tmp_path / "link"
    chain.symlink_to("far/target")
    link.symlink_to("chain")
    write_whole(link, "new")
    assert (chain.is_symlink(), link.is_symlink(), target.is_symlink()) == (True, True, False)
    assert (target.read_text(), mode_of(target)) == ("new", 0o640)
    assert destination(link) == target.resolve()
    assert len(list(tmp_path.rglob("*"))) == 4


def test_a_link_to_nothing_yet_gets_its_file(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    write_whole(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def folder(path: Path) -> None:
    path.mkdir()


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


def null(path: Path) -> None:
    path.symlink_to("/dev/null")


def terminal(path: Path) -> None:
    path.symlink_to("/dev/ptmx")


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    ("make", "kind"),
    [(folder, "a folder"), (os.mkfifo, "a pipe"), (unix_socket, "a socket"), (null, "a device"), (terminal, "a device")],
)
def test_what_is_no_regular_file_is_refused_by_name_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str, *, linked: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    make(tmp_path / "odd")
    path = tmp_path / "odd"
    if linked:
        path = tmp_path / "link"
        path.symlink_to("odd")
    before = path.stat()
    calls: list[Callable[[], Path]] = [lambda: destination(path), lambda: write_whole(path, "new", private=True)]
    for call in calls:
        with pytest.raises(UsageError, match=rf"{path.name} is {kind} .* give the name of a regular file"):
            call()
    after = path.stat()
    assert (after.st_mode, after.st_ino, after.st_rdev) == (before.st_mode, before.st_ino, before.st_rdev)
    assert {each.name for each in tmp_path.iterdir()} == ({"odd", "link"} if linked else {"odd"})


def test_the_standard_output_is_refused_where_it_is_a_pipe(tmp_path: Path) -> None:
    code = "import pathlib, maker_graph.files as files; files.write_whole(pathlib.Path('/dev/stdout'), 'new')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "/dev/stdout is a pipe" in done.stderr


def test_what_cannot_be_looked_at_or_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    write_whole(tmp_path / "file", "")
    for path in (tmp_path / "loop", tmp_path / "file" / "inside", tmp_path / "none" / "inside", tmp_path / ("x" * 300)):
        with pytest.raises(OSError, match=r"."):
            write_whole(path, "new")
    assert {each.name for each in tmp_path.iterdir()} == {"loop", "file"}


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    assert write_whole(tmp_path / ("ü" * 127), "new").read_text() == "new"


def test_two_writers_at_once_leave_one_of_the_two_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        first.write("first " * 1000)
        second.write("second " * 1000)
    assert path.read_text() in {"first " * 1000, "second " * 1000}
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
