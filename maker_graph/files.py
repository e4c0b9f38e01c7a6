"""Files that are written whole or not at all.

A file is first written beside its place, under a name that no other process has. It is moved to its place once all of it is on
the disk. So a reader finds either the old content or the whole new content, also after a crash.

What happens depends on what is at the place already:

- nothing: a new file is made.
- a regular file: it is replaced, and the new one has its mode.
- a symbolic link: the link stays, and the file that it points to is written.
- anything else, such as a folder, a device or a pipe: it is refused. It cannot be replaced by a file, and what is written into
  it might be cut short.

A regular file may be the user's. `OwnFiles` knows which files a run has written itself, and replaces no others.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TextIO, TypeAlias

from maker_graph.errors import LimitReached, UsageError

PRIVATE = 0o600
"""The mode of a file that its owner alone may read and write."""

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def is_there(path: Path) -> bool:
    """Say whether something is at `path`; False for a name that no file can have."""
    return os.path.exists(path)  # noqa: PTH110  pathlib raises for a name that is too long


def text_of(content: bytes, name: str, kind: str) -> str:
    """Return the text in the content of a user's file: UTF-8, with or without a byte order mark.

    Args:
        content: the content of the file.
        name: the name of the file, for the error.
        kind: what the user should save, in words for the error, such as "the table as CSV".

    Raises:
        UsageError: the content is not text; the error names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}, line {line}: this is not UTF-8. Save {kind} in UTF-8.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(f"{name}, line {line}: there is a NUL character, so this is not text. Save {kind} in UTF-8.")
    return text


def users_text(path: Path, kind: str) -> str:
    """Return the text of a user's file; `kind` is as in `text_of`.

    Raises:
        UsageError: the file cannot be read, is not a regular file, or holds no text; the error says which.
    """
    try:
        if odd := odd_kind(path):
            raise UsageError(f"{path} is {odd}: give the name of a regular file.")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return text_of(content, str(path), kind)


def odd_kind(path: Path) -> str | None:
    """Return in words what is at `path` if it is not a regular file; None if it is one, or if nothing is there.

    To read anything but a regular file might never end.

    Raises:
        OSError: the file system does not say what is there.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:  # also a link that points to nothing
        return None
    return None if stat.S_ISREG(mode) else next((name for holds, name in _KINDS if holds(mode)), "no regular file")


def destination(path: Path) -> Path:
    """Return the file to write for `path`: `path` itself, or the file that it links to, which need not exist yet.

    Raises:
        UsageError: something other than a regular file is there; the error says what.
        OSError: the file system does not say what is there.
    """
    if kind := odd_kind(path):
        raise UsageError(f"{path} is {kind} and cannot be replaced by a file: give the name of a regular file.")
    return Path(os.path.realpath(path))


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[TextIO]:
    """Yield a file to write to, in UTF-8, with line ends as given. After the block it is at `path`, on the disk.

    If the block raises, nothing has changed. With `private` the file has the mode `PRIVATE`. Otherwise it has the mode
    of the file that it replaces, or the usual mode of a new file.

    Raises:
        UsageError: something other than a regular file is there.
        OSError: it cannot be written.
    """
    target = destination(path)
    mode = PRIVATE if private else _mode(target)
    draft = target.with_name(f".{os.urandom(8).hex()}.draft")  # short, however long the name of the file is

    def create(name: str, flags: int) -> int:
        return os.open(name, flags, 0o666 if mode is None else mode)  # nobody else can open it before it has its mode

    try:
        with open(draft, "x", encoding="utf-8", newline="", opener=create) as file:
            if mode is not None:
                draft.chmod(mode)  # the umask of the process may have taken something from the mode
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    _sync(target.parent)


def write_whole(path: Path, content: str | bytes, *, private: bool = False) -> Path:
    """Write a file whole or not at all, as `replacing` does; return `path`.

    Raises:
        UsageError: something other than a regular file is there.
        OSError: it cannot be written.
    """
    with replacing(path, private=private) as file:
        if isinstance(content, str):
            file.write(content)
        else:
            file.buffer.write(content)
    return path


def _mode(path: Path) -> int | None:
    """Return the mode of a file; None if there is no file."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    """Put a new name in `folder` on the disk, if the file system can do that."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


Known: TypeAlias = dict[str, list[str]]
"""The files that a run has written: absolute path -> the SHA-256 of what the run wrote, in hex. While a file
is being written there are two digests: of the old content and of the new one."""


class OwnFiles:
    """The files that a run has written and may write again.

    All other files are the user's. So is a file that was changed after the run wrote it. The digest of a file is kept
    before the file is written. So it is clear whose a file is, even if the process was killed.
    """

    def __init__(
        self, known: Mapping[str, Sequence[str]] | None = None, keep: Callable[[Known], None] = lambda _: None
    ) -> None:
        """Begin with the `known` files. `keep` stores them on the disk, and is called when they change."""
        self._known: Known = {name: list(digests) for name, digests in (known or {}).items()}
        self._keep = keep

    @property
    def known(self) -> Known:
        """The files that the run has written, with their digests."""
        return dict(self._known)

    def see(self, *paths: Path, force: bool = False) -> None:
        """Make sure that these files can be written without losing a file of the user's.

        With `force`, the files that are there now count as the run's own.

        Raises:
            UsageError: one of the paths holds a file of the user's, or something other than a regular file, or its
                folder does not exist or cannot be written to; the error says which.
        """
        taken = {_name(path): digest for path in paths if (digest := self._foreign(path)) is not None}
        if taken and not force:
            path = next(path for path in paths if _name(path) in taken)
            why = "was changed since this run wrote it" if _name(path) in self._known else "is there already"
            raise UsageError(
                f"{path} {why}: move it away, give another name, or add --force to replace it (in Python force=True)."
            )
        self._know({name: [digest] for name, digest in taken.items()})

    def write(self, contents: Mapping[Path, bytes | None], *, private: bool = False) -> None:
        """Write files, each whole or not at all. None removes a file, unless it is the user's.

        A file that has this content already is left as it is.

        Raises:
            UsageError: as in `see`. No file is written then.
            LimitReached: there is no room for a file, or no access to it.
        """
        changed = {path: content for path, content in contents.items() if not _holds(path, content)}
        new = {
            path: (hashlib.sha256(content).hexdigest(), partial(write_whole, content=content, private=private))
            for path, content in changed.items()
            if content is not None
        }
        self._put(new, [path for path in changed if path not in new])

    def place(self, made: Mapping[Path, Path | None]) -> None:
        """Move files that were made elsewhere to their places. None removes a file, as in `write`.

        Args:
            made: the place of each file -> where it was made.

        Raises:
            UsageError: as in `see`. No file is moved then.
            LimitReached: there is no room for a file, or no access to it.
        """
        drafts = {path: draft for path, draft in made.items() if draft is not None}
        new = {
            path: (digest, partial(_move, draft=draft))
            for path, draft in drafts.items()
            if (digest := _digest(draft)) is not None and not _is_file_with(path, digest)
        }
        self._put(new, [path for path in made if path not in drafts])

    def _put(self, new: Mapping[Path, tuple[str, Callable[[Path], object]]], old: Iterable[Path]) -> None:
        """Write the `new` files, and remove the `old` ones unless they are the user's.

        Args:
            new: file -> its digest, and the function that writes it.
            old: the files to remove.

        Raises:
            UsageError: as in `see`. No file is written then.
            LimitReached: there is no room for a file, or no access to it.
        """
        self.see(*new)
        own = [path for path in old if self._foreign(path) is None]
        digests = {_name(path): digest for path, (digest, _) in new.items()}
        self._know({name: [*self._known.get(name, []), digest] for name, digest in digests.items()})
        try:
            for path, (_, write) in new.items():
                write(path)
            for path in own:
                destination(path).unlink(missing_ok=True)
        except OSError as error:
            raise LimitReached(f"{path} cannot be written ({error.strerror}): make room, or give access, and go on.") from None
        self._know({name: [digest] for name, digest in digests.items()})

    def _foreign(self, path: Path) -> str | None:
        """Return the digest of the regular file at `path` if it is the user's; None if there is none, or it is the run's.

        Raises:
            UsageError: no file can be written there.
        """
        try:
            if not (folder := path.absolute().parent).is_dir():
                raise UsageError(f"{path} cannot be written: there is no folder {folder}.")
            target = destination(path)
            digest = _digest(target)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
        if not os.access(target.parent, os.W_OK):
            raise UsageError(f"{path} cannot be written: the folder {target.parent} is not there, or may not be written to.")
        return None if digest in self._known.get(_name(path), []) else digest

    def _know(self, more: Known) -> None:
        known = {**self._known, **more}
        if known != self._known:
            self._keep(known)
            self._known = known


def _move(path: Path, draft: Path) -> None:
    """Move the file `draft` to `path`, with the mode of the file that was there. On return it is on the disk."""
    target = destination(path)
    if (mode := _mode(target)) is not None:
        draft.chmod(mode)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
        try:
            draft.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with replacing(target) as other:  # a link may point to another disk
                shutil.copyfileobj(file, other.buffer)
    _sync(target.parent)


def name_of(path: Path) -> str:
    """Return the name of a file in the form in which a run keeps it. It is the same text in every locale.

    Raises:
        UsageError: the name is not UTF-8.
    """
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: this name is not in UTF-8, so it cannot be kept. Rename the file or its folder.") from None


def file_named(name: str) -> Path:
    """Return the file for which `name_of` returned this name, as a path in the locale of this process."""
    return Path(os.fsdecode(name.encode(errors="surrogateescape")))


def _name(path: Path) -> str:
    """Return the absolute path of a file as a text, with all links followed."""
    return os.fsencode(os.path.realpath(path)).decode(errors="backslashreplace")


def _digest(path: Path) -> str | None:
    """Return the digest of a file; None if there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _is_file_with(path: Path, digest: str) -> bool:
    """Say whether `path` is a regular file with this digest."""
    try:
        return path.is_file() and _digest(path) == digest
    except OSError:
        return False


def _holds(path: Path, content: bytes | None) -> bool:
    """Say whether `path` is a regular file with this content; for None, whether nothing is there."""
    if content is None:
        return not os.path.lexists(path)
    try:
        return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False
