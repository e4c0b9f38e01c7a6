"""Applies edits to a git tree: all of them, or none.

Before the first file changes, a file in the git directory says what will be written: the intent. A kill at any moment
leaves it there, and the next command completes the edits (`recover`). If somebody else has changed one of the files
meanwhile, that file is left as it is, and the other edits are taken back.
"""

import base64
import fcntl
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from maker_graph.errors import LimitReached, UsageError
from maker_graph.files import write_whole

_INTENT = "maker-graph-apply.json"
_LOCK = "maker-graph-apply.lock"


class Change(NamedTuple):
    """One edit.

    Attributes:
        path: the file, from the top of the tree.
        before: what the file holds.
        after: what the file is to hold.
    """

    path: str
    before: bytes
    after: bytes


def git_directory(top: Path) -> Path | None:
    """Return the git directory of the tree `top`; None if `top` is not the top of a git tree.

    Raises:
        UsageError: git fails, or is not installed.
    """
    if not (top / ".git").exists():
        return None
    return Path(_git(top, "rev-parse", "--absolute-git-dir").decode(errors="surrogateescape").strip())


def see_clean(top: Path, paths: Iterable[str]) -> None:
    """Make sure that a tree has no uncommitted changes, and that git tracks the files `paths`.

    Raises:
        UsageError: there is no git tree, it has changes, or git does not track one of the files.
    """
    if git_directory(top) is None:
        raise UsageError(
            f"{top} is in no git repository, so its edits could not be undone: commit it to one, or leave out --apply "
            f"and use the patch."
        )
    if changed := _git(top, "status", "--porcelain", "-z", "--untracked-files=no").decode(errors="replace").split("\0")[0]:
        raise UsageError(f"The tree {top} has changes that are not committed ({changed[3:]}): commit or stash them first.")
    wanted = list(paths)
    listed = _git(top, "ls-files", "-v", "-z").decode(errors="surrogateescape").split("\0")
    known = {path: tag for tag, _, path in (each.partition(" ") for each in listed)}
    if strange := [path for path in wanted if path not in known]:
        raise UsageError(f"git does not know {strange[0]} in {top}: add and commit it first.")
    if hidden := [path for path in wanted if known[path] != "H"]:
        raise UsageError(
            f"git was told to overlook changes of {hidden[0]} in {top}: undo that with "
            f"git update-index --no-assume-unchanged --no-skip-worktree {hidden[0]}."
        )


def apply(top: Path, changes: Iterable[Change]) -> None:
    """Make all changes in a clean tree, or none. On return they are on the disk.

    Raises:
        UsageError: a file no longer holds its `before`, or another process applies edits. Nothing is changed.
        LimitReached: there is no room, or no access. Nothing is changed.
    """
    made = [each for each in changes if each.before != each.after]
    git = git_directory(top)
    assert git is not None  # noqa: S101  it was seen to be clean
    with _alone(git):
        if (git / _INTENT).exists():
            raise UsageError(f"An earlier --apply in {top} was interrupted: give the command again, which completes it first.")
        for each in made:
            _see_same(top, each)
        files = [[each.path, *(base64.b64encode(content).decode() for content in each[1:])] for each in made]
        try:
            write_whole(git / _INTENT, json.dumps({"files": files}), private=True)
        except OSError as error:
            raise LimitReached(
                f"{git} cannot be written to ({error.strerror}): make room, or give access, and go on."
            ) from None
        try:
            for each in made:
                _see_same(top, each)
                write_whole(top / each.path, each.after)
        except OSError as error:
            _taken_back(git, top, made)
            raise LimitReached(
                f"{each.path} cannot be written ({error.strerror}): nothing is changed. Make room, or give access, and go on."
            ) from None
        except UsageError:
            _taken_back(git, top, made)
            raise
        _forget(git)


def is_applied(top: Path, changes: Iterable[Change]) -> bool:
    """Say whether all files already hold what they are to hold."""
    return all(_content(top / each.path) == each.after for each in changes)


def recover(top: Path) -> str | None:
    """Complete an `apply` that was interrupted. Return what was done, in a sentence; None if there was nothing to do.

    Raises:
        UsageError: another process applies edits, or the intent cannot be read.
        LimitReached: there is no room, or no access.
    """
    try:
        git = git_directory(top)
    except UsageError:  # without git nothing can have begun, and `see_clean` tells who wants to apply
        return None
    if git is None or not (git / _INTENT).exists():
        return None
    with _alone(git):
        if not (git / _INTENT).exists():
            return None
        try:
            said = json.loads((git / _INTENT).read_text(encoding="utf-8"))["files"]
            changes = [Change(path, base64.b64decode(before), base64.b64decode(after)) for path, before, after in said]
            if any(not (top / each.path).resolve().is_relative_to(top.resolve()) for each in changes):
                raise ValueError("a file in it is outside of the tree")  # noqa: TRY301  told like all that is wrong with it
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise UsageError(
                f"{git / _INTENT} cannot be read ({error}): look with git at what was changed, and remove this file."
            ) from None
        odd = [each.path for each in changes if _content(top / each.path) not in {each.before, each.after}]
        try:
            if odd:
                _taken_back(git, top, changes)
                return f"An --apply was interrupted, and {odd[0]} was changed since: what it had written was taken back."
            for each in changes:
                write_whole(top / each.path, each.after)
        except OSError as error:
            raise LimitReached(
                f"{top} cannot be written to ({error.strerror}): make room, or give access, and go on."
            ) from None
        _forget(git)
    return f"An --apply that was interrupted is complete now: {len(changes):,} files in {top}."


def _see_same(top: Path, change: Change) -> None:
    path = top / change.path
    if path.is_symlink() or _content(path) != change.before:
        raise UsageError(f"{path} was changed since the run began, so nothing is applied: put it back, or start a new run.")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _taken_back(git: Path, top: Path, changes: Iterable[Change]) -> None:
    """Restore the files that hold what was written, but none that somebody else has changed. Remove the intent."""
    for each in changes:
        if _content(top / each.path) == each.after:
            write_whole(top / each.path, each.before)
    _forget(git)


def _forget(git: Path) -> None:
    (git / _INTENT).unlink(missing_ok=True)


@contextmanager
def _alone(git: Path) -> Iterator[None]:
    """Keep other processes from applying edits in this tree meanwhile.

    Raises:
        UsageError: another process is at it, or the git directory cannot be written to.
    """
    try:
        number = os.open(git / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"{git} cannot be written to ({error.strerror}): give access, or leave out --apply.") from None
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"Another process applies edits in {git.parent}: wait until it has ended.") from None
        yield
    finally:
        os.close(number)


def _git(top: Path, *words: str) -> bytes:
    """Return the output of a git command in a tree.

    Raises:
        UsageError: git is not installed, or fails.
    """
    kept: Mapping[str, str] = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", "-C", str(top), *words], capture_output=True, check=True, env=kept)  # noqa: S603, S607  git as the user has it
    except FileNotFoundError:
        raise UsageError(
            "git is not installed, and --apply needs it: install it, or leave out --apply and use the patch."
        ) from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.decode(errors="replace").split())
        raise UsageError(f"git refuses to look at {top}: {said[:300]}") from None
    return done.stdout
