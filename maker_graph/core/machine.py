"""The step machine: where a task stands before and after each decision, and the sums over all of them.

It is pure: the same decisions lead to the same place. So a replay of the journal ends where the run did.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NotRequired, Protocol, runtime_checkable

from typing_extensions import TypedDict

from maker_graph.core.canonical import JSON, canonical, plain
from maker_graph.core.checks import truth
from maker_graph.core.decision import Decision, Vote
from maker_graph.core.guarding import AnyTask, guarded, total_of
from maker_graph.core.judging import Usage
from maker_graph.core.task import Skippable
from maker_graph.errors import UsageError


class Totals(TypedDict):
    """Sums over all committed steps.

    Attributes:
        samples: drawn, flagged ones included.
        votes: samples kept.
        outvoted: votes for another candidate than the winner.
        undecided: steps that were left open.
        rounds: parallel fan-outs.
        first_sample_wrong_at: the first step whose first sample, alone, does not give the decided answer; None if all do.
        flags: red flag -> samples discarded for it.
        tokens: of all samples.
        lost: replies that never came, for a reason that may depend on what they said; there is no such key if there were none.
        proved: steps whose answer a verifier proved; likewise.
        standings: "proved", "valid", "unknown" -> votes of which a verifier says so; likewise.
        merged: steps whose winner won only because `key` made one candidate of several answers; likewise.
    """

    samples: int
    votes: int
    outvoted: int
    undecided: int
    rounds: int
    first_sample_wrong_at: int | None
    flags: dict[str, int]
    tokens: Usage
    lost: NotRequired[int]
    proved: NotRequired[int]
    standings: NotRequired[dict[str, int]]
    merged: NotRequired[int]


class MakerOutput(TypedDict):
    """Where the task stands.

    Attributes:
        state: the task's state.
        step: the number of decided steps.
        done: whether nothing is left to do.
        digest: one hash over the start and all answers in order; equal for equal runs.
        totals: sums over all steps.
    """

    state: Any
    step: int
    done: bool
    digest: str
    totals: Totals


class Committed(NamedTuple):
    """A decided step: the decision, and where the machine stood before and after it."""

    decision: Decision
    before: MakerOutput
    after: MakerOutput


class Log(Protocol):
    """Where decided steps go: the write-ahead log of a run."""

    def position(self) -> MakerOutput:
        """Return where the log ends: an invocation goes on from there, whatever a checkpoint says."""
        ...

    def append(self, steps: Sequence[Committed], /) -> None:
        """Store the steps for good, all or none, or raise: then they have not happened."""
        ...


@runtime_checkable
class AsyncLog(Protocol):
    """A log that may take long: under `ainvoke` the graph does other things meanwhile."""

    async def aappend(self, steps: Sequence[Committed], /) -> None:
        """Do as `Log.append`; who is cancelled meanwhile finds the steps stored, or learns why they are not."""
        ...


def further(log: Log | None, step: int) -> MakerOutput | None:
    """Return where `log` ends if that is beyond `step`; None if it is not, or if there is no log.

    A process that was killed leaves a checkpoint behind its log. Who resumes from that checkpoint goes on where the log ends.
    """
    at = None if log is None else log.position()
    return at if at is not None and at["step"] > step else None


class Begun(NamedTuple):
    """An action on the world that was begun before: by a process that was stopped before it could commit what came of it.

    Attributes:
        known: whether it is known what came of it.
        answer: that.
        performed: whether it is known that it was performed.
    """

    known: bool
    answer: JSON = None
    performed: bool = False


@runtime_checkable
class ActionLog(Protocol):
    """A log that also keeps what is about to be done, as parts of the world need it.

    Attributes:
        run_id: of the run, the same in all its sessions.
    """

    run_id: str

    def begun(self, step: int, /) -> Begun | None:
        """Return what is known of the action of `step`, if it was begun before."""
        ...

    def intend(self, step: int, part: str, /) -> None:
        """Put on the disk that the action of `step` is about to be done, or raise: then it must not be."""
        ...

    def performed(self, step: int, part: str, answer: JSON, /, *, known: bool = True) -> None:
        """Keep that an action was performed, and what came of it if that is `known`: it may never be committed."""
        ...


@runtime_checkable
class KeepingLog(Protocol):
    """A log that also keeps items that were decided before their turn to be committed, for whoever goes on."""

    def keep_ahead(self, decided: Mapping[int, Decision], /) -> None:
        """Keep decisions by their step, in the place of those that were kept before, as far as that is possible.

        Some of them may be in the log by now.
        """
        ...

    def decided_ahead(self) -> Mapping[int, Decision]:
        """Return the decisions that were kept."""
        ...


class Climb(NamedTuple):
    """How far a step has come on the rungs of a cascade, or of a vote that its rule gave up.

    Attributes:
        tried: the votes of the rungs that passed it on, and of those between; none of them votes on it again.
        question: the vote that ended it, if no rung is left: it waits for a person.
    """

    tried: Sequence[Vote]
    question: Decision | None = None


@runtime_checkable
class ClimbLog(Protocol):
    """A log that also keeps how far steps have come that are not decided, so that no rung votes twice on what it passed on."""

    def keep_climbs(self, climbs: Mapping[int, Climb], /) -> None:
        """Keep them by their step, in the place of what was kept before."""
        ...

    def climbs(self) -> Mapping[int, Climb]:
        """Return what was kept of the steps after the last one in the log."""
        ...


class Machine:
    """What the outer machine computes at each step: pure, so that a replay of the journal ends where the run did."""

    def __init__(self, task: AnyTask) -> None:
        self.task = guarded(task)
        self._name = self.task.title
        self.total = total_of(self.task)

    def begin(self) -> MakerOutput:
        """Return where the task stands before its first step.

        Raises:
            UsageError: the start state is no plain JSON, or another one each time.
        """
        state = self._state("start state", self.task.start())
        text = canonical(state, own=True)
        if canonical(self._state("start state", self.task.start()), own=True) != text:
            raise UsageError(f"{self._name}.start() returned two different states: it must return the same one each time.")
        return MakerOutput(
            state=state,
            step=0,
            done=self._done(state, 0),
            digest=hashlib.sha256(text.encode()).hexdigest(),
            totals=no_totals(),
        )

    def advance(self, at: MakerOutput, decision: Decision) -> MakerOutput:
        """Return where the task stands after one more decision.

        Raises:
            UsageError: the state after it is no plain JSON.
        """
        step = at["step"] + 1
        if decision["status"] == "decided":
            state = self._state(f"state after step {step}", self.task.apply(at["state"], decision["answer"]))
        else:
            assert isinstance(self.task, Skippable)  # noqa: S101  create_maker raises on undecided steps otherwise
            state = self._state(f"state after step {step}", self.task.skip(at["state"]))
        return MakerOutput(
            state=state,
            step=step,
            done=self._done(state, step),
            digest=digest_after(at["digest"], step, decision),
            totals=added(at["totals"], decision, step),
        )

    def _state(self, what: str, state: object) -> JSON:
        try:
            return plain(state, own=True)
        except ValueError as error:
            raise UsageError(f"The {what} of {self._name} is {error}.") from error

    def _done(self, state: JSON, step: int) -> bool:
        return truth(f"{self._name}.done", self.task.done(state)) or step == self.total


def digest_after(before: str, step: int, decision: Decision) -> str:
    """Return the running digest after `step`; `before` is that of the step before."""
    link = canonical([before, step, decision["status"], decision["answer"]], own=True)  # a given answer may hold any character
    return hashlib.sha256(link.encode()).hexdigest()


def no_totals() -> Totals:
    """Return the sums over no step."""
    return Totals(
        samples=0,
        votes=0,
        outvoted=0,
        undecided=0,
        rounds=0,
        first_sample_wrong_at=None,
        flags={},
        tokens=Usage(input=0, cached=0, output=0),
    )


def added(totals: Totals, decision: Decision, step: int) -> Totals:
    """Return the sums with one more decision, that of `step`."""
    first_wrong = totals["first_sample_wrong_at"]
    if first_wrong is None and not decision["first_agrees"]:
        first_wrong = step
    for vote in (*decision["tried"], decision):
        totals = _with_vote(totals, vote, decision["candidate"])
    if "proved" in decision:
        totals = {**totals, "proved": totals.get("proved", 0) + 1}
    if decision.get("merged"):
        totals = {**totals, "merged": totals.get("merged", 0) + 1}
    undecided = totals["undecided"] + (decision["candidate"] is None)
    return {**totals, "undecided": undecided, "first_sample_wrong_at": first_wrong}


def _with_vote(totals: Totals, vote: Vote, winner: str | None) -> Totals:
    votes = sum(vote["ballot"].values())
    flags = dict(totals["flags"])
    for name, number in vote["flags"].items():
        flags[name] = flags.get(name, 0) + number
    tokens, used = totals["tokens"], vote["usage"]
    if lost := vote.get("lost", 0):
        totals = {**totals, "lost": totals.get("lost", 0) + lost}
    if "standings" in vote:
        standings = totals.get("standings", {})
        totals = {
            **totals,
            "standings": standings | {name: standings.get(name, 0) + number for name, number in vote["standings"].items()},
        }
    return {
        **totals,
        "samples": totals["samples"] + vote["samples"],
        "votes": totals["votes"] + votes,
        "outvoted": totals["outvoted"] + (0 if winner is None else votes - vote["ballot"].get(winner, 0)),
        "rounds": totals["rounds"] + vote["rounds"],
        "flags": flags,
        "tokens": Usage(
            input=tokens["input"] + used["input"],
            cached=tokens["cached"] + used["cached"],
            output=tokens["output"] + used["output"],
        ),
    }
