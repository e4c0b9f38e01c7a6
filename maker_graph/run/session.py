"""Which session is at work on a run, for who looks on: a small file in the run's directory, session.json.

The journal tells what was decided. It does not tell whether a process is at work just now, why the last one ended, and what a
stuck step was asked. That stands in this file. Nothing depends on it: a run goes on without it.

The process that works keeps the file locked. The system takes the lock away when the process ends, however it ends. So a file
that says "at work" and is not locked is that of a process that was killed. Each new content is a new file that takes the place
of the one before, locked before it gets its name: an older owner that still lives has its lock on a file that nobody finds.

Beside it, last_replies.jsonl has the last replies to items that were left open. The journal keeps votes and no replies.
"""

import fcntl
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput
from maker_graph.errors import LimitReached, MakerError, ProviderFailure, TakenOver, Undecided
from maker_graph.files import PRIVATE

SESSION = "session.json"
REPLIES = "last_replies.jsonl"

MOST_READ = 4_000_000
"""Bytes that are read of either file at most: one that is larger was not written by a run."""

State: TypeAlias = Literal["at work", "waits", "done", "stuck", "limit", "provider", "interrupted", "failed"]
"""How a session stands: at work; waiting for a person's answer; or ended: with the task, or for what reason else."""


class Question(BaseModel):
    """A stuck step, as a person is asked about it.

    Attributes:
        step: its number.
        reason: why nobody won; if an answer was refused, why.
        prompt: what was asked, as (role, content).
        ballot: candidate -> votes, on all rungs.
        flags: red flag -> discarded samples.
        samples: drawn for it.
        replies: the last ones.
        passed: whether it is contested, so that no model is asked again.
        state: of the task before the step.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    step: int
    reason: str
    prompt: list[tuple[str, str]] = Field(default_factory=list)
    ballot: dict[str, int] = Field(default_factory=dict)
    flags: dict[str, int] = Field(default_factory=dict)
    samples: int = 0
    replies: list[str] = Field(default_factory=list)
    passed: bool = False
    state: Any = None

    @classmethod
    def of(cls, error: Undecided, at: MakerOutput) -> Self:
        """Return the question about the step after `at`, which ended with `error`."""
        return cls(
            step=at["step"] + 1,
            reason=_storable(error.reason),
            prompt=[(role, _storable(content)) for role, content in error.prompt],
            ballot=error.ballot,
            flags=error.flags,
            samples=error.samples,
            replies=[_storable(reply) for reply in error.replies],
            passed=error.passed,
            state=at["state"],
        )


def _storable(content: object) -> str:
    """Return a text as it can be kept: half a character is an escape, and so is what is no text."""
    return str(content).encode("utf-8", "backslashreplace").decode()


class Said(BaseModel):
    """What a session says of itself.

    Attributes:
        epoch: which owner of the run it is.
        pid: of its process.
        state: how it stands.
        why: why it ended, in a sentence; empty if it did not.
        total: steps of the task, if it knows.
        question: the stuck step that waits for a person.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    epoch: int
    pid: int
    state: State
    why: str = ""
    total: int | None = None
    question: Question | None = None


class SeenSession(NamedTuple):
    """What a session said last, and whether its process lives."""

    said: Said
    lives: bool


class Session:
    """The session of this process on a run. It speaks when the run has gone on, for only then this process is its owner.

    Attributes:
        at: where the task stands; None before the run has gone on.
    """

    def __init__(self, directory: Path, total: int | None) -> None:
        """Stand for the session; nothing is written yet."""
        self._directory, self._total = directory, total
        self._file: int | None = None
        self._state: State | None = None
        self.at: MakerOutput | None = None

    def reached(self, at: MakerOutput, epoch: int | None) -> None:
        """Keep where the task stands, and say that this session is at work if it did not say so before."""
        self.at = at
        if self._state != "at work" and epoch is not None:
            self.say("at work", epoch)

    def say(self, state: State, epoch: int, why: str = "", question: Question | None = None) -> None:
        """Say how this session stands; where that cannot be written, nobody hears it."""
        self._state = state
        said = Said(epoch=epoch, pid=os.getpid(), state=state, why=_storable(why), total=self._total, question=question)
        content = said.model_dump_json().encode()
        if len(content) > MOST_READ:  # whoever is asked at the terminal sees it all
            content = said.model_copy(update={"question": None}).model_dump_json().encode()
        draft = self._directory / f".{os.urandom(8).hex()}.draft"
        with suppress(OSError, ValueError):
            file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
            try:
                os.write(file, content)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.replace(self._directory / SESSION)
            except BaseException:
                os.close(file)
                draft.unlink(missing_ok=True)
                raise
            self.close()
            self._file = file

    def ended(self, error: BaseException | None, epoch: int | None) -> None:
        """Say how this session ended; if another process has gone on with the run, that one speaks."""
        if epoch is None or isinstance(error, TakenOver):
            return
        question = Question.of(error, self.at) if isinstance(error, Undecided) and self.at is not None else None
        self.say(_state_after(error), epoch, "" if error is None else _why(error), question)

    def left_open(self, step: int, decision: Decision) -> None:
        """Keep the last replies to an item that is left open."""
        if decision["replies"]:
            with suppress(OSError):
                file = os.open(self._directory / REPLIES, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
                try:
                    os.write(file, (json.dumps({"step": step, "replies": decision["replies"]}) + "\n").encode())
                finally:
                    os.close(file)

    def close(self) -> None:
        """Let go of the file: what it says is the last that is heard."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _state_after(error: BaseException | None) -> State:
    match error:
        case None:
            return "done"
        case Undecided():
            return "stuck"
        case LimitReached():
            return "limit"
        case ProviderFailure():
            return "provider"
        case _:
            return "failed" if isinstance(error, Exception) else "interrupted"


def _why(error: BaseException) -> str:
    """Return why a session ended. What nobody expected is told by its name alone: its words may hold anything."""
    if isinstance(error, MakerError):
        return str(error)
    return "It was interrupted." if not isinstance(error, Exception) else f"It ended with {type(error).__name__}."


def read_session(directory: Path) -> SeenSession | None:
    """Return what the last session on a run said, and whether its process lives; None if there is nothing that can be read."""
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
    """Say whether somebody keeps a file locked. The lock that is tried is one that several may hold."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def last_replies(directory: Path, steps: Sequence[int]) -> dict[int, list[str]]:
    """Return the last replies to items that were left open, by their number, as far as they were kept."""
    try:
        with (directory / REPLIES).open("rb") as file:
            lines = file.read(MOST_READ).split(b"\n")
    except OSError:
        return {}
    wanted, found = set(steps), dict[int, list[str]]()
    for line in lines:
        with suppress(ValueError, TypeError, LookupError):
            kept = json.loads(line)
            if kept["step"] in wanted:
                found[kept["step"]] = [str(reply) for reply in kept["replies"]]
    return found
