"""The task contract: what a class must answer so that `create_maker` and `maker-graph run` can solve it.

Five small functions are enough; any class that has them is a task. The others are optional, each a protocol of its own:

    start() -> state                 done(state) -> bool
    prompt(state) -> messages        parse(text) -> answer           apply(state, answer) -> state
    check(state, answer) -> bool     key(answer) -> value            total() -> int      skip(state) -> state
    verify(state, answer) -> Valid or Unknown                        (what can be said of one answer: core/verifying.py)
    rephrase(state, attempt) -> messages                             variants(state) -> [Variant(messages, parse), ...]
    draft(state, n) -> states        or draft_prompt(state, n) -> messages and parse_draft(text) -> answers
    state_at(step) -> state          truth(state) -> answer          (to calibrate a model and to judge a run: no run asks them)
    goal(state) -> bool              (to judge a run at its end)
    result(state) -> JSON            (what the task came to, shown at the end of a run)
    inputs                           (what the task stands on, so that a run notices if it is another)
    keep() -> text                   (what its run is to keep, so that it can be made again after the world has changed)
    rehearse(state) -> Replies       (what a simulated model may reply, see `maker_graph.simulation`: no other model is told)

A task whose steps are of several kinds has `parts` (`PartsTask`). `part(state)` names the part that answers next, and None when
nothing is left to do: it takes the place of `done`. A part is voted on (`VotedPart`: prompt, parse, and what else concerns one
question) or its answer is given (`GivenPart`). A task of independent steps is an `Items` task; see `core/items.py`.

States and answers are plain JSON, so that a checkpoint and the journal give back what went in. All functions are pure: the
same arguments, the same result, no file, no clock, no chance. The only one that may do something is the `answer` of a given
part. What a task leaves behind is its answers, in the journal.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from maker_graph.core.canonical import JSON
from maker_graph.core.verifying import Verification

Prompt: TypeAlias = str | Sequence[Any]
"""One user message, or messages as LangChain takes them: `("system", "...")` pairs, role and content dicts, messages."""

State: TypeAlias = Any
"""The state of a task: plain JSON of the task's own shape."""


@runtime_checkable
class Task(Protocol):
    """What is to be done, one microstep at a time."""

    def start(self) -> State:
        """Return the state before the first step."""
        ...

    def done(self, state: State, /) -> bool:
        """Say whether nothing is left to do."""
        ...

    def prompt(self, state: State, /) -> Prompt:
        """Return all that a model sees of this step; nothing of the history but what the state holds."""
        ...

    def parse(self, text: str, /) -> JSON:
        """Return the answer in a reply, or raise: then the sample is discarded as malformed. Never repair."""
        ...

    def apply(self, state: State, answer: Any, /) -> State:
        """Return the state after the decided `answer`."""
        ...


@runtime_checkable
class VotedPart(Protocol):
    """A kind of step that models vote on. Any `Task` is one.

    `check`, `verify`, `key`, `rephrase`, `truth` and `rehearse` are optional here as there.

    A part may have a lead of its own as its attribute `k`: 1 is enough where `check` accepts no wrong answer. It may have an
    attribute `schema`, the type whose JSON `parse` reads, or a JSON schema of it: a provider that is told so (`structured`)
    holds the model to it.
    """

    def prompt(self, state: State, /) -> Prompt:
        """Return all that a model sees of this step."""
        ...

    @property
    def parse(self) -> Callable[..., JSON]:
        """`parse(text) -> answer`, or `parse(text, state) -> answer`: it reads a reply, or raises."""
        ...


@runtime_checkable
class GivenPart(Protocol):
    """A kind of step that is answered without a vote.

    Attributes:
        by: "program": the answer is computed or looked up, and nobody minds if that is done twice. "world": something is done
            outside the task, and the answer says what came of it.
    """

    @property
    def by(self) -> str:
        """Who gives the answer: "program" or "world"."""
        ...

    @property
    def answer(self) -> Callable[..., Any]:
        """`answer(state, step) -> answer` to step number `step`, counted from 1; it may be a coroutine function.

        It is the only function of a task that may do something. It is asked once for each step, and its answer is in the
        journal before it is applied. A replay, `status`, `verify`, `report` and `certify` never ask it.

        What acts on the world is preceded by an intent in the journal. If the process dies between the action and the journal,
        the action is done again when the run goes on: at most once for each kill, and never otherwise. To make that harmless,
        it may take the id of the run as a third argument: (run, step) is the same when it is asked again.

        A part may have `rehearse(state)`, which returns what the answer would be. `maker-graph check-task` goes on with it, for
        it performs no action. A run never asks it.
        """
        ...


@runtime_checkable
class PartsTask(Protocol):
    """A task that is made of parts.

    `total`, `skip`, `state_at`, `draft`, `draft_prompt` and `parse_draft` are optional, as in a `Task`.

    Attributes:
        parts: name -> part. Names are those of nodes in a graph: letters, digits, dashes and underscores.
    """

    @property
    def parts(self) -> "Mapping[str, VotedPart | GivenPart]":
        """The parts by name."""
        ...

    def start(self) -> State:
        """Return the state before the first step."""
        ...

    def part(self, state: State, /) -> str | None:
        """Return the name of the part that answers next, or None if nothing is left to do."""
        ...

    def apply(self, state: State, answer: Any, /) -> State:
        """Return the state after the `answer` of the part that `part(state)` names."""
        ...


@runtime_checkable
class Checks(Protocol):
    """A task with rules that every answer must keep; an answer that breaks one is flagged as invalid."""

    def check(self, state: State, answer: Any, /) -> bool:
        """Say whether `answer` keeps the rules in `state`. Not whether it is the right one: that is for the vote.

        It returns True or False, or raises `Invalid` to say why not. Anything else that it returns or raises is an error.
        """
        ...


@runtime_checkable
class Verifies(Protocol):
    """A task that can say more of an answer than that it keeps the rules: it may prove it."""

    def verify(self, state: State, answer: Any, /) -> Verification:
        """Return `Valid("what it rests on")` or `Unknown("why")`, or raise `Invalid("why not")`.

        `Valid(..., conclusive=True)` says that no other answer is right: the first sample of which it says so decides the step.
        Anything else that it returns or raises is an error. It is asked only about answers that `check` accepts.
        """
        ...


@runtime_checkable
class Keyed(Protocol):
    """A task that says which answers are the same vote; without it, the whole answer counts."""

    def key(self, answer: Any, /) -> JSON:
        """Return what is voted on."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A task that knows its number of steps; a run ends there even if the task is not done."""

    def total(self) -> int:
        """Return the number of steps from start to end."""
        ...


@runtime_checkable
class Rephrases(Protocol):
    """A task that can show a step in another way, for a step on which the model is stuck."""

    def rephrase(self, state: State, attempt: int, /) -> Prompt:
        """Return the prompt in other words; the replies to it are read and checked like all others. `attempt` counts from 1."""
        ...


class Variant(NamedTuple):
    """One of several equivalent questions of a step.

    Attributes:
        prompt: what is asked.
        parse: from the text of a reply to this question to the answer, in the form that all variants share; or it raises, and
            the sample is discarded as malformed.
    """

    prompt: Prompt
    parse: Callable[[str], JSON]


@runtime_checkable
class Varies(Protocol):
    """A task that can ask the same thing in several ways, so that a model errs on each in its own way."""

    def variants(self, state: State, /) -> Sequence[Variant]:
        """Return the equivalent questions, in the same order each time; each sample is asked one, drawn by its number."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """A task that can predict its next states cheaply, for lookahead; or whose steps do not depend on each other."""

    def draft(self, state: State, n: int, /) -> Sequence[State]:
        """Return the states that follow `state`, at most `n` of them. They may be wrong: that costs samples, never an error."""
        ...


@runtime_checkable
class Drafted(Protocol):
    """A task whose next answers a model can list in one reply, for lookahead."""

    def draft_prompt(self, state: State, n: int, /) -> Prompt:
        """Return what to ask for the next `n` answers, in short."""
        ...

    def parse_draft(self, text: str, /) -> Sequence[Any]:
        """Return the answers in a reply, in order, each such that `apply` takes it; what cannot be read is left out."""
        ...


@runtime_checkable
class Skippable(Protocol):
    """A task whose steps do not depend on each other: an undecided one is left open, and the run goes on."""

    def skip(self, state: State, /) -> State:
        """Return the state after a step that was left open."""
        ...


@runtime_checkable
class Located(Protocol):
    """A task that can make the state at any step without walking there, for calibration: its steps are drawn at random."""

    def state_at(self, step: int, /) -> State:
        """Return the state on the right path after `step` steps, from 0."""
        ...


@runtime_checkable
class Known(Protocol):
    """A task that knows the right answers, for calibration, and to hold a run against them afterwards.

    No run asks while it decides: the model must find them.
    """

    def truth(self, state: State, /) -> Any:
        """Return the right answer in `state`, a state on the right path."""
        ...


@runtime_checkable
class Declares(Protocol):
    """A task that says on what it stands beside its options: a run of it notices if that is another when it goes on.

    Options that are paths of files need not be declared.

    Attributes:
        inputs: name -> a `Path`, whose file counts by its content, or plain JSON; or a function that returns such a mapping.
    """

    inputs: Mapping[str, Any] | Callable[[], Mapping[str, Any]]


@runtime_checkable
class Keeps(Protocol):
    """A task that gives its run a text to keep, so that it can be made again after the world has changed.

    The text is whatever the task stands on, such as the files of a tree. What `inputs` declares shows whether it is the same.
    """

    def keep(self) -> str:
        """Return what is to be kept."""
        ...

    @classmethod
    def again(cls, kept: str, /, **options: Any) -> Any:
        """Return the task as it was when it gave `kept`, made with the same options."""
        ...


@runtime_checkable
class Concludes(Protocol):
    """A task that says in a word what it came to."""

    def result(self, state: State, /) -> JSON:
        """Return what `state`, the one at the end, comes to: what whoever set the task wants to read."""
        ...


@runtime_checkable
class Goal(Protocol):
    """A task that knows what was wanted: with its rules (`check`) that proves a run, whatever way it took."""

    def goal(self, state: State, /) -> bool:
        """Say whether `state`, the one at the end, is what was wanted. `done` says only that nothing is left to do."""
        ...
