"""A patch is taken by git and by patch, to the byte."""

import subprocess
from pathlib import Path

import pytest

from maker_graph.tasks.migrate.patch import patch_of

CASES = [
    ("a.py", b"a\nb\nc\n", b"a\nB\nc\n"),
    ("a b.py", b"a\r\nb\r\n", b"a\r\nB\r\n"),
    ("d/\xc3\xa9.py".encode("latin-1").decode(), b"\xef\xbb\xbfx = '\xe9'\n", b"\xef\xbb\xbfx = '\xe8'\n"),
    ('q"uo\\te.py', b"a", b"b"),
    ("end.py", b"a\nb", b"a\nb\n"),
    ("feed.py", b"a\x0cb\x1cc\xe2\x80\xa8d\re\n", b"a\x0cB\x1cc\xe2\x80\xa8d\re\n"),
    ("long.py", b"".join(b"%d\n" % n for n in range(90)), b"".join(b"%d\n" % (n + (n in {9, 70})) for n in range(90))),
]


@pytest.mark.parametrize(("name", "before", "after"), CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("program", [("git", "apply"), ("patch", "-p1", "--binary", "-i")])
def test_git_and_patch_make_of_the_one_the_other(
    tmp_path: Path, name: str, before: bytes, after: bytes, program: tuple[str, ...]
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(before)
    (tmp_path / "x.patch").write_bytes(patch_of(name, before, after))
    done = subprocess.run([*program, "x.patch"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done
    assert path.read_bytes() == after


def test_what_is_not_changed_has_no_patch() -> None:
    assert patch_of("a.py", b"x", b"x") == b""
