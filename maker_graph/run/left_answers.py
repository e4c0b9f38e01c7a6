"""Answers that a person has left for a run, for its owner to take up.

Who answers in the browser does not own the run: a process may be at work on it, and would have to stop. So the answer is left
beside the journal, and whoever goes on with the run reads it once more, checks it, commits it, and then takes it away. Answers
are left where the run is: as small files in the folder `answers` of its directory, or in the database (`remote.py`).

Nothing is lost or applied twice, whichever process is killed:

- An answer is there whole or not at all, under a key that no other one has.
- It is taken away only after it is in the journal. An owner that is killed before that leaves it for the next one.
- The journal takes one answer to a step. One whose step is decided says nothing any more, and is taken away.
- An answer to a step that depends on those before it names the hash of the last of them. If the run has come to that step by
  another way since, the answer is for another question, and is not used.
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
"""Characters of an answer at most: no reply of a model is longer."""

MOST_READ = 7 * LONGEST
"""Bytes that are read of a file at most: more is no answer."""

MOST = 10_000
"""So many files are looked at, at most."""


class Candidate(str):
    """A candidate of a ballot, in the place of a reply: it is checked, and not parsed by the task."""

    __slots__ = ()


Reply: TypeAlias = str | Candidate
"""What a person answers: a text as a model would reply, or a candidate of the item's ballot."""


class KeptAnswer(BaseModel):
    """An answer as it is kept; see `LeftAnswer`."""

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
        key: what tells it from all others, such as the name of its file.
        step: the step, or item, that it answers.
        reply: what was answered; a `Candidate` is one of the ballot.
        after: the hash of the step before, where the question depends on it.
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
        """Return the answer that is kept under this key; None if there is no readable one."""
        try:
            return cls(key=key, **KeptAnswer.model_validate_json(content).model_dump())
        except ValidationError:
            return None

    def meant(self) -> Reply:
        """Return it as it is read."""
        return Candidate(self.reply) if self.candidate else self.reply

    def refused_for(self, why: str) -> KeptAnswer:
        """Return the form in which it is kept for the person, after an owner has not taken it."""
        kept = self.model_dump(exclude={"key", "refused"})
        return KeptAnswer(**kept, refused=why or "no reason")


class LeftAnswers(ABC):
    """The answers that were left for one run."""

    @abstractmethod
    def leave(self, step: int, reply: Reply, after: str | None = None) -> None:
        """Leave an answer, in the place of earlier ones to the same step; on return it is kept.

        Raises:
            LimitReached: there is no room, or no access.
        """

    @abstractmethod
    def all(self) -> Sequence[LeftAnswer]:
        """Return all answers that were left, by step; of one step the newest last."""

    @abstractmethod
    def remove(self, left: LeftAnswer) -> None:
        """Take an answer away: it is in the journal, or says nothing any more."""

    @abstractmethod
    def refuse(self, left: LeftAnswer, why: str) -> None:
        """Keep for the person why an answer was not taken. If that cannot be kept, the answer is still removed."""

    def waiting(self) -> dict[int, LeftAnswer]:
        """Return by step the answers that no owner has looked at yet; of two for one step the newer one."""
        return {left.step: left for left in self.all() if not left.refused}


class AnswerFiles(LeftAnswers):
    """The answers that were left for a run in a directory: files in its folder `answers`."""

    def __init__(self, directory: Path) -> None:
        """Take the answers to the run in `directory`."""
        self._folder = directory / FOLDER

    def leave(self, step: int, reply: Reply, after: str | None = None) -> None:
        """Leave an answer, in the place of earlier ones to the same step; on return it is on the disk.

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
        """Return all answers that were left, by step; of one step the newest last."""
        if self._folder.is_symlink():
            return []
        try:
            paths = sorted(self._folder.glob("*.json"))[:MOST]
        except OSError:
            return []
        found = [left for path in paths if (left := _in_file(path)) is not None]
        return sorted(found, key=lambda left: (left.step, left.key))

    def remove(self, left: LeftAnswer) -> None:
        """Take an answer away: it is in the journal, or says nothing any more."""
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
