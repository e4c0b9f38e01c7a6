"""The step machine: where a task stands before and after each decision, and the sums over all decisions.

It is pure: the same decisions always lead to the same state. So a replay of the journal ends where the run ended.
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
        samples: samples that were drawn, flagged ones included.
        votes: samples that were kept.
        outvoted: votes for another candidate than the winner.
        undecided: steps that were left open.
        rounds: parallel rounds of samples.
        first_sample_wrong_at: the first step whose first sample, alone, does not give the decided answer; None if all do.
        flags: red flag -> samples discarded for it.
        tokens: the tokens of all samples.
        lost: replies that never came, for a reason that may depend on what they said. The key is left out if there are none.
        proved: steps whose answer a verifier proved. Left out if there are none.
        standings: "proved", "valid", "unknown" -> votes of which a verifier says so. Left out if there is no verifier.
        merged: steps whose winner won only because `key` made one candidate of several answers. Left out if there are none.
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
        digest: a hash over the start state and all answers in order. Equal runs have equal digests.
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
        """Return where the log ends. An invocation goes on from there, also if a checkpoint says something else."""
        ...

    def append(self, steps: Sequence[Committed], /) -> None:
        """Store the steps for good, all or none. If it raises, none of them counts as committed."""
        ...


@runtime_checkable
class AsyncLog(Protocol):
    """A log whose appends may take long. Under `ainvoke` the graph goes on with other work meanwhile."""

    async def aappend(self, steps: Sequence[Committed], /) -> None:
        """Do the same as `Log.append`. If the caller is cancelled meanwhile, store the steps all the same, or raise."""
        ...


def further(log: Log | None, step: int) -> MakerOutput | None:
    """Return where `log` ends, if that is beyond `step`; None if it is not, or if there is no log.

    A process that was killed leaves a checkpoint that is older than its log. A resume from it goes on where the log ends.
    """
    at = None if log is None else log.position()
    return at if at is not None and at["step"] > step else None


class Begun(NamedTuple):
    """An action on the world that was begun by a process that was stopped before it could commit the result.

    Attributes:
        known: whether the result is known.
        answer: the result, if it is known.
        performed: whether it is known that the action was performed.
    """

    known: bool
    answer: JSON = None
    performed: bool = False


@runtime_checkable
class ActionLog(Protocol):
    """A log that also keeps actions that are about to be done, for parts that act on the world.

    Attributes:
        run_id: the id of the run, which is the same in all its sessions.
    """

    run_id: str

    def begun(self, step: int, /) -> Begun | None:
        """Return what is known of the action of `step`, if it was begun before."""
        ...

    def intend(self, step: int, part: str, /) -> None:
        """Put on the disk that the action of `step` is about to be done. If it raises, the action must not be done."""
        ...

    def performed(self, step: int, part: str, answer: JSON, /, *, known: bool = True) -> None:
        """Keep that an action was performed, and its result if that is `known`, in case its step is never committed."""
        ...


@runtime_checkable
class KeepingLog(Protocol):
    """A log that also keeps items that were decided before their turn to be committed, for the process that goes on."""

    def keep_ahead(self, decided: Mapping[int, Decision], /) -> None:
        """Keep decisions by their step, as far as that is possible. They take the place of those that were kept before.

        Some of them may be in the log by now.
        """
        ...

    def decided_ahead(self) -> Mapping[int, Decision]:
        """Return the decisions that were kept."""
        ...


class Climb(NamedTuple):
    """How far a step has come on the rungs of a cascade, or of a vote that its rule gave up.

    Attributes:
        tried: the votes of the rungs that have tried it. None of these rungs votes on it again.
        question: the last vote, if no rung is left. Then the step waits for a person.
    """

    tried: Sequence[Vote]
    question: Decision | None = None


@runtime_checkable
class ClimbLog(Protocol):
    """A log that also keeps how far undecided steps have come, so that no rung votes twice on a step that it passed on."""

    def keep_climbs(self, climbs: Mapping[int, Climb], /) -> None:
        """Keep the climbs by their step. They take the place of those that were kept before."""
        ...

    def climbs(self) -> Mapping[int, Climb]:
        """Return the climbs that were kept of steps after the last one in the log."""
        ...


class Machine:
    """What the outer machine computes at each step. It is pure, so that a replay of the journal ends where the run ended."""

    def __init__(self, task: AnyTask) -> None:
        self.task = guarded(task)
        self._name = self.task.title
        self.total = total_of(self.task)

    def begin(self) -> MakerOutput:
        """Return where the task stands before its first step.

        Raises:
            UsageError: the start state is not plain JSON, or differs from call to call.
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
            UsageError: the state after it is not plain JSON.
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
    """Return the running digest after `step`; `before` is the digest after the step before."""
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
