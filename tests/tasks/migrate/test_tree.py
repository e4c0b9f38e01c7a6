"""Files of a tree keep their bytes, and what is left out is told."""

import os
from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.migrate.tree import MOST_BYTES, LeftOut, Source, decoded, oldest_python, read_tree, top_of, version_in
from tests.tasks.migrate.trees import tree


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfx = 1\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\r\n",
        b"x = 1\r\n\x0cy = 2\r\n",
        b"x = 1\n\ty = 2",
        b"",
        "x = 'é'\n".encode(),
        b"x = 1\ry = 2\r",
    ],
)
def test_the_bytes_of_a_file_are_those_of_its_text(content: bytes) -> None:
    source = decoded("a.py", content)
    assert isinstance(source, Source)
    assert source.content() == content


@pytest.mark.parametrize("content", [b"x = '\xe9'\n", b"# coding: klingon\n", b"x = 1\0\n", b"# coding: utf-16\nx\n"])
def test_what_is_no_text_is_left_out_with_the_reason(content: bytes) -> None:
    left = decoded("a.py", content)
    assert isinstance(left, LeftOut)
    assert left.why


def test_links_long_files_environments_and_folders_of_others_are_not_searched(tmp_path: Path) -> None:
    tree(
        tmp_path,
        a="x",
        sub__b="y",
        build__c="z",
        node_modules__d="z",
        _git__e="z",
        venv2__f="z",
        pkg__long=b"#" * (MOST_BYTES + 1),
    )
    (tmp_path / "_git").rename(tmp_path / ".git")
    (tmp_path / "venv2" / "pyvenv.cfg").touch()
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    (tmp_path / "linked").symlink_to(tmp_path / "sub")
    (tmp_path / "no.txt").touch()
    os.mkfifo(tmp_path / "pipe.py")
    found = list(read_tree(tmp_path))
    assert [each.path for each in found if isinstance(each, Source)] == ["a.py", "sub/b.py"]
    assert {each.path for each in found if isinstance(each, LeftOut)} == {"link.py", "pipe.py", "pkg/long.py"}


def test_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    for path in (tmp_path / "none", tmp_path / "a.py"):
        with pytest.raises(UsageError, match="is not a folder"):
            list(read_tree(path))


def test_the_oldest_python_is_what_the_tree_says(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "src"
    inner.mkdir()
    assert oldest_python(inner) is None
    (tmp_path / "setup.cfg").write_text("[options]\npython_requires = >=3.8\n")
    assert oldest_python(inner) == (3, 8)
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.12,<4"\n')
    assert oldest_python(inner) == (3, 12)
    (tmp_path / "pyproject.toml").write_text("[project\n")
    assert oldest_python(inner) == (3, 8)


def test_paths_count_from_the_top_of_the_git_tree(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert top_of(tmp_path / "src") == (tmp_path / "src").resolve()
    (tmp_path / ".git").mkdir()
    assert top_of(tmp_path / "src") == tmp_path.resolve()


def test_a_requirement_without_a_lower_bound_says_nothing() -> None:
    assert (version_in("<4"), version_in("~=3.9"), version_in(">=3.8,!=3.9,>=3.10")) == (None, (3, 9), (3, 10))
