"""Which session is at work on a run, for who looks on.

The journal tells what was decided. It does not tell whether a process is at work just now, why the last one ended, and what a
stuck step was asked. That is what a session says of itself. Nothing depends on it: a run goes on without it. Where it is said
depends on where the run is: in a file of its directory (`session_file.py`), or in the database of its journal (`remote.py`).

Beside it, the last replies to items that were left open are kept. The journal keeps votes and no replies.
"""

import os
from collections import Counter
from types import TracebackType
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput
from maker_graph.errors import LimitReached, MakerError, ProviderFailure, TakenOver, Undecided

MOST_READ = 4_000_000
"""Bytes that are read of what a session says, and of the last replies to one item: more was not written by a run."""

LONG = 20_000
"""Characters that are kept of the last replies to an item, and of each text of a question that is too large otherwise."""

_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]

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

    step: _Number
    reason: str
    prompt: list[tuple[str, str]] = Field(default_factory=list)
    ballot: dict[str, _Number] = Field(default_factory=dict)
    flags: dict[str, _Number] = Field(default_factory=dict)
    samples: _Number = 0
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

    def shortened(self) -> Self:
        """Return it with long texts cut; candidates that begin alike are one then."""
        ballot = Counter[str]()
        for candidate, votes in self.ballot.items():
            ballot[candidate[:LONG]] += votes
        cut: dict[str, Any] = {
            "reason": self.reason[:LONG],
            "prompt": [(role[:LONG], content[:LONG]) for role, content in self.prompt],
            "ballot": dict(ballot),
            "replies": [reply[:LONG] for reply in self.replies],
        }
        return self.model_copy(update=cut)


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

    epoch: _Number
    pid: _Number
    state: State
    why: str = ""
    total: _Number | None = None
    question: Question | None = None


class SeenSession(NamedTuple):
    """What a session said last, and whether its process lives."""

    said: Said
    lives: bool


class Voice(Protocol):
    """Where a session speaks."""

    def say(self, state: State, content: str) -> None:
        """Say how the session stands, in the place of what was said before; `content` is a `Said` as JSON.

        Where that cannot be kept, nobody hears it.
        """
        ...

    def keep_replies(self, step: int, replies: list[str]) -> None:
        """Keep the last replies to an item, as far as that is possible."""
        ...

    def close(self) -> None:
        """Say nothing more: what was said is the last that is heard."""
        ...


class Session:
    """The session of this process on a run. It speaks when the run has gone on, for only then this process is its owner.

    Attributes:
        at: where the task stands; None before the run has gone on.
    """

    def __init__(self, voice: Voice, total: int | None) -> None:
        """Stand for the session; nothing is said yet."""
        self._voice, self._total = voice, total
        self._state: State | None = None
        self._question: Question | None = None
        self.at: MakerOutput | None = None

    def reached(self, at: MakerOutput, epoch: int | None) -> None:
        """Keep where the task stands, and say that this session is at work if it did not say so before."""
        self.at = at
        if self._state != "at work" and epoch is not None:
            self.say("at work", epoch)

    def say(self, state: State, epoch: int, why: str = "", question: Question | None = None) -> None:
        """Say how this session stands; where that cannot be kept, nobody hears it."""
        self._state, self._question = state, question
        said = Said(epoch=epoch, pid=os.getpid(), state=state, why=_storable(why), total=self._total, question=question)
        content = said.model_dump_json()
        if len(content.encode()) > MOST_READ and question is not None:  # whoever is asked at the terminal sees it all
            content = said.model_copy(update={"question": question.shortened()}).model_dump_json()
        if len(content.encode()) > MOST_READ:
            content = said.model_copy(update={"question": None}).model_dump_json()
        self._voice.say(state, content)

    def ended(self, error: BaseException | None, epoch: int | None) -> None:
        """Say how this session ended; if another process has gone on with the run, that one speaks."""
        if epoch is None or isinstance(error, TakenOver):
            return
        question = self._question  # one that was waited for when the session was interrupted still waits
        if isinstance(error, Undecided) and self.at is not None:
            question = Question.of(error, self.at)
        self.say(_state_after(error), epoch, "" if error is None else _why(error), question)

    def left_open(self, step: int, decision: Decision) -> None:
        """Keep the last replies to an item that is left open."""
        if decision["replies"]:
            self._voice.keep_replies(step, [reply[:LONG] for reply in decision["replies"]])

    def close(self) -> None:
        """Say nothing more: what was said is the last that is heard."""
        self._voice.close()

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
