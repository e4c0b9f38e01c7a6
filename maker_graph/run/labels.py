r"""A file of labels: what people, or the task's own truth, say is right at steps that were drawn at random.

It is JSON Lines. The first line says what was drawn from (`LabelHeader`). Its seed gives the order of the draw. Each
further line is a label. The newest label of a step counts.

    {"labels": 1, "task": "records", ..., "population": 5000, "seed": 7, "run": null, "use": "certify"}
    {"step": 17, "answer": "12.50", "candidate": "\"12.50\"", "who": "me", "when": "2026-11-26T09:00:00Z"}
    {"step": 18, "unsure": true, "who": "me", "when": "2026-11-26T09:00:10Z"}

- A label counts once its whole line is on the disk. A process that was killed may leave half a line. It is dropped.
- Lines are only added, under a lock, after those that others have added. So several people may label into one file.
  They are asked about different steps.
- A file that begins in another way is the user's, and is left as it is.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from maker_graph.core.characters import visible
from maker_graph.errors import LimitReached, UsageError
from maker_graph.files import PRIVATE, destination, text_of
from maker_graph.run.label_lines import FORM, Label, LabelHeader, Use, label_of

_BEGINS = b'{"labels":'

_CLAIMS = 1 << 40
"""From this offset on, far beyond the end, each byte stands for a step. Whoever asks about a step locks its byte."""


class LabelFile:
    """An open file of labels.

    Attributes:
        path: the file.
        header: what the labels were drawn from.
        labels: step -> its newest label.
        dropped: whether the file ended in half a line, which does not count.
    """

    def __init__(self, path: Path, header: LabelHeader, file: int, *, writable: bool) -> None:
        """Take the open `file`. Nothing of it has been read yet."""
        self.path = path
        self.header = header
        self.labels: dict[int, Label] = {}
        self.dropped = False
        self._file = file
        self._writable = writable
        self._end = 0
        self._lines = 0

    def refresh(self) -> None:
        """Read what others have added.

        Raises:
            UsageError: what was read before was cut off, or a line is not a label; the text says which.
        """
        with _locked(self._file, fcntl.LOCK_SH):
            self._read()

    def add(self, *labels: Label) -> None:
        """Add labels. On return they are on the disk.

        Raises:
            UsageError: the file was deleted, moved, replaced or cut short, or a line in it is not a label.
            LimitReached: the file cannot be written.
        """
        content = "".join(label.line() for label in labels).encode()
        if not self._writable:
            raise LimitReached(f"{self.path} can only be read: give access, or another --labels.")
        with _locked(self._file, fcntl.LOCK_EX):
            self._read()
            self._see_place()
            self._append(content)
        self.labels.update({label.step: label for label in labels})

    def claim(self, step: int) -> bool:
        """Claim a step for this process, until it is released or the process ends. Return whether the step was free."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _CLAIMS + step)
        except OSError as error:
            return error.errno not in {errno.EACCES, errno.EAGAIN}
        return True

    def release(self, step: int) -> None:
        """Give up the claim on a step."""
        with suppress(OSError):
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _CLAIMS + step)

    def digest(self) -> str:
        """Return the SHA-256 of the file as it was read, in hex."""
        return hashlib.sha256(os.pread(self._file, self._end, 0)).hexdigest()

    def _append(self, content: bytes) -> None:
        """Write after the last whole line. Half a line at the end is removed first."""
        try:
            if os.fstat(self._file).st_size > self._end:
                os.ftruncate(self._file, self._end)
            if self._end and os.pread(self._file, 1, self._end - 1) != b"\n":  # the last line was written by hand
                content = b"\n" + content
            left = content
            while left:
                left = left[os.write(self._file, left) :]  # on a full disk the next write says why
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise LimitReached(
                f"{self.path} cannot be written ({error.strerror}): make room, or give access, and try again. All labels "
                "before this one are kept."
            ) from None
        self._end += len(content)
        self._lines += content.count(b"\n")
        self.dropped = False

    def _see_place(self) -> None:
        with suppress(OSError):
            if os.path.samestat(self.path.stat(), os.fstat(self._file)):
                return
        raise UsageError(f"{self.path} was deleted, moved or replaced meanwhile: put it back and try again.")

    def _read(self) -> None:
        """Read the whole lines after those that were read before."""
        size = os.fstat(self._file).st_size
        if size < self._end:
            raise UsageError(f"{self.path} was cut short meanwhile: put it back as it was, and try again.")
        content = os.pread(self._file, size - self._end, self._end)
        cut = content.rfind(b"\n") + 1
        lines, tail = content[:cut], content[cut:]
        whole = bool(tail.strip()) and _is_whole(tail, first=self._end + cut == 0)
        self._take(lines + (tail if whole else b""))
        self.dropped = bool(tail.strip()) and not whole

    def _take(self, content: bytes) -> None:
        for line in text_of(content, str(self.path), "the file").split("\n"):
            self._lines += 1
            if line.strip() and self._lines > 1:
                try:
                    label = label_of(line)
                except (ValueError, RecursionError) as error:
                    raise UsageError(
                        f"{self.path}, line {self._lines}: this is not a label ({visible(str(error))[:200]})."
                    ) from None
                self.labels[label.step] = label
        self._lines -= 1  # the empty text after the last line end is not a line
        self._end += len(content)


@contextmanager
def opened_labels(path: Path, header: LabelHeader, *, any_seed: bool = False) -> Iterator[LabelFile]:
    """Open a file to add labels to it. If there is none, begin it. If it cannot be written, it can still be read.

    Args:
        path: the file.
        header: what the labels are drawn from.
        any_seed: whether an existing file keeps its own seed, whatever the header says.

    Raises:
        UsageError: the file holds something else, or labels of something else, or it can neither be read nor begun.
        LimitReached: the disk is full.
    """
    with _opened(path, make=True) as (file, writable):
        found = _header(file, path)
        if found is None:
            if not writable:
                raise UsageError(f"{path} holds no labels, and cannot be written: give access, or another --labels.")
            found = header
            _begin(file, path, header)
        wanted = header.model_copy(update={"seed": found.seed}) if any_seed else header
        if (differ := _differences(found, wanted)) is not None:
            raise UsageError(f"{path} holds labels {differ}: give the same settings as before, or another --labels.")
        labels = LabelFile(path, found, file, writable=writable)
        labels.refresh()
        yield labels


@contextmanager
def reading_labels(path: Path) -> Iterator[LabelFile]:
    """Open a file of labels for reading.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    with _opened(path, make=False) as (file, _):
        found = _header(file, path)
        if found is None:
            raise UsageError(f"{path} holds no labels: maker-graph label writes such a file.")
        labels = LabelFile(path, found, file, writable=False)
        labels.refresh()
        yield labels


def read_labels(path: Path, *uses: Use) -> tuple[LabelHeader, dict[int, Label]]:
    """Return the header of a file of labels, and step -> its newest label.

    Raises:
        UsageError: it cannot be read, or holds something else, or its labels are for none of `uses`.
    """
    with reading_labels(path) as file:
        see_use(file, *uses)
        return file.header, file.labels


def see_use(file: LabelFile, *uses: Use) -> None:
    """Make sure that the labels in a file are for one of `uses`.

    Raises:
        UsageError: they are for something else.
    """
    if file.header.use not in uses:
        words = {"choose": "were used to choose by", "example": "are shown as examples", "certify": "are kept to certify"}
        raise UsageError(
            f"The labels in {file.path} {words[file.header.use]} (use {file.header.use!r}), so they prove nothing here: give "
            f"a file whose use is {' or '.join(map(repr, uses))}."
        )


def _is_whole(tail: bytes, *, first: bool) -> bool:
    """Say whether a line without a line end is whole, as when somebody wrote it by hand. Half an object is none."""
    try:
        (LabelHeader.model_validate_json if first else label_of)(tail.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return True


def _header(file: int, path: Path) -> LabelHeader | None:
    """Return the header of a file; None if the file is empty, or was cut off in its first line.

    Raises:
        UsageError: the file holds something else.
    """
    with _locked(file, fcntl.LOCK_SH):
        content = os.pread(file, os.fstat(file).st_size, 0)
    first, end, _ = content.partition(b"\n")
    if not content.strip() and not end:
        return None
    begins = first.startswith(_BEGINS)
    try:
        said = json.loads(text_of(first, str(path), "the file"))
    except (json.JSONDecodeError, RecursionError, UsageError) as error:
        if begins and not end:
            return None
        if begins and isinstance(error, UsageError):
            raise
        said = None
    form = said.get("labels") if isinstance(said, dict) else None
    if form is None:
        raise UsageError(f"{path} holds something other than labels: give a new file, or one that holds labels.")
    if isinstance(form, int) and form > FORM:
        raise UsageError(f"{path} was written by a newer maker_graph (form {form}): install that version to go on.")
    try:
        return LabelHeader.model_validate(said)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(f"{path}, line 1: {where}: {error.errors()[0]['msg']}.") from None


def _begin(file: int, path: Path, header: LabelHeader) -> None:
    with _locked(file, fcntl.LOCK_EX):
        if os.fstat(file).st_size and _header_is_there(file):
            raise UsageError(f"Another process has begun {path} just now: try again.")
        os.ftruncate(file, 0)
        labels = LabelFile(path, header, file, writable=True)
        labels._append((json.dumps(header.model_dump(mode="json"), ensure_ascii=False) + "\n").encode())  # noqa: SLF001  its own


def _header_is_there(file: int) -> bool:
    return b"\n" in os.pread(file, os.fstat(file).st_size, 0)


def _differences(found: LabelHeader, wanted: LabelHeader) -> str | None:
    """Return in words how the header that was found differs from the one that is wanted; None if it does not."""
    names = [name for name in LabelHeader.model_fields if getattr(found, name) != getattr(wanted, name)]
    if not names:
        return None
    words = {
        "task": f"of {found.task}, not of {wanted.task}",
        "use": f"whose use is {found.use!r}, not {wanted.use!r}",
        "run": "of the task itself, and not of this run" if found.run is None else "of another run",
        "seed": f"that were drawn with seed {found.seed}, not {wanted.seed}",
        "population": f"that were drawn from {found.population:,} steps, and now there are {wanted.population:,}",
        "digest": "that were drawn when other answers were decided",
    }
    said = next((words[name] for name in ("task", "use", "run", "population", "seed", "digest") if name in names), None)
    return visible(said or f"of a task with other {' and '.join(names)}")


@contextmanager
def _opened(path: Path, *, make: bool) -> Iterator[tuple[int, bool]]:
    """Yield an open file, and whether it can be written.

    Raises:
        UsageError: it can neither be written nor read, or is not a regular file.
    """
    try:
        target = destination(path)
        writable = make
        try:
            how = os.O_RDWR | os.O_CREAT | os.O_APPEND if make else os.O_RDONLY
            file = os.open(target, how | os.O_CLOEXEC, PRIVATE)  # private, as the files of a run are
        except OSError:
            if not make or not target.exists():
                raise
            file, writable = os.open(target, os.O_RDONLY | os.O_CLOEXEC), False
    except OSError as error:
        raise UsageError(f"{path} cannot be {'written' if make else 'read'}: {error.strerror}.") from None
    try:
        yield file, writable
    finally:
        os.close(file)


@contextmanager
def _locked(file: int, how: int) -> Iterator[None]:
    """Hold a lock on the file within the block, if the file system has locks."""
    with suppress(OSError):
        fcntl.flock(file, how)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
