"""The high-water mark of a run: how far its journal has come, kept outside the journal's database.

A database cannot say that it is an older copy of itself: its hashes are whole, its steps follow each other, and what was
committed and paid for since is gone without a trace. So each owner of a run writes, after each commit, how far the journal is
now into two small files, and whoever opens the run compares:

- `journal.watermark` beside the journal: it notices when the journal alone is put back, or loses its write-ahead log;
- one in the user's state folder (`$XDG_STATE_HOME/maker-graph`, else `~/.local/state/maker-graph`), named by the run and its
  directory: it notices when the whole directory is put back to an older copy. It is missing on another machine, in another
  place, and where that folder cannot be written; then an older copy of a whole directory looks like the run itself. It may be
  deleted whenever the run is not at work.

A mark is lower than the journal after a kill between the commit and the mark, never higher; a lower mark says nothing. It is
written in place, into one of two slots in turn, each with a checksum: a torn write leaves the other slot, and a full disk takes
it as well. The disk is waited for only when an owner begins and ends, for a kill loses nothing that was written. After a power
cut the mark may be lower; with `fsync="normal"` it may be higher, and then steps were really lost.
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
"""The form of a slot."""

SLOT = 1024
"""Bytes of a slot."""

_CHECKSUM = 32


class Watermark(NamedTuple):
    """How far a journal has come.

    Attributes:
        epoch: its last owner.
        hash: of its last step and its last amendment; see `head`.
        account: its account, with the numbers of these, and how often the journal was written.
    """

    epoch: int
    hash: bytes
    account: Account

    @lru_cache(maxsize=4)  # noqa: B019  a few small values: the same mark goes into two files
    def encoded(self, origin: bytes) -> bytes:
        """Return it as it stands in a slot; `origin` is that of the run."""
        text = sorted_json([VERSION, origin.hex(), self.epoch, self.hash.hex(), self.account.parts()]).encode()
        return (_checksum(text) + text).ljust(SLOT - 1) + b"\n"

    @classmethod
    def decoded(cls, slot: bytes, origin: bytes) -> "Watermark | None":
        """Return the mark in a slot; None if the slot is empty, or holds the mark of another run."""
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
        """Stand for the file in `path`, which need not be there, of the run of this origin; its folder may be missing too."""
        self.path = path
        self.origin = origin
        self._makes_folder = makes_folder
        self._file: int | None = None

    def read(self) -> Watermark | None:
        """Return the mark; None if there is no readable one."""
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
        """Put `mark` in the place of the last but one; the file is made if it is not there.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is None:
            if self._makes_folder:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(self._file).st_size != 2 * SLOT:
                os.pwrite(self._file, b" " * (2 * SLOT), 0)
        os.pwrite(self._file, mark.encoded(self.origin), SLOT * (mark.account.serial % 2))

    def close(self) -> None:
        """Close the file, if it was written; wait until the disk has it, if it takes it."""
        if self._file is not None:
            with suppress(OSError):
                os.fsync(self._file)
            with suppress(OSError):
                os.close(self._file)
            self._file = None


class Watermarks:
    """The high-water marks of a run: beside its journal, and outside its directory.

    Attributes:
        beside: the file beside the journal; None if that is not a file.
        failed: why that one could not be written, if so. What was committed stays so, but no further call may be paid for.
    """

    def __init__(self, beside: Path | None, outside: Path | None, origin: bytes) -> None:
        """Stand for the files, which need not be there, of the run of this origin."""
        self.beside = beside
        self.failed: LimitReached | None = None
        self._files = [] if beside is None else [WatermarkFile(beside, origin)]
        if outside is not None:
            self._files.append(WatermarkFile(outside, origin, makes_folder=True))

    def read(self) -> list[Watermark | None]:
        """Return the mark of each file, that beside the journal first; None where there is none."""
        return [file.read() for file in self._files]

    def write(self, marks: Watermark | Sequence[Watermark]) -> None:
        """Write a mark into all files, or one into each."""
        each = [marks] * len(self._files) if isinstance(marks, Watermark) else marks
        for file, mark in zip(self._files, each, strict=True):
            try:
                file.write(mark)
                failed = None
            except OSError as error:
                failed = LimitReached(f"{file.path} cannot be written ({error.strerror}): make room, and resume.")
            if file.path == self.beside:  # the run does without the other one
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
    """Return the file outside `directory` for the run of this id; None if there is no folder for it."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # as the standard has it
        try:
            state = Path.home() / ".local" / "state"
        except RuntimeError:  # who runs this has no home
            return None
    name = hashlib.sha256(f"{run}\n{os.path.realpath(directory)}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return state / "maker-graph" / f"{name}.watermark"


def older_text(journal: Path | str, now: Account, known: Account) -> str:
    """Return what to say of a journal whose account is `now`, where a high-water mark has `known`."""
    if known.serial > now.serial:
        steps = f"steps {now.steps + 1:,} to {known.steps:,}, " if known.steps > now.steps else ""
        if known.amended > now.amended:
            steps += f"later answers to {known.amended - now.amended:,} open steps, "
        calls, cost = max(0, known.spent.calls - now.spent.calls), max(0.0, known.spent.cost - now.spent.cost)
        what = (
            "is an older copy of itself, or has lost its write-ahead log. What was committed and paid for since is missing: "
            f"{steps}{calls:,} calls, ${cost:.4f}"
        )
    else:
        what = f"is not the one that this run had at step {known.steps:,}: two copies of it went on apart from each other"
    return (
        f"{journal} {what}. Put the newer files back, or resume with --accept-loss: missing steps are sampled again, and what "
        "was spent stays counted."
    )
