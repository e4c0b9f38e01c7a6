"""The task contract: what a class must answer so that `create_maker` and `maker-graph run` can solve it.

Five small functions are enough; any class that has them is a task. The others are optional, each a protocol of its own:

    start() -> state                 done(state) -> bool
    prompt(state) -> messages        parse(text) -> answer           apply(state, answer) -> state
    check(state, answer) -> bool     key(answer) -> value            total() -> int      skip(state) -> state
    verify(state, answer) -> Valid or Unknown                        (what a verifier says of an answer: core/verifying.py)
    rephrase(state, attempt) -> messages                             variants(state) -> [Variant(messages, parse), ...]
    draft(state, n) -> states        or draft_prompt(state, n) -> messages and parse_draft(text) -> answers
    state_at(step) -> state          truth(state) -> answer          (to calibrate a model and judge a run; no vote uses them)
    goal(state) -> bool              (to judge a run at its end)
    result(state) -> JSON            (the result of the task, shown at the end of a run)
    inputs                           (the data of the task, so that a run notices if they change)
    keep() -> text                   (a text that the run keeps, so that the task can be made again after the world has changed)
    rehearse(state) -> Replies       (what a simulated model may reply, see `maker_graph.simulation`; no other model gets it)

A task whose steps are of several kinds has `parts` (`PartsTask`). `part(state)` names the part that answers next, or returns
None when nothing is left to do, so such a task needs no `done`. A part is voted on (`VotedPart`: prompt, parse, and the other
functions about one question) or its answer is given (`GivenPart`). A task of independent steps is an `Items` task; see
`core/items.py`.

States and answers are plain JSON, so that a checkpoint and the journal give back what went in. All functions are pure: the
same arguments give the same result, without files, clock or chance. Only the `answer` of a given part may act. The answers of a
task are kept in the journal.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from maker_graph.core.canonical import JSON
from maker_graph.core.verifying import Verification

Prompt: TypeAlias = str | Sequence[Any]
"""One user message, or messages as LangChain takes them: `("system", "...")` pairs, role and content dicts, messages."""

State: TypeAlias = Any
"""The state of a task: plain JSON, in any shape that the task likes."""


@runtime_checkable
class Task(Protocol):
    """A task of steps that follow each other. Any class with these five functions is one.

    >>> class CountToThree:
    ...     def start(self):
    ...         return 0
    ...     def done(self, state):
    ...         return state == 3
    ...     def prompt(self, state):
    ...         return f"What is {state} + 1? Reply with the number only."
    ...     def parse(self, text):
    ...         return int(text)
    ...     def apply(self, state, answer):
    ...         return answer
    >>> isinstance(CountToThree(), Task)
    True

    States and answers are plain JSON. The functions are pure: the same arguments give the same result.
    """

    def start(self) -> State:
        """Return the state before the first step."""
        ...

    def done(self, state: State, /) -> bool:
        """Say whether nothing is left to do."""
        ...

    def prompt(self, state: State, /) -> Prompt:
        """Return all that a model sees at this step, as a text or as messages. It sees no history but what the state holds."""
        ...

    def parse(self, text: str, /) -> JSON:
        """Return the answer in a reply. If this raises, the sample is discarded as malformed. Never repair a reply.

        It may take the state as a second argument.
        """
        ...

    def apply(self, state: State, answer: Any, /) -> State:
        """Return the state after the decided `answer`."""
        ...


@runtime_checkable
class VotedPart(Protocol):
    """A kind of step that models vote on. Any `Task` is one.

    `check`, `verify`, `key`, `rephrase`, `variants`, `truth` and `rehearse` are optional, as in a `Task`.

    A part may have its own lead, as an attribute `k`. A lead of 1 is enough if `check` accepts no wrong answer. A part may also
    have an attribute `schema`: the type whose JSON `parse` reads, or a JSON schema. With `structured`, the provider makes the
    model keep to it.
    """

    def prompt(self, state: State, /) -> Prompt:
        """Return all that a model sees at this step."""
        ...

    @property
    def parse(self) -> Callable[..., JSON]:
        """`parse(text) -> answer` or `parse(text, state) -> answer`: the answer in a reply.

        If it raises, the sample is discarded as malformed.
        """
        ...


@runtime_checkable
class GivenPart(Protocol):
    """A kind of step that is answered without a vote.

    Attributes:
        by: "program" if the answer is computed or looked up, which may be done twice without harm. "world" if something is done
            outside the task, and the answer is its result.
    """

    @property
    def by(self) -> str:
        """Who gives the answer: "program" or "world"."""
        ...

    @property
    def answer(self) -> Callable[..., Any]:
        """`answer(state, step) -> answer`: returns the answer to step number `step`, counted from 1. It may be `async`.

        It is the only function of a task that may act. It is called once for each step, and its answer is in the journal before
        it is applied. A replay, `status`, `verify`, `report` and `certify` never call it.

        If `by` is "world", an intent is written to the journal before the call. If the process dies after the action and before
        its answer is in the journal, the action is done again when the run goes on: at most once for each kill, and never
        otherwise. To make that harmless, the function may take the id of the run as a third argument: the pair (run, step) is
        the same when it is called again.

        A part may have `rehearse(state)`, which returns what the answer would be. `maker-graph check-task` uses it to go on,
        because it performs no actions. A run never calls it.
        """
        ...


@runtime_checkable
class PartsTask(Protocol):
    """A task whose steps are of several kinds. Each kind is a part, which is voted on or given.

    `total`, `skip`, `state_at`, `draft`, `draft_prompt` and `parse_draft` are optional, as in a `Task`.

    Attributes:
        parts: name -> part. A name has at most 64 letters, digits, dashes and underscores, and begins with a letter.
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
    """A task with rules that every answer must keep. An answer that breaks a rule is flagged as invalid."""

    def check(self, state: State, answer: Any, /) -> bool:
        """Say whether `answer` keeps the rules in `state`. Whether it is right is found out by the vote.

        It returns True or False, or raises `Invalid` to say why not. Anything else that it returns or raises is an error.
        """
        ...


@runtime_checkable
class Verifies(Protocol):
    """A task with a verifier, which can say more of an answer than a `check`: it may prove it."""

    def verify(self, state: State, answer: Any, /) -> Verification:
        """Return `Valid("what it rests on")` or `Unknown("why")`, or raise `Invalid("why not")`.

        `Valid(..., conclusive=True)` says that the answer is proved and no other one is right. The first such sample decides
        the step. Anything else that it returns or raises is an error. It is asked only about answers that `check` accepts.
        """
        ...


@runtime_checkable
class Keyed(Protocol):
    """A task that says which answers are the same vote. Without `key`, the whole answer is voted on."""

    def key(self, answer: Any, /) -> JSON:
        """Return what is voted on."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A task that knows its number of steps. A run ends after them even if the task is not done."""

    def total(self) -> int:
        """Return the number of steps from start to end."""
        ...


@runtime_checkable
class Rephrases(Protocol):
    """A task that can ask the question of a step in other words, for a step on which the model is stuck."""

    def rephrase(self, state: State, attempt: int, /) -> Prompt:
        """Return the prompt in other words. The replies are read and checked like all others. `attempt` counts from 1."""
        ...


class Variant(NamedTuple):
    """One of several equivalent questions of a step.

    Attributes:
        prompt: what is asked.
        parse: returns the answer in a reply to this question, in the form that all variants share. If it raises, the sample is
            discarded as malformed.
    """

    prompt: Prompt
    parse: Callable[[str], JSON]


@runtime_checkable
class Varies(Protocol):
    """A task that can ask the same thing in several ways, so that a model errs on each in its own way."""

    def variants(self, state: State, /) -> Sequence[Variant]:
        """Return the equivalent questions, in the same order each time. Each sample is asked one, chosen by its number."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """A task that can predict its next states cheaply, for lookahead. A task of independent steps always can."""

    def draft(self, state: State, n: int, /) -> Sequence[State]:
        """Return at most `n` states that follow `state`. Wrong ones cost samples, but never make a decision wrong."""
        ...


@runtime_checkable
class Drafted(Protocol):
    """A task whose next answers a model can list in one reply, for lookahead."""

    def draft_prompt(self, state: State, n: int, /) -> Prompt:
        """Return a prompt that asks for the next `n` answers in one reply."""
        ...

    def parse_draft(self, text: str, /) -> Sequence[Any]:
        """Return the answers in a reply, in order and in the form that `apply` takes; what cannot be read is left out."""
        ...


@runtime_checkable
class Skippable(Protocol):
    """A task whose steps do not depend on each other. An undecided step is left open, and the run goes on."""

    def skip(self, state: State, /) -> State:
        """Return the state after a step that was left open."""
        ...


@runtime_checkable
class Located(Protocol):
    """A task that can make the state at any step without going through the steps before. Calibration draws steps at random."""

    def state_at(self, step: int, /) -> State:
        """Return the state after the first `step` steps, if all of them were answered rightly. For 0 it is the start."""
        ...


@runtime_checkable
class Known(Protocol):
    """A task that knows the right answers. A model is calibrated with them, and a run is compared with them afterwards.

    No run looks at them while it decides.
    """

    def truth(self, state: State, /) -> Any:
        """Return the right answer in `state`, if all answers before it were right."""
        ...


@runtime_checkable
class Declares(Protocol):
    """A task that names its data, apart from its options. When a run goes on, it notices if the data have changed.

    Options that are paths of files need not be declared.

    Attributes:
        inputs: name -> plain JSON, or a `Path` to a file whose content counts; or a function that returns such a mapping.
    """

    inputs: Mapping[str, Any] | Callable[[], Mapping[str, Any]]


@runtime_checkable
class Keeps(Protocol):
    """A task that gives its run a text to keep, so that it can be made again after the world has changed.

    The text holds the data of the task, such as the files of a tree. `inputs` shows whether the task that is made again is the
    same.
    """

    def keep(self) -> str:
        """Return the text to keep."""
        ...

    @classmethod
    def again(cls, kept: str, /, **options: Any) -> Any:
        """Return the task as it was when it gave `kept`, made with the same options."""
        ...


@runtime_checkable
class Concludes(Protocol):
    """A task that returns its result, which is shown at the end of a run."""

    def result(self, state: State, /) -> JSON:
        """Return the result in `state`, the state at the end: what the author of the task wants to read."""
        ...


@runtime_checkable
class Goal(Protocol):
    """A task that recognises its goal. If it also has rules (`check`), both together prove a run, on any path to the goal."""

    def goal(self, state: State, /) -> bool:
        """Say whether `state`, the state at the end, is what was wanted. `done` says only that nothing is left to do."""
        ...
