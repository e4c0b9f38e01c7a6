"""Running the user's test command on a copy of a folder with edits in it, and finding the edits that make it fail.

The command may run code that a model wrote. So it runs in the copy only, and never in the folder itself. It does not see
environment variables that look like keys. It has a time limit, and all processes of its group end with it.
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
"""How many seconds a command may take by default."""

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
"""How many bytes of the end of the output are kept."""

_NOT_RUN = {126, 127}
"""The exit codes of a shell that cannot run, or does not find, a command."""

_PATIENCE = 1.0
"""How many seconds to wait for the end of the output once the command has ended.

A process that has left the group may hold the output open for longer.
"""


class Tested(NamedTuple):
    """How a command ended.

    Attributes:
        green: whether it ended in time with exit code 0.
        why: how it ended, in a clause such as "it ended with exit code 1".
        last: the end of its output.
        missing: whether the shell did not find the command, or may not run it.
    """

    green: bool
    why: str = ""
    last: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Suite:
    """A test command for a folder.

    Attributes:
        command: the command, as it is typed into a shell.
        top: the folder that is copied. The command runs at the top of the copy.
        seconds: how many seconds it may take.
        without: more folders that are not copied. Those of version control, caches and environments never are.
    """

    command: str
    top: Path
    seconds: float = SECONDS
    without: tuple[Path, ...] = ()

    def tested(self, contents: Mapping[Path, bytes]) -> Tested:
        """Run the command on a new copy of the folder, and return how it ended.

        Args:
            contents: path from the top of the folder -> what that file holds in the copy.

        Raises:
            UsageError: the folder cannot be copied.
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
                raise LimitReached(
                    f"{self.top} cannot be copied for the tests ({error.strerror}): make room, and try again."
                ) from None
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
    """Reads an output to its end, and keeps the last part of it."""

    def __init__(self, output: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.content = b""
        self._output = output

    def run(self) -> None:
        """Read the output to its end."""
        with self._output:
            while some := os.read(self._output.fileno(), 1 << 16):
                self.content = (self.content + some)[-_LAST:]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End all processes of the group of `process` that still run."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _is_odd(path: Path) -> bool:
    """Say whether a path is never copied: a Python environment, a run, or something other than a file, folder or link."""
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return (path / "pyvenv.cfg").is_file() or (path / "journal.db").is_file()
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def _environment(copy: Path) -> dict[str, str]:
    """Return the environment variables of the command: without keys. Imports look into the copy first."""
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    first = [str(each) for each in (copy / "src", copy) if each.is_dir()]
    path = os.pathsep.join([*first, *filter(None, [kept.get("PYTHONPATH")])])
    tools = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PATH": tools}


def blamed(edits: Sequence[int], is_green: Callable[[Sequence[int]], bool]) -> list[int]:
    """Return the edits that make the suite fail: without them, it passes with all the others.

    They are found by halving, with about log2(n) runs of the suite for each. If two edits fail only together, the later
    one is blamed.

    Args:
        edits: all edits, in order. Without any of them the suite passes.
        is_green: says whether the suite passes with the given edits.

    >>> blamed(range(1, 9), lambda some: not {3, 6} & {*some})
    [3, 6]
    """
    kept, left, found = list[int](), list(edits), list[int]()
    while left and not is_green([*kept, *left]):
        low, high = 0, len(left)  # with the first `low` of `left` it is green, with the first `high` it is red
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_green([*kept, *left[:middle]]) else (low, middle)
        found.append(left[high - 1])
        kept, left = [*kept, *left[: high - 1]], left[high:]
    return found
