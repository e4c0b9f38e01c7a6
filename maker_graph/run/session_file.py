"""How the session on a run stands, in two files of the run's directory: session.json and last_replies.jsonl.

The process at work keeps session.json locked. The system removes the lock when the process ends, however it ends. So if
the file says "at work" and is not locked, its process was killed. Each new content is a new file, which is locked and then
takes the place of the one before. So a former owner that is still alive has its lock on a file without a name.
"""

import fcntl
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from maker_graph.files import PRIVATE
from maker_graph.run.session import MOST_READ, Said, SeenSession, State

SESSION = "session.json"
REPLIES = "last_replies.jsonl"

_BEGIN = re.compile(rb'\{"step": (\d{1,19}),')
"""The beginning of a line with the last replies to an item, and the number of the item."""

MOST_KEPT = 256_000_000
"""The most bytes of last replies that are read."""


class SessionFile:
    """The voice of the session on a run in a directory. It writes session.json and last_replies.jsonl."""

    def __init__(self, directory: Path) -> None:
        """Write into this directory; nothing is written yet."""
        self._directory = directory
        self._file: int | None = None

    def say(self, state: State, content: str) -> None:  # noqa: ARG002  the content says it too
        """Write how the session stands. If that fails, the file stays as it was."""
        draft = self._directory / f".{os.urandom(8).hex()}.draft"
        with suppress(OSError, ValueError):
            file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
            try:
                os.write(file, content.encode())
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.replace(self._directory / SESSION)
            except BaseException:
                os.close(file)
                draft.unlink(missing_ok=True)
                raise
            self.close()
            self._file = file

    def keep_replies(self, step: int, replies: list[str]) -> None:
        """Append the last replies to an item. If that fails, they are lost."""
        with suppress(OSError):
            file = os.open(self._directory / REPLIES, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
            try:
                os.write(file, (json.dumps({"step": step, "replies": replies}) + "\n").encode())
            finally:
                os.close(file)

    def close(self) -> None:
        """Give the lock up. What the file says stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_session(directory: Path) -> SeenSession | None:
    """Return what the last session on a run said, and whether its process is alive; None if nothing can be read."""
    try:
        file = os.open(directory / SESSION, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        said = Said.model_validate_json(os.read(file, MOST_READ))
        return SeenSession(said, lives=_locked(file))
    except (OSError, ValidationError):
        return None
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    """Say whether a process keeps a file locked. The lock that is tried is a shared one, so other readers do not count."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def last_replies(directory: Path, steps: Sequence[int]) -> dict[int, list[str]]:
    """Return the last replies to items that were left open, by their numbers, as far as they were kept."""
    wanted, found = frozenset(steps), dict[int, list[str]]()
    with suppress(OSError), (directory / REPLIES).open("rb") as file:
        while file.tell() < MOST_KEPT and (line := file.readline(MOST_READ)):
            begins = _BEGIN.match(line)
            if begins is not None and int(begins[1]) in wanted:  # the others are not read
                with suppress(ValueError, TypeError, LookupError, RecursionError):
                    kept = json.loads(line)
                    found[kept["step"]] = [str(reply) for reply in kept["replies"]]
    return found
