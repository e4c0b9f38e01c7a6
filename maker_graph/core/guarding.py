"""A task behind a guard: all tasks get the same form here, and their functions get copies of what they are called with.

Tasks come in three forms (`core/task.py`, `core/items.py`). Behind the guard all of them have parts. A task without parts, such
as a task of items, is its own only part. `Guarded.at` returns the part that answers next.

Functions of a task should be pure. A common slip is an `apply` that changes the state in place and returns it. Lookahead
applies an answer twice, once to see what follows and once to commit it, so such a task would skip steps. The guard prevents
that, because each call gets its own copies of lists and objects. `maker-graph check-task` reports such slips. It also reports
slips that copies cannot mend: a function that uses the clock, chance, the order of a set, or a counter in the task itself.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from maker_graph.core import checks
from maker_graph.core.canonical import JSON, copied
from maker_graph.core.items import Items, ItemSteps
from maker_graph.core.task import Counted, Drafted, GivenPart, PartsTask, Predicts, Prompt, Task, VotedPart
from maker_graph.core.verifying import Unknown
from maker_graph.errors import UsageError

AnyTask: TypeAlias = Task | PartsTask | Items
"""A task in any of its forms."""

ALONE = "microstep"
"""The name of the only part of a task without parts."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "start": (),
    "done": ("state",),
    "prompt": ("state",),
    "parse": ("text",),
    "apply": ("state", "answer"),
    "check": ("state", "answer"),
    "verify": ("state", "answer"),
    "key": ("answer",),
    "total": (),
    "rephrase": ("state", "attempt"),
    "variants": ("state",),
    "draft": ("state", "n"),
    "draft_prompt": ("state", "n"),
    "parse_draft": ("text",),
    "skip": ("state",),
    "state_at": ("step",),
    "truth": ("state",),
    "goal": ("state",),
    "part": ("state",),
    "given": ("item",),
    "rehearse": ("state",),
    "result": ("state",),
}
"""All functions of a task -> the arguments of each."""

ONE_QUESTION = ("prompt", "parse", "check", "verify", "key", "rephrase", "variants", "truth", "rehearse")
"""The functions of a voted part. Each of them is about one question."""

_MACHINE = ("start", "done", "apply", "total", "draft", "draft_prompt", "parse_draft", "skip", "state_at", "goal", "result")
_OF_THE_STATE = ("prompt", "check", "verify", "rephrase", "truth")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NODES = {"start", "commit", "escalate"}
_OUTPUT = {"state", "step", "done", "digest", "totals"}
_UNDER_WAY = {"origin", "until", "until_samples", "rung", "tried", "answer", "decision", "ahead", "dropped"}
_TAKEN = _NODES | _OUTPUT | _UNDER_WAY
"""Names that no part can have, because a node or a key of the state of the outer graph has them."""


class Given:
    """A part whose answer is given.

    Attributes:
        name: the name of the part.
        by: "program" or "world".
        awaited: whether `answer` is a coroutine function.
    """

    def __init__(self, name: str, part: GivenPart) -> None:
        self.name = name
        self.by = part.by
        self.awaited = checks.awaits(part.answer)
        self._answer = part.answer
        self._takes_run = checks.takes_run(part.answer)

    def answer(self, state: Any, step: int, run: str) -> Any:
        """Return the answer of the part, or a coroutine that returns it."""
        return self._answer(copied(state), step, *([run] if self._takes_run else []))


class Guarded:
    """A task, or a voted part of one, whose functions get copies of what they are called with.

    It has the functions of the task, each under its own name. Its `parse` always takes the state as a second argument, also if
    that of the task does not. If the task has several parts, this has `prompt`, `check`, `verify`, `rephrase` and `truth`, each
    of which asks the part that answers in the state. Only the parts themselves have `parse` and `key`.

    Attributes:
        title: the name of the task's class.
        name: the name of the part; `ALONE` for a whole task.
        parts: name -> part, in the order of the task.
        k: the part's own lead, if it has one.
        schema: the type of the JSON in a reply, if the part says it.
        given: for a task of items, a function from a state to the answer of the program to its item, or to None.
        rehearse: a function from the state of a step to what a simulated model may reply (`maker_graph.simulation`), or None.
    """

    start: Callable[[], Any]
    done: Callable[[Any], bool]
    prompt: Callable[[Any], Prompt]
    parse: Callable[..., JSON]
    apply: Callable[[Any, Any], Any]
    given: Callable[[Any], JSON] | None = None
    rehearse: Callable[[Any], Any] | None = None

    def __init__(self, task: object, name: str = ALONE, functions: tuple[str, ...] = ONE_QUESTION + _MACHINE) -> None:
        self.title = type(task).__name__
        self.name = name
        self.parts: Mapping[str, Guarded | Given] = {name: self}
        self.k: int | None = getattr(task, "k", None) if functions is ONE_QUESTION else None
        self.schema: Any = getattr(task, "schema", None)
        for each in functions:
            if (function := getattr(task, each, None)) is not None:
                setattr(self, each, _reader(function) if each == "parse" else _on_copies(function))

    def part(self, state: Any) -> str | None:
        """Return the name of the part that answers next; None if nothing is left to do."""
        return None if self.done(state) else self.name

    def at(self, state: Any) -> "Guarded | Given":  # noqa: ARG002  a task of several parts looks at it
        """Return the part that answers next.

        Raises:
            UsageError: no part answers.
        """
        return self

    def voted(self, state: Any) -> "Guarded":
        """Return the part that answers next, which must be a voted one.

        Raises:
            UsageError: no part answers, or it is not voted on.
        """
        part = self.at(state)
        if isinstance(part, Given):
            raise UsageError(f"This step is answered by the {part.by} (part {part.name!r}): no model is asked.")
        return part

    @functools.cached_property
    def voted_parts(self) -> dict[str, "Guarded"]:
        """The parts that are voted on, by name."""
        return {name: part for name, part in self.parts.items() if isinstance(part, Guarded)}

    @property
    def acts(self) -> bool:
        """Whether a part acts on the world."""
        return any(isinstance(part, Given) and part.by == "world" for part in self.parts.values())


class _GuardedParts(Guarded):
    """A task of parts behind the guard."""

    def __init__(self, task: PartsTask) -> None:
        super().__init__(task, functions=_MACHINE)
        self._part = _on_copies(task.part)
        self.parts = {
            name: Given(name, part) if isinstance(part, GivenPart) else Guarded(part, name, ONE_QUESTION)
            for name, part in task.parts.items()
        }
        voted = self.voted_parts.values()
        if (rehearse := getattr(task, "rehearse", None)) is not None:
            for part in voted:
                part.rehearse = part.rehearse or _on_copies(rehearse)
        for name in _OF_THE_STATE:
            having = [part for part in voted if hasattr(part, name)]
            if having and (name in {"prompt", "check", "verify"} or len(having) == len(voted)):
                setattr(self, name, functools.partial(self._asked, name))
        self.done = lambda state: self.part(state) is None

    def part(self, state: Any) -> str | None:
        name: str | None = self._part(state)
        if name is not None and (not isinstance(name, str) or name not in self.parts):
            raise UsageError(
                f"{self.title}.part(state) returned {name!r}, which is not a part: the parts are {', '.join(self.parts)}."
            )
        return name

    def at(self, state: Any) -> Guarded | Given:
        if (name := self.part(state)) is None:
            raise UsageError(f"No part of {self.title} answers in this state: nothing is left to do.")
        return self.parts[name]

    def _asked(self, name: str, state: Any, *more: Any) -> Any:
        """Ask the part that answers in `state`. A part without rules accepts every answer."""
        part = self.at(state)
        if name == "check" and not hasattr(part, "check"):
            return True
        if name == "verify" and not hasattr(part, "verify"):
            return Unknown(f"the part {part.name} has no verifier")
        return getattr(self.voted(state), name)(state, *more)


def guarded(task: AnyTask) -> Guarded:
    """Return `task` behind the guard."""
    if isinstance(task, Guarded):
        return task
    if isinstance(task, Items):
        steps = ItemSteps(task)
        items = Guarded(steps)
        items.title, items.given = type(task).__name__, steps.given
        return items
    return _GuardedParts(task) if isinstance(task, PartsTask) else Guarded(task)


def total_of(task: AnyTask) -> int | None:
    """Return the number of steps of the task, or None if it does not know.

    Raises:
        UsageError: its `total` returns no number of steps.
    """
    inside = guarded(task)
    return checks.whole(f"{inside.title}.total()", inside.total(), 0) if isinstance(inside, Counted) else None


def draftable(task: AnyTask) -> None:
    """Make sure that the states of `task` can be drafted.

    Raises:
        UsageError: they cannot.
    """
    inside = guarded(task)
    if not isinstance(inside, Predicts | Drafted):
        raise UsageError(
            f"{inside.title} cannot be drafted, so lookahead must be 1: for more it needs draft(state, n), or "
            "draft_prompt(state, n) and parse_draft(text)."
        )


def is_task(value: object) -> bool:
    """Say whether `value` looks like an instance of a task, in any form; `see_task` checks more."""
    return not isinstance(value, type) and isinstance(value, Items | PartsTask | Task)


def see_task(task: object) -> None:
    """Make sure that `task` is a task: an instance whose functions can be called with the right arguments.

    Raises:
        UsageError: it lacks a function, or a function takes other arguments.
    """
    if isinstance(task, type):
        raise UsageError(f"A task must be an instance, but {task.__name__} is a class: make an instance of it.")
    name = type(task).__name__
    if isinstance(task, Items):
        _see_items(task)
    elif isinstance(task, PartsTask):
        _see_functions(name, task, (*_MACHINE, "part", "rehearse"))
        _see_parts(task)
    elif isinstance(task, Task):
        _see_functions(name, task, ONE_QUESTION + _MACHINE)
    else:
        raise UsageError(f"{name} is not a task: {why_no_task(task)}.")


def why_no_task(value: object) -> str:
    """Return in a clause why `value` is not a task: what it lacks if it has some of a task's functions, and what a task has.

    >>> why_no_task(3)
    'a task has start, done, prompt, parse and apply, or has parts, start, part and apply, or is a subclass of Items'
    """
    of_parts = hasattr(value, "parts") or hasattr(value, "part")
    wanted = ["parts", "start", "part", "apply"] if of_parts else ["start", "done", "prompt", "parse", "apply"]
    missing = [name for name in wanted if not hasattr(value, name)]
    lacks = f"it has no {' and no '.join(missing)}; " if len(missing) < len(wanted) else ""
    forms = "a task has start, done, prompt, parse and apply, or has parts, start, part and apply, or is a subclass of Items"
    return f"{lacks}{forms}"


def see_names(what: str, given: Mapping[str, object], parts: Mapping[str, Guarded]) -> None:
    """Make sure that all keys of `given`, which holds a setting for some parts, are names of voted parts.

    Raises:
        UsageError: one is not.
    """
    for name in given:
        if name not in parts:
            having = f"its voted parts are {', '.join(parts)}" if parts else "it has no parts, so give one value for all of it"
            raise UsageError(f"{what} {name!r}, which is not a voted part of this task: {having}.")


def _see_items(task: Items) -> None:
    name = type(task).__name__
    items = getattr(task, "items", None)
    if not hasattr(type(items), "__getitem__") or not hasattr(items, "__len__") or isinstance(items, Mapping):
        shown = repr(items)[:80]
        raise UsageError(f"{name}.items must have a length and an index, like a list; it is {shown}.")
    if type(task).prompt is Items.prompt:
        raise UsageError(f"{name} has no prompt(item): write one that says what is asked about an item.")
    for each in (*ONE_QUESTION, "given"):
        if (function := getattr(task, each, None)) is not None:
            takes = tuple("item" if argument == "state" else argument for argument in ARGUMENTS[each])
            checks.function(f"{name}.{each}", function, *_with_state(each, function, takes, "item"))


def _see_parts(task: PartsTask) -> None:
    name = type(task).__name__
    if not isinstance(task.parts, Mapping) or not task.parts:
        raise UsageError(f"{name}.parts must be a mapping from names to parts, not {task.parts!r:.80}.")
    for each, part in task.parts.items():
        if not isinstance(each, str) or not _NAME.fullmatch(each) or each in _TAKEN:
            why = "the graph itself uses it" if each in _TAKEN else "use at most 64 letters, digits, dashes and underscores"
            raise UsageError(f"{each!r} cannot be the name of a part of {name}: {why}.")
        what = f"{name}.parts[{each!r}]"
        if isinstance(part, type):
            raise UsageError(f"{what} is a class: make an instance of it.")
        if isinstance(part, GivenPart) and isinstance(part, VotedPart):
            raise UsageError(f"{what} has prompt and parse, and also by and answer: a part is either voted on or given.")
        if isinstance(part, GivenPart):
            checks.one_of(f"{what}.by", part.by, ("program", "world"))
            takes = ("state", "step", "run") if checks.takes_run(part.answer) else ("state", "step")
            checks.function(f"{what}.answer", part.answer, *takes, awaited=True)
        elif isinstance(part, VotedPart):
            _see_functions(what, part, ONE_QUESTION)
            if (k := getattr(part, "k", None)) is not None:
                checks.whole(f"{what}.k", k)
        else:
            raise UsageError(f"{what} is not a part: it needs prompt and parse, or by and answer.")


def _see_functions(name: str, task: object, functions: tuple[str, ...]) -> None:
    for each in functions:
        if (function := getattr(task, each, None)) is not None:
            takes = _with_state(each, function, ARGUMENTS[each], "state")
            checks.function(f"{name}.{each}", function, *takes, lazy="draft" in each)


def _with_state(name: str, function: Any, takes: tuple[str, ...], second: str) -> tuple[str, ...]:
    return (*takes, second) if name == "parse" and callable(function) and checks.takes_state(function) else takes


def _reader(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Return `parse` as a function of the text and the state; the state is left out if it takes none."""
    with_state = checks.takes_state(parse)

    @functools.wraps(parse)
    def call(text: str, state: Any = None) -> Any:
        return parse(text, copied(state)) if with_state else parse(text)

    return call


def _on_copies(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*given: Any) -> Any:
        return function(*map(copied, given))

    return call
