"""What came of trying a task (`checking.py`): what was tried, what does not hold, and what other processes must see too."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from maker_graph.core.canonical import JSON

CHECKS = {
    "functions": "they are there, take what they are called with, and do not fail",
    "pure": "called again, they return the same",
    "arguments": "they leave what they are given as it is",
    "plain": "states and answers are plain JSON, and mean the same once they are stored",
    "prompts": "each can be sent",
    "replies": "the task reads and accepts its own right replies, and no wrong one counts as right",
    "end": "the steps come to an end, as many as total() says, and the right answers reach the goal",
    "replay": "applied again to a task that was made anew, the answers lead to the same end",
    "processes": "in other processes, with other hash seeds, everything is the same",
}
"""What is tried, in this order: the functions of the task, in a sentence each."""

PROGRAM = "program"
"""In the place of a prompt: the answer is that of a program, which may look things up and need not say the same again."""


class Problem(NamedTuple):
    """Something that does not hold.

    Attributes:
        check: which of `CHECKS`.
        text: what is wrong, and what to do.
        step: where it was first seen, from 1; None if it is about the task as a whole.
    """

    check: str
    text: str
    step: int | None


class Place(NamedTuple):
    """One step of the walk, as digests: what another process must see too.

    Attributes:
        state: before the step.
        prompt: empty if no model is asked; `PROGRAM` if a part is asked that is a program.
        answer: empty if nobody knows it.
    """

    state: str
    prompt: str
    answer: str


@dataclass(slots=True)
class Trial:
    """What came of it.

    Attributes:
        steps: that were walked.
        stopped: why no more were: "end" (done, or as many as total() says), "limit", "failed", "unknown" (the answers are), or
            "world": what comes next depends on a part that acts, and that is not done here.
        answers: who gave them: "rehearsal", "truth" or "nobody".
        not_performed: steps of parts that act on the world; what they rehearse stood for their answers.
        left_open: steps without a right reply that can be read, in a task that can leave them open.
        tried: which of `CHECKS`, as far as the walk went.
        problems: what does not hold; each once, where it was first seen.
        standings: "proved", "valid", "unknown" -> steps for whose right answer the task's verifier says so.
        trace: the steps.
        decided: the answer of each step, and whether there is one: else the step was left open.
        state: that they led to.
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
