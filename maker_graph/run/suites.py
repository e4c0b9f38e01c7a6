"""A test command of the user's, run on a copy of a tree with edits in it: which of them turn it red.

The command may run code that a model wrote. It runs in the copy, and never in the tree. It does not see variables of the
environment that look like keys. It has a limit of time, and all processes of its group end with it.
"""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from maker_graph.core.characters import visible
from maker_graph.errors import LimitReached, UsageError

SECONDS = 600.0
"""How long a command may take, if nobody says otherwise."""

_SECRET = re.compile(r"(?i)(key|token|secret|password|passwd|credentials?)$|^(aws|azure|google|openai|anthropic)_")
_NOT_COPIED = {
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "node_modules",
}
_LAST = 2_000
_NOT_RUN = {126, 127}
_PATIENCE = 1.0
"""Seconds in which the output ends after the command; a process that has left the group may hold it open for longer."""


class Tested(NamedTuple):
    """How a command ended.

    Attributes:
        green: whether it ended with exit code 0, in time.
        why: how else, in a clause.
        last: the last lines that it wrote.
        missing: whether the shell has found no such command, or may not run it.
    """

    green: bool
    why: str = ""
    last: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Suite:
    """A test command of a tree.

    Attributes:
        command: as it is typed into a shell.
        top: the tree that is copied; the command runs at the top of the copy.
        seconds: how long it may take.
        without: folders that are not copied, beside those of version control, caches and environments.
    """

    command: str
    top: Path
    seconds: float = SECONDS
    without: tuple[Path, ...] = ()

    def tested(self, contents: Mapping[Path, bytes]) -> Tested:
        """Run the command on a new copy of the tree, with these contents of files, by their paths from its top.

        Raises:
            UsageError: the tree cannot be copied.
            LimitReached: there is no room for a copy.
        """
        with tempfile.TemporaryDirectory(prefix="maker-graph-suite-", ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / (self.top.name or "tree")
            try:
                shutil.copytree(self.top, copy, symlinks=True, ignore=self._ignored)
                for path, content in contents.items():
                    (copy / path).write_bytes(content)
            except shutil.Error as error:
                first = error.args[0][0] if error.args and error.args[0] else ("", "", str(error))
                raise UsageError(f"{first[0]} cannot be copied for the tests: {first[2]}.") from None
            except OSError as error:
                raise LimitReached(f"The tree cannot be copied for the tests ({error.strerror}): make room.") from None
            return self._run(copy)

    def _ignored(self, folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        return {name for name in names if name in _NOT_COPIED or here / name in self.without or _is_odd(here / name)}

    def _run(self, copy: Path) -> Tested:
        process = subprocess.Popen(  # noqa: S602  the user's own command, as in a shell
            self.command,
            shell=True,
            cwd=copy,
            env=_environment(copy),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101  it was asked for
        end = _End(process.stdout)
        end.start()
        try:
            code: int | None = process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        end.join(_PATIENCE)
        last = visible(end.content.decode(errors="replace")).strip()
        if code is None:
            return Tested(green=False, why=f"it did not end within {self.seconds:g} seconds", last=last)
        return Tested(green=code == 0, why=f"it ended with exit code {code}", last=last, missing=code in _NOT_RUN)


class _End(threading.Thread):
    """What keeps the end of an output, however much of it there is."""

    def __init__(self, output: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.content = b""
        self._output = output

    def run(self) -> None:
        """Read to the end."""
        with self._output:
            while some := os.read(self._output.fileno(), 1 << 16):
                self.content = (self.content + some)[-_LAST:]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End all processes of a group; those that have ended are none."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _is_odd(path: Path) -> bool:
    """Say whether something is not copied: an environment, or what is no file, no folder and no link."""
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return (path / "pyvenv.cfg").is_file() or (path / "journal.db").is_file()
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def _environment(copy: Path) -> dict[str, str]:
    """Return the environment of the command: without keys, and with the copy before whatever is installed."""
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    first = [str(each) for each in (copy / "src", copy) if each.is_dir()]
    path = os.pathsep.join([*first, *filter(None, [kept.get("PYTHONPATH")])])
    tools = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PATH": tools}


def blamed(edits: Sequence[int], is_green: Callable[[Sequence[int]], bool]) -> list[int]:
    """Return the edits without which the others are green together, found by halving.

    Each costs some log2(n) runs. Where two are red only together, the later one is blamed.

    Args:
        edits: all edits, in order; without any of them the suite is green.
        is_green: whether the suite is green with some of them.

    >>> blamed(range(1, 9), lambda some: not {3, 6} & {*some})
    [3, 6]
    """
    kept, left, found = list[int](), list(edits), list[int]()
    while left and not is_green([*kept, *left]):
        low, high = 0, len(left)  # with `low` more it is green, with `high` more it is red
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_green([*kept, *left[:middle]]) else (low, middle)
        found.append(left[high - 1])
        kept, left = [*kept, *left[: high - 1]], left[high:]
    return found
