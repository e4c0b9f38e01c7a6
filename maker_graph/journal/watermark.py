"""The high-water mark of a run: how far its journal has come, kept outside the database of the journal.

A database cannot notice that it was replaced by an older copy of itself. The hashes of the older copy are right, and nothing
shows that later steps were committed and paid for. So after each commit the owner of a run writes how far the journal has come
into two small files. Whoever opens the run compares them with the journal:

- `journal.watermark` is beside the journal. It shows if the journal alone was replaced by an older copy, or has lost its
  write-ahead log.
- The other file is in the user's state folder (`$XDG_STATE_HOME/maker-graph`, else `~/.local/state/maker-graph`). Its name is
  made from the run and its directory. It shows if the whole directory was replaced by an older copy. It is missing on another
  machine, after the directory was moved, and if the state folder cannot be written. Then an older copy of the whole directory
  cannot be noticed. The file may be deleted while nobody works on the run.

A process that is killed between a commit and the mark leaves a mark that is lower than the journal. That is no sign of damage.
A mark that is higher than the journal shows that steps or costs were lost.

Each file has two slots, each with a checksum, which are written in turn and in place. So a write that was cut off leaves the
other slot as it was, and a full disk does not prevent a write. The files are synced to the disk only when an owner begins and
ends, because a killed process loses nothing that it has written. After a power cut the mark may be lower than the journal.
With `fsync="normal"` it may be higher, and then steps were really lost.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from maker_graph.core.canonical import sorted_json
from maker_graph.core.spending import Account
from maker_graph.errors import LimitReached

VERSION = 1
"""The version of the form of a slot."""

SLOT = 1024
"""The size of a slot, in bytes."""

_CHECKSUM = 32


class Watermark(NamedTuple):
    """How far a journal has come.

    Attributes:
        epoch: the number of its last owner.
        hash: the hash over its last step and its last amendment; see `head` in `chain.py`.
        account: its account. It also has the numbers of steps and amendments, and how often the journal was written.
    """

    epoch: int
    hash: bytes
    account: Account

    @lru_cache(maxsize=4)  # noqa: B019  it keeps a few small values, because the same mark goes into two files
    def encoded(self, origin: bytes) -> bytes:
        """Return the content of a slot with this mark; `origin` is that of the run."""
        text = sorted_json([VERSION, origin.hex(), self.epoch, self.hash.hex(), self.account.parts()]).encode()
        return (_checksum(text) + text).ljust(SLOT - 1) + b"\n"

    @classmethod
    def decoded(cls, slot: bytes, origin: bytes) -> "Watermark | None":
        """Return the mark in a slot; None if the slot is empty or damaged, or its mark is of another run or version."""
        checksum, text = slot[:_CHECKSUM], slot[_CHECKSUM:].strip()
        if not text or checksum != _checksum(text):
            return None
        version, began, epoch, last, parts = json.loads(text)
        if (version, began) != (VERSION, origin.hex()):
            return None
        return cls(epoch, bytes.fromhex(last), Account.of(parts))


class WatermarkFile:
    """One file with a high-water mark."""

    def __init__(self, path: Path, origin: bytes, *, makes_folder: bool = False) -> None:
        """Name the file of the run with this origin. The file need not exist, nor its folder if `makes_folder`."""
        self.path = path
        self.origin = origin
        self._makes_folder = makes_folder
        self._file: int | None = None

    def read(self) -> Watermark | None:
        """Return the mark; None if there is none that can be read."""
        for _ in range(3):  # somebody may be writing just now
            try:
                content = self.path.read_bytes()
            except OSError:
                return None
            slots = (content[:SLOT], content[SLOT:])
            marks = [mark for slot in slots if (mark := Watermark.decoded(slot, self.origin)) is not None]
            if marks:
                return max(marks, key=lambda mark: mark.account.serial)
        return None

    def write(self, mark: Watermark) -> None:
        """Write `mark` in place of the older one of the two in the file. The file is made if it does not exist.

        Raises:
            OSError: the file cannot be written.
        """
        if self._file is None:
            if self._makes_folder:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(self._file).st_size != 2 * SLOT:
                os.pwrite(self._file, b" " * (2 * SLOT), 0)
        os.pwrite(self._file, mark.encoded(self.origin), SLOT * (mark.account.serial % 2))

    def close(self) -> None:
        """Close the file, if it was written, and sync it to the disk, if possible."""
        if self._file is not None:
            with suppress(OSError):
                os.fsync(self._file)
            with suppress(OSError):
                os.close(self._file)
            self._file = None


class Watermarks:
    """The high-water marks of a run: beside its journal, and outside its directory.

    Attributes:
        beside: the file beside the journal; None if the journal is not a file.
        failed: why the file beside the journal could not be written; None if it could. What was committed stays committed, but
            no further call may be made.
    """

    def __init__(self, beside: Path | None, outside: Path | None, origin: bytes) -> None:
        """Name the files of the run with this origin; None for one that there is not. The files need not exist."""
        self.beside = beside
        self.failed: LimitReached | None = None
        self._files = [] if beside is None else [WatermarkFile(beside, origin)]
        if outside is not None:
            self._files.append(WatermarkFile(outside, origin, makes_folder=True))

    def read(self) -> list[Watermark | None]:
        """Return the mark of each file, the one beside the journal first; None for a file without a mark."""
        return [file.read() for file in self._files]

    def write(self, marks: Watermark | Sequence[Watermark]) -> None:
        """Write one mark into all files, or a mark of its own into each."""
        each = [marks] * len(self._files) if isinstance(marks, Watermark) else marks
        for file, mark in zip(self._files, each, strict=True):
            try:
                file.write(mark)
                failed = None
            except OSError as error:
                why = error.strerror
                failed = LimitReached(f"{file.path} cannot be written ({why}): make room, or give access, and resume.")
            if file.path == self.beside:  # the run can go on without the other one
                self.failed = failed

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_CHECKSUM].encode()


def watermark_path(journal: Path) -> Path:
    """Return the file beside a journal."""
    return journal.with_suffix(".watermark")


def witness_path(directory: Path, run: str) -> Path | None:
    """Return the file outside `directory` for the run with this id; None if no folder for it is known."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # the XDG standard says that such a path is ignored
        try:
            state = Path.home() / ".local" / "state"
        except RuntimeError:  # this user has no home directory
            return None
    name = hashlib.sha256(f"{run}\n{os.path.realpath(directory)}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return state / "maker-graph" / f"{name}.watermark"


def older_text(journal: Path | str, now: Account, known: Account) -> str:
    """Return the text of the error for a journal with the account `now` where a high-water mark has the account `known`."""
    if known.serial > now.serial:
        steps = f"steps {now.steps + 1:,} to {known.steps:,}, " if known.steps > now.steps else ""
        if known.amended > now.amended:
            steps += f"later answers to {known.amended - now.amended:,} open steps, "
        calls, cost = max(0, known.spent.calls - now.spent.calls), max(0.0, known.spent.cost - now.spent.cost)
        what = (
            "is an older copy, or has lost its write-ahead log. What was committed and paid for since then is missing: "
            f"{steps}{calls:,} calls, ${cost:.4f}"
        )
    else:
        what = f"is not the one that this run had at step {known.steps:,}: the run went on in two copies of it"
    return (
        f"{journal} {what}. Put the newer files back, or resume with --accept-loss: then missing steps are sampled again, and "
        "what was spent stays counted."
    )
