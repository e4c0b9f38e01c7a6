"""Tries a task before money is spent: it goes through the steps with right answers and checks each function of the task.

Every function is called twice, with copies. It must return the same each time, and leave its arguments as they were. States and
answers must be plain JSON, and mean the same after they were stored. The answers come from what the task rehearses (the right
reply is read like a model's reply) or from its `truth`. A task that has neither is tried on its first step only.

A part that is a program is asked once for each of its steps. A part that acts on the world is never asked. What it rehearses
(`rehearse(state)`), or its `truth`, is taken as its answer. Without either, the trial ends there.

Some faults, such as the use of the order of a set, show only in different processes (PYTHONHASHSEED). So
`maker_graph/run/checking.py` compares the traces of two processes. It also applies the answers again there (`replayed`),
because each process makes the task only once.
"""

import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeAlias

from maker_graph.core import checks
from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import JSON, canonical, copied, plain, sorted_json
from maker_graph.core.checks import truth
from maker_graph.core.guarding import ARGUMENTS, ONE_QUESTION, AnyTask, see_task, total_of
from maker_graph.core.items import Items, ItemSteps
from maker_graph.core.task import (
    Checks,
    Concludes,
    Drafted,
    GivenPart,
    Goal,
    Keyed,
    Known,
    Located,
    PartsTask,
    Predicts,
    Prompt,
    Rephrases,
    Skippable,
    Variant,
    Varies,
    Verifies,
)
from maker_graph.core.verifying import Standing, standing_of
from maker_graph.errors import Incomparable, Invalid, UsageError
from maker_graph.tasks.trial import PROGRAM, Place, Problem, Trial
from maker_graph.tasks.varying import problems_of, variants_in

DRAFTED = 4
"""How many drafted states are tried at each step."""

_TEXTS = ("", "a", "0", "[]", "{}", '["a", "b"]', '{"a": 1}')
"""Replies that are tried where no right reply is known, to see what `parse` makes of them."""

Pairs: TypeAlias = list[tuple[str, Any]]


class Replies(Protocol):
    """The right reply to a prompt, and wrong ones; see `maker_graph.models.simulation`."""

    @property
    def right(self) -> str:
        """The right reply."""
        ...

    @property
    def wrong(self) -> Sequence[str]:
        """Wrong replies."""
        ...


class Outside(NamedTuple):
    """Functions of other rooms that a trial needs.

    Attributes:
        asked: returns the (role, content) pairs of a prompt, or raises a UsageError.
        rehearsed: returns the possible replies that `rehearse` returned, or raises a UsageError.
        awaited: returns the result of a coroutine.
        replies: returns the possible replies to (role, content) pairs, by the task's `rehearsal`; None if it has none.
    """

    asked: Callable[[Prompt], Pairs]
    rehearsed: Callable[[Any], Replies]
    awaited: Callable[[Coroutine[Any, Any, Any]], Any]
    replies: Callable[[Pairs], Replies | None] | None = None


class _Vote(NamedTuple):
    """What a reply says, and what the verifier says of it; None if there is no verifier."""

    answer: JSON
    candidate: str
    standing: Standing | None


class _Broken(Exception):
    """The trial cannot go on; the reason is among the problems."""


def try_task(make: Callable[[], AnyTask], outside: Outside, *, steps: int) -> Trial:
    """Return what is wrong with the task that `make` makes, as far as one process shows it, after at most `steps` steps."""
    trial = Trial()
    try:
        task = make()
        trial.tried.add("functions")
        see_task(task)
        _Walk(task, trial, outside).along(steps)
    except UsageError as error:
        trial.problems.append(Problem("functions", str(error), None))
    except _Broken:
        pass
    return trial


class _Walk:
    """The walk through the steps of a task, with right answers."""

    def __init__(self, task: AnyTask, trial: Trial, outside: Outside) -> None:
        self.task: Any = _steps_of(task)
        self._items = task if isinstance(task, Items) else None
        self._parts: Mapping[str, Any] = task.parts if isinstance(task, PartsTask) else {}
        self._part: Any = self.task  # whose question is tried
        self.trial = trial
        self._told = set[tuple[str, str]]()
        self._outside = outside
        self._step: int | None = None
        self._unread: Problem | None = None
        self._seen: dict[str, int] = {}

    def along(self, steps: int) -> None:
        """Walk so many steps, or to the end."""
        total = total_of(self.task)
        if total != total_of(self.task):
            self._problem("pure", "total() returns another number when it is called again")
        self.trial.state = self._state("start")
        while not (done := self._done()) and self.trial.steps not in {total, steps}:
            self._step = self.trial.steps + 1
            if not self._one_step(knows_its_end=total is not None):
                break
            self.trial.steps += 1
        self._step = None
        if done or self.trial.steps == total:
            self.trial.stopped = "end"
            self._see_end(total, done=done)
        elif self.trial.steps == steps:
            self.trial.stopped = "limit"
        elif not self.trial.failed("end", "replies") and self.trial.stopped != "world":
            self.trial.stopped = "unknown"
        if self._unread is not None and self.trial.left_open == self.trial.steps:
            self.trial.problems.append(self._unread)

    def _done(self) -> bool:
        """Say whether nothing is left to do; if something is, find the part that answers."""
        if not self._parts:
            return bool(self._call("done", self.trial.state))
        if (name := self._call("part", self.trial.state)) is None:
            return True
        if not isinstance(name, str) or name not in self._parts:
            self._problem("functions", f"part returned {name!r}, which is not a part: the parts are {', '.join(self._parts)}")
            raise _Broken
        self._part = self._parts[name]
        return False

    def _one_step(self, *, knows_its_end: bool) -> bool:
        """Walk a step; return False if no answer is known."""
        state = self.trial.state
        text = canonical(state, own=True)
        if not knows_its_end and text in self._seen:
            if self.trial.not_performed:
                self.trial.stopped = "world"  # a part that looks at the world does not see what was not done
            else:
                self._problem("end", f"the state is the same as at step {self._seen[text]}, so the steps never end")
            return False
        self._seen[text] = self.trial.steps + 1
        program = None if self._items is None else self._call("given", state)
        if isinstance(self._part, GivenPart):
            self._trace(text, PROGRAM if self._part.by == "program" else "")
            self._drafts(state)
            answer, known = self._given(state)
        elif program is not None:
            self._trace(text)
            self._drafts(state)
            answer, known = self._sure(state, program), True
        else:
            prompt = self._call("prompt", state)
            varied = self._call("variants", state) if isinstance(self._part, Varies) else []
            self._trace(text, _digest(sorted_json([prompt, *varied] if varied else prompt)))
            self._optional(state)
            answer, known = self._answer(state, prompt)
            if varied:
                self._see_variants(state, self._candidate(answer) if known else None)
        if known:
            self.trial.state = self._state("apply", state, answer)
        elif isinstance(self.task, Skippable) and self._unread is not None and self.trial.stopped != "world":
            self.trial.left_open += 1
            self.trial.state = self._state("skip", state)
        else:
            return False
        self.trial.decided.append((answer, known))
        self.trial.trace[-1] = self.trial.trace[-1]._replace(answer=_digest(canonical(answer, own=True)))
        return True

    def _trace(self, state: str, prompt: str = "") -> None:
        self.trial.trace.append(Place(_digest(state), prompt, ""))

    def _sure(self, state: JSON, answer: JSON) -> JSON:
        """Return the answer of the program of an items task, and see that the task itself accepts it."""
        for name, has in (("check", isinstance(self.task, Checks)), ("verify", isinstance(self.task, Verifies))):
            kept: Any = self._call(name, state, answer) if has else True
            if isinstance(kept, _Raised) or not kept:
                self._problem("replies", f"given returns an answer that {name} refuses")
        if isinstance(self.task, Known) and self._candidate(answer) != self._candidate(self._call("truth", state)):
            self._problem("replies", "given returns something other than truth(item)")
        return answer

    def _given(self, state: JSON) -> tuple[JSON, bool]:
        """Return the answer of a given part, and whether there is one."""
        acts = self._part.by == "world"
        answer = None if acts else self._computed(state)
        for name in ("rehearse", "truth"):
            if hasattr(self._part, name):
                self.trial.not_performed += acts
                return self._call(name, state), True
        if acts:
            self.trial.stopped = "world"
        return answer, not acts

    def _computed(self, state: JSON) -> JSON:
        """Return the answer of a part that is a program; it is asked once."""
        more = ["check-task"] if checks.takes_run(self._part.answer) else []
        handed = copied(state)
        try:
            said = self._part.answer(handed, self._step, *more)
            answer: JSON = self._plain("answer", self._outside.awaited(said) if checks.awaits(self._part.answer) else said)
        except _Broken:
            raise
        except Exception as error:
            self._problem("functions", f"answer failed with {type(error).__name__}: {error}"[:300])
            raise _Broken from error
        if handed != state:
            self._problem("arguments", "answer changes the state that it is given: it must leave the state as it is")
        return answer

    def _optional(self, state: JSON) -> None:
        """Try the optional functions of a question."""
        if isinstance(self._part, Rephrases):
            self._call("rephrase", state, 1)
        self._drafts(state)

    def _drafts(self, state: JSON) -> None:
        """Try the optional functions that are about no question."""
        if isinstance(self.task, Predicts):
            self._call("draft", state, DRAFTED)
        elif isinstance(self.task, Drafted):
            self._call("draft_prompt", state, DRAFTED)
        if isinstance(self.task, Skippable):
            self._call("skip", state)
        if isinstance(self.task, Located) and self._call("state_at", self.trial.steps) != state:
            self._problem("pure", "state_at(step) is not the state that the right answers lead to")

    def _answer(self, state: JSON, prompt: Pairs) -> tuple[JSON, bool]:
        """Return the right answer, and whether there is one."""
        right = self._call("truth", state) if isinstance(self._part, Known) else None
        found = self._rehearsed(state, prompt)
        if found is None:
            return self._without_reply(state, right)
        self.trial.answers = "rehearsal"
        self.trial.tried.add("replies")
        said = self._read(state, found.right)
        if isinstance(said, str):
            problem = Problem("replies", f"the rehearsed right reply is no vote: {said}", self._step)
            if not isinstance(self.task, Skippable):
                self.trial.problems.append(problem)
                return None, False
            self._unread = self._unread or problem
            return None, False
        answer, candidate, standing = said
        if standing is not None:
            self.trial.standings[standing] += 1
        if isinstance(self._part, Known) and candidate != self._candidate(right):
            self._problem("replies", "the rehearsed right reply says something other than truth(state)")
        if not found.wrong:
            self._problem("replies", "no wrong reply is rehearsed: name at least one, for a model that errs")
        for wrong in found.wrong:
            other = self._read(state, wrong)
            if isinstance(other, str):
                continue
            if other.candidate == candidate:
                said = "a rehearsed wrong reply counts as the same vote as the right one"
                self._problem("replies", said, repr(wrong[:80]))
            elif other.standing == "proved":
                self._problem("replies", "verify calls a rehearsed wrong reply proved: it must not be conclusive")
        return answer, True

    def _see_variants(self, state: JSON, candidate: str | None) -> None:
        """Make sure that all variants read their right replies, if these are known, as one answer, each time the same."""
        owner, replies = self._owner("variants"), self._outside.replies
        (handed,) = self._with_item(["item"], [state]) if owner is self._items else [copied(state)]

        def right(variant: Variant) -> str | None:
            try:
                found = None if replies is None else replies(self._outside.asked(variant.prompt))
            except UsageError:
                return None
            return None if found is None else found.right

        for check, text in problems_of(variants_in(owner.variants(handed)), right, candidate, self._candidate):
            self._problem(check, text)

    def _rehearsed(self, state: JSON, prompt: Pairs) -> Replies | None:
        """Return the possible replies to a step, from the task's `rehearse` or from the prompt."""
        replies, rehearsed = self._outside.replies, hasattr(self._part, "rehearse") or hasattr(self.task, "rehearse")
        try:
            if rehearsed:
                return self._outside.rehearsed(self._call("rehearse", state))
            return None if replies is None else replies(prompt)
        except UsageError as error:
            self._problem("functions", str(error))
            raise _Broken from error

    def _without_reply(self, state: JSON, right: JSON) -> tuple[JSON, bool]:
        if isinstance(self._part, Known):
            self.trial.answers = "truth"
            if isinstance(self._part, Verifies):
                standing: Any = self._call("verify", state, right)
                if isinstance(standing, _Raised):
                    self._problem("replies", f"verify calls truth(state) invalid: {standing.text}")
                else:
                    self.trial.standings[standing] += 1
            return right, True
        if self._outside.replies is not None:
            self.trial.tried.add("replies")
            self._problem("replies", "the rehearsal does not know the prompt")
        for text in _TEXTS:
            self._parsed(state, text)
        return None, False

    def _parsed(self, state: JSON, text: str) -> Any:
        return self._call("parse", text, *([state] if checks.takes_state(self._part.parse) else []))

    def _read(self, state: JSON, text: str) -> _Vote | str:
        """Return the vote in a reply, or why the reply is no vote."""
        answer = self._parsed(state, text)
        if isinstance(answer, _Raised):
            return f"parse failed with {answer.text}"
        kept: Any = self._call("check", state, answer) if isinstance(self._part, Checks) else True
        if isinstance(kept, _Raised) or not kept:
            return f"check says no{': ' + kept.text if isinstance(kept, _Raised) else ''}"
        standing: Any = self._call("verify", state, answer) if isinstance(self._part, Verifies) else None
        if isinstance(standing, _Raised):
            return f"verify says that it is invalid: {standing.text}"
        return _Vote(answer, self._candidate(answer), standing)

    def _candidate(self, answer: JSON) -> str:
        try:
            return candidate_of(self._call("key", answer) if isinstance(self._part, Keyed) else answer)
        except ValueError as error:
            self._problem("replies", f"truth(state) returns something that no vote can say: it is {error}")
            return ""

    def _state(self, name: str, *given: JSON) -> JSON:
        """Return the state that a function returns, and see that it means the same after it was stored."""
        state: JSON = self._call(name, *given)
        raw = getattr(self.task, name)(*copied([*given]))
        if raw != state and plain(raw, own=True) == state:  # a tuple, a dataclass, keys that are numbers
            for question in ("part",) if self._parts else ("done", "prompt"):
                if _outcome(getattr(self.task, question), raw) != _outcome(getattr(self.task, question), copied(state)):
                    why = "in JSON, keys become texts, and tuples and objects become lists and dicts"
                    self._problem("plain", f"{question} differs once the state that {name} returns is stored: {why}")
        return state

    def _call(self, name: str, *given: Any) -> Any:
        """Return the result of a function as plain data, after it was called twice.

        An error of `parse`, and the `Invalid` of a `check` or `verify`, are results too, and are returned. Any other error
        ends the walk.
        """
        said = []
        self.trial.tried |= {"pure", "arguments", "plain"}
        owner, names = self._owner(name), (*ARGUMENTS[name], "state")
        if owner is self._items:
            names = tuple("item" if each == "state" else each for each in names)
        for _ in range(2):
            before = [*given] if owner is not self._items else self._with_item(names, given)
            handed = copied(before)
            try:
                said.append(self._plain(name, getattr(owner, name)(*handed)))
            except _Broken:
                raise
            except Invalid as error:
                said.append(_Raised(str(error) or "Invalid"))
            except Exception as error:
                said.append(_Raised(f"{type(error).__name__}: {error}"))
                if name != "parse":
                    self._problem("functions", f"{name} failed with {said[-1].text[:200]}")
                    raise _Broken from error
            for argument, value, was in zip(names, handed, before, strict=False):
                if value is not was and value != was:
                    self._problem("arguments", f"{name} changes the {argument} that it is given: it must return a new one")
        if said[0] != said[1]:
            self._problem("pure", f"{name} returns something else when it is called again: use no clock, chance or counter")
        return said[0]

    def _owner(self, name: str) -> Any:
        """Return the object that has the function."""
        if self._items is not None and name in (*ONE_QUESTION, "given") and hasattr(self._items, name):
            return self._items
        return self._part if self._parts and name in ONE_QUESTION and hasattr(self._part, name) else self.task

    def _with_item(self, names: Sequence[str], given: Sequence[Any]) -> list[Any]:
        """Return the arguments of a function of an items task, with the item, read anew, in place of the state."""
        return [self.task.item(value) if each == "item" else value for each, value in zip(names, given, strict=False)]

    def _plain(self, name: str, result: Any) -> Any:
        """Return what a function returned in the form in which a run keeps it."""
        try:
            match name:
                case "prompt" | "rephrase" | "draft_prompt":
                    self.trial.tried.add("prompts")
                    return self._outside.asked(result)
                case "variants":
                    self.trial.tried.add("prompts")
                    return [self._outside.asked(variant.prompt) for variant in variants_in(result)]
                case "done" | "check" | "goal" | "verify":
                    return standing_of(result) if name == "verify" else truth(name, result)
                case "draft":
                    return [plain(state, own=True) for state in islice(result, DRAFTED)]
                case "parse" | "key" | "given":
                    return plain(result)
                case _:
                    return plain(result, own=True)
        except UsageError as error:
            check = "prompts" if "prompt" in name or name in {"rephrase", "variants"} else "functions"
            check = "plain" if isinstance(error, Incomparable) else check
            self._problem(check, f"what {name} returns: {error}" if check == "plain" else f"{name}: {error}")
            raise _Broken from error
        except ValueError as error:
            if name != "parse":
                self._problem("plain", f"what {name} returns is {error}")
                raise _Broken from error
            raise

    def _see_end(self, total: int | None, *, done: bool) -> None:
        walked = self.trial.steps
        self.trial.tried.add("end")
        if done and total not in {None, walked}:
            self._problem("end", f"the task is done after {walked} steps, but total() says {total}")
        if not done and walked == total:
            self._problem("end", f"after the {total} steps that total() says, done(state) is still False")
        if isinstance(self.task, Concludes):
            self._call("result", self.trial.state)
        if isinstance(self.task, Goal) and not self.trial.left_open and not self._call("goal", self.trial.state):
            self._problem("end", "the right answers lead to the end, but goal(state) returns False there")

    def _problem(self, check: str, text: str, example: str = "") -> None:
        """Keep a problem, with the first example of it."""
        if (check, text) not in self._told:
            self._told.add((check, text))
            self.trial.problems.append(Problem(check, f"{text}: {example}" if example else text, self._step))


class _Raised(NamedTuple):
    """A function raised instead of returning."""

    text: str


def _outcome(function: Callable[..., Any], state: object) -> object:
    try:
        return function(state)
    except Exception as error:  # noqa: BLE001  any error counts as a different outcome
        return _Raised(type(error).__name__)


def _steps_of(task: AnyTask) -> Any:
    """Return a task that is asked step by step, without the guard, which would hide the faults."""
    return ItemSteps(task) if isinstance(task, Items) else task


def replayed(task: AnyTask, trial: Trial) -> Problem | None:
    """Return what goes wrong when a task that was made anew applies the answers of a trial again, as a resume does."""
    steps: Any = _steps_of(task)
    try:
        state = plain(steps.start(), own=True)
        for answer, known in trial.decided:
            state = plain(steps.apply(state, copied(answer)) if known else steps.skip(state), own=True)
    except Exception as error:  # noqa: BLE001  it did not fail before
        return Problem("replay", f"it failed with {type(error).__name__}: {error}"[:300], None)
    if state != trial.state:
        return Problem("replay", "the state at the end differs: a function depends on what was called before", None)
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
