"""The Python files of a tree, kept byte for byte: encoding, line ends, byte order marks and form feeds.

Files that are left out are listed: links, and files that are not Python or too long. Folders with the code of others are not
searched.
"""

import io
import os
import re
import stat
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maker_graph.errors import UsageError

MOST_BYTES = 1_000_000
"""A longer file is left out, because nobody wrote it by hand."""

_NOT_OURS = {"__pycache__", "build", "dist", "node_modules", "site-packages", "vendor", "vendored", "_vendor", "venv"}
"""Folders with files that others wrote or programs made. Folders whose name begins with a dot are left out too."""


class Source(NamedTuple):
    """A file.

    Attributes:
        path: the path from the root of the tree, with slashes.
        text: the text of the file, with its line ends, and without a byte order mark.
        encoding: the encoding in which `text` gives the bytes of the file, with the byte order mark.
    """

    path: str
    text: str
    encoding: str

    def content(self, text: str | None = None) -> bytes:
        """Return the bytes of the file, with another text if one is given."""
        return (self.text if text is None else text).encode(self.encoding)


class LeftOut(NamedTuple):
    """A file that was not searched.

    Attributes:
        path: the path from the root of the tree.
        why: the reason, in a clause.
    """

    path: str
    why: str


def read_tree(root: Path) -> Iterator[Source | LeftOut]:
    """Yield all Python files below `root`, in the order of their paths.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder: give the folder of the code that is to be migrated.")
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        why = _why_not(path, name)
        if why is None:
            try:
                content = path.read_bytes()
            except OSError as error:
                why = f"it cannot be read: {error.strerror}"
            else:
                yield decoded(name, content)
                continue
        yield LeftOut(name.encode(errors="backslashreplace").decode(), why)


def decoded(path: str, content: bytes) -> Source | LeftOut:
    """Return a file with this content, read as Python would read it; `path` is its path from the root of the tree."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        source = Source(path, content.decode(encoding), encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        return LeftOut(path, f"it is not text in the encoding that it declares ({error})")
    if "\0" in source.text:
        return LeftOut(path, "it holds a NUL character, so it is not text")
    if source.content() != content:
        return LeftOut(path, f"its bytes are not those of its text in {encoding}")
    return source


def _files(root: Path) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.")

    found = []
    for folder, below, names in os.walk(root, onerror=failed):
        here = Path(folder)
        below[:] = [name for name in below if _is_ours(here / name)]
        found += [here / name for name in names if name.endswith(".py")]
    yield from sorted(found)


def _is_ours(folder: Path) -> bool:
    name = folder.name
    made = name.startswith(".") or name.endswith(".egg-info") or name in _NOT_OURS
    return not made and not folder.is_symlink() and not (folder / "pyvenv.cfg").is_file()


def _why_not(path: Path, name: str) -> str | None:
    try:
        name.encode()
        found = path.lstat()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    return f"it is longer than {MOST_BYTES:,} bytes" if found.st_size > MOST_BYTES else None


def top_of(root: Path) -> Path:
    """Return the folder to which the paths of a patch are relative: the top of the git tree around `root`, else `root`."""
    root = Path(os.path.realpath(root))
    return next((each for each in (root, *root.parents) if (each / ".git").exists()), root)


Version = tuple[int, int]


def oldest_python(root: Path) -> Version | None:
    """Return the oldest Python on which the tree says that it runs; None if it does not say.

    It is read from pyproject.toml (requires-python) or setup.cfg (python_requires), in `root` or above it in the same git tree.
    """
    top = top_of(root)
    for folder in (root, *root.parents):
        for name, read in (("pyproject.toml", _of_pyproject), ("setup.cfg", _of_setup)):
            try:
                said = read((folder / name).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if said is not None:
                return said
        if Path(os.path.realpath(folder)) == top:
            break
    return None


def _of_pyproject(text: str) -> Version | None:
    project = tomllib.loads(text).get("project", {})
    said = project.get("requires-python") if isinstance(project, dict) else None
    return version_in(said) if isinstance(said, str) else None


def _of_setup(text: str) -> Version | None:
    found = re.search(r"^\s*python_requires\s*=\s*(.+)$", text, re.MULTILINE)
    return None if found is None else version_in(found[1])


def version_in(said: str) -> Version | None:
    """Return the oldest version that a requirement such as ">=3.9,<4" admits; None if it has no lower bound.

    >>> version_in(">=3.9, <4")
    (3, 9)
    """
    found = [(int(major), int(minor or 0)) for major, minor in re.findall(r"(?:>=|~=|==|>)\s*(\d+)(?:\.(\d+))?", said)]
    return max(found, default=None)
