"""A problem is split until its parts are small: propose a split, solve the parts, combine their answers, all by vote.

It is a task of parts. `split` says that a problem is small enough, or names smaller problems and how their answers are
combined. `solve` answers a small problem at once. `compose` combines the answers of the parts. The paper outlines this at its
end (arXiv 2511.09030).

The state is a stack of frames, from the whole problem to the current one. So it grows with the depth and not with the tree:

    {"stack": [{"problem", "at_once", "problems", "combine", "answers"}, ...], "nodes": 3, "bounded": 0, "answer": null}

`at_once` says why a problem is not split: "small" (a vote said so), "rule" (the task's own `small` said so), "depth" or "nodes"
(a bound is reached). `bounded` counts the last two. `Tree` shows all problems, made from the steps of a run.

The prompts name the fields of a reply with the constants that the parsers use. A reply that cannot be read is discarded. It is
never taken to say that a problem is small.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict

from maker_graph.core.canonical import JSON, strict_json
from maker_graph.core.checks import whole
from maker_graph.errors import Invalid, UsageError

MAX_DEPTH = 6
"""The default of the most splits that lead from the whole problem to a smallest one."""

DEEPEST = 100
"""The largest `max_depth` that is allowed."""

MAX_NODES = 100
"""The default of the most problems in the tree."""

MOST_PARTS = 8
"""The most problems into which one is split."""

PROBLEMS, COMBINE, ANSWER = "problems", "combine", "answer"
"""The fields of replies."""

_SMALL = json.dumps({PROBLEMS: [], COMBINE: ""})
_SPLIT = json.dumps({PROBLEMS: ["a smaller problem", "another one"], COMBINE: "how their answers give the answer"})
_ANSWER = json.dumps({ANSWER: "..."})

SPLIT = """\
Problem: {problem}

If the problem is so small that you solve it in one step without an error, reply with this line and nothing else:
{small}
Otherwise split it into at least 2 and at most {most} smaller problems. Each must be understood without the others and without
this text. Say in one short sentence how their answers are combined. Reply with JSON of this form and nothing else:
{split}
"""

SOLVE = """\
Problem: {problem}

Solve it. Reply with JSON of this form and nothing else:
{answer}
"""

COMPOSE = """\
Problem: {problem}

It was split into smaller problems, and these have been answered:
{answered}
How the answers are combined: {combine}

Give the answer to the problem in the first line. Reply with JSON of this form and nothing else:
{answer}
"""

PartName: TypeAlias = Literal["split", "solve", "compose"]

_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:[,'_\u2019\u00a0\u202f]\d{3})+(?!\d)")


class Frame(TypedDict):
    """A problem whose answer is not known yet.

    Attributes:
        problem: the text of the problem.
        at_once: why it is not split; None if it is split, or if that is not decided yet.
        problems: the smaller problems into which it was split; empty if it is not split.
        combine: how the answers are combined.
        answers: the answers that are known, in the order of `problems`.
    """

    problem: str
    at_once: str | None
    problems: list[str]
    combine: str
    answers: list[str]


class DecomposeState(TypedDict):
    """Where a decomposition stands.

    Attributes:
        stack: the frames from the whole problem to the current one; empty at the end.
        nodes: problems in the tree so far.
        bounded: problems that are not split because a bound is reached.
        answer: the answer to the whole problem; None before the end.
    """

    stack: list[Frame]
    nodes: int
    bounded: int
    answer: str | None


class Split(TypedDict):
    """An answer of the part `split`; no problems means that the current one is small enough."""

    problems: list[str]
    combine: str


def normalised(text: str) -> str:
    """Return a text without what does not count when answers are compared: case, blanks, final stops, thousands separators.

    >>> normalised(" It is  1,234,567. "), normalised("3, 5, 8"), normalised("[1,234,567]")
    ('it is 1234567', '3, 5, 8', '[1,234,567]')
    """
    if "[" not in text:  # in a list, commas stand between numbers
        text = _THOUSANDS.sub(lambda number: re.sub(r"\D", "", number[0]), text)
    return " ".join(text.casefold().split()).rstrip(". ")


class Decompose:
    """The task to answer `problem`, a text.

    It works for any kind of problem. A subclass may know more about its kind, in `small`, `check_split`, `check_answer` and
    `key`.

    >>> task = Decompose("What is 12 * 34?", max_depth=1)
    >>> state = task.apply(task.start(), {"problems": ["12 * 30", "12 * 4"], "combine": "Add them."})
    >>> task.part(state), state["stack"][-1]["problem"], state["stack"][-1]["at_once"]
    ('solve', '12 * 30', 'depth')
    >>> state = task.apply(task.apply(state, "360"), "48")
    >>> task.part(state), task.apply(state, "408")["answer"]
    ('compose', '408')
    """

    def __init__(self, problem: str, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> None:
        """Make the task.

        Args:
            problem: the problem to answer.
            max_depth: the most splits that lead from the whole problem to a smallest one; 0 solves the whole problem at once.
            max_nodes: the most problems in the tree, including the whole one.

        Raises:
            UsageError: there is no problem, or a bound is out of range.
        """
        if not isinstance(problem, str) or not problem.strip():
            raise UsageError(f"problem must be a text that says what is asked, not {problem!r}.")
        self.problem = problem.strip()
        self.max_depth = whole("max_depth", max_depth, 0)
        if max_depth > DEEPEST:
            raise UsageError(f"max_depth must be at most {DEEPEST}, not {max_depth}.")
        self.max_nodes = whole("max_nodes", max_nodes)
        self.parts: Mapping[str, Any] = {"split": SplitPart(self), "solve": SolvePart(self), "compose": ComposePart(self)}

    def small(self, problem: str, /) -> bool | None:  # noqa: ARG002  for a subclass
        """Say whether `problem` is to be solved at once; None leaves it to a vote."""
        return None

    def check_split(self, problem: str, problems: Sequence[str], combine: str, /) -> bool:  # noqa: ARG002  for a subclass
        """Say whether the answers to `problems`, combined, answer `problem`. It may raise `Invalid("why")`."""
        return True

    def check_answer(self, problem: str, answer: str, /) -> bool:  # noqa: ARG002  for a subclass
        """Say whether `answer` keeps the rules of answers to `problem`. It may raise `Invalid("why")`."""
        return True

    def key(self, answer: str, /) -> JSON:
        """Return the part of an answer that is voted on."""
        return normalised(answer)

    def start(self) -> DecomposeState:
        """Return the state with the whole problem."""
        return self._with(DecomposeState(stack=[], nodes=1, bounded=0, answer=None), self.problem)

    def part(self, state: DecomposeState) -> PartName | None:
        """Return what is done next with the current problem; None if the whole problem is answered."""
        if not state["stack"]:
            return None
        frame = state["stack"][-1]
        if frame["problems"]:
            return "compose"
        return "split" if frame["at_once"] is None else "solve"

    def apply(self, state: DecomposeState, answer: Any) -> DecomposeState:
        """Return the state after the answer of a part."""
        *others, frame = state["stack"]
        if self.part(state) != "split":
            return self._answered(state, answer)
        if not answer[PROBLEMS]:
            return {**state, "stack": [*others, {**frame, "at_once": "small"}]}
        split: Frame = {**frame, "problems": answer[PROBLEMS], "combine": answer[COMBINE]}
        nodes = state["nodes"] + len(answer[PROBLEMS])
        return self._with({**state, "stack": [*others, split], "nodes": nodes}, answer[PROBLEMS][0])

    def result(self, state: DecomposeState) -> str | None:
        """Return the answer to the whole problem; None before the end."""
        return state["answer"]

    def _answered(self, state: DecomposeState, answer: str) -> DecomposeState:
        """Return the state in which the current problem is answered."""
        *others, _ = state["stack"]
        if not others:
            return {**state, "stack": [], "answer": answer}
        *above, parent = others
        parent = {**parent, "answers": [*parent["answers"], answer]}
        state = {**state, "stack": [*above, parent]}
        known = len(parent["answers"])
        return state if known == len(parent["problems"]) else self._with(state, parent["problems"][known])

    def _with(self, state: DecomposeState, problem: str) -> DecomposeState:
        """Return the state with `problem` as the current one."""
        bound = "depth" if len(state["stack"]) >= self.max_depth else "nodes" if self.room(state) < 2 else None
        rule = self.small(problem)
        at_once = bound or ("rule" if rule else None)
        frame = Frame(problem=problem, at_once=at_once, problems=[], combine="", answers=[])
        return {**state, "stack": [*state["stack"], frame], "bounded": state["bounded"] + (bound is not None)}

    def room(self, state: DecomposeState) -> int:
        """Return into how many problems the current one may be split at most. If fewer than 2, it may not be split."""
        return min(MOST_PARTS, self.max_nodes - state["nodes"])


class SplitPart:
    """The part that says whether the current problem is small enough, and if not, into which problems it is split."""

    def __init__(self, task: Decompose) -> None:
        self._task = task

    def prompt(self, state: DecomposeState) -> str:
        """Ask for a split."""
        problem, most = state["stack"][-1]["problem"], self._task.room(state)
        return SPLIT.format(problem=problem, most=most, small=_SMALL, split=_SPLIT)

    def parse(self, text: str) -> Split:
        """Return the split in a reply, or raise."""
        read = _fields(text, {PROBLEMS, COMBINE})
        problems, combine = read[PROBLEMS], read[COMBINE]
        if not isinstance(problems, list) or not all(isinstance(each, str) and each.strip() for each in problems):
            raise ValueError(f"{PROBLEMS} is not a list of texts")
        if not isinstance(combine, str) or bool(combine.strip()) != bool(problems):
            raise ValueError(f"{COMBINE} does not say how the answers are combined")
        return Split(problems=[str(each).strip() for each in problems], combine=combine.strip())

    def check(self, state: DecomposeState, answer: Split) -> bool:
        """Say whether a split is allowed, and keeps the rules of the task."""
        problem, problems = state["stack"][-1]["problem"], answer["problems"]
        if not problems:
            if self._task.small(problem) is False:
                raise Invalid("the problem is not small")
            return True
        most = self._task.room(state)
        if not 2 <= len(problems) <= most:
            raise Invalid(f"{len(problems)} problems, but only 2 to {most} are allowed")
        if normalised(problem) in map(normalised, problems):
            raise Invalid("the problem itself is among the smaller ones")
        return self._task.check_split(problem, problems, answer["combine"])

    def key(self, answer: Split) -> JSON:
        """Return what is voted on: the problems, in their order, and how their answers are combined."""
        return [[normalised(each) for each in answer["problems"]], normalised(answer["combine"])]


class _Answers:
    """The common part of `solve` and `compose`: how an answer is read, checked and compared."""

    def __init__(self, task: Decompose) -> None:
        self._task = task

    def parse(self, text: str) -> str:
        """Return the answer in a reply, or raise; a whole number counts as its text."""
        answer = _fields(text, {ANSWER})[ANSWER]
        if isinstance(answer, int) and not isinstance(answer, bool):
            return str(answer)
        if not isinstance(answer, str) or not answer.strip():
            raise ValueError(f"{ANSWER} is not text")
        return answer.strip()

    def check(self, state: DecomposeState, answer: str) -> bool:
        """Say whether the answer keeps the rules of the task."""
        return self._task.check_answer(state["stack"][-1]["problem"], answer)

    def key(self, answer: str) -> JSON:
        """Return what is voted on."""
        return self._task.key(answer)


class SolvePart(_Answers):
    """The part that answers a problem that is not split."""

    def prompt(self, state: DecomposeState) -> str:
        """Ask for the answer."""
        return SOLVE.format(problem=state["stack"][-1]["problem"], answer=_ANSWER)


class ComposePart(_Answers):
    """The part that answers a problem whose smaller problems are answered."""

    def prompt(self, state: DecomposeState) -> str:
        """Ask for the answer, and show the answers to the smaller problems."""
        frame = state["stack"][-1]
        pairs = enumerate(zip(frame["problems"], frame["answers"], strict=True), start=1)
        answered = "\n".join(f"{number}. {problem}\n   Answer: {answer}" for number, (problem, answer) in pairs)
        return COMPOSE.format(problem=frame["problem"], answered=answered, combine=frame["combine"], answer=_ANSWER)


def _fields(text: str, names: set[str]) -> dict[str, JSON]:
    """Return the object in `text`, which must have these fields and no others."""
    read = strict_json(text)
    if not isinstance(read, dict) or set(read) != names:
        raise ValueError(f"not an object with {' and '.join(sorted(names))}, and nothing else")
    return read


@dataclass(slots=True)
class Node:
    """One problem of the tree.

    Attributes:
        problem: the text of the problem.
        at_once: why it is not split; None if it is split, or if that is not decided yet.
        combine: how the answers of its children are combined.
        answer: its answer; None before there is one.
        told: part -> what `Tree.add` was told of its decision.
        children: the problems into which it was split.
    """

    problem: str
    at_once: str | None = None
    combine: str = ""
    answer: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)


class Tree:
    """The tree of problems of a run, built from its answers in order.

    >>> tree = Tree(Decompose("1 + 1"))
    >>> tree.add({"problems": [], "combine": ""}, told={"small": 3})
    >>> tree.add("2", told={"2": 3})
    >>> tree.root.at_once, tree.root.answer, tree.root.told["solve"]
    ('small', '2', {'2': 3})

    Attributes:
        root: the whole problem.
    """

    def __init__(self, task: Decompose) -> None:
        self._task = task
        self._state = task.start()
        self.root = Node(task.problem, self._state["stack"][0]["at_once"])

    def add(self, answer: Any, told: Any = None) -> None:
        """Take the answer of the next step; `told` is anything that the node shall keep of its decision."""
        node, part = self._at_hand(), self._task.part(self._state)
        node.told[str(part)] = told
        self._state = self._task.apply(self._state, answer)
        if part != "split":
            node.answer = answer
        elif answer[PROBLEMS]:
            node.combine, node.children = answer[COMBINE], [Node(each) for each in answer[PROBLEMS]]
        if self._state["stack"]:
            self._at_hand().at_once = self._state["stack"][-1]["at_once"]

    def _at_hand(self) -> Node:
        node = self.root
        for frame in self._state["stack"][:-1]:
            node = node.children[len(frame["answers"])]
        return node
