"""Answers that people have left for a run, until its owner takes them up.

The web page that takes an answer does not own the run: a process may be at work on the run, and would have to stop. So
the answer is left beside the journal. Whoever goes on with the run reads it again, checks it, commits it, and then
removes it. Answers are left where the run is: as small files in the folder `answers` of its directory, or in the
database (`remote.py`).

No answer is lost or applied twice, whichever process is killed:

- An answer is there whole or not at all, under a key of its own.
- It is removed only after it is in the journal. If the owner is killed before that, the next owner finds it.
- The journal takes only one answer to a step. If the step is decided already, the answer is removed.
- An answer to a step that depends on those before it names the hash of the last of them. If the run has come to that step by
  another way since, the answer is to another question, and is not used.
"""

import errno
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maker_graph.errors import LimitReached
from maker_graph.files import odd_kind, write_whole

FOLDER = "answers"

LONGEST = 200_000
"""The most characters of an answer. No reply of a model is longer."""

MOST_READ = 7 * LONGEST
"""The most bytes of a file that holds an answer. A longer file is ignored."""

MOST = 10_000
"""The most files that are looked at."""


class Candidate(str):
    """A candidate of a ballot, instead of a reply. It is checked, but not parsed by the task."""

    __slots__ = ()


Reply: TypeAlias = str | Candidate
"""What a person answers: a text as a model would reply, or a candidate of the ballot."""


class KeptAnswer(BaseModel):
    """The form in which an answer is stored; see `LeftAnswer`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int = Field(ge=1)
    reply: str = Field(max_length=LONGEST)
    candidate: bool = False
    after: str | None = None
    refused: str = ""

    @classmethod
    def of(cls, step: int, reply: Reply, after: str | None) -> Self:
        """Return an answer that no owner has looked at yet."""
        return cls(step=step, reply=str(reply), candidate=isinstance(reply, Candidate), after=after)


class LeftAnswer(BaseModel):
    """An answer that was left.

    Attributes:
        key: what tells it apart from all others, such as the name of its file.
        step: the step, or item, that it answers.
        reply: what was answered.
        candidate: whether the reply is a candidate of the ballot.
        after: the hash of the step before, if the question depends on it; else None.
        refused: why the owner of the run did not take it; empty if no owner has looked at it.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    step: int
    reply: str
    candidate: bool
    after: str | None
    refused: str

    @classmethod
    def read(cls, key: str, content: str | bytes) -> Self | None:
        """Return the answer that is stored under this key; None if `content` is no answer."""
        try:
            return cls(key=key, **KeptAnswer.model_validate_json(content).model_dump())
        except ValidationError:
            return None

    def meant(self) -> Reply:
        """Return the reply as it is to be read: as a `Candidate`, if it is one."""
        return Candidate(self.reply) if self.candidate else self.reply

    def refused_for(self, why: str) -> KeptAnswer:
        """Return the answer with the reason why an owner did not take it, to be kept for the person."""
        kept = self.model_dump(exclude={"key", "refused"})
        return KeptAnswer(**kept, refused=why or "no reason")


class LeftAnswers(ABC):
    """The answers that were left for one run."""

    @abstractmethod
    def leave(self, step: int, reply: Reply, after: str | None = None) -> None:
        """Leave an answer, in the place of earlier ones to the same step. On return it is stored.

        Raises:
            LimitReached: there is no room, or no access.
        """

    @abstractmethod
    def all(self) -> Sequence[LeftAnswer]:
        """Return all answers that were left, in the order of their steps, and for one step the newest last."""

    @abstractmethod
    def remove(self, left: LeftAnswer) -> None:
        """Remove an answer that is in the journal, or is of no use any more."""

    @abstractmethod
    def refuse(self, left: LeftAnswer, why: str) -> None:
        """Keep for the person why an answer was not taken. If that cannot be kept, the answer is still removed."""

    def waiting(self) -> dict[int, LeftAnswer]:
        """Return step -> its newest answer, among those that no owner has looked at yet."""
        return {left.step: left for left in self.all() if not left.refused}


class AnswerFiles(LeftAnswers):
    """The answers that were left for a run in a directory: files in its folder `answers`."""

    def __init__(self, directory: Path) -> None:
        """Take the directory of the run."""
        self._folder = directory / FOLDER

    def leave(self, step: int, reply: Reply, after: str | None = None) -> None:
        """Leave an answer, in the place of earlier ones to the same step. On return it is on the disk.

        Raises:
            LimitReached: there is no room, or no access.
        """
        kept = KeptAnswer.of(step, reply, after)
        try:
            if self._folder.is_symlink():
                raise NotADirectoryError(errno.ENOTDIR, f"{self._folder} is a link to somewhere else")
            earlier = [left for left in self.all() if left.step == step]
            self._folder.mkdir(mode=0o700, exist_ok=True)
            name = f"{step}-{time.time_ns():020d}-{secrets.token_hex(4)}.json"
            write_whole(self._folder / name, kept.model_dump_json(), private=True)
        except OSError as error:
            raise LimitReached(
                f"The answer cannot be kept ({error.strerror}): make room, or give access, and answer again."
            ) from error
        for left in earlier:
            self.remove(left)

    def all(self) -> list[LeftAnswer]:
        """Return all answers that were left, in the order of their steps, and for one step the newest last."""
        if self._folder.is_symlink():
            return []
        try:
            paths = sorted(self._folder.glob("*.json"))[:MOST]
        except OSError:
            return []
        found = [left for path in paths if (left := _in_file(path)) is not None]
        return sorted(found, key=lambda left: (left.step, left.key))

    def remove(self, left: LeftAnswer) -> None:
        """Remove an answer that is in the journal, or is of no use any more."""
        with suppress(OSError):
            (self._folder / left.key).unlink(missing_ok=True)

    def refuse(self, left: LeftAnswer, why: str) -> None:
        """Keep for the person why an answer was not taken. If that cannot be kept, the answer is still removed."""
        path = self._folder / left.key
        with suppress(OSError):
            write_whole(path.with_name(f"{path.stem}.refused.json"), left.refused_for(why).model_dump_json(), private=True)
        self.remove(left)


def _in_file(path: Path) -> LeftAnswer | None:
    """Return the answer in a file; None if it holds no readable one."""
    try:
        if path.is_symlink() or odd_kind(path) or path.stat().st_size > MOST_READ:
            return None
        return LeftAnswer.read(path.name, path.read_bytes())
    except OSError:
        return None
