"""Answers that a person has left for a run: small files in the folder `answers` of its directory, for its owner to take up.

Who answers in the browser does not own the run: a process may be at work on it, and would have to stop. So the answer is left
here, and whoever goes on with the run reads it once more, checks it, commits it, and then takes its file away.

Nothing is lost, and nothing is applied twice, whoever is killed:

- A file is there whole or not at all, under a name that no other answer has.
- It is taken away only after its answer is in the journal. An owner that is killed before that leaves it for the next one.
- The journal takes one answer to a step. A file whose step is decided says nothing any more, and is taken away.
- An answer to a step that depends on those before it names the hash of the last of them. If the run has come to that step by
  another way since, the answer is for another question, and is not used.
"""

import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maker_graph.errors import LimitReached
from maker_graph.files import odd_kind, write_whole
from maker_graph.run.review import Candidate, Reply

FOLDER = "answers"

LONGEST = 200_000
"""Characters of an answer at most: no reply of a model is longer."""

MOST_READ = 7 * LONGEST
"""Bytes that are read of a file at most: more is no answer."""


class _Kept(BaseModel):
    """An answer as it stands in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int = Field(ge=1)
    reply: str = Field(max_length=LONGEST)
    candidate: bool = False
    after: str | None = None
    refused: str = ""


class LeftAnswer(BaseModel):
    """An answer that was left.

    Attributes:
        path: its file.
        step: the step, or item, that it answers.
        reply: what was answered; a `Candidate` is one of the ballot.
        after: the hash of the step before, where the question depends on it.
        refused: why the owner of the run did not take it; empty if no owner has looked at it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    path: Path
    step: int
    reply: str
    candidate: bool
    after: str | None
    refused: str

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the answer in a file; None if there is none that can be read."""
        try:
            if odd_kind(path) or path.stat().st_size > MOST_READ:
                return None
            kept = _Kept.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        return cls(path=path, **kept.model_dump())

    def meant(self) -> Reply:
        """Return it as it is read."""
        return Candidate(self.reply) if self.candidate else self.reply


class LeftAnswers:
    """The answers that were left for one run."""

    def __init__(self, directory: Path) -> None:
        """Stand for those of the run in `directory`."""
        self._folder = directory / FOLDER

    def leave(self, step: int, reply: Reply, after: str | None = None) -> None:
        """Leave an answer, in the place of earlier ones to the same step; on return it is on the disk.

        Raises:
            LimitReached: there is no room, or no access.
        """
        kept = _Kept(step=step, reply=str(reply), candidate=isinstance(reply, Candidate), after=after)
        try:
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
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return []
        found = [left for path in paths if (left := LeftAnswer.read(path)) is not None]
        return sorted(found, key=lambda left: (left.step, left.path.name))

    def waiting(self) -> dict[int, LeftAnswer]:
        """Return, by step, the answer that an owner has not looked at yet; where there are two, the newer one."""
        return {left.step: left for left in self.all() if not left.refused}

    def remove(self, left: LeftAnswer) -> None:
        """Take an answer away: it is in the journal, or says nothing any more."""
        with suppress(OSError):
            left.path.unlink(missing_ok=True)

    def refuse(self, left: LeftAnswer, why: str) -> None:
        """Keep why an answer was not taken, for who left it; where that cannot be kept, it is taken away all the same."""
        kept = _Kept(step=left.step, reply=left.reply, candidate=left.candidate, after=left.after, refused=why or "no reason")
        with suppress(OSError):
            write_whole(left.path.with_name(f"{left.path.stem}.refused.json"), kept.model_dump_json(), private=True)
        self.remove(left)
