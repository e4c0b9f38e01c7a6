"""The result of trying a task (`checking.py`): what was tried, what does not hold, and what other processes must find too."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from maker_graph.core.canonical import JSON

CHECKS = {
    "functions": "they are there, take the right arguments, and do not fail",
    "pure": "called again, they return the same",
    "arguments": "they do not change their arguments",
    "plain": "states and answers are plain JSON, and mean the same after they are stored",
    "prompts": "all of them can be sent",
    "replies": "the task reads and accepts its own right replies, and no wrong one counts as right",
    "end": "the steps come to an end; if there is total() or goal(), they are as many as it says, and reach the goal",
    "replay": "in a task that was made anew, the same answers lead to the same end",
    "processes": "in other processes, with other hash seeds, everything is the same",
}
"""The checks, in this order -> what each of them says of the functions of the task."""

PROGRAM = "program"
"""This stands in place of a prompt if a program answers. It may look things up, and need not return the same again."""


class Problem(NamedTuple):
    """Something that does not hold.

    Attributes:
        check: the name of one of `CHECKS`.
        text: what is wrong, and what to do.
        step: the first step at which it was seen, from 1; None if it is about the task as a whole.
    """

    check: str
    text: str
    step: int | None


class Place(NamedTuple):
    """One step of the trial, as digests that another process must find too.

    Attributes:
        state: the state before the step.
        prompt: the prompt; empty if no model is asked; `PROGRAM` if a program is asked.
        answer: the answer; empty if it is not known.
    """

    state: str
    prompt: str
    answer: str


@dataclass(slots=True)
class Trial:
    """The result of trying a task.

    Attributes:
        steps: how many steps were tried.
        stopped: why no more were tried: "end" (the task is done, or total() says so), "limit", "failed", "unknown" (the next
            answer is not known), or "world" (the next step depends on a part that acts, which a trial does not do).
        answers: where the answers came from: "rehearsal", "truth" or "nobody".
        not_performed: steps of parts that act on the world. What they rehearse was taken as their answers.
        left_open: steps without a right reply that can be read, in a task that can leave steps open.
        tried: the names of the `CHECKS` that were made.
        problems: what does not hold; each problem once, where it was first seen.
        standings: "proved", "valid", "unknown" -> steps whose right answer the task's verifier calls so.
        trace: the steps as digests.
        decided: the answer of each step, and whether there is one; if not, the step was left open.
        state: the state after the last step.
    """

    steps: int = 0
    stopped: Literal["end", "limit", "failed", "unknown", "world"] = "failed"
    answers: Literal["rehearsal", "truth", "nobody"] = "nobody"
    not_performed: int = 0
    left_open: int = 0
    tried: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    standings: Counter[str] = field(default_factory=Counter)
    trace: list[Place] = field(default_factory=list)
    decided: list[tuple[JSON, bool]] = field(default_factory=list)
    state: JSON = None

    def failed(self, *checks: str) -> bool:
        """Say whether one of these checks has found a problem."""
        return any(problem.check in checks for problem in self.problems)
