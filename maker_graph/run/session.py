"""How the session on a run stands, for those who watch the run.

The journal says what was decided. It does not say whether a process is at work just now, why the last one ended, or what
the question of a stuck step is. A session says these things itself. A run does not need them to go on. They are stored in
a file of the run's directory (`session_file.py`), or in the database of its journal (`remote.py`).

The last replies to items that were left open are stored beside them. The journal keeps votes, but no replies.
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
"""The most bytes that are read of what a session says, or of the last replies to one item: no run writes more."""

LONG = 20_000
"""The most characters that are kept of each last reply to an item, and of each text of a question that is too large."""

_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]

State: TypeAlias = Literal["at work", "waits", "done", "stuck", "limit", "provider", "interrupted", "failed"]
"""How a session stands: it is at work, it waits for a person's answer, or it ended ("done": with the task)."""


class Question(BaseModel):
    """A stuck step, as a person is asked about it.

    Attributes:
        step: the number of the step.
        reason: why nobody won, or why an answer was refused.
        prompt: what was asked, as (role, content).
        ballot: candidate -> votes, on all rungs.
        flags: red flag -> discarded samples.
        samples: how many samples were drawn for it.
        replies: the last replies of models.
        passed: whether the step is contested, so that no model is asked again.
        state: the state of the task before the step.
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
        """Return the question about the step after `at`, whose vote ended with `error`."""
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
        """Return a copy in which long texts are cut. Candidates with the same beginning become one."""
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
    """Return the content as text that UTF-8 can store: a lone surrogate, half a character, becomes an escape."""
    return str(content).encode("utf-8", "backslashreplace").decode()


class Said(BaseModel):
    """What a session says of itself.

    Attributes:
        epoch: the epoch of the owner of the run whose session it is.
        pid: the id of its process.
        state: how it stands.
        why: why it ended, in a sentence; empty if it did not end, or ended with the task.
        total: how many steps the task has; None if it does not say.
        question: the stuck step that waits for a person; None if there is none.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    epoch: _Number
    pid: _Number
    state: State
    why: str = ""
    total: _Number | None = None
    question: Question | None = None


class SeenSession(NamedTuple):
    """What a session said last, and whether its process is still alive."""

    said: Said
    lives: bool


class Voice(Protocol):
    """Where a session reports how it stands."""

    def say(self, state: State, content: str) -> None:
        """Store how the session stands, in the place of what was stored before; `content` is a `Said` as JSON.

        A failure to store it is ignored.
        """
        ...

    def keep_replies(self, step: int, replies: list[str]) -> None:
        """Store the last replies to an item. A failure to store them is ignored."""
        ...

    def close(self) -> None:
        """End the reports. What was stored last stays."""
        ...


class Session:
    """The session of this process on a run. It reports once the run has gone on: before, this process is not its owner.

    Attributes:
        at: where the task stands; None before the run has gone on.
    """

    def __init__(self, voice: Voice, total: int | None) -> None:
        """Report to `voice`, of a task with `total` steps; nothing is reported yet."""
        self._voice, self._total = voice, total
        self._state: State | None = None
        self._question: Question | None = None
        self.at: MakerOutput | None = None

    def reached(self, at: MakerOutput, epoch: int | None) -> None:
        """Remember where the task stands, and report that this session is at work if that is news."""
        self.at = at
        if self._state != "at work" and epoch is not None:
            self.say("at work", epoch)

    def say(self, state: State, epoch: int, why: str = "", question: Question | None = None) -> None:
        """Report how this session stands. A question that is too large is shortened, or left out."""
        self._state, self._question = state, question
        said = Said(epoch=epoch, pid=os.getpid(), state=state, why=_storable(why), total=self._total, question=question)
        content = said.model_dump_json()
        if len(content.encode()) > MOST_READ and question is not None:  # the terminal shows all of it
            content = said.model_copy(update={"question": question.shortened()}).model_dump_json()
        if len(content.encode()) > MOST_READ:
            content = said.model_copy(update={"question": None}).model_dump_json()
        self._voice.say(state, content)

    def ended(self, error: BaseException | None, epoch: int | None) -> None:
        """Report how this session ended, unless another process has gone on with the run: that one reports now."""
        if epoch is None or isinstance(error, TakenOver):
            return
        question = self._question  # a question that a person was asked when the session was interrupted still waits
        if isinstance(error, Undecided) and self.at is not None:
            question = Question.of(error, self.at)
        self.say(_state_after(error), epoch, "" if error is None else _why(error), question)

    def left_open(self, step: int, decision: Decision) -> None:
        """Store the last replies to an item that is left open."""
        if decision["replies"]:
            self._voice.keep_replies(step, [reply[:LONG] for reply in decision["replies"]])

    def close(self) -> None:
        """End the reports. What was reported last stays."""
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
    """Return why a session ended. Of an unexpected error only the name is told: its text may hold secrets."""
    if isinstance(error, MakerError):
        return str(error)
    return "It was interrupted." if not isinstance(error, Exception) else f"It ended with {type(error).__name__}."
